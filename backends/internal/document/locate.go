package document

import (
	"bytes"

	"go.yaml.in/yaml/v4"
)

// Position finds where the value at the end of a path begins, or the field's name
// where name is set. The zero value: nobody can tell.
func (d *Document) Position(path []any, name bool) Position {
	key, value := d.find(path)
	switch {
	case name && key != nil:
		return positionOf(key)
	case value != nil:
		return positionOf(value)
	}
	return Position{}
}

// Written is a plain value as it stands in the text: "yes" or "0x1F", whatever
// YAML makes of it. False where there is no plain value, or it cannot be found.
func (d *Document) Written(path []any) (string, bool) {
	_, value := d.find(path)
	if value == nil || value.Kind != yaml.ScalarNode {
		return "", false
	}
	return value.Value, true
}

// find finds a field's name and value; nil where there is none.
func (d *Document) find(path []any) (key, value *yaml.Node) {
	value = d.tree()
	for _, step := range path {
		key, value = child(value, step, 0)
		if value == nil {
			break
		}
	}
	return key, value
}

// tree is the document as YAML. JSON may be indented with tabs, YAML may not.
func (d *Document) tree() *yaml.Node {
	if d.root == nil {
		d.root = &yaml.Node{}
		if root, err := d.parser.parseYAML(bytes.ReplaceAll(d.data, []byte("\t"), []byte(" "))); err == nil && root != nil {
			d.root = root
		}
	}
	return d.root
}

// child finds what is directly below n; of two fields of one name, the later.
func child(n *yaml.Node, step any, hops int) (key, value *yaml.Node) {
	for ; n.Kind == yaml.AliasNode && n.Alias != nil && hops < 100; hops++ {
		n = n.Alias
	}
	if i, isItem := step.(int); isItem {
		if n.Kind == yaml.SequenceNode && i < len(n.Content) {
			return nil, n.Content[i]
		}
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case isMerge(k) && hops < 100:
			if mergedKey, merged := mergedChild(n.Content[i+1], step, hops+1); merged != nil {
				key, value = mergedKey, merged
			}
		case k.Value == step:
			key, value = k, n.Content[i+1]
		}
	}
	return key, value
}

// mergedChild finds what "<<" adds to an object from n, an object or a list of some, of
// which the first counts.
func mergedChild(n *yaml.Node, step any, hops int) (key, value *yaml.Node) {
	for ; n.Kind == yaml.AliasNode && n.Alias != nil && hops < 100; hops++ {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		return child(n, step, hops)
	}
	for _, e := range n.Content {
		if key, value = child(e, step, hops); value != nil {
			break
		}
	}
	return key, value
}
