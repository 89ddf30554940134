package backends

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"confd/backends/internal/fields"
)

// probes are values of all sorts. Whatever a field is, one of them means something
// to a decoder that reads it.
func probes() []any {
	return []any{
		"x", "10.7.7.7", "10.7.7.0/24", "fd07::7", "1.2.3.4", "Reject", "true", "90s", "64512:7", json.Number("7"), json.Number("27"), true, []any{"10.7.7.7"},
		[]any{"10.7.7.0/24"}, []any{json.Number("7")}, map[string]any{"a": "b"}, []any{"IPv6"}, "Local", "NodePort", "Always", "host", "None", "eBGP",
	}
}

// with returns an object with a value at a path such as "spec.filters[]". Lists
// that lead there get one item.
func with(path string, v any, rest map[string]any) map[string]any {
	object := map[string]any{"metadata": map[string]any{"name": "default"}}
	for k, e := range rest {
		object[k] = e
	}
	if path == "" {
		return object
	}
	at := object
	steps := strings.Split(path, ".")
	for i, step := range steps {
		name, isList := strings.CutSuffix(step, "[]")
		if i == len(steps)-1 {
			if v != nil {
				at[name] = v
			}
			break
		}
		next := map[string]any{}
		if old, ok := at[name].(map[string]any); ok {
			for k, e := range old {
				next[k] = e
			}
		}
		if at[name] = next; isList {
			at[name] = []any{next}
		}
		at = next
	}
	return object
}

// outcome is what decoding comes to, as text.
func outcome(shape string, object map[string]any) string {
	var res Resource
	var err error
	if strings.HasPrefix(shape, "v1/") {
		res, err = DecodeKubernetesNodeObject(object)
	} else {
		res, err = DecodeObject(Kind(shape), "", object)
	}
	value := reflect.ValueOf(res)
	if s, ok := res.(*Secret); ok {
		return fmt.Sprint(s.Data, s.Namespace, err)
	}
	if value.Kind() == reflect.Pointer && !value.IsNil() {
		return fmt.Sprintf("%s %v", jsonOf(value.Interface()), err)
	}
	return fmt.Sprint(err)
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestTableOfFields compares the table of known fields with the decoders: they
// read what it says that they read, and nothing else of it.
func TestTableOfFields(t *testing.T) {
	table := fields.New()
	shapes := []string{"v1/Node"}
	for _, k := range Kinds() {
		shapes = append(shapes, string(k))
	}
	for _, shape := range shapes {
		if table[shape] == nil {
			t.Errorf("%s has no fields", shape)
		}
		count := 0
		table.Walk(shape, func(path string, f *fields.Field) {
			if f.Fields != nil && !f.Any || path == "apiVersion" || path == "kind" || path == "sops" || strings.HasPrefix(path, "metadata.") {
				return
			}
			count++
			// What an object cannot do without, so that the rest of it counts.
			var rest map[string]any
			switch {
			case shape == "IPPool" && path != "spec.cidr":
				rest = map[string]any{"spec": map[string]any{"cidr": "10.0.0.0/8"}}
			case shape == "BGPPeer" && path != "spec.peerIP":
				rest = map[string]any{"spec": map[string]any{"peerIP": "10.0.0.1"}}
			}
			read := slices.ContainsFunc(probes(), func(v any) bool {
				return outcome(shape, with(path, v, rest)) != outcome(shape, with(path, nil, rest))
			})
			if read != f.Read {
				t.Errorf("%s %s: read is %t, the table says %t", shape, path, read, f.Read)
			}
		})
		if count == 0 {
			t.Errorf("%s: nothing was tried", shape)
		}
	}
}
