package templates

import (
	"slices"
	"text/template"
)

// library is the templates whose definitions all others may use, by name.
type library struct{ names, texts []string }

// parseTemplate parses a template, which can use the definitions of lib, and
// makes it interruptible.
func parseTemplate(name, text string, lib library) (*template.Template, error) {
	t := template.New(name).Funcs((&run{}).functions())
	for i, libName := range lib.names {
		if _, err := t.New(libName).Parse(lib.texts[i]); err != nil {
			return nil, err
		}
	}
	if _, err := t.Parse(text); err != nil {
		return nil, err
	}
	for _, d := range t.Templates() {
		if d.Tree != nil && d.Tree.Root != nil {
			root := d.Tree.Root
			addTicks(root)
			root.Nodes = slices.Insert(root.Nodes, 0, call(enterName, root.Position()))
			root.Nodes = append(root.Nodes, call(leaveName, root.Position()))
		}
	}
	return t, nil
}
