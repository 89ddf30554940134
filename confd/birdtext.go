package main

import (
	"confd/bgp"
	"confd/internal/birdtext"
	"confd/reload"
)

// compareTexts says what differs between two versions of BIRD's files, where
// only one of them has a model behind it.
func compareTexts(old, new []reload.Set, bird int) bgp.Changes {
	return birdtext.Compare(textsOf(old), textsOf(new), bird)
}

func textsOf(sets []reload.Set) []birdtext.Set {
	out := make([]birdtext.Set, len(sets))
	for i, s := range sets {
		out[i].Name = s.Name
		for _, f := range s.Files {
			out[i].Files = append(out[i].Files, f.Data)
		}
	}
	return out
}
