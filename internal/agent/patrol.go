package agent

import (
	"net/netip"
	"slices"
	"time"

	"confd/bgp"
	"confd/internal/known"
	"confd/internal/metrics"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/routes"
	"confd/reload"
	"confd/reload/control"
)

// mostLogged is how many faults of a look are logged one by one.
const mostLogged = 10

// patrol looks at routes, says what is wrong with them, and takes away what is of no
// use any more.
type patrol struct {
	*desk
	jobs jobs
	sets map[string]*routes.Patrol
	// refused is why routes could not be removed last, by set.
	refused map[string]string
}

// of is what is known of the routes of a set's BIRD.
func (p *patrol) of(set string) *routes.Patrol {
	if p.sets[set] == nil {
		p.sets[set] = &routes.Patrol{}
	}
	return p.sets[set]
}

// look looks at the routes of BIRDs that are up, where that is due.
func (p *patrol) look(now time.Time) {
	if p.settings.Watch.Routes == 0 {
		return
	}
	for _, r := range p.all() {
		if of := p.of(r.set.Name); of.IsDue(now) {
			p.jobs.routes(r, of, now)
		}
	}
}

// all are the BIRDs with what they should have. There are none until something runs,
// or is on trial.
func (p *patrol) all() []routesSet {
	c := p.candidate()
	if c == nil || c.Config == nil || c.State == nil {
		return nil
	}
	var list []routesSet
	for _, s := range c.Sets {
		if families := p.families(s, c); hasDaemon(s) && len(families) > 0 {
			list = append(list, routesSet{s, families, c.Config, c.State, c.Templates.BuiltIn})
		}
	}
	return list
}

// candidate is what BIRD should have just now.
func (p *patrol) candidate() *plan.Candidate {
	if whole := p.runs.Trial().Whole(); whole != nil {
		return whole
	}
	return p.runs.Running()
}

// families are those of a set's BIRD that the node has an address of.
func (p *patrol) families(s reload.Set, c *plan.Candidate) []*bgp.Family {
	list := c.Config.Families()
	if c.Birds.Version.Major == 1 {
		list = []*bgp.Family{known.FamilyOf(s.Name, c.Config)}
	}
	return slices.DeleteFunc(list, func(f *bgp.Family) bool { return !f.Address.IsValid() })
}

// hurry has the routes of a set's BIRD looked at soon: it came up.
func (p *patrol) hurry(now time.Time, set string) { p.of(set).Hurry(now) }

// seen takes what a look has shown. What is to be is another thing by now where another
// configuration is in use.
func (p *patrol) seen(now time.Time, e routesSeen) {
	of := p.of(e.set)
	if p.inPlace() != e.config {
		of.Dropped(now, e.took, p.settings.Watch.Routes)
		return
	}
	before, blind := of.Before(), of.Unknown() != nil
	news, over := of.Looked(now, e.verdict, e.took, p.settings.Watch.Routes)
	p.news = p.news || len(news)+len(over) > 0 || blind != (of.Unknown() != nil) || !of.Before().Reads(before)
	if !blind && of.Unknown() != nil && p.known.Of(e.set).BIRD.Health() == control.Up { // else that is said
		p.log.Warn("it is not known how routes are", "set", e.set, "error", of.Unknown())
	}
	p.recovers(e.set, before.Recovery, of.Before().Recovery)
	p.tell(e.set, news, over)
	p.remove(e, of.Stale())
}

// recovers says that BIRD waits for sessions after a graceful restart, or does no more.
func (p *patrol) recovers(set string, before, now routes.Recovery) {
	switch {
	case now.InProgress && !before.InProgress:
		p.log.Warn("BIRD recovers from a graceful restart: no route goes into the kernel until then", "set", set,
			"at_most", now.Left.Round(time.Second).String(), "waiting_for", few(now.Sessions))
	case before.InProgress && !now.InProgress:
		p.log.Info("BIRD has recovered from a graceful restart", "set", set)
	}
}

// tell logs faults that last, and those that are over: the first ones, and how many
// there are.
func (p *patrol) tell(set string, news, over []routes.Fault) {
	for i, f := range news {
		if i == mostLogged {
			p.log.Error("more is wrong with routes", "set", set, "faults", len(news)-i)
			break
		}
		p.log.Error("wrong with routes: "+f.Text, "set", set, "kind", string(f.Kind), "do", f.Kind.Cure())
	}
	for i, f := range over {
		if i == mostLogged {
			p.log.Info("more is right with routes again", "set", set, "faults", len(over)-i)
			break
		}
		p.log.Info("right with routes again", "set", set, "kind", string(f.Kind), "was", f.Text)
	}
}

// remove has older routes taken out of the kernel, of faults that last and that this
// look has shown, too.
func (p *patrol) remove(e routesSeen, faults []routes.Fault) {
	if len(faults) == 0 || e.verdict.Unknown != nil || e.verdict.KernelUnknown != nil || p.runs.OnTrial() {
		return
	}
	for _, r := range p.all() {
		if r.set.Name == e.set {
			p.jobs.remove(r, faults)
		}
	}
}

// removed takes what was taken out of the kernel.
func (p *patrol) removed(e routesRemoved) {
	switch {
	case e.err == nil:
		delete(p.refused, e.set)
	case p.refused[e.set] != sameKind(e.err.Error()):
		p.refused[e.set] = sameKind(e.err.Error())
		p.log.Error("older routes of BIRD's stay in the kernel", "set", e.set, "error", e.err)
	}
	for i, entry := range e.entries {
		p.metrics.Drift(metrics.DriftRoute)
		if i < mostLogged {
			p.log.Warn("not as BIRD wants it: an older route of BIRD's is taken out of the kernel", "set", e.set, "route", entry.String())
		}
	}
	p.of(e.set).Removed += len(e.entries)
	p.news = p.news || len(e.entries) > 0
}

// mostReported is how many faults of a kind a report has.
const mostReported = 20

// report is what is known of the routes of all BIRDs.
func (p *patrol) report() []report.Routes {
	if p.settings.Watch.Routes == 0 {
		return nil
	}
	var list []report.Routes
	for _, r := range p.all() {
		list = append(list, routesRow(r.set.Name, p.of(r.set.Name)))
	}
	return list
}

func routesRow(set string, of *routes.Patrol) report.Routes {
	v := of.Before()
	row := report.Routes{Set: set, At: v.At, Removed: of.Removed}
	if err := of.Unknown(); err != nil {
		row.Unknown = err.Error()
		return row
	}
	if v.KernelUnknown != nil {
		row.KernelUnknown = v.KernelUnknown.Error()
	}
	if v.Recovery.InProgress {
		row.Recovery = &report.Recovery{Until: v.At.Add(v.Recovery.Left), Sessions: v.Recovery.Sessions}
	}
	for _, t := range v.Tables {
		row.Tables = append(row.Tables, report.Table(t))
	}
	row.Down = v.Down
	row.Wrong = map[string]int{}
	for _, f := range of.Faults() {
		kind := string(f.Kind)
		if row.Wrong[kind]++; row.Wrong[kind] <= mostReported {
			row.Faults = append(row.Faults, report.RouteFault{Kind: kind, Family: f.Family, Net: netText(f.Net), Session: f.Session, Text: f.Text, Cure: f.Kind.Cure()})
		}
	}
	return row
}

func netText(net netip.Prefix) string {
	if !net.IsValid() {
		return ""
	}
	return net.String()
}
