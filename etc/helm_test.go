package etc_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"confd/internal/testenv"
)

// chart is the folder of the chart.
const chart = "helm/confd-bird"

// helm is one of the helms that the chart is tried with.
type helm struct {
	program string
	env     []string
	flags   []string // of helm template
}

// helms runs a test with each helm that was built.
func helms(t *testing.T, test func(*testing.T, helm)) {
	t.Helper()
	programs, err := helmPrograms(t)
	if err != nil || len(programs) == 0 {
		t.Skip("no helm in .testenv/bin: `make helm` builds it")
	}
	for _, program := range programs {
		t.Run(filepath.Base(program), func(t *testing.T) { test(t, newHelm(t, program)) })
	}
}

// helmPrograms are those that were built.
func helmPrograms(t *testing.T) ([]string, error) {
	t.Helper()
	return filepath.Glob(filepath.Join(testenv.Root(t), ".testenv", "bin", "helm-v*"))
}

// newHelm is a helm that reads and writes none of the user's folders.
func newHelm(t *testing.T, program string) helm {
	home := t.TempDir()
	h := helm{program: program, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}}
	for _, folder := range []string{"CACHE", "CONFIG", "DATA"} {
		h.env = append(h.env, "HELM_"+folder+"_HOME="+filepath.Join(home, folder))
	}
	return h
}

// run returns what helm prints, and as its error what it says.
func (h helm) run(args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(h.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.Bytes(), nil
}

// template renders the chart as the release confd of kube-system, with these values
// (YAML), the later ones over the earlier ones.
func (h helm) template(t *testing.T, values ...string) ([]byte, error) {
	t.Helper()
	args := append([]string{"template", "confd", chart, "--namespace", "kube-system"}, h.flags...)
	dir := t.TempDir()
	for i, text := range values {
		file := filepath.Join(dir, fmt.Sprintf("values-%d.yaml", i))
		write(t, file, text)
		args = append(args, "--values", file)
	}
	return h.run(args...)
}

// rendered is template where it must succeed.
func (h helm) rendered(t *testing.T, values ...string) []byte {
	t.Helper()
	out, err := h.template(t, values...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// images are the values for the images that kustomize's manifests name.
const images = `
images:
  confd: {repository: registry.example.com/confd}
  bird: {repository: registry.example.com/bird}
  confdBird: {repository: registry.example.com/confd-bird}
`

// meetings are the kustomizations, as folders of etc/kubernetes, that the chart is the
// same as with some values. The first folder is a resource, the others are components.
var meetings = []struct {
	folders []string
	values  string
}{
	{[]string{"base"}, ``},
	{[]string{"overlays/named-secrets"}, `passwords: {secrets: [bgp-secrets]}`},
	{[]string{"overlays/typha"}, `typha: {service: calico-typha}`},
	{[]string{"overlays/one-container"}, `mode: one-container`},
	{[]string{"base", "overlays/listen-on-node"}, `listen: {onNode: true}`},
	{[]string{"base", "overlays/node-events"}, `nodeEvents: {enabled: true}`},
	{[]string{"base", "overlays/listen-on-node", "overlays/podmonitor"}, "listen: {onNode: true}\npodMonitor: {enabled: true}"},
	{
		[]string{"overlays/one-container", "overlays/listen-on-node", "overlays/podmonitor", "overlays/node-events"},
		"mode: one-container\nlisten: {onNode: true}\npodMonitor: {enabled: true}\nnodeEvents: {enabled: true}",
	},
}

// notInTheChart are the folders that change what is not of the chart: Calico's own DaemonSet.
var notInTheChart = []string{"overlays/calico-node", "overlays/calico-node-bird2"}

func TestTheChartIsTheManifests(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		for _, m := range meetings {
			t.Run(strings.Join(m.folders, "+"), func(t *testing.T) {
				want := said(t, kustomize(t, kustomization(t, m.folders)))
				got := said(t, h.rendered(t, images, m.values))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("kustomize (-) and the chart (+) with the values %q:\n%s", m.values, diff)
				}
			})
		}
	})
}

func TestEachFolderOfManifestsIsComparedWithTheChart(t *testing.T) {
	known := slices.Clone(notInTheChart)
	for _, m := range meetings {
		known = append(known, m.folders...)
	}
	folders, err := filepath.Glob("kubernetes/overlays/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("%d overlays: %v", len(folders), err)
	}
	for _, folder := range folders {
		if name := "overlays/" + filepath.Base(folder); !slices.Contains(known, name) {
			t.Errorf("%s is neither compared with the chart nor said not to be in it", name)
		}
	}
}

// kustomization is a folder that has the first folder as its resource and the others as
// components.
func kustomization(t *testing.T, folders []string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "kubernetes"), os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	text := "resources: [kubernetes/" + folders[0] + "]\ncomponents:\n"
	for _, folder := range folders[1:] {
		text += "  - kubernetes/" + folder + "\n"
	}
	write(t, filepath.Join(dir, "kustomization.yaml"), text)
	return dir
}

// said is what manifests say, by kind and name, without what only tells of Helm: the
// order of containers and variables does not count, but that no variable is used before
// it is there.
func said(t *testing.T, manifests []byte) map[string]any {
	t.Helper()
	objects := decode(t, manifests)
	for _, o := range objects {
		if o, ok := o.(metav1.Object); ok {
			o.SetLabels(ours(o.GetLabels()))
		}
		if daemons, ok := o.(*appsv1.DaemonSet); ok {
			containers := daemons.Spec.Template.Spec.Containers
			slices.SortFunc(containers, func(a, b corev1.Container) int { return strings.Compare(a.Name, b.Name) })
			for _, c := range containers {
				checkOrder(t, c.Env)
				slices.SortFunc(c.Env, func(a, b corev1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
			}
		}
	}
	return objects
}

// ours leaves the labels out that a chart has to have. The manifests give the label
// with the name to those objects alone that are selected by it.
func ours(labels map[string]string) map[string]string {
	left := map[string]string{}
	for k, v := range labels {
		if !strings.HasPrefix(k, "app.kubernetes.io/") && !strings.HasPrefix(k, "helm.sh/") {
			left[k] = v
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left
}

// checkOrder fails the test where a variable is used before it is set, which the kubelet
// leaves as it is.
func checkOrder(t *testing.T, env []corev1.EnvVar) {
	t.Helper()
	for i, v := range env {
		for _, later := range env[i:] {
			if strings.Contains(v.Value, "$("+later.Name+")") {
				t.Errorf("%s=%s stands before %s", v.Name, v.Value, later.Name)
			}
		}
	}
}

func TestHelmFindsNoFaultInTheChart(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		for _, file := range fullValues(t) {
			if out, err := h.run("lint", "--strict", chart, "--values", file); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
			decode(t, h.rendered(t, text(t, file)))
		}
	})
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// fullValues are files that set each value, in each of the modes.
func fullValues(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/chart/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files of values: %v", len(files), err)
	}
	return files
}
