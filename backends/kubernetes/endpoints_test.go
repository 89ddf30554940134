package kubernetes

import (
	"fmt"
	"testing"

	"confd/internal/testenv"
)

// felixAlone reads no more of Calico's than FelixConfigurations.
func felixAlone(t *testing.T, k *testenv.Kube) {
	apply(t, k, node("node-1", ""), peer(GroupV1, "one", "10.1.0.1"), calico(GroupV1, "FelixConfiguration", "default", "programClusterRoutes: Enabled"))
	f := follow(t, k, Config{FelixConfigurations: true})
	f.untilInSync()
	if got := names(f.state.FelixConfigurations) + "|" + names(f.state.Nodes) + "|" + peersOf(f.state); got != "default||" {
		t.Errorf("read were %s", got)
	}
}

// serviceEndpoints are those of one Service's slices that are ready, at its port.
func serviceEndpoints(t *testing.T, k *testenv.Kube) {
	slice := func(name, service, ports, endpoints string) string {
		return fmt.Sprintf(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s, namespace: kube-system, labels: {kubernetes.io/service-name: %s}},
			addressType: IPv4, ports: [%s], endpoints: [%s]}`, name, service, ports, endpoints)
	}
	const ports = `{name: metrics, port: 9093}, {name: calico-typha, port: 5473}`
	apply(t, k,
		slice("one", "calico-typha", ports, `{addresses: [10.0.0.1], nodeName: node-1, conditions: {ready: true}}, {addresses: [10.0.0.2], nodeName: node-2, conditions: {ready: false}}`),
		slice("two", "calico-typha", ports, `{addresses: [10.0.0.3]}, {addresses: [10.0.0.1], nodeName: node-1}`),
		slice("no-port", "calico-typha", `{name: metrics, port: 9093}`, `{addresses: [10.0.0.4]}`),
		slice("other", "other", ports, `{addresses: [10.0.0.5]}`),
		`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: six, namespace: kube-system, labels: {kubernetes.io/service-name: calico-typha}},
			addressType: IPv6, ports: [`+ports+`], endpoints: [{addresses: ["fd00::1"], nodeName: node-6}]}`)
	b, err := New(Config{Kubeconfig: k.Kubeconfig(t, user)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.client.close()
	got, err := b.Endpoints(t.Context(), "kube-system", "calico-typha", "calico-typha")
	if want := "[{10.0.0.1:5473 node-1} {10.0.0.3:5473 } {[fd00::1]:5473 node-6}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("found are %v (%v), want %s", got, err, want)
	}
	if got, err := b.Endpoints(t.Context(), "kube-system", "nobody", "calico-typha"); err != nil || len(got) > 0 {
		t.Errorf("of no Service: %v, %v", got, err)
	}
}
