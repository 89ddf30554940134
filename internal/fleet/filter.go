package fleet

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Filter is what must hold of a node that is shown.
type Filter struct {
	key      string
	patterns []string // one must fit
}

// keys are what a filter looks at, each with the texts that it has of a node.
func keys() map[string]func(Node) []string {
	return map[string]func(Node) []string{
		"node": func(n Node) []string {
			list := []string{n.Name}
			for _, a := range n.Addresses {
				list = append(list, a.String())
			}
			return list
		},
		"state":   func(n Node) []string { return []string{n.State} },
		"version": func(n Node) []string { return []string{n.program()} },
		"bird":    func(n Node) []string { return []string{n.bird()} },
		"held":    func(n Node) []string { return n.held() },
		"peer":    func(n Node) []string { return n.missing() },
	}
}

// FilterKeys lists what a filter can look at.
func FilterKeys() []string { return []string{"node", "state", "version", "bird", "held", "peer"} }

// ParseFilter reads KEY=PATTERN[,PATTERN...], in which * and ? stand for other text;
// != in the place of = turns it round.
func ParseFilter(text string) (Filter, error) {
	key, value, ok := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	f := Filter{key: key, patterns: strings.Split(value, ",")}
	if !ok || value == "" || !slices.Contains(FilterKeys(), strings.TrimSuffix(key, "!")) {
		return Filter{}, fmt.Errorf("%q: expected KEY=PATTERN or KEY!=PATTERN with one of %s, such as state=held or node=rack7-*", text, strings.Join(FilterKeys(), ", "))
	}
	for i, p := range f.patterns {
		f.patterns[i] = strings.TrimSpace(p)
		if _, err := path.Match(f.patterns[i], ""); err != nil {
			return Filter{}, fmt.Errorf("%q: %q is no pattern", text, p)
		}
	}
	return f, nil
}

// holds says whether the node is to be shown as far as this filter goes.
func (f Filter) holds(n Node) bool {
	key, not := strings.CutSuffix(f.key, "!")
	fits := slices.ContainsFunc(keys()[key](n), func(text string) bool {
		return slices.ContainsFunc(f.patterns, func(pattern string) bool {
			ok, err := path.Match(pattern, text)
			return err == nil && ok
		})
	})
	return fits != not
}
