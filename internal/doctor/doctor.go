// Package doctor finds what is wrong with a cluster: what would break sessions, lose
// routes or drop packets, and what no tool refuses. Each check is a function of its
// own; each kind of finding has a code, which stays as it is.
package doctor

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/explain"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // something does not work
	Warning Severity = "warning" // it works less well than it looks, or will not for long
	Advice  Severity = "advice"  // nothing is wrong
)

// Question is what a doctor goes by.
type Question struct {
	State *backends.State
	// Options are those of the node that asks.
	Options bgp.Options
	// BIRD is the major version of this node's BIRD; 0: not known.
	BIRD int
	// Live is what is known of this machine; nil: it is none of the cluster's nodes,
	// or was not looked at.
	Live *Live
	// Usage is how much of the pools is taken, as the IPAM blocks say; nil: not known.
	Usage *backends.Usage
	// Ignore are the numbers of codes of which nothing is said; see Ignored.
	Ignore map[string]bool
}

// Live is what is known of this machine.
type Live struct {
	// BIRD is what its BIRDs say; nil: none answers.
	BIRD *explain.Live
	// Recovering: BIRD waits for its peers after a restart.
	Recovering bool
	// Unreachable are the nets of which BIRD's next hop cannot be reached.
	Unreachable []netip.Prefix
	// Addresses are those of the machine's interfaces; nil: not known.
	Addresses []netip.Addr
}

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

// Examine looks at a cluster. Errors are those of ctx.
func Examine(ctx context.Context, q Question) (*Report, error) {
	p, err := newPatient(ctx, q)
	if err != nil {
		return nil, err
	}
	report := &Report{Nodes: len(q.State.Nodes), Findings: []Finding{}, Counts: map[Severity]int{}}
	said := map[Finding]bool{}
	for _, code := range Codes() {
		for _, f := range p.find(code) {
			switch {
			case said[f]:
			case q.Ignore[code.ID]:
				report.Ignored++
			default:
				report.Findings = append(report.Findings, f)
				report.Counts[f.Severity]++
			}
			said[f] = true
		}
	}
	slices.SortStableFunc(report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Text, b.Text))
	})
	return report, nil
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Advice}, s) }

// find are the findings of one code.
func (p *patient) find(code Code) []Finding {
	var list []complaint
	if code.check != nil {
		list = code.check(p)
	} else {
		list = p.problems[code.Name]
	}
	out := make([]Finding, 0, len(list))
	for _, c := range list {
		out = append(out, Finding{
			Code: code.ID, Name: string(code.Name), Severity: code.Severity, Object: c.object, Text: c.text,
			Consequence: code.Consequence, Cure: code.Cure, Place: c.place,
		})
	}
	return out
}

// complaint is a finding before it has its code.
type complaint struct{ object, text, place string }
