package status

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"confd/internal/report"
	"confd/internal/terminal"
)

// write prints the view in a format.
func (v *View) write(w io.Writer, format string, indent bool) error {
	var text []byte
	var err error
	if format == JSON {
		text, err = v.json(indent)
	} else {
		text, err = v.text(format == Wide)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func (v *View) json(indent bool) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	err := e.Encode(v)
	return terminal.JSON(text.Bytes()), err
}

func (v *View) text(wide bool) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range v.summary() {
		fmt.Fprintln(&b, terminal.Line(line))
	}
	for _, warning := range v.Warnings {
		fmt.Fprintln(&b, "!", terminal.Line(warning.Text))
	}
	for _, family := range []int{4, 6} {
		if err := v.table(&b, family, wide); err != nil {
			return nil, err
		}
	}
	if text := v.trailer(wide); text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	return b.Bytes(), nil
}

// summary is what runs, and whether that is what should, a line each.
func (v *View) summary() []string {
	var lines []string
	switch r := v.Report; {
	case r != nil:
		lines = append(lines, fmt.Sprintf("Node %s: confd %s, %s", r.Node, r.Program, v.programState()))
	case v.warns("report"):
		lines = append(lines, "confd's report cannot be read: only what BIRD says is known")
	default:
		lines = append(lines, "confd has left no report in BIRD's folder: it does not run on this node, or has another --bird-dir. Only what BIRD says is known")
	}
	if v.Report != nil {
		for _, s := range v.Report.Sources {
			if s.Server != nil {
				lines = append(lines, fmt.Sprintf("%s: reads through %s", s.Name, s.Server))
			}
		}
	}
	for _, b := range v.BIRDs {
		lines = append(lines, v.birdLine(b))
		lines = append(lines, v.routesLines(b)...)
	}
	return lines
}

func (v *View) programState() string {
	if v.Program == ProgramRuns {
		return fmt.Sprintf("runs as process %d since %s", v.Report.PID, v.Report.Started.Format(time.DateTime))
	}
	return "not seen"
}

func (v *View) birdLine(b BIRD) string {
	switch {
	case b.State == "absent" && !b.Needed:
		return b.Name + ": not running, and no session needs it"
	case b.State == "absent":
		return b.Name + ": not running"
	case b.State != "up":
		return b.Name + ": " + b.State
	}
	line := fmt.Sprintf("%s: BIRD %s runs since %s", b.Name, b.Version, timeOr(b.Rebooted))
	set := observed{report: v.Report}.set(b.Name)
	if set == nil {
		return line + ", reconfigured " + timeOr(b.Reconfigured)
	}
	return line + v.setLine(b, *set)
}

// setLine says how old the configuration is, and whether it is the right one.
func (v *View) setLine(b BIRD, set report.Set) string {
	if set.ConfirmedAt.IsZero() {
		return ", with a configuration that confd has not confirmed"
	}
	line := fmt.Sprintf("; its configuration is %s old", age(v.At.Sub(set.ConfirmedAt)))
	if set.Revision != "" {
		line += ", of revision " + set.Revision
	}
	switch {
	case v.Report.Held != nil:
		return line + ", and NOT what should run: that is held back"
	case !b.InStep:
		return line + ", and NOT what should run"
	case v.warns("bird_restarted", "bird_reconfigured", "stale", "source", "pending", "failure", "templates"):
		return line + "; whether that is what should run is not known"
	}
	return line + ", and what should run"
}

func (v *View) warns(kinds ...string) bool {
	for _, w := range v.Warnings {
		for _, kind := range kinds {
			if w.Kind == kind {
				return true
			}
		}
	}
	return false
}

func timeOr(t time.Time) string {
	if t.Year() <= 1 {
		return "(unknown)"
	}
	return t.Format(time.DateTime)
}

// table prints the sessions of a family.
func (v *View) table(b *bytes.Buffer, family int, wide bool) error {
	fmt.Fprintf(b, "\nIPv%d BGP status\n", family)
	header := []string{"PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "ROUTES", "INFO"}
	if wide {
		header = []string{"PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "AS", "ROUTES", "NAME", "INFO", "WHY", "MEANING"}
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	rows := 0
	for _, s := range v.Sessions {
		if s.Family != family {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprintln(w, strings.Join(header, "\t"))
		}
		fmt.Fprintln(w, strings.Join(s.cells(wide), "\t"))
	}
	if rows == 0 {
		fmt.Fprintf(b, "No IPv%d sessions.\n", family)
	}
	return w.Flush()
}

// cells are the columns of a session.
func (s Session) cells(wide bool) []string {
	info := s.Info
	if s.Foreign {
		info = strings.TrimSpace(info + " (not from here)")
	}
	cells := []string{s.peer(), s.PeerType, s.State, s.Since, s.routes(), info}
	if wide {
		cells = []string{s.peer(), s.PeerType, s.State, s.Since, number(s.AS), s.routes(), s.Name, info, s.why(), s.Meaning}
	}
	for i, cell := range cells {
		if cell == "" {
			cell = "-"
		}
		cells[i] = terminal.Line(cell)
	}
	return cells
}

// peer is the address, with the port where it is not BGP's own.
func (s Session) peer() string {
	a, err := netip.ParseAddr(s.Peer)
	if err != nil || s.Port == 0 || s.Port == 179 {
		return s.Peer
	}
	return netip.AddrPortFrom(a, s.Port).String()
}

func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// why is the reason, with the object that asks for the session.
func (s Session) why() string {
	if s.Object == "" || strings.Contains(s.Why, s.Object) {
		return s.Why
	}
	return fmt.Sprintf("%s (%s)", s.Why, s.Object)
}

// trailer counts, where something is to be looked at.
func (v *View) trailer(wide bool) string {
	required, down, explained := 0, 0, false
	for _, s := range v.Sessions {
		if !s.Required {
			continue
		}
		required++
		if !s.Up {
			down++
			explained = explained || s.Meaning != ""
		}
	}
	if down == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d sessions are not up.", down, required)
	if explained && !wide {
		text += " What that means: confd status --output wide"
	}
	return text
}
