package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
		return nil, errNameless
	}
	return o, nil
}

var errNameless = errors.New("object without a name in the server's answer")

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
// this node.
type reader func(essence []byte) []backends.Event

// readNode reads a Kubernetes Node.
func readNode(data []byte) []backends.Event {
	n, err := backends.DecodeKubernetesNode(data)
	if err != nil {
		return []backends.Event{unusable(backends.KindNode, data, err)}
	}
	return []backends.Event{{Key: n.ResourceKey(), Resource: n}}
}

// readCore reads a resource of a kind of Kubernetes' own, which the server has
// checked.
func readCore(kind backends.Kind) reader {
	return func(data []byte) []backends.Event {
		res, err := backends.Decode(kind, "", data)
		if res == nil {
			return []backends.Event{unusable(kind, data, err)}
		}
		return []backends.Event{{Key: res.ResourceKey(), Resource: res, Err: err}}
	}
}

// readCalico reads one of Calico's resources.
func readCalico(kind backends.Kind, c *backends.Checker) reader {
	return func(data []byte) []backends.Event {
		e, ours := c.Event(kind, "", data)
		if !ours {
			return nil
		}
		return []backends.Event{e}
	}
}

// only drops the events for which keep does not hold.
func only(read reader, keep func(backends.Event) bool) reader {
	return func(data []byte) []backends.Event {
		return slices.DeleteFunc(read(data), func(e backends.Event) bool { return !keep(e) })
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

// effective keeps of BGPConfigurations only those that can have an effect, and
// what there is to say about the others.
func effective(read reader) reader {
	return func(data []byte) []backends.Event {
		events := read(data)
		for i, e := range events {
			if !backends.HasEffect(e.Key) {
				events[i] = backends.Event{Key: e.Key, Warnings: e.Warnings}
			}
		}
		return events
	}
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
