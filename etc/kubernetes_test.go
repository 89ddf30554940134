package etc_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"confd/backends/typha/typhatest"
	"confd/internal/testenv"
)

// kustomize renders a folder with the kustomize inside kubectl.
func kustomize(t *testing.T, folder string) []byte {
	t.Helper()
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("no kubectl on PATH")
	}
	var stderr bytes.Buffer
	cmd := exec.Command("kubectl", "kustomize", folder)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v\n%s", folder, err, &stderr)
	}
	return out
}

// decode reads rendered manifests into the API's types, and fails the test at
// a field that they do not have. The result has an object for each kind/name.
func decode(t *testing.T, manifests []byte) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for _, o := range testenv.Objects(t, manifests) {
		typed, ok := map[string]any{
			"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
			"ConfigMap": &corev1.ConfigMap{}, "DaemonSet": &appsv1.DaemonSet{}, "PodMonitor": &unstructured.Unstructured{},
			"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{}, "ServiceAccount": &corev1.ServiceAccount{},
		}[o.GetKind()]
		if !ok {
			t.Fatalf("kind %s is not expected here", o.GetKind())
		}
		text, err := yaml.Marshal(o.Object)
		if err == nil {
			err = yaml.UnmarshalStrict(text, typed)
		}
		if err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		objects[o.GetKind()+"/"+o.GetName()] = typed
	}
	return objects
}

// base is the pod that the base runs.
func base(t *testing.T) corev1.PodSpec {
	t.Helper()
	return decode(t, kustomize(t, "kubernetes/base"))["DaemonSet/confd"].(*appsv1.DaemonSet).Spec.Template.Spec
}

func container(t *testing.T, pod corev1.PodSpec, name string) corev1.Container {
	t.Helper()
	i := slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("the pod has no container %s", name)
	}
	return pod.Containers[i]
}

// buildConfd makes the program as it is in the images.
func buildConfd(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "confd")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./confd")
	cmd.Dir = testenv.Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func TestTheSidecarsContainersAreWhatTheyClaim(t *testing.T) {
	pod := base(t)
	bird, confd := container(t, pod, "bird"), container(t, pod, "confd")
	if !pod.HostNetwork || pod.ServiceAccountName != "confd" || pod.PriorityClassName != "system-node-critical" {
		t.Errorf("host network %v, service account %s, priority %s", pod.HostNetwork, pod.ServiceAccountName, pod.PriorityClassName)
	}
	mounts := func(c corev1.Container) map[string]string {
		m := map[string]string{}
		for _, v := range c.VolumeMounts {
			m[v.Name] = v.MountPath
		}
		return m
	}
	for _, volume := range []string{"configuration", "control"} {
		if a, b := mounts(bird)[volume], mounts(confd)[volume]; a == "" || a != b {
			t.Errorf("volume %s is at %q for bird and at %q for confd", volume, a, b)
		}
	}
	if mounts(bird)["api"] != "" {
		t.Error("bird is given the token of the API server")
	}
	if s := confd.SecurityContext; len(s.Capabilities.Add) > 0 || !*s.RunAsNonRoot || *s.RunAsGroup != *pod.SecurityContext.FSGroup {
		t.Errorf("confd runs with %+v", s)
	}
	// With a flag that it does not know the program ends with 2 instead.
	args := append(slices.Clone(confd.Args), "--help")
	if out, err := exec.Command(buildConfd(t), args...).CombinedOutput(); err != nil {
		t.Errorf("confd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestTheAPIServerTakesTheManifestsAndGivesTheirRightsOnly(t *testing.T) {
	k := testenv.StartKube(t)
	for _, group := range testenv.CalicoGroups() {
		k.InstallCRDs(t, group)
	}
	decode(t, kustomize(t, "kubernetes/base"))
	k.Apply(t, kustomize(t, "kubernetes/base"))
	pod := clientAs(t, k, "system:serviceaccount:kube-system:confd")
	for _, resource := range []string{
		"nodes.", "services.", "endpointslices.discovery.k8s.io",
		"bgpconfigurations.crd.projectcalico.org", "bgpconfigurations.projectcalico.org",
		"bgppeers.crd.projectcalico.org", "bgppeers.projectcalico.org",
		"bgpfilters.crd.projectcalico.org", "bgpfilters.projectcalico.org",
		"ippools.crd.projectcalico.org", "ippools.projectcalico.org",
		"blockaffinities.crd.projectcalico.org", "blockaffinities.projectcalico.org",
		"felixconfigurations.crd.projectcalico.org", "felixconfigurations.projectcalico.org",
	} {
		if err := pod.list(resource, "", ""); err != nil {
			t.Errorf("list %s: %v", resource, err)
		}
	}
	const secrets, named, other = "secrets.", "metadata.name=bgp-secrets", "metadata.name=other"
	if err := pod.list(secrets, "kube-system", named); err != nil {
		t.Errorf("a Secret of kube-system: %v", err)
	}
	if err := pod.list(secrets, "default", named); !apierrors.IsForbidden(err) {
		t.Errorf("a Secret of another namespace: %v", err)
	}

	k.Apply(t, kustomize(t, "kubernetes/overlays/named-secrets"))
	testenv.Eventually(t, patience, "the other Secrets to be forbidden", func() bool {
		return apierrors.IsForbidden(pod.list(secrets, "kube-system", other))
	})
	if err := pod.list(secrets, "kube-system", named); err != nil {
		t.Errorf("the Secret that is named: %v", err)
	}
	if err := pod.list(secrets, "kube-system", ""); !apierrors.IsForbidden(err) {
		t.Errorf("all Secrets: %v", err)
	}
}

// TestThroughTyphaFewerRightsAreEnough: with the overlay's role the program renders
// through Typha, and could not without.
func TestThroughTyphaFewerRightsAreEnough(t *testing.T) {
	k := testenv.StartKube(t)
	for _, group := range testenv.CalicoGroups() {
		k.InstallCRDs(t, group)
	}
	manifests := kustomize(t, "kubernetes/overlays/typha")
	pod := decode(t, manifests)["DaemonSet/confd"].(*appsv1.DaemonSet).Spec.Template.Spec
	k.Apply(t, manifests)
	const account = "system:serviceaccount:kube-system:confd"
	rights := clientAs(t, k, account)
	for resource, allowed := range map[string]bool{
		"services.": true, "endpointslices.discovery.k8s.io": true,
		"felixconfigurations.crd.projectcalico.org": true, "felixconfigurations.projectcalico.org": true,
		"nodes.": false, "bgppeers.crd.projectcalico.org": false, "bgppeers.projectcalico.org": false,
		"ippools.projectcalico.org": false, "blockaffinities.crd.projectcalico.org": false,
	} {
		if err := rights.list(resource, "", ""); (err == nil) != allowed || err != nil && !apierrors.IsForbidden(err) {
			t.Errorf("list %s: %v", resource, err)
		}
	}
	server, err := typhatest.Start(typhatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	server.Set("/calico/resources/v3/projectcalico.org/nodes/node-1", `{"metadata":{"name":"node-1"},"spec":{"bgp":{"ipv4Address":"10.0.0.1/24"}}}`)
	program, config := buildConfd(t), impersonating(t, k, account)
	render := func(more ...string) (string, error) {
		cmd := exec.Command(program, "render", "--bird=2", "--node=node-1", "--sync-timeout=5s", "--endpoint-status-prefix="+t.TempDir(), "--confdir="+t.TempDir())
		cmd.Env = append([]string{"DATASTORE_TYPE=kubernetes", "KUBECONFIG=" + config}, more...)
		for _, v := range container(t, pod, "confd").Env {
			if strings.HasPrefix(v.Name, "CONFD_TYPHA") {
				cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
			}
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := render("CONFD_TYPHAADDR=" + server.Address()); err != nil {
		t.Errorf("through a server: %v\n%s", err, out)
	}
	if out, err := render(); err == nil || !strings.Contains(out, "Service kube-system/calico-typha has no ready endpoint") {
		t.Errorf("without a server: %v\n%s", err, out)
	}
}

// impersonating is a kubeconfig file of the administrator as somebody else.
func impersonating(t *testing.T, k *testenv.Kube, user string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(k.AdminKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range config.AuthInfos {
		a.Impersonate, a.ImpersonateGroups = user, []string{"system:serviceaccounts", "system:authenticated"}
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// lister lists and watches as one user.
type lister struct{ client dynamic.Interface }

func clientAs(t *testing.T, k *testenv.Kube, user string) lister {
	t.Helper()
	config := k.Config(t, "admin")
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return lister{client}
}

// list says whether resource, given as name.group, may be listed and watched.
func (l lister) list(resource, namespace, selector string) error {
	name, group, _ := strings.Cut(resource, ".")
	version := map[string]string{"projectcalico.org": "v3"}[group]
	if version == "" {
		version = "v1"
	}
	objects := l.client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: name}).Namespace(namespace)
	options := metav1.ListOptions{FieldSelector: selector}
	if _, err := objects.List(context.Background(), options); err != nil {
		return err
	}
	w, err := objects.Watch(context.Background(), options)
	if err == nil {
		w.Stop()
	}
	return err
}

// calicoNode is what matters here of the DaemonSet that Calico installs.
const calicoNode = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec:
      hostNetwork: true
      serviceAccountName: calico-node
      initContainers:
        - {name: install-cni, image: calico/cni}
      containers:
        - name: calico-node
          image: calico/node
          securityContext: {privileged: true}
          volumeMounts:
            - {name: var-run-calico, mountPath: /var/run/calico}
      volumes:
        - {name: var-run-calico, hostPath: {path: /var/run/calico}}
`

func TestTheComponentPutsBIRD2IntoCalicoNode(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "component"), os.DirFS("kubernetes/overlays/calico-node-bird2")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "calico.yaml"), calicoNode)
	write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [calico.yaml]\ncomponents: [component]\n")
	pod := decode(t, kustomize(t, dir))["DaemonSet/calico-node"].(*appsv1.DaemonSet).Spec.Template.Spec
	if len(pod.Containers) != 2 {
		t.Fatalf("the pod has %d containers", len(pod.Containers))
	}
	for _, c := range pod.Containers {
		if c.Name == "calico-node" {
			for _, service := range []string{"bird", "bird6", "confd"} {
				if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/etc/service/available/"+service+"/run" }) {
					t.Errorf("calico-node runs its own %s", service)
				}
			}
			continue
		}
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "var-run-calico" && !m.ReadOnly }) {
			t.Error("our program cannot make the sockets that calico-node's probes ask")
		}
		args := append(slices.Clone(c.Args), "--help")
		if out, err := exec.Command(buildConfd(t), args...).CombinedOutput(); err != nil {
			t.Errorf("confd %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestTheComponentPutsOurProgramIntoCalicoNode(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "component"), os.DirFS("kubernetes/overlays/calico-node")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "calico.yaml"), calicoNode)
	write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [calico.yaml]\ncomponents: [component]\n")
	objects := decode(t, kustomize(t, dir))
	pod := objects["DaemonSet/calico-node"].(*appsv1.DaemonSet).Spec.Template.Spec

	if len(pod.InitContainers) != 2 || len(pod.Containers) != 1 || len(pod.Volumes) != 3 {
		t.Fatalf("the pod has %d init containers, %d containers, %d volumes", len(pod.InitContainers), len(pod.Containers), len(pod.Volumes))
	}
	script := ""
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil {
			if *v.ConfigMap.DefaultMode != 0o755 {
				t.Errorf("the script has mode %o", *v.ConfigMap.DefaultMode)
			}
			script = objects["ConfigMap/"+v.ConfigMap.Name].(*corev1.ConfigMap).Data["run"]
		}
	}
	// The script's last line is what runs: on the binary where it is mounted.
	lines := strings.Split(strings.TrimSpace(script), "\n")
	words := strings.Fields(lines[len(lines)-1])
	if len(words) < 2 || words[0] != "exec" || words[1] != "/opt/confd/confd" {
		t.Fatalf("the script ends with %q", words)
	}
	args := append(words[2:], "--help")
	if out, err := exec.Command(buildConfd(t), args...).CombinedOutput(); err != nil {
		t.Errorf("confd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
