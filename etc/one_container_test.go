package etc_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"confd/internal/testenv"
)

// TestOneContainersRightsSuffice runs the one container's command as the
// manifest has it run, on Debian's BIRD, with a file for the API server and
// other folders for the volumes: until it is told to end, and BIRD with it.
func TestOneContainersRightsSuffice(t *testing.T) {
	needRoot(t)
	objects := decode(t, kustomize(t, "kubernetes/overlays/one-container"))
	s := newSidecar(t)
	s.spec = objects["DaemonSet/confd"].(*appsv1.DaemonSet).Spec.Template.Spec
	if len(s.spec.Containers) != 1 {
		t.Fatalf("the pod has %d containers", len(s.spec.Containers))
	}
	args := s.pod("confd").Args
	for i := range args {
		args[i] = strings.Replace(args[i], "run-bird", "sh "+filepath.Join(testenv.Root(t), "etc", "run-bird"), 1)
	}
	// As BIRD's container a command has the PATH that BIRD's image has.
	bird := s.spec.Containers[0]
	bird.Name = "bird"
	s.spec.Containers = append(s.spec.Containers, bird)
	pidFile := filepath.Join(s.control, "pid")
	script := `echo $$ >"$0" && exec "$@"`
	ended := s.start(slices.Concat([]string{"sh", "-c", script, pidFile, s.confd}, args[:1], []string{"--data=" + s.data}, args[1:])...)
	socket := filepath.Join(s.control, "bird.ctl")
	testenv.Eventually(t, patience, "the session in BIRD", func() bool {
		out, err := testenv.Birdc(socket, "show protocols")
		return err == nil && strings.Contains(out, "192_0_2_2")
	})
	if err := syscall.Kill(processIn(t, pidFile), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ended
	if _, err := testenv.Birdc(socket, "show status"); err == nil {
		t.Error("BIRD still runs")
	}
}

// processIn is the process whose number is in a file.
func processIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
