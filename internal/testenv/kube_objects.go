package testenv

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// crds has one file for each API group, named GROUP-VERSION.yaml.
//
//go:embed crds
var crds embed.FS

// CalicoGroups returns the API groups that Calico's resources come in, as
// CALICO_API_GROUP names them.
func CalicoGroups() []string { return []string{"crd.projectcalico.org/v1", "projectcalico.org/v3"} }

// InstallCRDs makes the server serve those of Calico's resources that matter
// here, in one of CalicoGroups, and returns when it does. Like Calico's own
// definitions these check nothing but the types of a few fields.
func (k *Kube) InstallCRDs(tb testing.TB, group string) {
	tb.Helper()
	definitions := crdsOf(tb, group)
	k.applyAll(tb, definitions)
	for _, d := range definitions {
		plural := strings.SplitN(d.GetName(), ".", 2)[0]
		Eventually(tb, time.Minute, d.GetName()+" to be served", func() bool {
			return k.answers("/apis/" + group + "/" + plural + "?limit=1")
		})
	}
	k.client(tb).mapper.Reset()
}

// RemoveCRDs undoes InstallCRDs, and returns when the resources are gone with
// all objects.
func (k *Kube) RemoveCRDs(tb testing.TB, group string) {
	tb.Helper()
	for _, d := range crdsOf(tb, group) {
		k.delete(tb, d)
	}
	k.client(tb).mapper.Reset()
}

func crdsOf(tb testing.TB, group string) []*unstructured.Unstructured {
	tb.Helper()
	text, err := crds.ReadFile("crds/" + strings.ReplaceAll(group, "/", "-") + ".yaml")
	if err != nil {
		tb.Fatalf("no definitions for API group %q, only for %q", group, CalicoGroups())
	}
	return Objects(tb, text)
}

// InstallRBAC gives a user exactly the rights that the manifests in
// etc/kubernetes give to the program's service account: those of the base, and of
// components, by their folder (such as overlays/node-events).
func (k *Kube) InstallRBAC(tb testing.TB, user string, components ...string) {
	tb.Helper()
	k.checkUser(tb, user)
	for _, folder := range append([]string{"base"}, components...) {
		text, err := os.ReadFile(filepath.Join(Root(tb), "etc", "kubernetes", folder, "rbac.yaml"))
		if err != nil {
			tb.Fatalf("roles of the manifests: %v", err)
		}
		k.installRoles(tb, user, text)
	}
}

// installRoles applies roles, and binds them to a user in the place of whom they are for.
func (k *Kube) installRoles(tb testing.TB, user string, text []byte) {
	tb.Helper()
	for _, o := range Objects(tb, text) {
		switch o.GetKind() {
		case "ClusterRole", "Role":
		case "ClusterRoleBinding", "RoleBinding":
			o.SetName(o.GetName() + "-" + user)
			o.Object["subjects"] = []any{
				map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user},
			}
		default:
			continue
		}
		k.applyAll(tb, []*unstructured.Unstructured{o})
	}
}

// Apply creates or changes the objects in YAML documents, in their order, as
// `kubectl apply --server-side` does. One that names no namespace and needs one
// goes to "default".
func (k *Kube) Apply(tb testing.TB, text []byte) {
	tb.Helper()
	k.applyAll(tb, Objects(tb, text))
}

// Delete removes the objects in YAML documents, of which only kind and name
// count, and returns when they are gone. One that is not there is no error.
func (k *Kube) Delete(tb testing.TB, text []byte) {
	tb.Helper()
	for _, o := range Objects(tb, text) {
		k.delete(tb, o)
	}
}

// Get returns the object that has the kind and name of the one in text, as the
// server has it.
func (k *Kube) Get(tb testing.TB, text []byte) *unstructured.Unstructured {
	tb.Helper()
	o := Objects(tb, text)[0]
	got, err := k.resource(tb, o).Get(context.Background(), o.GetName(), metav1.GetOptions{})
	if err != nil {
		tb.Fatalf("get %s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return got
}

// Kubectl runs kubectl as the administrator and returns what it printed. The
// test fails where it fails, and is skipped where there is no kubectl.
func (k *Kube) Kubectl(tb testing.TB, args ...string) string {
	tb.Helper()
	if _, err := exec.LookPath("kubectl"); err != nil {
		tb.Skip("no kubectl on PATH")
	}
	args = append([]string{"--kubeconfig=" + k.AdminKubeconfig(tb), "--cache-dir=" + k.Dir}, args...)
	out, err := exec.Command("kubectl", args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Objects reads YAML documents; empty ones are left out.
func Objects(tb testing.TB, text []byte) []*unstructured.Unstructured {
	tb.Helper()
	var objects []*unstructured.Unstructured
	for in := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := in.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		o := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.Unmarshal(document, &o.Object)
		}
		if err != nil {
			tb.Fatalf("not YAML: %v\n%s", err, document)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

func (k *Kube) client(tb testing.TB) *objectClient {
	tb.Helper()
	if k.objects != nil {
		return k.objects
	}
	config := k.Config(tb, adminUser)
	known, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		tb.Fatalf("client of kube-apiserver: %v", err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		tb.Fatalf("client of kube-apiserver: %v", err)
	}
	k.objects = &objectClient{objects, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(known))}
	return k.objects
}

// resource is where objects like o are.
func (k *Kube) resource(tb testing.TB, o *unstructured.Unstructured) dynamic.ResourceInterface {
	tb.Helper()
	client, kind := k.client(tb), o.GroupVersionKind()
	var mapping *meta.RESTMapping
	Eventually(tb, 20*time.Second, "the API server to know "+kind.String(), func() bool {
		var err error
		if mapping, err = client.mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
			client.mapper.Reset() // a new definition takes a moment to be told of
		}
		return err == nil
	})
	resources := client.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return resources
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(metav1.NamespaceDefault)
	}
	return resources.Namespace(o.GetNamespace())
}

func (k *Kube) applyAll(tb testing.TB, objects []*unstructured.Unstructured) {
	tb.Helper()
	for _, o := range objects {
		options := metav1.ApplyOptions{FieldManager: "testenv", Force: true}
		if _, err := k.resource(tb, o).Apply(context.Background(), o.GetName(), o, options); err != nil {
			tb.Fatalf("apply %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

func (k *Kube) delete(tb testing.TB, o *unstructured.Unstructured) {
	tb.Helper()
	objects := k.resource(tb, o)
	err := objects.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		tb.Fatalf("delete %s %s: %v", o.GetKind(), o.GetName(), err)
	}
	nudged := time.Now()
	Eventually(tb, 2*time.Minute, fmt.Sprintf("%s %s to be gone", o.GetKind(), o.GetName()), func() bool {
		_, err := objects.Get(context.Background(), o.GetName(), metav1.GetOptions{})
		// A server that was started just before may give up on removing a
		// definition's objects, and looks again when the definition changes.
		if err == nil && time.Since(nudged) > 5*time.Second {
			nudged = time.Now()
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"nudged":%q}}}`, nudged.String())
			_, _ = objects.Patch(context.Background(), o.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
		}
		return apierrors.IsNotFound(err)
	})
}
