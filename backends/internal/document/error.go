package document

import "fmt"

// Error says why a text is no document.
type Error struct {
	Text string
	// Position is where the parser gave up, or where that began which has no end.
	Position Position
}

func (e *Error) Error() string { return e.Text }

func tooDeep(most int) error {
	return &Error{Text: fmt.Sprintf("is nested deeper than %d levels", most)}
}
