package calicosocket

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"confd/reload/control"
)

// protocol is what BIRD says of a protocol, as far as it concerns the family.
type protocol struct {
	row
	// session are the lines of a session, without their indentation; channel is the
	// family's, nil where the protocol has none.
	session []string
	channel *channel
	other   bool // it has a channel of another family
	caps    capabilities
}

// channel is what BIRD says of a family of a protocol: lines, without the
// indentation that all of them have.
type channel struct{ lines []string }

// value is what stands after a name; empty where it is not there.
func (c *channel) value(name string) string {
	for _, l := range c.lines {
		if v, ok := strings.CutPrefix(l, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// recovery is what it waits for in a graceful restart: "pending" (the peer's routes),
// "waiting" (the end of it all), or both.
func (c *channel) recovery() string { return c.value("GR recovery") }

// waits says whether one of recovery's words is there.
func (p protocol) waits(word string) bool {
	return p.channel != nil && slices.Contains(strings.Fields(p.channel.recovery()), word)
}

// whole lists what BIRD says of all its protocols that concern the family, or of the
// one that is named. nil: there is none of that name.
func (s *socket) whole(ctx context.Context, name string) ([]protocol, error) {
	command := strings.TrimSpace("show protocols all " + name)
	reply, err := s.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	if reply.Code >= 8000 && name != "" {
		return nil, nil
	}
	if reply.Code != 0 {
		return nil, refused(command, reply)
	}
	return slices.DeleteFunc(parseWhole(reply, s.family), func(p protocol) bool {
		return p.channel == nil && p.other
	}), nil
}

// parseWhole reads the protocols, each with what concerns a family.
func parseWhole(reply control.Reply, family Family) []protocol {
	list := []protocol{}
	var to reader
	for _, line := range reply.Lines {
		if line.Code == codeProtocol {
			if r, ok := parseRow(line.Text); ok {
				list = append(list, protocol{row: r})
				to = reader{of: &list[len(list)-1], family: family}
			}
		} else if line.Code == codeDetail && to.of != nil {
			to.line(line.Text)
		}
	}
	for i := range list {
		list[i].finish()
	}
	return list
}

// reader takes up the lines of a protocol.
type reader struct {
	of      *protocol
	family  Family
	channel *channel // that the lines belong to
	skip    bool     // they belong to a channel of another family
	block   string   // of capabilities that they belong to
}

// Lines are indented by two for what they belong to, then by what they are.
func (t *reader) line(text string) {
	text = strings.TrimPrefix(text, "  ")
	if name, ok := strings.CutPrefix(text, "Channel "); ok {
		t.begin(Family(strings.TrimSpace(name)))
		return
	}
	switch inner := strings.TrimPrefix(text, "  "); {
	case t.skip || strings.TrimSpace(text) == "":
	case t.channel != nil:
		t.channel.lines = append(t.channel.lines, inner)
	default:
		t.sessionLine(inner)
	}
}

func (t *reader) begin(f Family) {
	t.channel, t.skip = nil, f != t.family
	if t.skip {
		t.of.other = true
		return
	}
	t.channel = &channel{}
	t.of.channel = t.channel
}

// sessionLine takes the blocks of capabilities apart, which are indented deeper.
func (t *reader) sessionLine(text string) {
	switch {
	case text == "Local capabilities", text == "Neighbor capabilities":
		t.block = text
	case t.block != "" && strings.HasPrefix(text, "  "):
		t.of.caps.line(t.block == "Local capabilities", strings.TrimSpace(text), t.family)
		if t.block == "Neighbor capabilities" && !t.of.caps.placed {
			t.of.caps.placed = true
			t.of.session = append(t.of.session, "Neighbor caps")
		}
	default:
		t.block = ""
		t.of.session = append(t.of.session, text)
	}
}

// finish gives the protocol the state that BIRD 1.6 has for one that waits until a
// graceful restart is over.
func (p *protocol) finish() {
	if p.State == "up" && p.waits("waiting") {
		p.State = "wait"
	}
}

// details answers "show protocols all", with the name of one or of all.
func (s *socket) details(ctx context.Context, w io.Writer, name string) error {
	recovering, err := s.recovering(ctx)
	if err != nil {
		return err
	}
	list, err := s.whole(ctx, name)
	if err != nil {
		return err
	}
	if name != "" && len(list) == 0 {
		_, err := fmt.Fprintf(w, "9002 %s is not a protocol\n", name)
		return err
	}
	if _, err := io.WriteString(w, header); err != nil {
		return err
	}
	for _, p := range list {
		if err := p.write(w, recovering); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "0000 \n")
	return err
}

// noChannel is what BIRD 1.6 says of a protocol without routes: device.
func noChannel() *channel {
	return &channel{[]string{"Preference:     240", "Input filter:   ACCEPT", "Output filter:  REJECT"}}
}

// write writes the row and its details, with an empty line behind.
func (p protocol) write(w io.Writer, recovering bool) error {
	lines := append(p.routing(recovering), p.speaking()...)
	if err := writeLine(w, codeProtocol, false, "-", p.text()); err != nil {
		return err
	}
	for i, l := range append(lines, "") {
		if l != "" {
			l = "  " + l
		}
		if err := writeLine(w, codeDetail, i > 0, "-", l); err != nil {
			return err
		}
	}
	return nil
}

// counters are those of a channel that has none: it is down.
func counters() []string {
	return []string{
		"Routes:         0 imported, 0 exported, 0 preferred",
		"Route change stats:     received   rejected   filtered    ignored   accepted",
		"  Import updates:              0          0          0          0          0",
		"  Import withdraws:            0          0        ---          0          0",
		"  Export updates:              0          0          0        ---          0",
		"  Export withdraws:            0        ---        ---        ---          0",
	}
}

// routing are the lines about routes. recovering: a graceful restart is in progress.
func (p protocol) routing(recovering bool) []string {
	c := p.channel
	if c == nil {
		c = noChannel()
	}
	lines := []string{
		"Preference:     " + c.value("Preference"),
		"Input filter:   " + c.value("Input filter"),
		"Output filter:  " + c.value("Output filter"),
	}
	if recovering {
		lines = append(lines, fmt.Sprintf("%-14s%s", "GR recovery:", withSpace(c.recovery())))
	}
	if i := slices.IndexFunc(c.lines, func(l string) bool { return strings.HasPrefix(l, "Routes:") }); i >= 0 {
		lines = append(lines, c.lines[i])
		for _, l := range c.lines[i+1 : min(len(c.lines), i+len(counters()))] {
			lines = append(lines, withoutLimits(l))
		}
		return lines
	}
	return append(lines, counters()...)
}

// withoutLimits takes out of a line of counters the two columns that BIRD 3 has for
// limits, before the last.
func withoutLimits(line string) string {
	name, values, _ := strings.Cut(line, ":")
	f := strings.Fields(values)
	switch {
	case name == "Route change stats":
		return counters()[1]
	case len(f) != 7:
		return line
	}
	return fmt.Sprintf("%-21s%11s%11s%11s%11s%11s", name+":", f[0], f[1], f[2], f[3], f[6])
}

func withSpace(word string) string {
	if word == "" {
		return " "
	}
	return "  " + word
}

// speaking are the lines about the session itself.
func (p protocol) speaking() []string {
	var lines []string
	for _, l := range p.session {
		name, value, _ := strings.Cut(l, ":")
		switch value = wholeSeconds(strings.TrimSpace(value)); name {
		case "BGP state":
			lines = append(lines, fmt.Sprintf("%-20s%s", name+":", value))
		case "Neighbor caps":
			lines = append(lines, said(name, p.caps.neighbor()))
		case "Session":
			lines = append(lines, said(name, value+p.caps.agreed()))
		case "Neighbor address", "Neighbor AS", "Neighbor ID", "Source address", "Hold timer", "Keepalive timer",
			"Connect delay", "Start delay", "Error wait", "Last error":
			lines = append(lines, said(name, value))
		}
	}
	return lines
}

func said(name, value string) string { return fmt.Sprintf("  %-18s%s", name+":", value) }
