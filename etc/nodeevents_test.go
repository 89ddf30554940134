package etc_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"confd/backends/kubernetes"
	"confd/internal/testenv"
)

// TestNodeEvents has a real API server refuse Events with the rights of the base, and
// take them with those of the component.
func TestNodeEvents(t *testing.T) {
	k := testenv.StartKube(t, testenv.KubeUsers("confd"))
	k.Apply(t, []byte(`{apiVersion: v1, kind: Node, metadata: {name: node-1}}`))
	k.InstallRBAC(t, "confd")
	w, err := kubernetes.NewWriter(kubernetes.Config{Kubeconfig: k.Kubeconfig(t, "confd")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	event := kubernetes.NodeEvent{Node: "node-1", Warning: true, Reason: "BGPChangeHeld", Text: "a change is held back", At: time.Now()}
	if err := w.Event(t.Context(), event); err == nil || !strings.Contains(err.Error(), "403") {
		t.Fatalf("with the rights of the base: %v", err)
	}
	k.InstallRBAC(t, "confd", "overlays/node-events")
	testenv.Eventually(t, patience, "an Event to be taken", func() bool { return w.Event(t.Context(), event) == nil })
	text := k.Kubectl(t, "describe", "node", "node-1")
	if !strings.Contains(text, "BGPChangeHeld") || !strings.Contains(text, "a change is held back") {
		t.Errorf("kubectl describe node says:\n%s", text)
	}
}

// TestTheComponentSwitchesNodeEventsOn has the rights where Events of Nodes belong, and
// for the pods.
func TestTheComponentSwitchesNodeEventsOn(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "kubernetes"), os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [kubernetes/base]\ncomponents: [kubernetes/overlays/node-events]\n")
	objects := decode(t, kustomize(t, dir))
	role, binding := objects["Role/confd-node-events"].(*rbacv1.Role), objects["RoleBinding/confd-node-events"].(*rbacv1.RoleBinding)
	pod := objects["DaemonSet/confd"].(*appsv1.DaemonSet).Spec.Template.Spec
	who := binding.Subjects[0]
	if role.Namespace != "default" || binding.Namespace != "default" || who.Name != pod.ServiceAccountName || who.Namespace != "kube-system" {
		t.Errorf("the Role is in %s, its binding in %s, for %+v", role.Namespace, binding.Namespace, who)
	}
	on := corev1.EnvVar{Name: "CONFD_NODE_EVENTS", Value: "true"}
	if env := container(t, pod, "confd").Env; !slices.Contains(env, on) {
		t.Errorf("the program is not told: %+v", env)
	}
}
