package document

import "go.yaml.in/yaml/v4"

// Position is where something stands in a document, from 1; the zero value: it
// is not known.
type Position struct{ Line, Column int }

func positionOf(n *yaml.Node) Position { return Position{n.Line, n.Column} }
