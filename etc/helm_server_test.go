package etc_test

import (
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"confd/internal/testenv"
)

// TestHelmInstallsUpgradesAndRemovesTheChart: with an API server Helm installs the
// chart, changes it, goes back, and leaves nothing.
func TestHelmInstallsUpgradesAndRemovesTheChart(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		r := release{t, h, testenv.StartKube(t), filepath.Join(t.TempDir(), "values.yaml")}
		r.install("")
		r.upgrade("settings: {guard: 30s}\nlisten: {onNode: true}\nnodeEvents: {enabled: true}\n")
		if args := confdArgs(t, r.daemons()); !strings.Contains(args, "--guard=30s") {
			t.Errorf("after the upgrade confd runs with %s", args)
		}
		r.run("rollback", "1")
		if args := confdArgs(t, r.daemons()); strings.Contains(args, "--guard") {
			t.Errorf("after the way back confd runs with %s", args)
		}
		r.uninstall()
	})
}

// TestHelmTakesWhatKustomizeMade without a change of the pods, and can change it then.
func TestHelmTakesWhatKustomizeMade(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		r := release{t, h, testenv.StartKube(t), filepath.Join(t.TempDir(), "values.yaml")}
		r.kube.Kubectl(t, "apply", "-k", kustomization(t, []string{"base"}))
		before := r.daemons()
		take := []string{"--take-ownership"}
		if strings.Contains(h.program, "helm-v4") {
			take = append(take, "--server-side=false")
		}
		r.install("", take...)
		if o := r.daemons(); o.GetUID() != before.GetUID() || o.GetGeneration() != before.GetGeneration() {
			t.Errorf("the DaemonSet was of generation %d, and is of %d", before.GetGeneration(), o.GetGeneration())
		}
		r.upgrade("settings: {guard: 30s}\n")
		if args := confdArgs(t, r.daemons()); !strings.Contains(args, "--guard=30s") {
			t.Errorf("after the upgrade confd runs with %s", args)
		}
		r.uninstall()
	})
}

// release is the chart as the release confd of kube-system on a test's API server.
type release struct {
	t      *testing.T
	helm   helm
	kube   *testenv.Kube
	values string // a file
}

// run has helm do something with the release.
func (r release) run(command string, args ...string) {
	r.t.Helper()
	args = append([]string{command, "confd", "--namespace", "kube-system", "--kubeconfig", r.kube.AdminKubeconfig(r.t)}, args...)
	if _, err := r.helm.run(args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r release) install(values string, flags ...string) { r.apply("install", values, flags) }

func (r release) upgrade(values string, flags ...string) { r.apply("upgrade", values, flags) }

func (r release) apply(command, values string, flags []string) {
	r.t.Helper()
	write(r.t, r.values, images+values)
	r.run(command, append(flags, "--values", r.values, "--", chart)...)
}

// uninstall fails the test where something is left of what was there.
func (r release) uninstall() {
	r.t.Helper()
	there := func(selector string) string {
		return strings.TrimSpace(r.kube.Kubectl(r.t, "get", "daemonsets,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,secrets",
			"--all-namespaces", "--selector", selector, "--output", "name"))
	}
	selectors := []string{"app.kubernetes.io/instance=confd", "owner=helm"}
	for _, selector := range selectors {
		if there(selector) == "" {
			r.t.Errorf("nothing has the label %s", selector)
		}
	}
	r.run("uninstall")
	for _, selector := range selectors {
		if left := there(selector); left != "" {
			r.t.Errorf("left behind:\n%s", left)
		}
	}
}

func (r release) daemons() *unstructured.Unstructured {
	r.t.Helper()
	return r.kube.Get(r.t, []byte(`{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: confd, namespace: kube-system}}`))
}

// confdArgs is what confd's container runs with.
func confdArgs(t *testing.T, daemons *unstructured.Unstructured) string {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(daemons.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if c := c.(map[string]any); c["name"] == "confd" {
			args, _, err := unstructured.NestedStringSlice(c, "args")
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(args, " ")
		}
	}
	t.Fatal("there is no container confd")
	return ""
}

// TestTheAPIServerTakesEachValueOfTheChart: the objects of all values are such as an API
// server takes, and with etcd confd may read what is not in etcd, and no more.
func TestTheAPIServerTakesEachValueOfTheChart(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		k := testenv.StartKube(t)
		for _, group := range testenv.CalicoGroups() {
			k.InstallCRDs(t, group)
		}
		k.Apply(t, []byte(podMonitors))
		for _, file := range fullValues(t) {
			k.Apply(t, h.rendered(t, text(t, file)))
		}
		pod := clientAs(t, k, "system:serviceaccount:kube-system:bgp-reader")
		k.Delete(t, []byte("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: confd}}")) // of one-container
		for resource, allowed := range map[string]bool{
			"services.": true, "endpointslices.discovery.k8s.io": true, "nodes.": false, "bgppeers.projectcalico.org": false,
			"felixconfigurations.crd.projectcalico.org": false,
		} {
			testenv.Eventually(t, patience, "the rights of "+resource, func() bool {
				err := pod.list(resource, "", "")
				return allowed && err == nil || !allowed && apierrors.IsForbidden(err)
			})
		}
		for name, allowed := range map[string]bool{"bgp-secrets": true, "rack-7": true, "other": false} {
			if err := pod.list("secrets.", "kube-system", "metadata.name="+name); (err == nil) != allowed {
				t.Errorf("Secret %s: %v", name, err)
			}
		}
	})
}

// podMonitors is as much of the Prometheus Operator's definition as makes the server
// take one.
const podMonitors = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: podmonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: PodMonitor, plural: podmonitors, singular: podmonitor, listKind: PodMonitorList}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`
