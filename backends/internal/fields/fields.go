// Package fields knows which fields an object of each kind may have, and finds
// those that it should not have.
package fields

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

//go:embed fields.txt
var text string

// Table is what may stand in objects, by kind. It is never changed.
type Table map[string]*Field

// Field is what may stand at one place of an object.
type Field struct {
	Name string
	// Read says that confd reads the value.
	Read bool
	// List says that there are many of it.
	List bool
	// Any says that anything may be below it, More that not only Fields may.
	Any, More bool
	// Fields are those below it, by name; nil: it is a plain value.
	Fields map[string]*Field
	// within are the names of those that have some below them, sorted.
	within []string
}

// New reads the table.
func New() Table {
	t := Table{}
	path := []*Field{} // to the line at hand
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		name := strings.TrimLeft(line, " ")
		if name == "" || name[0] == '#' {
			continue
		}
		depth := (len(line) - len(name)) / 2
		f := t.parse(path[:depth], name)
		path = append(path[:depth], f)
		if depth == 0 {
			t[f.Name] = f
			continue
		}
		parent := path[depth-1]
		if parent.Fields == nil {
			parent.Fields = map[string]*Field{}
		}
		parent.Fields[f.Name] = f
	}
	for _, f := range t {
		f.finish()
	}
	return t
}

func (f *Field) finish() {
	f.within = nil
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		if child := f.Fields[name]; child.Fields != nil && !child.Any {
			child.finish()
			f.within = append(f.within, name)
		}
	}
}

// parse reads "NAME[] MARK...". "@NAME" stands for what is below another field:
// a brother's, or one of the same name in the kind NAME.
func (t Table) parse(above []*Field, line string) *Field {
	words := strings.Fields(line)
	f := &Field{Name: words[0]}
	f.Name, f.List = strings.CutSuffix(f.Name, "[]")
	for _, mark := range words[1:] {
		switch mark {
		case "=":
			f.Read = true
		case "*":
			f.Any = true
		case "~":
			f.More = true
		default:
			f.copyOf(t.find(above, f.Name, strings.TrimPrefix(mark, "@")))
		}
	}
	return f
}

func (t Table) find(above []*Field, name, in string) *Field {
	if brother := above[len(above)-1].Fields[in]; brother != nil {
		return brother
	}
	return t[in].Fields[name]
}

func (f *Field) copyOf(other *Field) {
	f.Fields, f.More, f.Any = other.Fields, other.More, other.Any
}

// Finding is something in an object that should not be there, or not so.
type Finding struct {
	// Path leads to it: names, and numbers of list items from 0.
	Path []any
	// Want is what should be there ("a list", "an object"), where something else
	// is; empty: no field of that name is known.
	Want string
	// Meant is the name, or the path from the top, of the field that was meant;
	// empty: no idea.
	Meant string
}

// Check finds what is odd in an object, as encoding/json reads it, always in the
// same order; of very much, it finds some. Kinds that the table does not have may have any field.
func (t Table) Check(kind string, object map[string]any) []Finding {
	f := t[kind]
	if f == nil {
		return nil
	}
	c := checker{top: f}
	c.object(nil, f, object)
	return c.found
}

// maxFindings bounds how much is said about one object.
const maxFindings = 20

type checker struct {
	top   *Field
	found []Finding
}

func (c *checker) add(path []any, want, meant string) {
	c.found = append(c.found, Finding{slices.Clone(path), want, meant})
}

func (c *checker) full() bool { return len(c.found) >= maxFindings }

// object looks at what is in an object. Where all is well that costs no more than
// a lookup for each field.
func (c *checker) object(path []any, f *Field, object map[string]any) {
	for name, v := range object {
		if child := f.Fields[name]; child == nil || !child.holds(v) {
			c.odd(path, f, object)
			break
		}
	}
	for _, name := range f.within {
		if v := object[name]; v != nil && !c.full() {
			c.below(append(path, name), f.Fields[name], v)
		}
	}
}

func (c *checker) below(path []any, f *Field, v any) {
	switch v := v.(type) {
	case map[string]any:
		if !f.List {
			c.object(path, f, v)
		}
	case []any:
		for i, item := range v {
			if c.full() || !f.List {
				return
			}
			if object, ok := item.(map[string]any); ok {
				c.object(append(path, i), f, object)
			} else if item != nil {
				c.add(append(path, i), "an object", "")
			}
		}
	}
}

// holds says whether a value is of the sort that the field has: a list, an object
// or neither.
func (f *Field) holds(v any) bool {
	if v == nil || f.Any {
		return true
	}
	_, isList := v.([]any)
	_, isObject := v.(map[string]any)
	switch {
	case f.List:
		return isList
	case f.Fields != nil:
		return isObject
	}
	return !isList && !isObject
}

func (f *Field) wants() string {
	switch {
	case f.List:
		return "a list"
	case f.Fields != nil:
		return "an object"
	}
	return "a plain value"
}

// odd names what is not as it should be directly in an object.
func (c *checker) odd(path []any, f *Field, object map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		child := f.Fields[name]
		switch {
		case c.full():
			return
		case child != nil && !child.holds(object[name]):
			c.add(append(path, name), child.wants(), "")
		case child != nil:
		case f.More:
			if meant := Nearest(name, f.readNames()); meant != "" {
				c.add(append(path, name), "", meant)
			}
		default:
			meant := Nearest(name, slices.Sorted(maps.Keys(f.Fields)))
			if meant == "" {
				meant = c.top.elsewhere(name)
			}
			c.add(append(path, name), "", meant)
		}
	}
}

// readNames are the names of the fields below f that confd reads.
func (f *Field) readNames() []string {
	var names []string
	for name, child := range f.Fields {
		if child.Read || child.Fields != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// elsewhere is the path of the one field of that name in the object; empty where
// there is none, or many.
func (f *Field) elsewhere(name string) string {
	var paths []string
	f.walk("", func(path string, child *Field) {
		if strings.EqualFold(child.Name, name) {
			paths = append(paths, path)
		}
	})
	if len(paths) != 1 {
		return ""
	}
	return paths[0]
}

// walk visits all fields below f, in the order of their paths: "spec.filters[]".
func (f *Field) walk(path string, visit func(string, *Field)) {
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		child := f.Fields[name]
		p := name
		if path != "" {
			p = path + "." + name
		}
		if child.List {
			p += "[]"
		}
		visit(p, child)
		child.walk(p, visit)
	}
}

// Walk visits all fields of a kind, in the order of their paths, in which the
// items of a list are "[]": "spec.filters[]".
func (t Table) Walk(kind string, visit func(path string, f *Field)) {
	if f := t[kind]; f != nil {
		f.walk("", visit)
	}
}

// Nearest is the name that was likely meant; empty where none is near.
func Nearest(name string, names []string) string {
	best, least := "", len([]rune(name))
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters differ, where that is few, or little more where
// the one begins with the other; else it is too much to be near.
func distance(a, b string) int {
	short, long := min(len(a), len(b)), max(len(a), len(b))
	if long > 100 {
		return long
	}
	d := levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(b))
	if d <= max(1, short/3) && d < short {
		return d
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	if short >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return short - 1
	}
	return long
}
