package kubernetes

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/randfill"

	"confd/backends"
)

// protobufMessage is any of Kubernetes' types.
type protobufMessage interface{ Marshal() ([]byte, error) }

// TestProtobufSaysWhatJSONSays: random objects of Kubernetes' own types give the same
// event as either.
func TestProtobufSaysWhatJSONSays(t *testing.T) {
	for _, kind := range []struct {
		name  string
		fresh func() protobufMessage
		shape shape
		read  reader
	}{
		{"Node", func() protobufMessage { return &corev1.Node{} }, nodeShape(), readNode},
		{"metadata of a Node", func() protobufMessage { return &metav1.PartialObjectMetadata{} }, metadataShape(), readNode},
		{"Service", func() protobufMessage { return &corev1.Service{} }, serviceShape(), readCore(backends.KindService)},
		{"EndpointSlice", func() protobufMessage { return &discoveryv1.EndpointSlice{} }, endpointSliceShape(), readCore(backends.KindEndpointSlice)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			fill, d := filler(), newDecoder(kind.shape)
			said := map[string]bool{}
			for range 2000 {
				o := kind.fresh()
				fill.Fill(o)
				data, err := o.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				is, err := d.read(data)
				if err != nil {
					t.Fatal(err)
				}
				got, ok := kind.read(is)
				want, wanted := kind.read(essenceOf(t, o))
				if diff := cmp.Diff(want, got, comparers()...); diff != "" || ok != wanted {
					t.Fatalf("%+v: %v, %v: %s", o, ok, wanted, diff)
				}
				text, _ := json.Marshal(got)
				said[string(text)] = true
			}
			if len(said) < 500 {
				t.Errorf("%d different ones are few", len(said))
			}
		})
	}
}

// essenceOf is what the JSON of an object says.
func essenceOf(t *testing.T, o protobufMessage) essence {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseObject(raw, true)
	if err != nil {
		t.Fatal(err)
	}
	is, err := parsed.essence()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// TestEssenceOfProtobuf: it is another where what matters is, and only there.
func TestEssenceOfProtobuf(t *testing.T) {
	ready := true
	slice := func(change func(*discoveryv1.EndpointSlice)) string {
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "n", ResourceVersion: "1", Annotations: map[string]string{"a": "b"}},
			Endpoints:  []discoveryv1.Endpoint{{}, {Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		}
		change(s)
		data, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		is, err := newDecoder(endpointSliceShape()).read(data)
		if err != nil {
			t.Fatal(err)
		}
		return string(is.bytes)
	}
	plain := slice(func(*discoveryv1.EndpointSlice) {})
	for name, change := range map[string]func(*discoveryv1.EndpointSlice){
		"version":    func(s *discoveryv1.EndpointSlice) { s.ResourceVersion = "2" },
		"annotation": func(s *discoveryv1.EndpointSlice) { s.Annotations["a"] = "c" },
		"addresses":  func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses = []string{"10.0.0.1"} },
		"managed":    func(s *discoveryv1.EndpointSlice) { s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}} },
	} {
		if slice(change) != plain {
			t.Errorf("%s does not matter, and makes another essence", name)
		}
	}
	seen := map[string]string{plain: "nothing"}
	for name, change := range map[string]func(*discoveryv1.EndpointSlice){
		"name":                 func(s *discoveryv1.EndpointSlice) { s.Name = "b" },
		"label":                func(s *discoveryv1.EndpointSlice) { s.Labels = map[string]string{"a": "b"} },
		"node of one endpoint": func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].NodeName = &s.Name },
		"node of the other":    func(s *discoveryv1.EndpointSlice) { s.Endpoints[1].NodeName = &s.Name },
		"an endpoint more":     func(s *discoveryv1.EndpointSlice) { s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{}) },
		"unready":              func(s *discoveryv1.EndpointSlice) { *s.Endpoints[1].Conditions.Ready = false },
	} {
		is := slice(change)
		ready = true
		if was, had := seen[is]; had {
			t.Errorf("%s and %s have the same essence", was, name)
		}
		seen[is] = name
	}
}

// filler fills objects with what matters here, and with what does not.
func filler() *randfill.Filler {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{
		"", "a", "node-1", "10.0.0.1", "fd00::1", "10.0.0.1/24", "None", "Local", "LoadBalancer", "IPv4", "IPv6", "FQDN", "64512", "\xff", "no such thing",
		"projectcalico.org/IPv4Address", "projectcalico.org/ASNumber", "projectcalico.org/labels", `{"a":"b"}`, "kubernetes.io/service-name",
		backends.AnnotationDisruption, backends.AnnotationApproved, initialEnd,
	}
	word := func() string { return words[r.IntN(len(words))] }
	return randfill.NewWithSeed(1).NilChance(.3).NumElements(0, 3).MaxDepth(9).Funcs(
		func(s *string, _ randfill.Continue) { *s = word() },
		func(s *corev1.ServiceType, _ randfill.Continue) { *s = corev1.ServiceType(word()) },
		func(s *corev1.ServiceExternalTrafficPolicy, _ randfill.Continue) {
			*s = corev1.ServiceExternalTrafficPolicy(word())
		},
		func(s *corev1.IPFamily, _ randfill.Continue) { *s = corev1.IPFamily(word()) },
		func(s *discoveryv1.AddressType, _ randfill.Continue) { *s = discoveryv1.AddressType(word()) },
		func(m *metav1.ObjectMeta, c randfill.Continue) {
			c.FillNoCustom(m)
			m.Name, m.UID, m.DeletionTimestamp, m.CreationTimestamp, m.ManagedFields = "name", types.UID(word()), nil, metav1.Time{}, nil
		},
		func(*corev1.NodeStatus, randfill.Continue) {},
		func(s *corev1.NodeSpec, _ randfill.Continue) {
			s.PodCIDR, s.PodCIDRs = word(), []string{word(), word()}
		},
		func(*metav1.Condition, randfill.Continue) {},
	)
}

// comparers compare what is in an event.
func comparers() []cmp.Option {
	return []cmp.Option{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b error) bool { return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error() }),
	}
}
