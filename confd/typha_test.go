package main

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"confd/backends/typha"
	"confd/internal/settings"
	"confd/internal/testenv"
)

// TestFindTypha: the servers are the Service's endpoints, and those on this node are
// marked.
func TestFindTypha(t *testing.T) {
	k := testenv.StartKube(t, testenv.KubeUsers(kubeUser))
	k.InstallRBAC(t, kubeUser)
	s := settings.Settings{
		Node: "calico-name", NodeRef: "node-1", Datastore: settings.DatastoreEtcd,
		Kubernetes: settings.Kubernetes{Kubeconfig: k.Kubeconfig(t, kubeUser)}, Typha: settings.Typha{Service: "calico-typha"},
	}
	api, err := typhaAPI(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	find, err := findTypha(s, api)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := find(t.Context()); !errors.Is(err, typha.ErrNoneReady) {
		t.Errorf("without endpoints: %v", err)
	}
	k.Apply(t, []byte(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x, namespace: kube-system, labels: {kubernetes.io/service-name: calico-typha}},
		addressType: IPv4, ports: [{name: calico-typha, port: 5473}], endpoints: [{addresses: [10.0.0.1], nodeName: node-1}, {addresses: [10.0.0.2], nodeName: calico-name}]}`))
	found, err := find(t.Context())
	if want := "[{10.0.0.1:5473 true} {10.0.0.2:5473 false}]"; err != nil || fmt.Sprint(found) != want {
		t.Errorf("found are %v (%v), want %s", found, err, want)
	}
	k.Kill()
	if _, err := find(t.Context()); err == nil || errors.Is(err, typha.ErrNoneReady) {
		t.Errorf("without an API server: %v", err)
	}
}
