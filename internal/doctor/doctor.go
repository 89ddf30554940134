// Package doctor finds what is wrong with a cluster: what would break sessions, lose
// routes or drop packets, and what no tool refuses. Each check is a function of its
// own; each kind of finding has a code, which stays as it is.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
)

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

// Codes are all kinds of findings, by number. Warnings about input and about what
// nodes make of it are among them.
func Codes() []Code {
	return slices.Concat(
		known(1, backends.Codes(), inputSeverities()),
		known(20, bgp.Codes(), nodeSeverities()),
		sessionCodes(), reflectorCodes(), poolCodes(), resourceCodes(), liveCodes(),
	)
}

// Number is the number of a code by its name; empty: it has none.
func Number(name backends.Code) string {
	for _, c := range Codes() {
		if c.Name == name {
			return c.ID
		}
	}
	return ""
}

// Ignored reads codes, numbers or names, for Question.Ignore.
func Ignored(list []string) (map[string]bool, error) {
	codes, out := Codes(), map[string]bool{}
	for _, text := range list {
		i := slices.IndexFunc(codes, func(c Code) bool { return strings.EqualFold(c.ID, text) || string(c.Name) == text })
		if i < 0 {
			var names []string
			for _, c := range codes {
				names = append(names, string(c.Name))
			}
			return nil, fmt.Errorf("there is no code %q: codes are such as %s, or %s%s", text, codes[0].ID, codes[0].Name, backends.Guess(text, names))
		}
		out[codes[i].ID] = true
	}
	return out, nil
}
