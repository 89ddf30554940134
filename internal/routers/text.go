package routers

import (
	"slices"
	"strconv"
	"strings"
)

// communities joins lists of communities to a sorted one.
func communities(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}

// numbers are an AS path as routers write it.
func numbers(path []uint32) string {
	words := make([]string, 0, len(path))
	for _, as := range path {
		words = append(words, strconv.FormatUint(uint64(as), 10))
	}
	return strings.Join(words, " ")
}

// path reads what numbers writes. What is no number is left out: a set of
// numbers is not of use here.
func path(text string) []uint32 {
	var out []uint32
	for word := range strings.FieldsSeq(text) {
		if as, err := strconv.ParseUint(word, 10, 32); err == nil {
			out = append(out, uint32(as))
		}
	}
	return out
}
