package testenv

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	affinityV1 = `{apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: {name: n1}, spec: {node: n1, deleted: "false", other: 1}}`
	affinityV3 = `{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: n1}, spec: {node: n1, deleted: false}}`
)

func TestKubeServesBothOfCalicosGroups(t *testing.T) {
	k := StartKube(t)
	for _, group := range CalicoGroups() {
		k.InstallCRDs(t, group)
	}
	k.Apply(t, []byte(affinityV1+"\n---\n"+affinityV3))
	spec := func(text string) map[string]any { return k.Get(t, []byte(text)).Object["spec"].(map[string]any) }
	if got := spec(affinityV1); got["deleted"] != "false" || got["other"] == nil {
		t.Errorf("v1: %v", got)
	}
	if got := spec(affinityV3); got["deleted"] != false {
		t.Errorf("v3: %v", got)
	}
	out := k.Kubectl(t, "get", "blockaffinities.crd.projectcalico.org,blockaffinities.projectcalico.org", "-o", "name")
	if strings.Count(out, "/n1\n") != 2 {
		t.Errorf("kubectl get: %s", out)
	}

	old := k.Get(t, []byte(affinityV3)).GetResourceVersion()
	k.Apply(t, []byte(strings.Replace(affinityV3, "node: n1", "node: n2", 1)))
	k.Kill()
	if k.Ready() {
		t.Error("ready though it was killed")
	}
	k.Compact(t)
	k.Restart()
	if got := spec(affinityV3); got["node"] != "n2" {
		t.Errorf("after a restart: %v", got)
	}
	const watch = "/apis/projectcalico.org/v3/blockaffinities?watch=true&timeoutSeconds=1"
	if out := k.Kubectl(t, "get", "--raw", watch+"&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"); !strings.Contains(out, "initial-events-end") {
		t.Errorf("streaming list: %s", out)
	}
	if out := k.Kubectl(t, "get", "--raw", watch+"&resourceVersion="+old); !strings.Contains(out, `"code":410`) {
		t.Errorf("watch from a revision that is gone: %s", out)
	}
	k.RemoveCRDs(t, "crd.projectcalico.org/v1")
	k.Delete(t, []byte(affinityV3))
	k.InstallCRDs(t, "crd.projectcalico.org/v1")
	if out := k.Kubectl(t, "get", "blockaffinities.crd.projectcalico.org"); !strings.Contains(out, "No resources found") {
		t.Errorf("after the definitions were removed: %s", out)
	}
	k.Stop()
}

func TestKubeUsersHaveTheRightsOfTheManifestsAndTokensThatExpire(t *testing.T) {
	k := StartKube(t, KubeUsers("confd"))
	file := k.Kubeconfig(t, "confd")
	nodes := nodesOf(t, file)
	list := func() error {
		_, err := nodes.List(context.Background(), metav1.ListOptions{})
		return err
	}
	if err := list(); !apierrors.IsForbidden(err) {
		t.Errorf("without rights: %v", err)
	}
	k.InstallRBAC(t, "confd")
	if err := list(); err != nil {
		t.Errorf("with the rights of the manifests: %v", err)
	}
	node := &unstructured.Unstructured{}
	node.SetAPIVersion("v1")
	node.SetKind("Node")
	node.SetName("n1")
	if _, err := nodes.Create(context.Background(), node, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("creating a node: %v", err)
	}
	k.ExpireToken(t, "confd")
	if err := list(); !apierrors.IsUnauthorized(err) {
		t.Errorf("with an expired token: %v", err)
	}
	k.RenewToken(t, "confd")
	nodes = nodesOf(t, file) // the old client looks at the token's file again within a minute
	if err := list(); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func nodesOf(t *testing.T, kubeconfig string) dynamic.ResourceInterface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"})
}
