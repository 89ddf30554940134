package selector

import (
	"fmt"
	"slices"
	"strings"
)

// Labels are the names of the labels that the selector asks for, sorted, each once.
func (s *Selector) Labels() []string {
	var names []string
	s.root.each(func(label string) { names = append(names, label) })
	slices.Sort(names)
	return slices.Compact(names)
}

// Misses are the conditions that labels do not fulfil, in the selector's order: of
// those of which one is enough, the ones that come nearest. None: it matches.
func (s *Selector) Misses(labels map[string]string) []Miss { return s.root.misses(labels) }

func (everything) each(func(string))               {}
func (everything) misses(map[string]string) []Miss { return nil }
func (everything) String() string                  { return "all()" }

func (n has) each(f func(string)) { f(n.label) }
func (n has) String() string      { return "has(" + n.label + ")" }
func (n has) misses(labels map[string]string) []Miss {
	return missed(n, n.label, labels)
}

func (n not) each(f func(string)) { n.of.each(f) }
func (n not) String() string {
	switch of := n.of.(type) {
	case compare:
		if of.test == isOneOf && len(of.values) == 1 {
			return of.label + " != " + quoted(of.values[0])
		}
		if of.test == isOneOf {
			return of.label + " not in " + set(of.values)
		}
		return "!(" + of.String() + ")"
	case and, or:
		return "!(" + fmt.Sprint(of) + ")"
	}
	return "!" + fmt.Sprint(n.of)
}

func (n not) misses(labels map[string]string) []Miss {
	label := ""
	switch of := n.of.(type) {
	case has:
		label = of.label
	case compare:
		label = of.label
	}
	return missed(n, label, labels)
}

func (n and) each(f func(string)) { eachOf(n, f) }
func (n and) String() string      { return joined(n, " && ") }
func (n and) misses(labels map[string]string) []Miss {
	var all []Miss
	for _, x := range n {
		all = append(all, x.misses(labels)...)
	}
	return all
}

func (n or) each(f func(string)) { eachOf(n, f) }
func (n or) String() string      { return joined(n, " || ") }
func (n or) misses(labels map[string]string) []Miss {
	var best []Miss
	for i, x := range n {
		m := x.misses(labels)
		if len(m) == 0 {
			return nil
		}
		if i == 0 || len(m) < len(best) {
			best = m
		}
	}
	return best
}

func (n compare) each(f func(string)) { f(n.label) }
func (n compare) String() string {
	switch {
	case n.test == contains:
		return n.label + " contains " + quoted(n.values[0])
	case n.test == startsWith:
		return n.label + " starts with " + quoted(n.values[0])
	case n.test == endsWith:
		return n.label + " ends with " + quoted(n.values[0])
	case len(n.values) == 1:
		return n.label + " == " + quoted(n.values[0])
	}
	return n.label + " in " + set(n.values)
}

func (n compare) misses(labels map[string]string) []Miss { return missed(n, n.label, labels) }

// missed is what is missed where n, which is about one label or several, does not
// hold.
func missed(n node, label string, labels map[string]string) []Miss {
	if n.matches(labels) {
		return nil
	}
	value, has := labels[label]
	return []Miss{{Condition: fmt.Sprint(n), Label: label, Has: has, Value: value}}
}

func eachOf(nodes []node, f func(string)) {
	for _, n := range nodes {
		n.each(f)
	}
}

func joined(nodes []node, by string) string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		texts[i] = fmt.Sprint(n)
		switch n.(type) {
		case and, or:
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, by)
}

func quoted(value string) string {
	if strings.Contains(value, `'`) {
		return `"` + value + `"`
	}
	return "'" + value + "'"
}

func set(values []string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = quoted(v)
	}
	return "{" + strings.Join(texts, ", ") + "}"
}
