package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
	"confd/backends/internal/document"
)

// object is what one object in a piece came to. At most one of event, ignored
// and err is set; none where the object is of no concern to any node.
type object struct {
	event *backends.Event // its Warnings are in said
	// core says that the event is about one of Kubernetes' own kinds.
	core    bool
	said    []said // about the object, and about what is none
	ignored string // what it is, where it is none of ours
	err     *said  // it is no object at all
	// bare is an item that does not say its kind: its List does.
	bare *bareItem
	// block is set for an IPAM block, which matters to figures only.
	block *backends.Block
}

// bareItem is an item of a List that does not say its kind, in its document.
type bareItem struct {
	reader pieceReader
	tree   map[string]any
	path   []any
}

// pieceReader makes objects of a piece.
type pieceReader struct {
	*knowledge
	text []byte
	doc  *document.Document
}

// knowledge is what is known of all objects. It is never changed.
type knowledge struct {
	kinds   kinds
	checker *backends.Checker
	parser  *document.Parser
}

func newKnowledge() *knowledge {
	return &knowledge{newKinds(), backends.NewChecker(), document.NewParser(backends.MaxObjectDepth)}
}

// objects returns what is in a parsed document, Lists taken apart. Outer is the
// type of the List around it.
func (r pieceReader) objects(tree any, path []any, outer typeMeta) []object {
	switch tree := tree.(type) {
	case nil:
		return nil
	case []any:
		var all []object
		for i, e := range tree {
			all = append(all, r.objects(e, append(path, i), outer)...)
		}
		return all
	case map[string]any:
		t := typeOf(tree)
		if t.isList() {
			return r.objects(tree["items"], append(path, "items"), t.item())
		}
		if affinities, blocks, ok := ipam(tree); ok {
			return ofIPAM(affinities, blocks)
		}
		return []object{r.object(tree, path, t, outer)}
	}
	return []object{r.noObject(path, backends.Unreadable, "is not an object")}
}

func ofIPAM(affinities []backends.Event, blocks []*backends.Block) []object {
	var all []object
	for _, event := range affinities {
		all = append(all, object{event: &event})
	}
	for _, block := range blocks {
		all = append(all, object{block: block})
	}
	return all
}

// noObject is what should be an object, and is none.
func (r pieceReader) noObject(path []any, code backends.Code, format string, args ...any) object {
	s := r.say(backends.Warning{Code: code, Text: fmt.Sprintf(format, args...)}, path, true)
	return object{err: &s}
}

// say makes a warning about a place in the document: the value at a path, or the
// field.
func (r pieceReader) say(w backends.Warning, path []any, value bool) said {
	at := r.doc.Position(path, !value)
	if at == (document.Position{}) {
		at = nearest(r.doc, path)
	}
	return say(w, r.text, at)
}

func (r pieceReader) object(tree map[string]any, path []any, t, outer typeMeta) object {
	if t.kind == "" && t.apiVersion == "" {
		if outer == (typeMeta{}) {
			return r.untyped(tree, path)
		}
		t = outer
	}
	switch {
	case backends.IsEncrypted(t.kind) || backends.IsEncrypted(t.apiVersion):
		return r.noObject(path, backends.Encrypted, "is encrypted by SOPS: decrypt the file first")
	case t.kind == "":
		return r.noObject(path, backends.NoKind, "has no kind")
	case t.apiVersion == "":
		return r.noObject(path, backends.NoKind, "is a %.40q without apiVersion", t.kind)
	}
	v := r.kinds.of(t)
	var noted []said
	if v.warning != nil {
		field := "kind"
		if strings.HasPrefix(v.warning.Text, "apiVersion") {
			field = "apiVersion"
		}
		noted = append(noted, r.say(*v.warning, append(path, field), true))
	}
	switch {
	case v.err != nil:
		s := r.say(*v.err, append(path, "kind"), true)
		return object{err: &s}
	case !v.ours:
		return object{ignored: t.kind, block: blockOf(t, tree), said: noted}
	}
	o := r.decode(t, tree, path)
	o.said = append(noted, o.said...)
	return o
}

// untyped is an object that says neither its kind nor its version: an item whose
// List does, or something else altogether, such as Helm's values.
func (r pieceReader) untyped(tree map[string]any, path []any) object {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		for _, meant := range []string{"kind", "apiVersion"} {
			switch {
			case name == meant && tree[name] != nil && tree[name] != "":
				return r.noObject(append(path, name), backends.NoKind, "%s: is not a text", name)
			case name != meant && strings.EqualFold(name, meant):
				return r.noObject(append(path, name), backends.NoKind, "%s: there is no such field%s", name, backends.DidYouMean(meant))
			}
		}
	}
	return object{bare: &bareItem{r, tree, path}}
}

func (r pieceReader) decode(t typeMeta, tree map[string]any, path []any) object {
	kind := backends.Kind(t.kind)
	o := object{core: t.isCore()}
	if r.doc.Traps != nil {
		o.said = r.traps(path)
	}
	found := r.readTexts(tree, path, r.checker.Check(kind, o.core, tree))
	res, err := decodeResource(kind, o.core, tree)
	if errors.Is(err, backends.ErrNotOurs) {
		return object{}
	}
	for _, f := range backends.Besides(found, res, err) {
		o.said = append(o.said, r.say(f.Warning, append(path[:len(path):len(path)], f.Path...), f.Value))
	}
	if err != nil {
		s := r.say(backends.Warning{Code: backends.Unusable, Text: err.Error()}, r.fieldOf(err.Error(), path), true)
		s.cause = err
		err = &s
	}
	for _, text := range backends.Ignored(res) {
		o.said = append(o.said, r.say(backends.Warning{Code: backends.IgnoredValue, Text: text}, r.fieldOf(text, path), true))
	}
	o = r.withEvent(o, kind, tree, res, err)
	if kind == backends.KindSecret {
		o.hideExcerpts()
	}
	return o
}

// hideExcerpts has nothing shown of what is written.
func (o *object) hideExcerpts() {
	for i := range o.said {
		o.said[i].Excerpt = ""
	}
	if o.err != nil {
		o.err.Excerpt = ""
	}
	var s *said
	if o.event != nil && errors.As(o.event.Err, &s) {
		s.Excerpt = ""
	}
}

// fieldOf is the path of the field that a message of the decoder is about, in the
// object at a path.
func (r pieceReader) fieldOf(message string, object []any) []any {
	return append(object[:len(object):len(object)], pathIn(message)...)
}

func decodeResource(kind backends.Kind, core bool, tree map[string]any) (backends.Resource, error) {
	if kind != backends.KindNode || !core {
		return backends.DecodeObject(kind, "", tree)
	}
	node, err := backends.DecodeKubernetesNodeObject(tree)
	if err != nil {
		return nil, err
	}
	return node, nil
}

// withEvent gives an object its event. One without a name is no object.
func (r pieceReader) withEvent(o object, kind backends.Kind, tree map[string]any, res backends.Resource, err error) object {
	if res != nil {
		o.event = &backends.Event{Key: res.ResourceKey(), Resource: res, Err: err}
		return o
	}
	key, ok := backends.KeyOf(kind, tree)
	if !ok {
		s := said{}
		if e := (*said)(nil); errors.As(err, &e) {
			s = *e
		}
		s.Text = fmt.Sprintf("is a %s that cannot be used: %s", kind, s.Text)
		return object{err: &s, said: o.said}
	}
	o.event = &backends.Event{Key: key, Err: err}
	return o
}

// readTexts makes texts of values that should be such, as calicoctl does. What it
// found of them stays only where another text is written: "yes" is read as true.
func (r pieceReader) readTexts(tree map[string]any, object []any, found []backends.Finding) []backends.Finding {
	kept := found[:0]
	for _, f := range found {
		if f.Code == backends.NotText {
			read := makeText(tree, f.Path)
			written, ok := r.doc.Written(append(object[:len(object):len(object)], f.Path...))
			if !ok || written == read {
				continue
			}
			f.Text = fmt.Sprintf("%s: %.60q is read as %.60q in YAML: put quotes around it where that is not meant", backends.PathText(f.Path), written, read)
		}
		kept = append(kept, f)
	}
	return kept
}

// makeText makes a text of the value of a field, and returns it.
func makeText(tree map[string]any, path []any) string {
	for _, step := range path[:len(path)-1] {
		tree, _ = tree[step.(string)].(map[string]any)
	}
	name := path[len(path)-1].(string)
	text := textOf(tree[name])
	tree[name] = text
	return text
}

// textOf is what calicoctl makes of true or a number that should be a text.
func textOf(v any) string {
	number, isNumber := v.(json.Number)
	if !isNumber {
		return fmt.Sprint(v)
	}
	if _, err := number.Int64(); err == nil {
		return number.String()
	}
	if x, err := number.Float64(); err == nil {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return number.String()
}

// traps are what YAML reads otherwise than it looks in the object at a path.
func (r pieceReader) traps(path []any) []said {
	var all []said
	for _, t := range r.doc.Traps {
		if !within(path, t.Path) {
			continue
		}
		field := backends.PathText(t.Path[len(path):])
		w := backends.Warning{Code: backends.FieldTwice, Text: field + ": is there twice; the later one counts"}
		if t.Kind == document.Tag {
			w = backends.Warning{Code: backends.YAMLTag, Text: fmt.Sprintf("%s: %.60s is a tag in YAML, and no value: put quotes around it; it is taken for a text here", field, t.Text)}
		}
		all = append(all, say(w, r.text, t.Position))
	}
	return all
}

// within says whether a path begins with another.
func within(outer, path []any) bool {
	if len(path) < len(outer) {
		return false
	}
	for i, step := range outer {
		if path[i] != step {
			return false
		}
	}
	return true
}
