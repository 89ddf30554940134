package backends

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"slices"
)

// Annotations of a Kubernetes Node in which Calico keeps what its own Node
// resource has fields for.
const (
	annotationIPv4             = "projectcalico.org/IPv4Address"
	annotationIPv6             = "projectcalico.org/IPv6Address"
	annotationAS               = "projectcalico.org/ASNumber"
	annotationClusterID        = "projectcalico.org/RouteReflectorClusterID"
	annotationWireguardIPv4    = "projectcalico.org/IPv4WireguardInterfaceAddr"
	annotationWireguardIPv6    = "projectcalico.org/IPv6WireguardInterfaceAddr"
	annotationWireguardKeyIPv4 = "projectcalico.org/WireguardPublicKey"
	annotationWireguardKeyIPv6 = "projectcalico.org/WireguardPublicKeyV6"
	// annotationLabels holds the labels that were set with calicoctl, as a JSON
	// object.
	annotationLabels = "projectcalico.org/labels"
)

// DecodeKubernetesNode reads the JSON of a Kubernetes v1 Node. An annotation
// or pod CIDR that does not parse counts as absent; Ignored says which.
func DecodeKubernetesNode(data []byte) (*Node, error) {
	object, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	return DecodeKubernetesNodeObject(object)
}

// DecodeKubernetesNodeObject is DecodeKubernetesNode for an object that is
// parsed already, as in DecodeObject.
func DecodeKubernetesNodeObject(object map[string]any) (*Node, error) {
	r := newReader(object)
	meta := r.get("metadata")
	name := meta.get("name").required().text()
	if err := r.err(); err != nil {
		return nil, err
	}
	annotations := meta.get("annotations")
	annotations.object()
	annotation := func(key string) field {
		f := annotations.get(key)
		f.path, f.name = "annotation "+key, ""
		return f
	}
	n := &Node{
		Name:          name,
		Labels:        merged(annotation(annotationLabels).jsonWords(), meta.get("labels").words()),
		IPv4:          annotation(annotationIPv4).nodeAddress(4),
		IPv6:          annotation(annotationIPv6).nodeAddress(6),
		ASNumber:      annotation(annotationAS).asNumber(),
		ClusterID:     annotation(annotationClusterID).clusterID(),
		WireguardIPv4: annotation(annotationWireguardIPv4).addrOf(4),
		WireguardIPv6: annotation(annotationWireguardIPv6).addrOf(6),

		WireguardKeyIPv4: annotation(annotationWireguardKeyIPv4).text(),
		WireguardKeyIPv6: annotation(annotationWireguardKeyIPv6).text(),
		PodCIDRs:         r.get("spec").podCIDRs(),
		Intent:           Intent{DisruptionUntil: annotation(AnnotationDisruption).text(), Approved: annotation(AnnotationApproved).text()},
	}
	n.Ignored = r.found.list()
	return n, nil
}

// jsonWords is words for an object that is written as JSON in a text.
func (f field) jsonWords() map[string]string {
	text := f.text()
	if text == "" {
		return nil
	}
	object, err := parseJSON([]byte(text))
	if err != nil {
		f.failf("%v", err)
		return nil
	}
	f.value = object
	return f.words()
}

// podCIDRs reads podCIDRs, or podCIDR where an old API server has that alone.
func (f field) podCIDRs() []netip.Prefix {
	list := f.get("podCIDRs").list()
	if len(list) == 0 {
		list = []field{f.get("podCIDR")}
	}
	return prefixes(list)
}

func decodeService(m metadata, f field) *Service {
	spec := f.get("spec")
	// An address that is none costs itself, not the Service.
	odd := field{found: &problems{}}
	s := &Service{
		Namespace: m.namespace,
		Name:      m.name,
		Type:      spec.get("type").text(),
		Local:     spec.get("externalTrafficPolicy").text() == "Local",
	}
	if s.Type == "" {
		s.Type = "ClusterIP"
	}
	clusterIP := spec.get("clusterIP")
	s.ClusterIPs = addresses(odd, append([]field{clusterIP}, spec.get("clusterIPs").list()...))
	s.ExternalIPs = addresses(odd, spec.get("externalIPs").list())
	ingress := []field{spec.get("loadBalancerIP")}
	for _, e := range f.get("status").get("loadBalancer").get("ingress").list() {
		ingress = append(ingress, e.get("ip"))
	}
	s.LoadBalancerIPs = addresses(odd, ingress)
	s.Ignored = odd.found.list()
	s.families(spec.get("ipFamilies"))
	return s
}

// addresses reads the addresses of fields, each once.
func addresses(odd field, fields []field) []netip.Addr {
	var addrs []netip.Addr
	for _, f := range fields {
		f.found = odd.found
		if f.value == "None" {
			continue
		}
		if a := f.addr(); a.IsValid() && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// families reads ipFamilies; where they are missing it fills in, as an API
// server does, those of the cluster IPs, or IPv4.
func (s *Service) families(list field) {
	for _, f := range list.list() {
		s.IPv4 = s.IPv4 || f.value == "IPv4"
		s.IPv6 = s.IPv6 || f.value == "IPv6"
	}
	if s.IPv4 || s.IPv6 {
		return
	}
	for _, a := range s.ClusterIPs {
		s.IPv4 = s.IPv4 || a.Is4()
		s.IPv6 = s.IPv6 || a.Is6()
	}
	s.IPv4 = s.IPv4 || !s.IPv6
}

func decodeEndpointSlice(m metadata, f field) *EndpointSlice {
	s := &EndpointSlice{
		Namespace: m.namespace,
		Name:      m.name,
		Service:   m.labels[serviceNameLabel],
	}
	kind := f.get("addressType").text()
	s.IPv6 = kind == "IPv6"
	if kind == "FQDN" {
		return s
	}
	for _, e := range f.get("endpoints").list() {
		if ready := e.get("conditions").get("ready").boolean(); ready != nil && !*ready {
			continue
		}
		s.Ready = true
		if node := e.get("nodeName").text(); node != "" {
			s.Nodes = append(s.Nodes, node)
		}
	}
	slices.Sort(s.Nodes)
	s.Nodes = slices.Compact(s.Nodes)
	return s
}

// decodeSecret never puts a value into a message.
func decodeSecret(m metadata, f field) *Secret {
	s := &Secret{Namespace: m.namespace, Name: m.name, Data: map[string]string{}}
	data := f.get("data").secrets()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		value, err := base64.StdEncoding.DecodeString(data[key])
		if err != nil && !IsEncrypted(data[key]) {
			f.get("data").entry(key).failf("is not base64")
		}
		s.Data[key] = string(value)
		f.get("data").notEncrypted(key, data[key], string(value))
	}
	given := f.get("stringData").secrets()
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value := given[key]
		s.Data[key] = value
		f.get("stringData").notEncrypted(key, value)
	}
	return s
}

// notEncrypted notes a value that SOPS has encrypted: it is no password.
func (f field) notEncrypted(key string, forms ...string) {
	if slices.ContainsFunc(forms, IsEncrypted) {
		f.entry(key).failf("is encrypted by SOPS: decrypt the file first (sops -d)")
	}
}

func (f field) secrets() map[string]string {
	values := map[string]string{}
	object, ok := f.value.(map[string]any)
	if !ok && !f.missing() {
		f.failf("is %s, not an object", typeName(f.value))
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		v := object[key]
		s, ok := v.(string)
		if !ok && v != nil {
			f.entry(key).failf("is %s, not a text: put it in quotes", typeName(v))
		}
		values[key] = s
	}
	return values
}
