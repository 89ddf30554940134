package calicosocket

import (
	"context"
	"fmt"
	"io"
	"strings"

	"confd/bgp"
	"confd/reload/control"
)

// Codes of the lines of "show protocols".
const (
	codeHeader   = 2002
	codeProtocol = 1002
	codeDetail   = 1006
)

// refused ends a connection whose command BIRD does not do.
func refused(command string, r control.Reply) error {
	last := ""
	if n := len(r.Lines); n > 0 {
		last = r.Lines[n-1].Text
	}
	return fmt.Errorf("BIRD answers %q with %04d %s", command, r.Code, last)
}

// row is what "show protocols" says of a protocol, with times of whole seconds.
type row struct{ control.Row }

func parseRow(text string) (row, bool) {
	r, ok := control.ParseRow(text)
	r.Since = wholeSeconds(r.Since)
	return row{r}, ok
}

// text is the row as BIRD 1.6 prints it. A session's state and error stand in columns
// of their own.
func (r row) text() string {
	info := r.Info
	if r.Proto == "BGP" {
		state, why, _ := strings.Cut(info, " ")
		info = fmt.Sprintf("%-14s%s", state, why)
	}
	return fmt.Sprintf("%-8s %-8s %-8s %-6s %-10s  %s", r.Name, r.Proto, "master", r.State, r.Since, info)
}

const header = "2002-name     proto    table    state  since       info\n"

// named is the family that the row's words belong to: a session's by its name,
// another protocol's by its table. known is false where they do not tell.
func (r row) named() (f Family, known bool) {
	if r.Proto == "BGP" {
		_, neighbor, _, ok := bgp.ParseSessionName(r.Name)
		if ok && neighbor.Is4() {
			return IPv4, true
		}
		return IPv6, ok
	}
	for _, f := range []Family{IPv4, IPv6} {
		if r.Table == f.table() {
			return f, true
		}
	}
	return "", r.Table == "---" // of both families
}

// protocols answers "show protocols". BIRD's brief list does where the names tell all;
// else, and while a graceful restart is in progress (BIRD 1.6 shows that as a state
// of its own), it is made from the whole list.
func (s *socket) protocols(ctx context.Context, w io.Writer) error {
	list, err := s.brief(ctx)
	if err != nil {
		return err
	}
	if list == nil {
		if list, err = s.whole(ctx, ""); err != nil {
			return err
		}
	}
	return writeRows(w, list)
}

// brief lists the rows of the family; nil: it takes the whole list.
func (s *socket) brief(ctx context.Context) ([]protocol, error) {
	recovering, err := s.recovering(ctx)
	if err != nil || recovering {
		return nil, err
	}
	const command = "show protocols"
	reply, err := s.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	if reply.Code != 0 {
		return nil, refused(command, reply)
	}
	list := []protocol{}
	for _, line := range reply.Lines {
		r, ok := parseRow(line.Text)
		if line.Code != codeProtocol || !ok {
			continue
		}
		family, known := r.named()
		if !known {
			return nil, nil
		}
		if family == "" || family == s.family {
			list = append(list, protocol{row: r})
		}
	}
	return list, nil
}

func writeRows(w io.Writer, list []protocol) error {
	if _, err := io.WriteString(w, header); err != nil {
		return err
	}
	for i, p := range list {
		if err := writeLine(w, codeProtocol, i > 0, "-", p.text()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "0000 \n")
	return err
}
