package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/backends/internal/fields"
)

// Checker finds what is odd in objects as they are written: what Calico and
// Kubernetes would refuse, or pass over without a word. It is never changed.
type Checker struct {
	table fields.Table
	// annotations are those that are read.
	annotations []string
}

// NewChecker makes a Checker.
func NewChecker() *Checker {
	return &Checker{fields.New(), []string{AnnotationDisruption, AnnotationApproved, realMetadata}}
}

// Finding is a Warning with the way, in the object, to what it is about: names,
// and numbers of list items from 0.
type Finding struct {
	Warning
	Path []any
	// Value says that it is about the value there, not about the field.
	Value bool
}

// Check finds what is odd in an object, as encoding/json reads it with numbers as
// json.Number. Of Node there are two kinds: core says that it is Kubernetes' own.
// No value of a Secret is ever part of a text.
func (c *Checker) Check(kind Kind, core bool, object map[string]any) []Finding {
	shape := string(kind)
	if core && kind == KindNode {
		shape = "v1/Node"
	}
	var found []Finding
	for _, f := range c.table.Check(shape, object) {
		found = append(found, oddField(kind, f, object))
	}
	meta, _ := object["metadata"].(map[string]any)
	found = append(found, oddName(kind, meta)...)
	found = append(found, noTexts(meta)...)
	texts := textFinder{}
	for _, name := range []string{"name", "labels"} {
		texts.look(meta[name], "metadata", name)
	}
	texts.look(object["spec"], "spec")
	return append(found, texts.found...)
}

// Besides drops the findings about values of which decoding the object has said
// the same: in the error, or in what the resource ignores.
func Besides(found []Finding, r Resource, err error) []Finding {
	said := strings.Join(Ignored(r), "; ")
	if err != nil {
		said += "; " + err.Error()
	}
	return slices.DeleteFunc(found, func(f Finding) bool {
		return f.Code == WrongType && strings.Contains(said, PathText(f.Path)+": ")
	})
}

func oddField(kind Kind, f fields.Finding, object map[string]any) Finding {
	out := Finding{Path: f.Path}
	if f.Want != "" {
		out.Code, out.Value = WrongType, true
		out.Text = fmt.Sprintf("%s: has %s where %s should be, so nothing of it is read", PathText(f.Path), typeName(valueAt(object, f.Path)), f.Want)
		return out
	}
	out.Code = UnknownField
	out.Text = fmt.Sprintf("%s: %s has no such field, so nothing of it is read%s", PathText(f.Path), kind, DidYouMean(f.Meant))
	return out
}

// PathText is a path as messages have it: "spec.importV4[0].cidr".
func PathText(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(printable(step))
		}
	}
	return b.String()
}

func valueAt(v any, path []any) any {
	for _, step := range path {
		switch step := step.(type) {
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		}
	}
	return v
}

// oddName finds names with which an object has no effect.
func oddName(kind Kind, meta map[string]any) []Finding {
	name, ok := meta["name"].(string)
	if !ok || HasEffect(Key{Kind: kind, Name: name}) {
		return nil
	}
	text := fmt.Sprintf("metadata.name: a %s of the name %s has no effect: it must be default, or node. and a node's name", kind, quoted(name))
	return []Finding{{
		Warning: Warning{Code: NoEffect, Text: text + Guess(name, []string{"default"})},
		Path:    []any{"metadata", "name"}, Value: true,
	}}
}

// HasEffect says whether an object of that name can have an effect: of some kinds
// only certain names count.
func HasEffect(k Key) bool {
	if k.Kind != KindBGPConfiguration && k.Kind != KindFelixConfiguration {
		return true
	}
	return k.Name == "default" || strings.HasPrefix(k.Name, "node.") && k.Name != "node."
}

// noTexts finds names, labels and annotations that are no texts.
func noTexts(meta map[string]any) []Finding {
	var found []Finding
	add := func(v any, path ...any) {
		text := fmt.Sprintf("%s: is read as %s, and should be a text: put quotes around it", PathText(path), typeName(v))
		found = append(found, Finding{Warning: Warning{Code: NotText, Text: text}, Path: path, Value: true})
	}
	for _, name := range []string{"name", "namespace"} {
		if v := meta[name]; isNoText(v) {
			add(v, "metadata", name)
		}
	}
	for _, in := range []string{"labels", "annotations"} {
		values, _ := meta[in].(map[string]any)
		for name, v := range values {
			if isNoText(v) {
				add(v, "metadata", in, name)
			}
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Text, b.Text) })
	return found
}

func isNoText(v any) bool {
	switch v.(type) {
	case bool, json.Number:
		return true
	}
	return false
}

// textFinder finds texts that were to be replaced before anybody reads them.
type textFinder struct{ found []Finding }

func (t *textFinder) look(v any, path ...any) {
	if !hasMarks(v) {
		return
	}
	switch v := v.(type) {
	case string:
		t.text(v, path)
	case []any:
		for i, e := range v {
			t.look(e, append(path, i)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			t.look(v[name], append(path, name)...)
		}
	}
}

// hasMarks says whether it is worth looking into a value.
func hasMarks(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.IndexByte(v, '{') >= 0 || strings.IndexByte(v, '[') >= 0
	case []any:
		return slices.ContainsFunc(v, hasMarks)
	case map[string]any:
		for _, e := range v {
			if hasMarks(e) {
				return true
			}
		}
	}
	return false
}

func (t *textFinder) text(s string, path []any) {
	f := Finding{Path: slices.Clone(path), Value: true}
	switch {
	case IsEncrypted(s):
		f.Code, f.Text = Encrypted, "is encrypted by SOPS: decrypt the file first"
	case IsTemplate(s):
		f.Code, f.Text = Template, "a template that was not rendered?"
	default:
		return
	}
	f.Text = PathText(path) + ": " + f.Text
	t.found = append(t.found, f)
}

// IsEncrypted says whether SOPS has put a value's place holder there.
func IsEncrypted(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "ENC[") && strings.HasSuffix(s, "]")
}

// IsTemplate says whether a text has what Helm, Jinja ({{ }}, {% %}) or Terraform
// (${ }, %{ }) replace.
func IsTemplate(s string) bool {
	for _, m := range [][2]string{{"{{", "}}"}, {"{%", "%}"}, {"${", "}"}, {"%{", "}"}} {
		if _, rest, ok := strings.Cut(s, m[0]); ok && strings.Contains(rest, m[1]) {
			return true
		}
	}
	return false
}

// Nearest is the name among names that was likely meant; empty where none is near.
func Nearest(name string, names []string) string { return fields.Nearest(name, names) }

// Guess is DidYouMean of the Nearest.
func Guess(name string, names []string) string { return DidYouMean(Nearest(name, names)) }

// KnownFields are the fields that an object of a kind may have below spec, or
// beside it: those that confd reads, and the others. "[]" stands for the items of
// a list. For Kubernetes' Node the kind is "v1/Node".
func KnownFields(kind string) (read, others []string) {
	fields.New().Walk(kind, func(path string, f *fields.Field) {
		top, _, _ := strings.Cut(path, ".")
		switch {
		case f.Fields != nil && !f.Any || slices.Contains([]string{"apiVersion", "kind", "metadata", "sops"}, top):
		case f.Read:
			read = append(read, path)
		case path != "status":
			others = append(others, path)
		}
	})
	return read, others
}

// Event is what an object's JSON comes to, as Decode reads it, with what there is
// to say about it. False: it has no meaning for any node.
func (c *Checker) Event(kind Kind, name string, data []byte) (Event, bool) {
	e := Event{Key: Key{Kind: kind, Name: name}}
	object, err := parseJSON(data)
	if err == nil {
		if err = otherKind(kind, object["kind"]); err != nil && name == "" {
			e.Key, _ = KeyOf(kind, object)
		}
	}
	if err != nil {
		e.Resource, e.Err = StandIn(e.Key, err)
		return e, true
	}
	res, err := DecodeObject(kind, name, object)
	if errors.Is(err, ErrNotOurs) {
		return Event{}, false
	}
	e = Event{Resource: res, Err: err}
	for _, f := range Besides(c.Check(kind, false, object), res, err) {
		e.Warnings = append(e.Warnings, f.Warning)
	}
	if res != nil && name != "" { // which has that name
		e.Key = res.ResourceKey()
		return e, true
	}
	e.Key, _ = KeyOf(kind, object)
	if name != "" {
		e.Key.Name = name
	}
	return e, true
}
