package report

import (
	"fmt"
	"strings"
	"time"
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

// String is one line.
func (l Lost) String() string {
	text := "session " + l.Name + " was up before the change of " + l.At.Format(time.RFC3339)
	if len(l.Because) > 0 {
		text += " (" + Few(l.Because) + ")"
	}
	text += ", and is not up since"
	if l.Says != "" {
		text += ": BIRD says " + l.Says
	}
	return text
}

// String is one line.
func (g GivenUp) String() string {
	text := fmt.Sprintf("BIRD could not listen on port %d for %s", g.Port, Few(g.Sessions))
	if g.By == "" {
		return text + ", and is trying again"
	}
	return text + ": the port is taken by " + g.By
}
