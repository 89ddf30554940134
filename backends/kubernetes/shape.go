package kubernetes

import (
	"google.golang.org/protobuf/encoding/protowire"

	"confd/backends"
)

// shape says which fields of a protobuf message matter, by their numbers in
// Kubernetes' generated.proto. All others are passed over.
type shape map[protowire.Number]member

// member is a field that matters.
type member struct {
	name string // in JSON
	form form
	of   shape                 // of messages
	keep func(key string) bool // which entries of a table matter; nil: all do
	// apart says that it tells one version of an object from the next, and nothing
	// of what the object says.
	apart bool
}

// form is how a field is written.
type form int

const (
	text form = iota // one text
	list             // of texts
	truth
	entries // a table of texts by texts
	message
	messages
)

// metadataShape is an object of which there is no more than its metadata.
func metadataShape() shape {
	keep := func(annotation string) bool { return ofUse(annotation) || annotation == initialEnd }
	return shape{1: {name: "metadata", form: message, of: shape{
		1: {name: "name"}, 3: {name: "namespace"}, 6: {name: "resourceVersion", apart: true},
		11: {name: "labels", form: entries}, 12: {name: "annotations", form: entries, keep: keep},
	}}}
}

func nodeShape() shape {
	s := metadataShape()
	s[2] = member{name: "spec", form: message, of: shape{1: {name: "podCIDR"}, 7: {name: "podCIDRs", form: list}}}
	return s
}

func serviceShape() shape {
	s := metadataShape()
	s[2] = member{name: "spec", form: message, of: shape{
		3: {name: "clusterIP"}, 18: {name: "clusterIPs", form: list}, 4: {name: "type"}, 5: {name: "externalIPs", form: list},
		8: {name: "loadBalancerIP"}, 11: {name: "externalTrafficPolicy"}, 19: {name: "ipFamilies", form: list},
	}}
	ingress := shape{1: {name: "ip"}}
	s[3] = member{name: "status", form: message, of: shape{1: {name: "loadBalancer", form: message, of: shape{1: {name: "ingress", form: messages, of: ingress}}}}}
	return s
}

func endpointSliceShape() shape {
	s := metadataShape()
	conditions := shape{1: {name: "ready", form: truth}}
	s[2] = member{name: "endpoints", form: messages, of: shape{2: {name: "conditions", form: message, of: conditions}, 6: {name: "nodeName"}}}
	s[4] = member{name: "addressType"}
	return s
}

// essence is what matters of an object.
type essence struct {
	// bytes are the same as long as what matters is: JSON or, where there are
	// fields, protobuf.
	bytes  []byte
	fields map[string]any // as of JSON
}

func (e essence) decode(kind backends.Kind) (backends.Resource, error) {
	if e.fields != nil {
		return backends.DecodeObject(kind, "", e.fields)
	}
	return backends.Decode(kind, "", e.bytes)
}

func (e essence) decodeNode() (*backends.Node, error) {
	if e.fields != nil {
		return backends.DecodeKubernetesNodeObject(e.fields)
	}
	return backends.DecodeKubernetesNode(e.bytes)
}
