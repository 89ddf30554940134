package report

import (
	"fmt"
	"strings"
)

// String says in one line why something is held, and which objects did it.
func (h Held) String() string {
	if len(h.Objects) == 0 {
		return h.Why
	}
	return h.Why + "; " + Few(h.Objects)
}

// Few joins the first of several texts.
func Few(list []string) string {
	const most = 3
	text := strings.Join(list[:min(len(list), most)], "; ")
	if len(list) > most {
		text += fmt.Sprintf("; and %d more", len(list)-most)
	}
	return text
}
