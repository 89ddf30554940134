package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"confd/internal/report"
)

// Warning is something that is not as it should be. Kind is for programs and
// stays as it is, Text is for people.
type Warning struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// slack is how much BIRD's times may differ from those in the report: BIRD 1
// prints whole seconds, and takes its time from when it last looked.
const slack = 3 * time.Second

// warner collects warnings.
type warner struct {
	now  time.Time
	list []Warning
}

func (w *warner) add(kind, format string, args ...any) {
	w.list = append(w.list, Warning{kind, fmt.Sprintf(format, args...)})
}

// when is a time and how long ago it was, or how long it is until then.
func (w *warner) when(t time.Time) string {
	if t.After(w.now) {
		return fmt.Sprintf("%s (in %s)", t.Format(time.DateTime), age(t.Sub(w.now)))
	}
	return fmt.Sprintf("%s (%s ago)", t.Format(time.DateTime), age(w.now.Sub(t)))
}

func (o observed) warnings(v *View) []Warning {
	w := &warner{now: o.now}
	w.birds(v)
	w.routes(o)
	if o.reportError != nil {
		w.add("report", "%v", o.reportError)
	}
	if o.report == nil {
		return w.list
	}
	w.program(v)
	for _, d := range o.birds {
		if set := o.set(d.name); set != nil && (d.err == nil || needed(v, d.name)) {
			w.set(*set, o.report.Held != nil)
			if d.err == nil {
				w.times(*set, d)
			}
		}
	}
	w.held(o.report.Held, o.gone(v))
	w.report(o.report)
	w.pools(o.report)
	return w.list
}

func needed(v *View, bird string) bool {
	for _, b := range v.BIRDs {
		if b.Name == bird {
			return b.Needed
		}
	}
	return false
}

// birds says which daemons cannot be asked. One that is not running and has no
// session to run, as bird6 without IPv6, is fine, as long as another one runs.
func (w *warner) birds(v *View) {
	running := false
	for _, b := range v.BIRDs {
		running = running || b.State == "up"
	}
	for _, b := range v.BIRDs {
		switch {
		case b.State == "absent" && (b.Needed || !running):
			w.add("bird_absent", "%s is not running: nobody listens on %s", b.Name, b.Socket)
		case b.State == "hung":
			w.add("bird_hung", "%s hangs: it takes connections on %s and does not answer", b.Name, b.Socket)
		case b.State == "unreachable":
			w.add("bird_unreachable", "%s: %s", b.Name, b.Error)
		case b.Doing != "":
			w.add("bird_busy", "%s: %s", b.Name, b.Doing)
		}
	}
	if len(v.BIRDs) == 0 {
		w.add("bird_absent", "no control socket of BIRD is known")
	}
}

func (w *warner) program(v *View) {
	r := v.Report
	if v.Program == ProgramNotSeen {
		w.add("program_not_seen", "confd (process %d) is not seen here: it has ended, or it runs in another container. What it says of itself is of %s", r.PID, w.when(r.At))
	}
}

// set says where the files of a BIRD are not what they should be.
func (w *warner) set(s report.Set, held bool) {
	failure := ""
	if s.Error != "" {
		failure = ": " + s.Error
	}
	switch {
	case s.Confirmed == "":
		w.add("not_in_step", "%s: BIRD has not confirmed a configuration yet%s", s.Name, failure)
	case s.Installed != s.Confirmed:
		w.add("not_in_step", "%s: the files on disk are not what BIRD runs%s", s.Name, failure)
	case s.Rendered != s.Installed && !held:
		w.add("not_in_step", "%s: what should run is not on disk yet%s", s.Name, failure)
	case failure != "":
		w.add("set_error", "%s%s", s.Name, failure)
	}
	if s.GivenUp != nil {
		w.add("given_up", "%s: %s", s.Name, s.GivenUp)
	}
	if !s.TrialEnds.IsZero() {
		w.add("on_trial", "%s: the configuration is on trial until %s; if sessions break that should not, BIRD goes back to the one before", s.Name, w.when(s.TrialEnds))
	}
	for _, text := range s.RestartNeeded {
		w.add("restart_needed", "%s: BIRD must be restarted for this to take effect: %s", s.Name, text)
	}
}

// times says where BIRD was restarted or reconfigured after the report.
func (w *warner) times(s report.Set, d daemon) {
	switch {
	case later(d.status.LastReboot, s.Rebooted):
		w.add("bird_restarted", "%s was restarted at %s, and confd has not confirmed since that it runs what it should", s.Name, d.status.LastReboot.Format(time.DateTime))
	case later(d.status.LastReconfiguration, s.Reconfigured):
		w.add("bird_reconfigured", "%s was reconfigured at %s, and not by confd as far as it says: what runs may differ from what should", s.Name, d.status.LastReconfiguration.Format(time.DateTime))
	}
}

// later compares clocks, not instants: BIRD's times have no zone, and whoever
// read them put its own.
func later(is, was time.Time) bool {
	return is.Year() > 1 && was.Year() > 1 && clock(is).Sub(clock(was)) > slack
}

func clock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// gone says whether BIRD has no session of a name; never, where it cannot be asked.
func (o observed) gone(v *View) func(string) bool {
	if slices.ContainsFunc(o.birds, func(d daemon) bool { return d.err != nil }) {
		return func(string) bool { return false }
	}
	has := map[string]bool{}
	for _, s := range v.Sessions {
		has[s.Name] = s.State != missing
	}
	return func(name string) bool { return !has[name] }
}

// held says what is held back. Among the sessions that count there are those that a change
// of the minutes before has ended: gone says which.
func (w *warner) held(h *report.Held, gone func(string) bool) {
	if h == nil {
		return
	}
	until, advice := "until it is approved or the input changes", ". If it is meant: confd approve"
	switch {
	case h.Until.IsZero():
	case h.Until.After(w.now):
		until = "until " + w.when(h.Until)
	default:
		until, advice = "and goes on as soon as it can: its time was over at "+w.when(h.Until), ""
	}
	var more string
	before := slices.DeleteFunc(slices.Clone(h.Lost), func(name string) bool { return !gone(name) })
	if would := slices.DeleteFunc(slices.Clone(h.Lost), gone); len(would) > 0 {
		more += "; it would end " + some(would)
	}
	if len(before) > 0 {
		more += "; counted with it, and ended already: " + some(before)
	}
	if len(h.Objects) > 0 {
		more += "; likely because of " + some(h.Objects)
	}
	// Some of the notes are why it is held.
	notes := slices.DeleteFunc(slices.Clone(h.Notes), func(text string) bool { return strings.Contains(h.Why, text) })
	if len(notes) > 0 {
		more += "; besides: " + some(notes)
	}
	w.add("held", "a new configuration, %s, is held back since %s, %s: %s%s%s", h.Hash, w.when(h.Since), until, h.Why, more, advice)
}

// some lists the first few.
func some(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}

func (w *warner) report(r *report.Report) {
	if r.Stale != nil {
		w.add("stale", "BIRD's files are those that lay on disk when confd was started, confirmed at %s%s", w.when(r.Stale.Confirmed), because(r.Stale.Why))
	}
	for _, s := range r.Sources {
		if !s.InSync {
			w.source(s)
		}
	}
	if !r.Pending.IsZero() && (r.Held == nil || r.Waiting != "") { // of what is held that is said already
		w.add("pending", "a change of %s is not live yet%s", w.when(r.Pending), because(r.Waiting))
	}
	if r.Failure != "" {
		w.add("failure", "%s", r.Failure)
	}
	if r.Templates != "" {
		w.add("templates", "the changed templates are wrong, and the old ones stay in use: %s", r.Templates)
	}
	for _, l := range r.Lost {
		w.add("lost", "%s", l)
	}
	for _, p := range r.Quarantined {
		w.add("quarantined", "%s is left out, because BIRD refuses it: %s", p.Object, p.Text)
	}
	if n := len(r.Problems); n == 1 {
		w.add("problems", "1 object has a problem: %s: %s", r.Problems[0].Object, r.Problems[0].Text)
	} else if n > 1 {
		w.add("problems", "%d problems with objects (all of them: confd doctor), such as %s: %s", n, r.Problems[0].Object, r.Problems[0].Text)
	}
	if len(w.list) == 0 && !r.Ready {
		for _, text := range r.NotReady {
			w.add("not_ready", "%s", text)
		}
	}
}

// pools says which run out of blocks, and what comes of it.
func (w *warner) pools(r *report.Report) {
	for _, p := range r.Full {
		w.add("pool_nearly_full", "IPPool %s runs out: %s. Without a free block workloads borrow addresses from blocks of other nodes", p.Name, p.Taken)
	}
	switch r.Borrowed {
	case 0:
	case 1:
		w.add("borrowed", "a workload of this node has an address in a block of another node")
	default:
		w.add("borrowed", "workloads of this node have %d addresses in blocks of other nodes", r.Borrowed)
	}
}

func (w *warner) source(s report.Source) {
	since := ""
	if !s.Since.IsZero() {
		since = " since " + w.when(s.Since)
	}
	w.add("source", "%s is not in step%s%s", s.Name, since, because(s.Error))
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// age is a duration in its two biggest units.
func age(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
