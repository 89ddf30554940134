package backends

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"confd/backends/internal/jsonvalue"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one object. An API server takes 1.5 MB and etcd as much, so these
// are met only by mistake or by malice.
const (
	// MaxObjectBytes is the size of the largest object that is decoded.
	MaxObjectBytes = 4 << 20
	// MaxObjectDepth is how deep objects and lists may be nested.
	MaxObjectDepth = 100
)

// ErrNotOurs is what Decode returns for an object that is well and has no
// meaning for any node: a BlockAffinity that belongs to something else than a
// host. It is to be passed over in silence.
var ErrNotOurs = errors.New("belongs to no node")

const realMetadata = "projectcalico.org/metadata"

// Kinds are the kinds that Decode knows, in the order of resources.go.
func Kinds() []Kind {
	return []Kind{
		KindNode, KindBGPConfiguration, KindBGPPeer, KindBGPFilter, KindIPPool, KindBlockAffinity,
		KindFelixConfiguration, KindService, KindEndpointSlice, KindSecret,
	}
}

// Decode reads the JSON of a Calico v3 resource (as in etcd, or as either API
// group serves it) or of a Kubernetes Service, EndpointSlice or Secret. An
// empty name stands for the object's own.
//
// The error names each field that makes no sense and its value. With it comes
// what takes the place of the resource, where something must: a BGPFilter that
// rejects all routes in the directions and address families that it has rules
// for (all where that is not known), an IPPool of which BIRD puts no routes into
// the kernel. Fields that a resource can do without count as unset where they
// make no sense, and are listed in its Ignored.
func Decode(kind Kind, name string, data []byte) (Resource, error) {
	object, err := parseJSON(data)
	if err != nil {
		return StandIn(Key{Kind: kind, Name: name}, err)
	}
	return DecodeObject(kind, name, object)
}

// DecodeObject is Decode for an object that is parsed already: what
// encoding/json makes of it, numbers as json.Number.
func DecodeObject(kind Kind, name string, object map[string]any) (Resource, error) {
	return decode(kind, name, newReader(object))
}

func decode(kind Kind, name string, r field) (Resource, error) {
	meta := r.metadata(kind, name)
	res, err := r.resource(kind, meta)
	if err != nil {
		return nil, err
	}
	setIntent(res, meta.intent)
	switch n, isNode := res.(*Node); {
	case meta.name == "":
		return nil, r.err()
	case isNode:
		n.Ignored = r.found.list()
	case r.err() != nil:
		return closed(res, r.err())
	}
	return res, nil
}

// KeyOf names an object that may be unusable otherwise, as DecodeObject would;
// false where the object has no name.
func KeyOf(kind Kind, object map[string]any) (Key, bool) {
	m := newReader(object).metadata(kind, "")
	return Key{Kind: kind, Namespace: m.namespace, Name: m.name}, m.name != ""
}

func (f field) resource(kind Kind, m metadata) (Resource, error) {
	spec := f.get("spec")
	switch kind {
	case KindNode:
		return decodeNode(m, f), nil
	case KindBGPConfiguration:
		return decodeBGPConfiguration(m, spec), nil
	case KindBGPPeer:
		return decodeBGPPeer(m, spec), nil
	case KindBGPFilter:
		return decodeBGPFilter(m, spec), nil
	case KindIPPool:
		return decodeIPPool(m, spec), nil
	case KindBlockAffinity:
		return decodeBlockAffinity(m, spec)
	case KindFelixConfiguration:
		return &FelixConfiguration{Name: m.name, ProgramClusterRoutes: spec.get("programClusterRoutes").clusterRoutes()}, nil
	case KindService:
		return decodeService(m, f), nil
	case KindEndpointSlice:
		return decodeEndpointSlice(m, f), nil
	case KindSecret:
		return decodeSecret(m, f), nil
	}
	return nil, fmt.Errorf("kind %s is not one that can be read; known are %v", quoted(string(kind)), Kinds())
}

// metadata is an object's name, its labels where they matter, and what its
// annotations say about changes that it makes.
type metadata struct {
	namespace string
	name      string
	labels    map[string]string
	intent    Intent
}

// annotations are those that intent reads.
func (i Intent) annotations() map[string]string {
	all := map[string]string{}
	if i.DisruptionUntil != "" {
		all[AnnotationDisruption] = i.DisruptionUntil
	}
	if i.Approved != "" {
		all[AnnotationApproved] = i.Approved
	}
	return all
}

// metadata reads an object's metadata; a name that is given wins.
func (f field) metadata(kind Kind, name string) metadata {
	meta := f.get("metadata")
	annotations := meta.get("annotations")
	var m metadata
	if kind == KindNode || kind == KindEndpointSlice {
		m.labels = meta.get("labels").words()
	}
	own, real := meta.get("name").text(), field{}
	switch kind {
	case KindService, KindEndpointSlice, KindSecret:
		m.namespace = meta.get("namespace").text()
		if m.namespace == "" {
			m.namespace = "default"
		}
	default:
		real = annotations.get(realMetadata).realMetadata()
		own = cmp.Or(real.get("name").text(), own)
	}
	if !annotations.missing() { // few objects have any
		annotation := func(key string) string {
			return cmp.Or(real.get("annotations").get(key).soft().word(), annotations.get(key).soft().word())
		}
		m.intent = Intent{DisruptionUntil: annotation(AnnotationDisruption), Approved: annotation(AnnotationApproved)}
	}
	m.name = own
	if name != "" {
		m.name = name
	}
	if m.name == "" {
		f.fail("metadata.name: is missing")
	}
	return m
}

// realMetadata is the metadata that Calico keeps in this annotation of its
// crd.projectcalico.org/v1 objects.
func (f field) realMetadata() field {
	if f.empty() {
		return field{}
	}
	object, err := parseJSON([]byte(f.text()))
	if err != nil {
		f.failf("%v", err)
		return field{}
	}
	f.value = object
	return f
}

func merged(a, b map[string]string) map[string]string {
	if len(a) == 0 {
		return b
	}
	a = maps.Clone(a)
	maps.Copy(a, b)
	return a
}

// parseJSON reads one JSON object within the limits.
func parseJSON(data []byte) (map[string]any, error) {
	if len(data) > MaxObjectBytes {
		return nil, fmt.Errorf("object of %d bytes is larger than %d", len(data), MaxObjectBytes)
	}
	v, err := parseValue(data)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s, not an object", typeName(v))
	}
	return object, nil
}

// parseValue reads one JSON value that is not nested too deep.
func parseValue(data []byte) (any, error) {
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	if v, ok := parseQuickly(data); ok {
		return v, nil
	}
	return parseSlowly(data)
}

// parseSlowly reads JSON as encoding/json does, which has words for what is wrong.
func parseSlowly(data []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if len(bytes.Trim(data[dec.InputOffset():], " \t\r\n")) > 0 {
		return nil, errors.New("not JSON: something follows the object")
	}
	return v, nil
}

// parseQuickly is parseSlowly in half of the time; false: something is wrong. What
// encoding/json takes it takes too: the last one of several fields of a name counts, and
// what is no text is replaced.
func parseQuickly(data []byte) (any, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := jsonvalue.Read(dec, MaxObjectDepth)
	if err != nil {
		return nil, false
	}
	_, err = dec.ReadToken()
	return v, errors.Is(err, io.EOF)
}

// checkDepth counts brackets outside strings, before anything recursive does.
func checkDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxObjectDepth {
				return fmt.Errorf("nested deeper than %d levels", MaxObjectDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
