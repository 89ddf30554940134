// Package selector reads Calico's selector language and matches it against
// labels.
//
//	all()  global()  has(k)  !has(k)  k == 'v'  k != 'v'  k in {'a', 'b'}
//	k not in {'a', 'b'}  k contains 's'  k starts with 's'  k ends with 's'
//	!x  x && y  x || y  (x)
//
// notin, startswith and endswith are other spellings, and a set may end with a
// comma.
//
// && binds tighter than ||. An empty selector matches everything. See Calico's
// documentation, "Selectors" on the pages of its resources.
package selector

import (
	"slices"
	"strings"
)

// Selector is a parsed selector.
type Selector struct {
	text string
	root node
}

// String is the selector as it was given.
func (s *Selector) String() string { return s.text }

// Matches says whether the selector holds for labels.
func (s *Selector) Matches(labels map[string]string) bool { return s.root.matches(labels) }

// node is one operation of a selector.
type node interface {
	matches(labels map[string]string) bool
	// each names the labels that it asks for; misses says what does not hold.
	each(func(label string))
	misses(labels map[string]string) []Miss
}

type (
	everything struct{}
	has        struct{ label string }
	not        struct{ of node }
	and        []node
	or         []node
	// compare holds where the label is there and test accepts its value.
	compare struct {
		label  string
		test   operator
		values []string
	}
)

// operator is how a label's value relates to the values of a comparison.
type operator int

const (
	isOneOf operator = iota
	contains
	startsWith
	endsWith
)

func (everything) matches(map[string]string) bool { return true }

func (n has) matches(labels map[string]string) bool {
	_, ok := labels[n.label]
	return ok
}

func (n not) matches(labels map[string]string) bool { return !n.of.matches(labels) }

func (n and) matches(labels map[string]string) bool {
	for _, x := range n {
		if !x.matches(labels) {
			return false
		}
	}
	return true
}

func (n or) matches(labels map[string]string) bool {
	for _, x := range n {
		if x.matches(labels) {
			return true
		}
	}
	return false
}

func (n compare) matches(labels map[string]string) bool {
	v, ok := labels[n.label]
	if !ok {
		return false
	}
	switch n.test {
	case contains:
		return strings.Contains(v, n.values[0])
	case startsWith:
		return strings.HasPrefix(v, n.values[0])
	case endsWith:
		return strings.HasSuffix(v, n.values[0])
	default:
		return slices.Contains(n.values, v)
	}
}

// Miss is a condition of a selector that labels do not fulfil.
type Miss struct {
	// Condition is the part of the selector, in its language.
	Condition string
	// Label is the one that it is about; empty: it is about several.
	Label string
	// Has says that the label is there, and Value what it is.
	Has   bool
	Value string
}
