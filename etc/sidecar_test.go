package etc_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"confd/internal/testenv"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// cluster has two nodes, n1 and n2, in a mesh.
const cluster = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: n1}, spec: {bgp: {ipv4Address: 192.0.2.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: n2}, spec: {bgp: {ipv4Address: 192.0.2.2/24}}}
`

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this takes root")
	}
}

func TestTheStaticBinaryWorksInAnEmptyRoot(t *testing.T) {
	needRoot(t)
	root := testenv.SocketDir(t)
	program, err := os.ReadFile(buildConfd(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "confd"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "cluster.yaml"), cluster)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("/confd", args...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("confd %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := run("version"); strings.TrimSpace(out) == "" {
		t.Error("no version")
	}
	if out := run("render", "--data", "/cluster.yaml", "--node", "n1", "--bird", "2"); !strings.Contains(out, "192.0.2.2") {
		t.Errorf("render has no session with n2:\n%s", out)
	}
}

// TestTheSidecarsRightsSuffice runs both containers' commands as the manifest
// has them run (users, groups, capabilities, probes), on Debian's BIRD, with a
// file for the API server and other folders for the volumes.
func TestTheSidecarsRightsSuffice(t *testing.T) {
	needRoot(t)
	s := newSidecar(t)
	bird := s.start(s.pod("bird").Command...)
	if err := s.probe(s.pod("bird").LivenessProbe); err != nil {
		t.Errorf("not alive while it waits for a configuration: %v", err)
	}
	if err := s.probe(s.pod("bird").ReadinessProbe); err == nil {
		t.Error("ready without a configuration")
	}
	write(t, filepath.Join(s.configuration, "bird.conf"), "what BIRD refuses\n")
	refused := filepath.Join(s.configuration, "refused.conf")
	testenv.Eventually(t, patience, refused, func() bool { _, err := os.Stat(refused); return err == nil })

	// The peer is nowhere: BIRD, which is started with -R, waits for it in vain.
	args := append([]string{s.confd, "--data=" + s.data, "--graceful-restart-wait=1s", "--listen=" + s.variable("confd", "CONFD_LISTEN")}, s.pod("confd").Args...)
	s.start(args...)
	testenv.Eventually(t, patience, "readiness", func() bool { return s.probe(s.pod("bird").ReadinessProbe) == nil })
	if err := s.probe(s.pod("bird").LivenessProbe); err != nil {
		t.Errorf("not alive though ready: %v", err)
	}
	for _, probe := range []*corev1.Probe{s.pod("confd").ReadinessProbe, s.pod("confd").LivenessProbe} {
		testenv.Eventually(t, patience, probe.HTTPGet.Path, func() bool { return strings.Contains(s.get(probe.HTTPGet), " 200 ") })
	}
	write(t, s.data, strings.Replace(cluster, "192.0.2.2", "192.0.2.3", 1))
	testenv.Eventually(t, patience, "the new session in BIRD", func() bool {
		out, err := testenv.Birdc(filepath.Join(s.control, "bird.ctl"), "show protocols")
		return err == nil && strings.Contains(out, "192_0_2_3")
	})
	if err := s.run(s.pod("bird").Lifecycle.PreStop.Exec.Command); err != nil {
		t.Errorf("preStop: %v", err)
	}
	testenv.Eventually(t, patience, "the end of BIRD", func() bool {
		select {
		case <-bird:
			return true
		default:
			return false
		}
	})
}

// sidecar runs commands of the base's containers in a network namespace.
type sidecar struct {
	t                      *testing.T
	lab                    *testenv.Lab
	spec                   corev1.PodSpec
	setpriv, confd, data   string
	configuration, control string
}

func newSidecar(t *testing.T) *sidecar {
	t.Helper()
	dir := testenv.SocketDir(t)
	s := &sidecar{
		t: t, spec: base(t), confd: filepath.Join(dir, "confd"), data: filepath.Join(dir, "cluster.yaml"),
		configuration: filepath.Join(dir, "etc"), control: filepath.Join(dir, "run"),
		lab: testenv.NewLab(t, testenv.Host{Name: "n1", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}),
	}
	for _, program := range []string{"bird", "birdc", "setpriv"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("no %s on PATH (Debian: apt-get install bird2 util-linux)", program)
		}
		s.setpriv = path
	}
	if err := os.Rename(buildConfd(t), s.confd); err != nil {
		t.Fatal(err)
	}
	write(t, s.data, cluster)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, volume := range []string{s.configuration, s.control} {
		s.makeVolume(volume)
	}
	return s
}

// makeVolume makes an emptyDir as the kubelet does where there is an fsGroup.
func (s *sidecar) makeVolume(path string) {
	s.t.Helper()
	err := os.Mkdir(path, 0o777)
	if err == nil {
		err = os.Chown(path, 0, int(*s.spec.SecurityContext.FSGroup))
	}
	if err == nil {
		err = os.Chmod(path, 0o775|os.ModeSetgid)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// pod is the container of that name, with the test's folders for the volumes.
func (s *sidecar) pod(name string) corev1.Container {
	s.t.Helper()
	c := container(s.t, s.spec, name)
	c = *c.DeepCopy()
	replace := func(words []string) {
		for i := range words {
			words[i] = strings.NewReplacer("/etc/bird", s.configuration, "/run/bird", s.control).Replace(words[i])
		}
	}
	replace(c.Command)
	replace(c.Args)
	if c.Lifecycle != nil { // the other container's probes are no commands
		replace(c.Lifecycle.PreStop.Exec.Command)
		replace(c.LivenessProbe.Exec.Command)
		replace(c.ReadinessProbe.Exec.Command)
	}
	return c
}

// command prepares a command with the rights of the container that it is of.
func (s *sidecar) command(words []string) *exec.Cmd {
	name, path := "bird", os.Getenv("PATH")
	if words[0] == s.confd {
		name, path = "confd", "" // its image has no other program
	}
	security := container(s.t, s.spec, name).SecurityContext
	rights := "-all"
	for _, c := range security.Capabilities.Add {
		rights += ",+" + strings.ToLower(string(c))
	}
	user, group := *security.RunAsUser, int64(0)
	if security.RunAsGroup != nil {
		group = *security.RunAsGroup
	}
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	setpriv := []string{
		"env", "-i", "NODENAME=n1", "PATH=" + path, s.setpriv, "--no-new-privs", "--reuid", id(user), "--regid", id(group), "--groups", id(*s.spec.SecurityContext.FSGroup),
		"--inh-caps=-all", "--bounding-set=" + rights,
	}
	return s.lab.Command("n1", append(setpriv, words...)...)
}

// start runs a container's command, until the end of the test. The channel is
// closed when it ends.
func (s *sidecar) start(words ...string) <-chan struct{} {
	s.t.Helper()
	cmd := s.command(words)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }() // how it ended is in its output
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only where it is gone
		<-done
		if s.t.Failed() {
			s.t.Logf("%s printed:\n%s", words[0], &out)
		}
	})
	return done
}

func (s *sidecar) run(words []string) error {
	if out, err := s.command(words).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// get asks for what an HTTP probe does, in the pod's network namespace.
func (s *sidecar) get(g *corev1.HTTPGetAction) string {
	to := "/dev/tcp/" + g.Host + "/" + g.Port.String()
	out, err := s.lab.Command("n1", "bash", "-c", "exec 3<>"+to+"; printf 'GET "+g.Path+" HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3").CombinedOutput()
	if err != nil {
		s.t.Logf("probing %s: %v", g.Path, err)
	}
	return string(out)
}

// variable is what a container's environment has.
func (s *sidecar) variable(container, name string) string {
	s.t.Helper()
	for _, v := range s.pod(container).Env {
		if v.Name == name {
			return v.Value
		}
	}
	s.t.Fatalf("the container %s has no variable %s", container, name)
	return ""
}

func (s *sidecar) probe(p *corev1.Probe) error { return s.run(p.Exec.Command) }
