package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"confd/backends"
)

// calicoPrefix begins the annotations that matter.
const calicoPrefix = "projectcalico.org/"

// objectID names an object in its collection.
type objectID struct{ namespace, name string }

// object is what matters of any object of the kinds that are read. Everything
// else (managed fields, status, other annotations) is dropped as it arrives.
type object struct {
	Metadata    metadata        `json:"metadata"`
	Spec        json.RawMessage `json:"spec,omitempty"`
	Status      *objectStatus   `json:"status,omitempty"`      // Service
	Data        json.RawMessage `json:"data,omitempty"`        // Secret
	AddressType json.RawMessage `json:"addressType,omitempty"` // EndpointSlice
	Endpoints   json.RawMessage `json:"endpoints,omitempty"`   // EndpointSlice
}

type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

type objectStatus struct {
	LoadBalancer json.RawMessage `json:"loadBalancer,omitempty"`
}

func (o *object) id() objectID { return objectID{o.Metadata.Namespace, o.Metadata.Name} }

// parseObject reads an object's JSON; named says that it must have a name.
func parseObject(raw json.RawMessage, named bool) (*object, error) {
	o := &object{}
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, fmt.Errorf("object in the server's answer: %w", err)
	}
	if named && o.Metadata.Name == "" {
		return nil, errors.New("object without a name in the server's answer")
	}
	return o, nil
}

// essence is the JSON of what matters, the same as long as that is the same: an
// object's version is not in it.
func (o *object) essence() ([]byte, error) {
	e := *o
	e.Metadata.ResourceVersion = ""
	e.Metadata.Annotations = nil
	for k, v := range o.Metadata.Annotations {
		if strings.HasPrefix(k, calicoPrefix) || k == backends.AnnotationDisruption || k == backends.AnnotationApproved {
			if e.Metadata.Annotations == nil {
				e.Metadata.Annotations = map[string]string{}
			}
			e.Metadata.Annotations[k] = v
		}
	}
	return json.Marshal(e)
}

// reader makes events of an object's essence: none where it does not matter to
// this node. Warnings are about what counts as absent.
type reader func(essence []byte) (events []backends.Event, warnings []string)

// readNode reads a Kubernetes Node.
func readNode(data []byte) ([]backends.Event, []string) {
	n, err := backends.DecodeKubernetesNode(data)
	if err != nil {
		return []backends.Event{unusable(backends.KindNode, data, err)}, nil
	}
	return []backends.Event{{Key: n.ResourceKey(), Resource: n}}, nil
}

// readKind reads any resource that backends.Decode knows.
func readKind(kind backends.Kind) reader {
	return func(data []byte) ([]backends.Event, []string) {
		res, err := backends.Decode(kind, "", data)
		switch {
		case errors.Is(err, backends.ErrNotOurs):
			return nil, nil
		case res == nil:
			return []backends.Event{unusable(kind, data, err)}, nil
		}
		return []backends.Event{{Key: res.ResourceKey(), Resource: res, Err: err}}, nil
	}
}

// only drops the events for which keep does not hold.
func only(read reader, keep func(backends.Event) bool) reader {
	return func(data []byte) ([]backends.Event, []string) {
		events, warnings := read(data)
		var kept []backends.Event
		for _, e := range events {
			if keep(e) {
				kept = append(kept, e)
			}
		}
		return kept, warnings
	}
}

// ofNode holds for blocks of a node, and for affinities that do not say whose
// they are.
func ofNode(node string) func(backends.Event) bool {
	return func(e backends.Event) bool {
		a, ok := e.Resource.(*backends.BlockAffinity)
		return !ok || a.Node == node
	}
}

// otherThan holds for all but the object of that name.
func otherThan(name string) func(backends.Event) bool {
	return func(e backends.Event) bool { return e.Key.Name != name }
}

// defaultOrNode holds for the names that a BGPConfiguration can have an effect
// with.
func defaultOrNode(e backends.Event) bool {
	return e.Key.Name == "default" || strings.HasPrefix(e.Key.Name, "node.")
}

// unusable is the event of an object that cannot be decoded.
func unusable(kind backends.Kind, data []byte, err error) backends.Event {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		object = nil
	}
	key, _ := backends.KeyOf(kind, object)
	return backends.Event{Key: key, Err: err}
}
