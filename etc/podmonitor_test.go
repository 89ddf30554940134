package etc_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"confd/internal/testenv"
)

// TestPrometheusFindsEveryPod has the PodMonitor select what the DaemonSet runs, at a
// port that the program listens on, on the node's address.
func TestPrometheusFindsEveryPod(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "kubernetes"), os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "kustomization.yaml"), `
resources: [kubernetes/base]
components: [kubernetes/overlays/listen-on-node, kubernetes/overlays/podmonitor]
`)
	var daemons appsv1.DaemonSet
	var monitor struct {
		Spec struct {
			Selector            struct{ MatchLabels map[string]string }
			PodMetricsEndpoints []struct{ Port string }
		}
	}
	for _, o := range testenv.Objects(t, kustomize(t, dir)) {
		into, ok := map[string]any{"DaemonSet": &daemons, "PodMonitor": &monitor}[o.GetKind()]
		if !ok {
			continue
		}
		text, err := yaml.Marshal(o.Object)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pod := daemons.Spec.Template
	for label, value := range monitor.Spec.Selector.MatchLabels {
		if pod.Labels[label] != value {
			t.Errorf("the PodMonitor wants %s=%s, and the pods have %v", label, value, pod.Labels)
		}
	}
	confd := container(t, pod.Spec, "confd")
	if e := monitor.Spec.PodMetricsEndpoints; len(e) != 1 || len(confd.Ports) != 1 || e[0].Port != confd.Ports[0].Name {
		t.Errorf("the PodMonitor asks at %+v, and the container has %+v", e, confd.Ports)
	}
	// A variable is filled in where it stands before its use.
	index := func(name string) int {
		return slices.IndexFunc(confd.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	}
	address, listen := index("NODE_IP"), index("CONFD_LISTEN")
	if address < 0 || listen < address || confd.Env[listen].Value != "$(NODE_IP):9191" {
		t.Errorf("it listens on %+v", confd.Env)
	}
	for _, probe := range []*corev1.Probe{confd.ReadinessProbe, confd.LivenessProbe} {
		if probe.HTTPGet.Host != "" || probe.HTTPGet.Port.IntValue() != int(confd.Ports[0].ContainerPort) {
			t.Errorf("a probe asks at %q, port %v", probe.HTTPGet.Host, probe.HTTPGet.Port)
		}
	}
}
