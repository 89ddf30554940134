package calicosocket

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// bgpMetric is what BIRD 2 and 3 print of a session's route whose next hop is a
// neighbor: a preference alone, where BIRD 1.6 has the metric 0 beside it.
var bgpMetric = regexp.MustCompile(`\((\d+)\)( \[[^\]]*\])$`)

// codeRoute is that of the lines of "show route".
const codeRoute = 1007

// routes answers "show route" with the family's main table.
func (s *socket) routes(ctx context.Context, w io.Writer) error {
	command := "show route table " + s.family.table()
	reply, err := s.ask(ctx, command)
	if err != nil {
		return err
	}
	if reply.Code != 0 {
		return refused(command, reply)
	}
	var table routeTable
	for _, line := range reply.Lines {
		if line.Code == codeRoute {
			table.line(line.Text)
		}
	}
	for i, l := range table.lines() {
		if err := writeLine(w, codeRoute, i > 0, "-", l); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "0000 \n")
	return err
}

// routeTable collects routes. BIRD 2 and 3 print where a route leads on lines of its
// own:
//
//	10.2.0.0/24          unicast [Mesh_10_9_0_2 11:14:42.500] * (100/0) [i]
//		via 10.9.0.2 on eth0
//
// and BIRD 1.6 with the net, unless there are several:
//
//	10.2.0.0/24        via 10.9.0.2 on eth0 [Mesh_10_9_0_2 11:14:42] * (100/0) [i]
type routeTable struct{ list []tableRoute }

type tableRoute struct {
	net, kind, rest string
	hops            []string
}

func (t *routeTable) line(text string) {
	if hop, ok := strings.CutPrefix(text, "\t"); ok {
		if n := len(t.list); n > 0 {
			t.list[n-1].hops = append(t.list[n-1].hops, hop)
		}
		return
	}
	at := strings.Index(text, "[")
	if at < 0 {
		return // the name of the table, or an empty line
	}
	r := tableRoute{rest: bgpMetric.ReplaceAllString(wholeSeconds(text[at:]), "($1/0)$2")}
	if f := strings.Fields(text[:at]); len(f) == 2 {
		r.net, r.kind = f[0], f[1]
	} else if len(f) == 1 {
		r.kind = f[0]
	}
	t.list = append(t.list, r)
}

func (t *routeTable) lines() []string {
	var lines []string
	for _, r := range t.list {
		lines = append(lines, r.lines()...)
	}
	return lines
}

func (r tableRoute) lines() []string {
	where := r.kind
	if where == "unicast" {
		where = "multipath"
		if len(r.hops) == 1 {
			where = r.hops[0]
		}
	}
	lines := []string{fmt.Sprintf("%-18s %s %s", r.net, where, r.rest)}
	if len(r.hops) > 1 {
		for _, h := range r.hops {
			lines = append(lines, "\t"+h)
		}
	}
	return lines
}
