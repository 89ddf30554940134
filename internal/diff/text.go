package diff

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"confd/bgp"
	"confd/internal/terminal"
	"confd/internal/unified"
)

// Text writes a report for people; in colours where that is wanted. Nothing is
// written where nothing changes.
func (r *Report) Text(w io.Writer, colours bool) error {
	t := textWriter{w: w, colours: colours}
	for _, g := range r.Groups {
		if r.AllNodes {
			t.head(r, g)
			t.summary(g)
			t.print("\n")
			t.files(g)
			t.print("\n")
		} else {
			t.files(g)
			t.print("\n")
			t.summary(g)
		}
	}
	if r.AllNodes {
		t.print(fmt.Sprintf("%d of %d nodes change\n", r.Changed(), r.Nodes))
	}
	return t.err
}

// textWriter prints, until the first error.
type textWriter struct {
	w       io.Writer
	colours bool
	err     error
}

func (t *textWriter) print(text string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, text)
	}
}

// head says of how many nodes the same becomes, and what.
func (t *textWriter) head(r *Report, g Group) {
	count := fmt.Sprintf("%d of %d nodes", len(g.Nodes), r.Nodes)
	switch g.Kind {
	case NodeAdded:
		count += " are new"
	case NodeRemoved:
		count += " are gone"
	case NodeFailed:
		count += " cannot be compared"
	}
	t.print("== " + count + "\n")
	t.list("nodes", g.Nodes)
}

// files prints the diffs.
func (t *textWriter) files(g Group) {
	for _, f := range g.Files {
		f.Diff = terminal.Text(f.Diff)
		if t.colours {
			f.Diff = unified.Coloured(f.Diff)
		}
		t.print(f.Diff)
	}
}

// summary prints what the difference means, with names.
func (t *textWriter) summary(g Group) {
	if g.Err != nil {
		t.print(terminal.Text(g.Err.Error()) + "\n")
		return
	}
	t.print(g.Changes.String() + "\n")
	for _, s := range g.Changes.Sessions() {
		t.list("sessions "+s.How, s.Names)
	}
	t.list("neighbors asked for their routes again, in sessions", g.Changes.Reasked)
	for _, f := range g.Changes.Families {
		family := fmt.Sprintf("IPv%d ", f.Version)
		t.list(family+"static routes gained", texts(f.StaticsGained, bgp.StaticRoute.String))
		t.list(family+"static routes lost", texts(f.StaticsLost, bgp.StaticRoute.String))
		t.list(family+"blocks gained", texts(f.BlocksGained, netip.Prefix.String))
		t.list(family+"blocks lost", texts(f.BlocksLost, netip.Prefix.String))
	}
}

func (t *textWriter) list(title string, names []string) {
	const most = 20
	if len(names) == 0 {
		return
	}
	text := terminal.Line(strings.Join(names[:min(len(names), most)], ", "))
	if len(names) > most {
		text += fmt.Sprintf(", and %d more", len(names)-most)
	}
	t.print(fmt.Sprintf("  %s: %s\n", title, text))
}
