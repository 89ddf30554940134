package explain

import (
	"fmt"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/internal/terminal"
)

// Verdict is what becomes of a route in one place: a session's import or export, or
// the way into the kernel.
type Verdict struct {
	// Direction is import, export or kernel.
	Direction string `json:"direction"`
	// Session is BIRD's name for it, Peer who is at its other end.
	Session string `json:"session,omitempty"`
	Peer    string `json:"peer,omitempty"`
	// Route says which of the routes to the net it is about.
	Route    string `json:"route,omitempty"`
	Accepted bool   `json:"accepted"`
	// Undecided: nothing of a filter is for the route, and what comes after it decides.
	Undecided bool `json:"undecided,omitempty"`
	// Why is the step that decides, in one line.
	Why string `json:"why"`
	// Steps are all of them.
	Steps []Step `json:"steps,omitempty"`
	// Attributes are the route's, as the policy leaves it.
	Attributes *Attributes `json:"attributes,omitempty"`
}

// Step is one step of a policy.
type Step struct {
	Object string `json:"object,omitempty"`
	List   string `json:"list,omitempty"` // of a BGPFilter, and the rule in it
	Rule   int    `json:"rule,omitempty"`
	Asks   string `json:"asks"`
	Holds  bool   `json:"holds"`
	WhyNot string `json:"why_not,omitempty"`
	Does   string `json:"does,omitempty"`
}

// Attributes are those of a route.
type Attributes struct {
	LocalPref   *uint32  `json:"local_pref,omitempty"`
	Priority    string   `json:"priority,omitempty"`
	Metric      *uint32  `json:"metric,omitempty"`
	Path        []uint32 `json:"path,omitempty"`
	Communities []string `json:"communities,omitempty"`
	NextHop     string   `json:"next_hop,omitempty"`
	Interface   string   `json:"interface,omitempty"`
	Tunnel      string   `json:"tunnel,omitempty"`
	Preference  int      `json:"preference,omitempty"`
}

func attributesOf(o bgp.Outcome) *Attributes {
	r := o.Route
	out := &Attributes{LocalPref: r.LocalPref, Metric: r.Metric, Path: r.Path, Interface: r.Interface, Tunnel: o.Tunnel}
	if r.LocalPref != nil {
		out.Priority = bgp.PriorityText(r.LocalPref)
	}
	for _, c := range r.Communities {
		out.Communities = append(out.Communities, c.String())
	}
	if r.NextHop.IsValid() {
		out.NextHop = r.NextHop.String()
	}
	if o.Preferred {
		out.Preference = 200
	}
	return out
}

// String is one line.
func (a *Attributes) String() string {
	if parts := a.parts(); len(parts) > 0 {
		return strings.Join(parts, ", ")
	}
	return "none"
}

// parts are the attributes that there are, in words.
func (a *Attributes) parts() []string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if a.LocalPref != nil {
		add("local preference %d (priority %s)", *a.LocalPref, a.Priority)
	}
	if a.Metric != nil {
		add("metric %d", *a.Metric)
	}
	if len(a.Path) > 0 {
		add("path %s", strings.Trim(fmt.Sprint(a.Path), "[]"))
	}
	if len(a.Communities) > 0 {
		add("communities %s", strings.Join(a.Communities, " "))
	}
	if a.NextHop != "" {
		add("next hop %s", a.NextHop)
	}
	if a.Interface != "" {
		add("interface %s", a.Interface)
	}
	if a.Tunnel != "" {
		add("through %s", a.Tunnel)
	}
	if a.Preference != 0 {
		add("preference %d", a.Preference)
	}
	return parts
}

// verdictOf makes a verdict of an outcome. Where nothing of steps decides, orElse
// does.
func verdictOf(direction string, o bgp.Outcome, steps bool) Verdict {
	v := Verdict{Direction: direction, Accepted: o.Accepted, Attributes: attributesOf(o)}
	for _, s := range o.Steps {
		v.Steps = append(v.Steps, stepOf(s))
	}
	if n := len(v.Steps); n > 0 {
		v.Why = v.Steps[n-1].line()
	}
	if !steps {
		v.Steps = nil
	}
	return v
}

func stepOf(s bgp.Step) Step {
	out := Step{List: s.List, Rule: s.Rule, Asks: s.Asks, Holds: s.Holds, WhyNot: s.WhyNot, Does: s.Does}
	if s.Object != (backends.Key{}) {
		out.Object = s.Object.String()
	}
	return out
}

// place names what the step comes from.
func (s Step) place() string {
	switch {
	case s.Rule > 0:
		return fmt.Sprintf("%s, %s rule %d", s.Object, s.List, s.Rule)
	case s.Object != "":
		return s.Object
	}
	return "Calico's policy"
}

func (s Step) line() string { return s.place() + ": " + s.Asks }

// text writes the verdict with its steps.
func (v Verdict) text(p *terminal.Page) {
	rows := []terminal.Row{terminal.Texts("STEP", "ASKS", "").In(terminal.Faint)}
	for _, s := range v.Steps {
		row := terminal.Texts(s.place(), s.Asks, s.Does)
		switch {
		case !s.Holds && s.Rule == 0:
			continue // a pool that the route does not lie in
		case !s.Holds:
			row = terminal.Row{{Text: s.place(), Look: terminal.Faint}, {Text: s.Asks, Look: terminal.Faint}, {Text: "no: " + s.WhyNot, Look: terminal.Faint}}
		case strings.HasSuffix(s.Does, "reject"):
			row[2].Look = terminal.Bad
		default:
			row[2].Look = terminal.Good
		}
		rows = append(rows, row)
	}
	p.Table(2, rows)
	switch {
	case v.Undecided:
		p.Text(2, terminal.Plain, "UNDECIDED: the next filter of the session decides, or Calico's policy")
	case v.Accepted:
		p.Text(2, terminal.Good, "ACCEPTED with "+v.Attributes.String())
	default:
		p.Text(2, terminal.Bad, "REJECTED")
	}
}
