package document

// Trap is something that YAML reads otherwise than it looks.
type Trap struct {
	Kind TrapKind
	// Path leads to it: names, and numbers of list items from 0.
	Path []any
	// Position is where it stands; First is where the field stood first that is
	// there twice.
	Position, First Position
	// Text is the tag, or the field's name.
	Text string
}

// TrapKind is a kind of trap.
type TrapKind int

// The kinds of traps.
const (
	Tag   TrapKind = iota // a tag, such as "!has(rack)": what follows "!" was no value
	Twice                 // two fields of one name
)
