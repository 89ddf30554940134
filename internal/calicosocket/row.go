package calicosocket

import (
	"fmt"
	"strings"

	"confd/bgp"
	"confd/reload/control"
)

const header = "2002-name     proto    table    state  since       info\n"

// Codes of the lines of "show protocols".
const (
	codeHeader   = 2002
	codeProtocol = 1002
	codeDetail   = 1006
)

// row is what "show protocols" says of a protocol, with times of whole seconds.
type row struct{ control.Row }

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

func parseRow(text string) (row, bool) {
	r, ok := control.ParseRow(text)
	r.Since = wholeSeconds(r.Since)
	return row{r}, ok
}

// refused ends a connection whose command BIRD does not do.
func refused(command string, r control.Reply) error {
	last := ""
	if n := len(r.Lines); n > 0 {
		last = r.Lines[n-1].Text
	}
	return fmt.Errorf("BIRD answers %q with %04d %s", command, r.Code, last)
}
