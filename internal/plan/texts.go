package plan

import (
	"confd/internal/birdtext"
	"confd/reload"
)

// Texts are the files of sets, as text to compare.
func Texts(sets []reload.Set) []birdtext.Set {
	out := make([]birdtext.Set, len(sets))
	for i, s := range sets {
		out[i].Name = s.Name
		for _, f := range s.Files {
			out[i].Files = append(out[i].Files, f.Data)
		}
	}
	return out
}
