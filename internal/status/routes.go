package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"confd/internal/report"
)

// routesAge is how old what a report says of routes may be: the program writes it
// every minute, where it runs.
const routesAge = 5 * time.Minute

// routes is what the report says of the routes of a daemon; nil where it says nothing,
// or what it says is old.
func (o observed) routes(bird string) *report.Routes {
	i := slices.IndexFunc(o.reported(), func(r report.Routes) bool { return r.Set == bird })
	if i < 0 || !o.report.Routes[i].At.IsZero() && o.now.Sub(o.report.Routes[i].At) > routesAge {
		return nil
	}
	return &o.report.Routes[i]
}

// reported is what the report says of routes.
func (o observed) reported() []report.Routes {
	if o.report == nil {
		return nil
	}
	return o.report.Routes
}

// faulty adds to sessions what is wrong with their routes, and says why they are down
// where that is this node's fault.
func (o observed) faulty(sessions []Session) {
	type key struct{ bird, name string }
	faults := map[key][]report.RouteFault{}
	for _, d := range o.birds {
		if r := o.routes(d.name); r != nil {
			for _, f := range r.Faults {
				k := key{d.name, f.Session}
				faults[k] = append(faults[k], f)
			}
		}
	}
	for i := range sessions {
		s := &sessions[i]
		for _, f := range faults[key{s.BIRD, s.Name}] {
			s.Wrong = append(s.Wrong, f.Text)
			if !s.Up {
				s.Meaning = f.Text
			}
		}
	}
}

// routes says what is wrong with routes.
func (w *warner) routes(o observed) {
	for _, d := range o.birds {
		if r := recovery(d, o.now); r != nil {
			w.add("recovery", "%s: %s", d.name, r)
		}
		r := o.routes(d.name)
		if d.err == nil && r == nil && slices.ContainsFunc(o.reported(), func(r report.Routes) bool { return r.Set == d.name }) {
			w.add("routes_unknown", "%s: it is not known how routes are: nobody has looked for more than %s", d.name, age(routesAge))
		}
		if d.err != nil || r == nil {
			continue
		}
		if r.Unknown != "" {
			w.add("routes_unknown", "%s: it is not known how routes are: %s", d.name, r.Unknown)
		}
		// A BIRD that recovers puts nothing into the kernel, and some cannot be asked
		// for what they would put there: that it recovers is the reason.
		if r.KernelUnknown != "" && r.Recovery == nil {
			w.add("routes_unknown", "%s: it is not known which routes the kernel has: %s", d.name, r.KernelUnknown)
		}
		said := map[string]int{}
		for _, f := range r.Faults {
			said[f.Kind]++
			w.add("routes", "%s (%s)", f.Text, f.Cure)
		}
		for _, kind := range slices.Sorted(maps.Keys(r.Wrong)) {
			if more := r.Wrong[kind] - said[kind]; more > 0 {
				w.add("routes", "%s: %d more of the kind %s", d.name, more, kind)
			}
		}
	}
}

// recovery is that of a BIRD that waits for sessions after a graceful restart.
func recovery(d daemon, now time.Time) *report.Recovery {
	if d.err != nil || !d.status.Recovery.InProgress {
		return nil
	}
	r := &report.Recovery{Until: now.Add(d.status.Recovery.Left)}
	for _, s := range d.sessions {
		if s.Awaited {
			r.Sessions = append(r.Sessions, s.Name)
		}
	}
	return r
}

// routesRight says that nothing is known to be wrong with routes.
func (o observed) routesRight() bool {
	for _, d := range o.birds {
		r := o.routes(d.name)
		if recovery(d, o.now) != nil || r != nil && len(r.Faults) > 0 {
			return false
		}
	}
	return true
}

// routesLines count the routes of a daemon, a line for each family, and say how long
// ago they were looked at, since sessions are asked now.
func (v *View) routesLines(b BIRD) []string {
	r := observed{now: v.At, report: v.Report}.routes(b.Name)
	if r == nil || r.Unknown != "" || b.State != "up" {
		return nil
	}
	var lines []string
	looked := ""
	if !r.At.IsZero() {
		looked = ", " + age(v.At.Sub(r.At)) + " ago"
	}
	for _, t := range r.Tables {
		kernel := "how many of BIRD's the kernel has is not known"
		if t.Programmed >= 0 {
			kernel = fmt.Sprintf("the kernel has %d of BIRD's", t.Programmed)
		}
		lines = append(lines, fmt.Sprintf("%s: IPv%d routes%s: %d of BGP, %d static, %d of the kernel, %d of interfaces; %s",
			b.Name, t.Family, looked, t.BGP, t.Static, t.Kernel, t.Direct, kernel))
	}
	return lines
}

// routes are those taken from the peer, and those it is told.
func (s Session) routes() string {
	if len(s.Routes) == 0 || !s.Up {
		return ""
	}
	in, best, out := 0, 0, 0
	for _, r := range s.Routes {
		in, best, out = in+r.Imported, best+r.Preferred, out+r.Exported
	}
	words := []string{fmt.Sprintf("%d in", in)}
	if best != in {
		words[0] += fmt.Sprintf(" (%d used)", best)
	}
	words = append(words, fmt.Sprintf("%d out", out))
	if len(s.Wrong) > 0 {
		words = append(words, fmt.Sprintf("%d wrong", len(s.Wrong)))
	}
	return strings.Join(words, ", ")
}
