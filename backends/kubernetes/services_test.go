package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"confd/backends"
	"confd/internal/testenv"
)

func serviceObject(name string, local bool, external string) string {
	policy := "Cluster"
	if local {
		policy = "Local"
	}
	return fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: default}, spec: {type: NodePort, externalTrafficPolicy: %s, externalIPs: [%s], ports: [{port: 80}]}}`,
		name, policy, external)
}

func sliceObject(name, service string, ready bool, node string) string {
	return fmt.Sprintf(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s, namespace: default, labels: {kubernetes.io/service-name: %s}},
		addressType: IPv4, endpoints: [{addresses: [10.2.0.1], conditions: {ready: %v}, nodeName: %s}], ports: []}`, name, service, ready, node)
}

// writer makes random changes of Services and EndpointSlices.
type writer struct {
	t        *testing.T
	rand     *rand.Rand
	services dynamic.ResourceInterface
	slices   dynamic.ResourceInterface
}

func newWriter(t *testing.T, k *testenv.Kube) *writer {
	config := k.Config(t, "admin")
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	in := func(group, version, resource string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource}).Namespace("default")
	}
	return &writer{
		t: t, rand: rand.New(rand.NewPCG(1, 2)),
		services: in("", "v1", "services"), slices: in("discovery.k8s.io", "v1", "endpointslices"),
	}
}

// step makes one change.
func (w *writer) step() {
	const some = 12
	r := w.rand
	service := "svc-" + strconv.Itoa(r.IntN(some))
	slice := "slice-" + strconv.Itoa(r.IntN(2*some))
	switch r.IntN(5) {
	case 0:
		w.remove(w.services, service)
	case 1:
		w.write(w.services, service, serviceObject(service, r.IntN(2) == 0, fmt.Sprintf("192.0.2.%d", 1+r.IntN(4))))
	case 2:
		w.remove(w.slices, slice)
	default:
		w.write(w.slices, slice, sliceObject(slice, service, r.IntN(2) == 0, "node-"+strconv.Itoa(1+r.IntN(3))))
	}
}

func (w *writer) remove(in dynamic.ResourceInterface, name string) {
	_ = in.Delete(context.Background(), name, metav1.DeleteOptions{}) // it may not be there
}

func (w *writer) write(in dynamic.ResourceInterface, name, text string) {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		force := true
		_, err = in.Patch(context.Background(), name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "model", Force: &force})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// truth is what a list of both kinds says.
func (w *writer) truth() *backends.State {
	s := backends.NewState()
	for kind, in := range map[backends.Kind]dynamic.ResourceInterface{backends.KindService: w.services, backends.KindEndpointSlice: w.slices} {
		list, err := in.List(context.Background(), metav1.ListOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range list.Items {
			w.add(s, kind, o)
		}
	}
	return s
}

func (w *writer) add(s *backends.State, kind backends.Kind, o unstructured.Unstructured) {
	data, err := o.MarshalJSON()
	if err == nil {
		var res backends.Resource
		if res, err = backends.Decode(kind, "", data); err == nil {
			s.Apply(backends.Event{Key: res.ResourceKey(), Resource: res})
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// servicesModel compares what thousands of random changes leave behind with
// what the server says then.
func servicesModel(t *testing.T, k *testenv.Kube) {
	changes := 2000
	if testing.Short() {
		changes = 500
	}
	f := follow(t, k, Config{})
	w := newWriter(t, k)
	f.backend.Need(backends.Needs{Services: true})
	f.until("services", func() bool { return f.last.Serves != nil && f.last.Serves.Services })
	for done := 0; done < changes; {
		written := make(chan struct{})
		go func() {
			defer close(written)
			for range 1 + w.rand.IntN(200) {
				w.step()
				done++
			}
		}()
		for writing := true; writing; {
			select {
			case u := <-f.out:
				f.apply(u)
			case <-written:
				writing = false
			}
		}
		truth := w.truth()
		f.until("the state of the server", func() bool { return sameServices(f.state, truth) == "" })
	}
	t.Logf("%d changes made %d events", changes, len(f.events))
}

// sameServices says how the Services and slices in default differ.
func sameServices(got, want *backends.State) string {
	addresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	return cmp.Diff(maps.Collect(want.Services.All()), maps.Collect(got.Services.All()), addresses) +
		cmp.Diff(maps.Collect(want.EndpointSlices.All()), maps.Collect(got.EndpointSlices.All()), addresses)
}
