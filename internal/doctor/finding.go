package doctor

import (
	"slices"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // something does not work
	Warning Severity = "warning" // it works less well than it looks, or will not for long
	Advice  Severity = "advice"  // nothing is wrong
)

// Finding is something that is wrong with one object.
type Finding struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	Object   string   `json:"object"`
	Text     string   `json:"text"`
	// Consequence is what comes of it, Cure what to do.
	Consequence string `json:"consequence"`
	Cure        string `json:"cure"`
	// Place is where the object stands in a file; empty: not known.
	Place string `json:"place,omitempty"`
}

// Report is what was found.
type Report struct {
	Nodes    int       `json:"nodes"`
	Findings []Finding `json:"findings"` // the worst first
	// Counts is how many there are of each severity; Ignored how many of codes that
	// nobody wants to hear of.
	Counts  map[Severity]int `json:"counts"`
	Ignored int              `json:"ignored"`
}

// Worst is the worst severity of the findings; empty: there are none.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// complaint is a finding before it has its code.
type complaint struct{ object, text, place string }

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Advice}, s) }
