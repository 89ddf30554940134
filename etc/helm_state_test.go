package etc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// TestTheStateIsHandedOver runs the script of the init container on folders: it hands
// over what is new or was confd's before, and leaves others' as they are.
func TestTheStateIsHandedOver(t *testing.T) {
	needRoot(t)
	helms(t, func(t *testing.T, h helm) {
		container := daemonSet(t, h.rendered(t, images, "state: {hostPath: /var/lib/confd-bird}")).Spec.Template.Spec.InitContainers[0]
		for what, c := range map[string]struct {
			files []string
			given bool
		}{
			"new":                   {nil, true},
			"a file system":         {[]string{"lost+found"}, true},
			"confd's, without BIRD": {[]string{".confd-report.json"}, true},
			"BIRD's":                {[]string{"bird.conf", "peers.conf"}, true},
			"others'":               {[]string{"passwd", "bird"}, false},
			"others', and odd":      {[]string{"xbird.conf", "a\nb", "-q"}, false},
		} {
			t.Run(what, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				for _, name := range c.files {
					write(t, filepath.Join(dir, name), "")
				}
				command := slices.Clone(container.Command)
				for i := range command {
					command[i] = strings.ReplaceAll(command[i], "/etc/bird", dir)
				}
				out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
				info, statErr := os.Stat(dir)
				if statErr != nil {
					t.Fatal(statErr)
				}
				given := info.Mode() == os.ModeDir|os.ModeSetgid|0o770
				if given != c.given || (err == nil) != c.given || !c.given && !strings.Contains(string(out), "state.hostPath") {
					t.Errorf("%v, %v: %s", info.Mode(), err, out)
				}
			})
		}
	})
}

// daemonSet is the one that is rendered.
func daemonSet(t *testing.T, rendered []byte) *appsv1.DaemonSet {
	t.Helper()
	for document := range strings.SplitSeq(string(rendered), "\n---\n") {
		var d appsv1.DaemonSet
		if yaml.Unmarshal([]byte(document), &d) == nil && d.Kind == "DaemonSet" {
			return &d
		}
	}
	t.Fatal("no DaemonSet is rendered")
	return nil
}
