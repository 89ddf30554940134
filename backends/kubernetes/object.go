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
	// read is what matters of an object that came as protobuf: then there is no more
	// than that and the metadata that names it.
	read *essence
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

// essence is what matters: an object's version is not in it.
func (o *object) essence() (essence, error) {
	if o.read != nil {
		return *o.read, nil
	}
	e := *o
	e.Metadata.ResourceVersion = ""
	e.Metadata.Annotations = nil
	for k, v := range o.Metadata.Annotations {
		if ofUse(k) {
			if e.Metadata.Annotations == nil {
				e.Metadata.Annotations = map[string]string{}
			}
			e.Metadata.Annotations[k] = v
		}
	}
	data, err := json.Marshal(e)
	return essence{bytes: data}, err
}

// ofUse says whether an annotation matters.
func ofUse(annotation string) bool {
	return strings.HasPrefix(annotation, calicoPrefix) || annotation == backends.AnnotationDisruption || annotation == backends.AnnotationApproved
}

// reader makes an event of an object's essence; false where it does not matter to
// this node.
type reader func(essence) (backends.Event, bool)

// readNode reads a Kubernetes Node.
func readNode(e essence) (backends.Event, bool) {
	n, err := e.decodeNode()
	if err != nil {
		return unusable(backends.KindNode, e, err), true
	}
	return backends.Event{Key: n.ResourceKey(), Resource: n}, true
}

// readCore reads a resource of a kind of Kubernetes' own, which the server has
// checked.
func readCore(kind backends.Kind) reader {
	return func(e essence) (backends.Event, bool) {
		res, err := e.decode(kind)
		if res == nil {
			return unusable(kind, e, err), true
		}
		return backends.Event{Key: res.ResourceKey(), Resource: res, Err: err}, true
	}
}

// readCalico reads one of Calico's resources.
func readCalico(kind backends.Kind, c *backends.Checker) reader {
	return func(e essence) (backends.Event, bool) { return c.Event(kind, "", e.bytes) }
}

// only drops the events for which keep does not hold.
func only(read reader, keep func(backends.Event) bool) reader {
	return func(e essence) (backends.Event, bool) {
		event, ok := read(e)
		return event, ok && keep(event)
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
	return func(e essence) (backends.Event, bool) {
		event, ok := read(e)
		if ok && !backends.HasEffect(event.Key) {
			event = backends.Event{Key: event.Key, Warnings: event.Warnings}
		}
		return event, ok
	}
}

// unusable is the event of an object that cannot be decoded.
func unusable(kind backends.Kind, e essence, err error) backends.Event {
	object := e.fields
	if object == nil && json.Unmarshal(e.bytes, &object) != nil {
		object = nil
	}
	key, _ := backends.KeyOf(kind, object)
	return backends.Event{Key: key, Err: err}
}
