package document

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// converter turns what the YAML parser returns into what encoding/json would.
type converter struct {
	document *Document
	depth    int // how deep it may get
	aliases  int // around the value at hand
	aliased  int // values that came from aliases
	way      []step
}

// step is a step on the way to a value: into a field, or an item of a list.
type step struct {
	name string
	item int // -1: it is a field
}

// path is the whole way: see Trap.
func (c *converter) path() []any {
	var path []any
	for _, s := range c.way {
		if s.item >= 0 {
			path = append(path, s.item)
		} else {
			path = append(path, s.name)
		}
	}
	return path
}

// below converts what is one step below.
func (c *converter) below(s step, n *yaml.Node, depth int) (any, error) {
	c.way = append(c.way, s)
	v, err := c.value(n, depth-1)
	c.way = c.way[:len(c.way)-1]
	return v, err
}

// value converts a node; depth levels may be below it.
func (c *converter) value(n *yaml.Node, depth int) (any, error) {
	if n == nil {
		return nil, nil
	}
	if depth < 0 {
		return nil, tooDeep(c.depth)
	}
	if c.aliases > 0 {
		if c.aliased++; c.aliased > maxAliased {
			return nil, &Error{"has aliases that come to more than can be meant", positionOf(n)}
		}
	}
	if n.Kind != yaml.AliasNode && isOwnTag(n.Tag) {
		return c.tagged(n, depth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.object(n, depth)
	case yaml.SequenceNode:
		return c.list(n, depth)
	case yaml.AliasNode:
		return c.alias(n, depth)
	}
	return scalar(n), nil
}

func (c *converter) alias(n *yaml.Node, depth int) (any, error) {
	c.aliases++
	defer func() { c.aliases-- }()
	return c.value(n.Alias, depth)
}

func (c *converter) list(n *yaml.Node, depth int) (any, error) {
	list := make([]any, len(n.Content))
	for i, e := range n.Content {
		v, err := c.below(step{item: i}, e, depth)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

func (c *converter) object(n *yaml.Node, depth int) (any, error) {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMerge(key) {
			if err := c.merge(object, n, i, depth); err != nil {
				return nil, err
			}
			continue
		}
		name, err := nameOf(key)
		if err != nil {
			return nil, err
		}
		if _, has := object[name]; has {
			c.twice(n, i, name)
		}
		if object[name], err = c.below(step{name, -1}, value, depth); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// isMerge says whether a field is "<<", which stands for those of another object.
func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.Tag == "!!merge" }

// merge adds to an object what n.Content[i], which is "<<", and its value stand for
// ("<<: *a"). As for kubectl and calicoctl, that counts over what stands before it,
// whatever YAML says.
func (c *converter) merge(object map[string]any, n *yaml.Node, i, depth int) error {
	value := n.Content[i+1]
	v, err := c.value(value, depth)
	if err != nil {
		return err
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, other := range slices.Backward(list) { // of several, the first counts
		other, ok := other.(map[string]any)
		if !ok {
			return &Error{"<< needs an object, or a list of some", positionOf(value)}
		}
		for _, name := range slices.Sorted(maps.Keys(other)) {
			if old, has := object[name]; has && !reflect.DeepEqual(old, other[name]) {
				c.twice(n, i, name)
			}
			object[name] = other[name]
		}
	}
	return nil
}

// nameOf is the name of a field as it is written.
func nameOf(key *yaml.Node) (string, error) {
	for hops := 0; key.Kind == yaml.AliasNode && hops < 10; hops++ {
		key = key.Alias
	}
	if key.Kind != yaml.ScalarNode {
		return "", &Error{"has a list or an object where a field's name should be", positionOf(key)}
	}
	return key.Value, nil
}

// ownField is the first field of that name before n.Content[before]; nil: there is none.
func ownField(n *yaml.Node, before int, name string) *yaml.Node {
	for j := 0; j < before; j += 2 {
		key := n.Content[j]
		if is, err := nameOf(key); err == nil && is == name && !isMerge(key) {
			return key
		}
	}
	return nil
}

// twice notes that n.Content[i] has a field of that name again, where the one before is the
// object's own: what comes of "<<" is meant to be replaced.
func (c *converter) twice(n *yaml.Node, i int, name string) {
	if first := ownField(n, i, name); first != nil {
		c.trap(Trap{Kind: Twice, Path: append(c.path(), name), Position: positionOf(n.Content[i]), First: positionOf(first), Text: name})
	}
}

func (c *converter) trap(t Trap) {
	if len(c.document.Traps) < maxTraps {
		c.document.Traps = append(c.document.Traps, t)
	}
}

// isOwnTag says whether a tag is none of YAML's own.
func isOwnTag(tag string) bool {
	return strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") && tag != "!" ||
		strings.HasPrefix(tag, "tag:") && !strings.HasPrefix(tag, "tag:yaml.org,2002:")
}

// tagged notes a tag. A plain value is taken as it is written: in
// "nodeSelector: !has(rack)" nobody meant a tag.
func (c *converter) tagged(n *yaml.Node, depth int) (any, error) {
	c.trap(Trap{Kind: Tag, Path: c.path(), Position: positionOf(n), Text: n.Tag})
	plain := *n
	plain.Tag = ""
	if n.Kind == yaml.ScalarNode {
		plain.Tag = "!!str"
		if n.Style&^yaml.TaggedStyle == 0 {
			plain.Value = strings.TrimSuffix(n.Tag+" "+n.Value, " ")
		}
	}
	return c.value(&plain, depth)
}

// yaml11 are words that are true or false in YAML 1.1, which is what kubectl and
// calicoctl read.
func yaml11(word string) (value, is bool) {
	switch word {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

// scalar reads a value that has no tag, or one of YAML's own.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		switch n.Value {
		case "true", "True", "TRUE":
			return true
		case "false", "False", "FALSE":
			return false
		}
		if b, ok := yaml11(n.Value); ok {
			return b
		}
	case "!!int", "!!float":
		return number(n)
	case "!!binary":
		if b, err := base64.StdEncoding.DecodeString(n.Value); err == nil {
			return string(b)
		}
	case "!!str":
		if b, ok := yaml11(n.Value); ok && n.Style == 0 {
			return b
		}
	}
	return n.Value
}

// number reads a number, which YAML can write in ways that JSON has not.
func number(n *yaml.Node) any {
	if isJSONNumber(n.Value) {
		return json.Number(n.Value)
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return n.Value
	}
	switch v := v.(type) {
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v))
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	return n.Value
}

func isJSONNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		return false
	}
	return json.Valid([]byte(s))
}
