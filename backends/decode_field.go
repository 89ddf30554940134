package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"confd/backends/internal/plain"
)

// maxProblems bounds how much is said about one object.
const maxProblems = 20

// field is a place in a parsed object. Its readers never fail: a missing field
// or a null reads as the zero value, and one that makes no sense does too, and
// is noted.
type field struct {
	value any
	// path and name say where it is: name is a field of what is at path; empty: path is
	// all. Most fields hold no others, and nobody asks for their way.
	path, name string
	found      *problems
}

// way is the way to the field, from the object.
func (f field) way() string {
	switch {
	case f.name == "":
		return f.path
	case f.path == "":
		return f.name
	}
	return f.path + "." + f.name
}

type problems struct {
	texts []string
	more  int
}

// newReader reads an object: a map, or a plain.Object.
func newReader(object any) field {
	return field{value: object, found: &problems{}}
}

func (p *problems) list() []string {
	if p.more == 0 {
		return p.texts
	}
	return append(p.texts[:len(p.texts):len(p.texts)], fmt.Sprintf("and %d more", p.more))
}

// err returns everything noted as one error on one line.
func (f field) err() error {
	if len(f.found.texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(f.found.list(), "; "))
}

// fail notes a problem of the whole object.
func (f field) fail(text string) {
	if len(f.found.texts) >= maxProblems {
		f.found.more++
		return
	}
	f.found.texts = append(f.found.texts, text)
}

// failf notes a problem of this field.
func (f field) failf(format string, args ...any) {
	f.fail(f.way() + ": " + fmt.Sprintf(format, args...))
}

// bad notes that the value is not what it should be.
func (f field) bad(want string) { f.failf("%s is not %s", quoted(f.value), want) }

// soft is the same place with a list of its own for what makes no sense: for
// fields that the object can do without.
func (f field) soft() field {
	f.found = &problems{}
	return f
}

func (f field) missing() bool { return f.value == nil }

func (f field) empty() bool { return f.value == nil || f.value == "" }

func (f field) get(name string) field {
	child := field{path: f.way(), name: name, found: f.found}
	switch object := f.value.(type) {
	case map[string]any:
		child.value = object[name]
	case plain.Object:
		child.value = object.Get(name)
	}
	if isTree(child.value) {
		child.path, child.name = child.way(), ""
	}
	return child
}

// entry is get for a name that a user chose.
func (f field) entry(name string) field {
	e := f.get(name)
	e.path, e.name = f.way()+"."+printable(name), ""
	return e
}

// object notes a value that is there and is not an object, and says whether it is one.
func (f field) object() bool {
	ok := isObject(f.value)
	if !ok && !f.missing() {
		f.bad("an object")
	}
	return ok
}

// names are the names of an object's fields, sorted.
func (f field) names() []string {
	switch object := f.value.(type) {
	case map[string]any:
		return slices.Sorted(maps.Keys(object))
	case plain.Object:
		return object.Names()
	}
	return nil
}

func (f field) list() []field {
	values, ok := f.value.([]any)
	if !ok {
		if !f.missing() {
			f.bad("a list")
		}
		return nil
	}
	fields := make([]field, len(values))
	for i, v := range values {
		fields[i] = field{value: v, path: f.way() + "[" + strconv.Itoa(i) + "]", found: f.found}
	}
	return fields
}

func (f field) text() string {
	switch v := f.value.(type) {
	case string:
		return v
	case bool, json.Number:
		f.bad("a text (YAML needs quotes around it)")
	case nil:
	default:
		f.bad("a text")
	}
	return ""
}

// word reads a name. YAML turns an unquoted true or 1 into something else than
// a text; it is taken for the text that it was.
func (f field) word() string {
	switch v := f.value.(type) {
	case bool, json.Number:
		return fmt.Sprint(v)
	}
	return f.text()
}

// words reads a map of texts, such as labels; see word.
func (f field) words() map[string]string {
	f.object()
	names := f.names()
	if len(names) == 0 {
		return nil
	}
	words := make(map[string]string, len(names))
	for _, k := range names {
		if e := f.entry(k); !isTree(e.value) {
			words[k] = e.word()
		} else {
			e.bad("a text")
		}
	}
	return words
}

// isTree says whether a value is a list or an object.
func isTree(v any) bool {
	_, isList := v.([]any)
	return isList || isObject(v)
}

func isObject(v any) bool {
	switch v.(type) {
	case map[string]any, plain.Object:
		return true
	}
	return false
}

// oneOf reads a text that must be one of the values.
func oneOf[T ~string](f field, values ...T) T {
	if f.empty() {
		return ""
	}
	s, ok := f.value.(string)
	for _, v := range values {
		if ok && T(s) == v {
			return v
		}
	}
	f.failf("%s is none of %v", quoted(f.value), values)
	return ""
}

func (f field) boolean() *bool {
	if f.empty() {
		return nil
	}
	switch v := f.value.(type) {
	case bool:
		return &v
	case string:
		if b := v == "true"; b || v == "false" {
			return &b
		}
	}
	f.bad("true or false")
	return nil
}

func (f field) isTrue() bool {
	b := f.boolean()
	return b != nil && *b
}

// isTrueOrBad is isTrue for what closes something: so does a value that makes no
// sense.
func (f field) isTrueOrBad() bool {
	b := f.boolean()
	return b != nil && *b || b == nil && !f.empty()
}

// interfaceName reads an interface name or pattern. Nothing in it may end the
// quotes that it is written in.
func (f field) interfaceName() string {
	s := f.text()
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(" \"'`\\", r) }
	if len(s) > 64 || strings.ContainsFunc(s, bad) || strings.ContainsRune(s, unicode.ReplacementChar) {
		f.bad("an interface name")
		return ""
	}
	return s
}

// pattern reads an interface pattern as BIRD's strings can hold it. BIRD 2 and 3
// crash on strings of thousands of bytes.
func (f field) pattern() string {
	s := f.text()
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("\"\\", r) }
	if len(s) > 255 || strings.ContainsFunc(s, bad) || strings.ContainsRune(s, unicode.ReplacementChar) {
		f.bad("an interface pattern")
		return ""
	}
	return s
}

func (f field) community() *Community {
	if f.empty() {
		return nil
	}
	c, err := ParseCommunity(f.communityText())
	if err != nil {
		f.bad("a community a:b or a:b:c")
		return nil
	}
	return &c
}

// communityText reads a community, or the name of one. A number is what YAML
// 1.1 makes of an unquoted a:b with b below 60, which it takes for base 60
// (5663:12 arrives as 339792): it is turned back.
func (f field) communityText() string {
	n, isNumber := f.value.(json.Number)
	if !isNumber {
		return f.text()
	}
	v, err := strconv.ParseUint(n.String(), 10, 32)
	if err != nil {
		return n.String()
	}
	return fmt.Sprintf("%d:%d", v/60, v%60)
}

// secretKeyRef reads {secretKeyRef: {name, key}}. What does not say where the
// password is asks for one all the same: the result is empty, not nil.
func (f field) secretKeyRef() *SecretKeyRef {
	if f.missing() {
		return nil
	}
	ref := f.get("secretKeyRef")
	for _, part := range []field{f, ref} {
		if isObject(part.value) {
			continue
		}
		if !part.missing() {
			part.failf("is %s, not an object", typeName(part.value)) // it may well be the password itself
		}
		return &SecretKeyRef{}
	}
	r := &SecretKeyRef{Name: ref.get("name").text(), Key: ref.get("key").text()}
	if r.Name == "" || r.Key == "" {
		ref.failf("needs a name and a key")
		return &SecretKeyRef{}
	}
	return r
}

// quoted shows a value in a message: on one line, and not all of it.
func quoted(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 80 {
			return strconv.Quote(v[:77]) + "..."
		}
		return strconv.Quote(v)
	case json.Number:
		if len(v) > 30 {
			return v.String()[:27] + "..."
		}
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return typeName(v)
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any, plain.Object:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}
