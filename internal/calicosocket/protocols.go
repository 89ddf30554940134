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

// row is what "show protocols" says of a protocol.
type row struct {
	name, proto, table, state, since, info string
}

// parseRow takes a row apart: words, of which the time may have two.
func parseRow(text string) (row, bool) {
	f := strings.Fields(text)
	if len(f) < 5 {
		return row{}, false
	}
	r := row{name: f[0], proto: f[1], table: f[2], state: f[3], since: f[4]}
	rest := f[5:]
	if len(rest) > 0 && strings.Count(rest[0], ":") == 2 && clockOnly(rest[0]) {
		r.since, rest = r.since+" "+rest[0], rest[1:]
	}
	r.since, r.info = wholeSeconds(r.since), strings.Join(rest, " ")
	return r, true
}

func clockOnly(word string) bool { return strings.Trim(word, "0123456789:.") == "" }

// text is the row as BIRD 1.6 prints it. A session's state and error stand in columns
// of their own.
func (r row) text() string {
	info := r.info
	if r.proto == "BGP" {
		state, why, _ := strings.Cut(info, " ")
		info = fmt.Sprintf("%-14s%s", state, why)
	}
	return fmt.Sprintf("%-8s %-8s %-8s %-6s %-10s  %s", r.name, r.proto, "master", r.state, r.since, info)
}

const header = "2002-name     proto    table    state  since       info\n"

// named is the family that the row's words belong to: a session's by its name,
// another protocol's by its table. known is false where they do not tell.
func (r row) named() (f Family, known bool) {
	if r.proto == "BGP" {
		_, neighbor, _, ok := bgp.ParseSessionName(r.name)
		if ok && neighbor.Is4() {
			return IPv4, true
		}
		return IPv6, ok
	}
	for _, f := range []Family{IPv4, IPv6} {
		if r.table == f.table() {
			return f, true
		}
	}
	return "", r.table == "---" // of both families
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
