package agent

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/clock"
	"confd/internal/hold"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/rollout"
	"confd/internal/settings"
	"confd/reload/control"
)

// reporter makes the report: where the loop stands, for others.
type reporter struct {
	*outcomes
	start   *startup
	upkeep  *upkeep
	patrol  *patrol
	program string // the version
	began   time.Time
	// sessions are those of listed, as in the report.
	listed   [2][]*bgp.Session
	sessions []report.Session
}

// report says where the loop stands.
func (p *reporter) report(now time.Time) *report.Report {
	r := &report.Report{
		Program: p.program, Node: p.settings.Node, PID: os.Getpid(), Started: p.began, At: now,
		Sources: p.inbox.Report(), Pending: p.pending(), Waiting: p.waiting, Failure: p.failures.last,
		Lost: p.after.report(), Templates: p.edition.Why(), Stale: p.start.stale,
		Problems: problems(p.journal.problems), Quarantined: p.quarantined(), Sets: p.sets(),
	}
	r.Held, r.Tried = p.held()
	byClock(r, now)
	if usage := p.metrics.IPAM(); usage != nil {
		r.Full, r.Borrowed = full(usage.Pools), usage.Borrowed
	}
	r.Routes = p.patrol.report()
	if p.birds.everKnown() {
		r.BIRD = p.birds.daemon.Version.String()
	}
	if running := p.runs.Running(); running != nil {
		r.Sessions, r.Blocks = p.running(running), blocks(running.Config)
	} else if before := p.start.before(); before != nil { // what BIRD has is from before
		r.Sessions, r.Blocks = before.Sessions, before.Blocks
	}
	r.NotReady = p.notReady(r)
	r.Ready = len(r.NotReady) == 0
	return r
}

// full are the pools that run out of blocks.
func full(pools []backends.PoolUsage) []report.Pool {
	var list []report.Pool
	for _, p := range pools {
		if p.NearlyFull() {
			list = append(list, report.Pool{Name: p.Name, Taken: p.Taken()})
		}
	}
	return list
}

// byClock has the times of a report be those of the clock as it is now: it may have been
// set since.
func byClock(r *report.Report, now time.Time) {
	times := []*time.Time{&r.Started, &r.Pending}
	for _, h := range r.AllHeld() {
		times = append(times, &h.Since, &h.Until)
	}
	for i := range r.Sets {
		times = append(times, &r.Sets[i].ConfirmedAt, &r.Sets[i].TrialEnds)
	}
	for _, t := range times {
		*t = clock.At(*t, now)
	}
}

// held are what is held back, of which the first is to be shown; until something is
// live, also what the program before held, so that it is not forgotten where this one
// ends, too.
func (p *reporter) held() (first, second *report.Held) {
	var list [2]*report.Held
	n := 0
	for _, h := range p.holds() {
		held := h.Current()
		if held == nil && h.State() != hold.Approved && p.runs.Running() == nil {
			held = h.Before()
		}
		if held != nil {
			list[n] = held
			n++
		}
	}
	return list[0], list[1]
}

// pending is when the oldest change arrived that is not live; zero: all are.
func (p *reporter) pending() time.Time {
	a, b := p.inbox.Since(), p.rollout.Batch().Since
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func problems(list []bgp.Problem) []report.Problem {
	var out []report.Problem
	for _, p := range list {
		out = append(out, report.Problem{Object: p.Object.String(), Code: string(p.Code), Text: p.Text, LeftOut: p.LeftOut, Stale: p.Stale, Place: p.Place})
	}
	return out
}

func (p *reporter) quarantined() []report.Problem {
	running := p.runs.Running()
	if running == nil {
		return nil
	}
	var list []report.Problem
	for _, k := range slices.SortedFunc(maps.Keys(running.Quarantined), backends.Key.Compare) {
		list = append(list, report.Problem{Object: k.String(), Text: running.Quarantined[k], LeftOut: true})
	}
	return list
}

// running are the sessions of what runs. The list is made once for the same sessions:
// there can be thousands.
func (p *reporter) running(c *plan.Candidate) []report.Session {
	is := [2][]*bgp.Session{c.Config.IPv4.Sessions, c.Config.IPv6.Sessions}
	if !bgp.SameList(p.listed[0], is[0]) || !bgp.SameList(p.listed[1], is[1]) {
		p.listed, p.sessions = is, p.listSessions(c.Config)
	}
	return p.sessions
}

// listSessions lists the sessions of a configuration. Those that it has in common with the
// one that was listed last are listed as then.
func (p *reporter) listSessions(cfg *bgp.Config) []report.Session {
	list := make([]report.Session, 0, len(cfg.IPv4.Sessions)+len(cfg.IPv6.Sessions))
	var object backends.Key // of the session before: often the same
	text, rows := "", p.sessions
	for family, f := range cfg.Families() {
		before := p.listed[family] // whose rows come first in rows
		for _, s := range f.Sessions {
			for len(before) > 0 && before[0] != s && before[0].Name < s.Name {
				before, rows = before[1:], rows[1:]
			}
			if len(before) > 0 && before[0] == s {
				list = append(list, rows[0])
				before, rows = before[1:], rows[1:]
				continue
			}
			if s.Reason.Object != object {
				object, text = s.Reason.Object, s.Reason.Object.String()
			}
			list = append(list, report.Session{
				Name: s.Name, Family: f.Version, Kind: string(s.Kind), Neighbor: s.Neighbor.String(), Port: s.Port, AS: s.AS,
				PeerNode: s.PeerNode, Passive: s.Passive, Object: text, Why: s.Reason.Text,
			})
		}
		rows = rows[len(before):]
	}
	return list
}

func blocks(cfg *bgp.Config) []string {
	var list []string
	for _, f := range cfg.Families() {
		for _, b := range f.Export.Blocks {
			list = append(list, b.String())
		}
	}
	return list
}

func (p *reporter) sets() []report.Set {
	var list []report.Set
	for _, s := range p.runs.Current() {
		of := p.of(s)
		row := of.Row(s)
		if p.settled() && of.InStep() {
			// What came since then makes no difference here.
			if revision := p.inbox.Revision(); revision != "" {
				row.Revision = revision
			}
		}
		if row.State != control.Absent.String() {
			row.RestartNeeded = p.restartNeeded(s.Name, of.BIRD.Started())
		}
		row.GivenUp = p.upkeep.report(s.Name)
		list = append(list, row)
	}
	return list
}

// settled says that all that has arrived is in what runs.
func (p *reporter) settled() bool {
	return p.runs.Running() != nil && p.pending().IsZero() && !p.runs.OnTrial() && !p.isHeld() &&
		!p.failures.failing() && p.waiting == "" && p.rollout.Stage() == rollout.Idle
}

// notReady says what is missing until everything is as it should be.
func (p *reporter) notReady(r *report.Report) []string {
	var list []string
	for _, s := range r.Sources {
		if !s.InSync {
			why := s.Error
			if why == "" {
				why = "it has not told its whole state"
			}
			list = append(list, "datastore "+s.Name+" is out of step: "+why)
		}
	}
	list = append(list, p.notApplied(r)...)
	for _, s := range r.Sets {
		list = append(list, p.notConfirmed(s)...)
	}
	for _, row := range r.Routes {
		list = append(list, notRouted(row, p.settings.Watch.Ready)...)
	}
	return list
}

// notRouted says what is missing of the routes of a BIRD, as far as that counts.
func notRouted(r report.Routes, counts []settings.Readiness) []string {
	var list []string
	if r.Recovery != nil && slices.Contains(counts, settings.ReadyRecovery) {
		list = append(list, "set "+r.Set+": "+r.Recovery.String())
	}
	sessions, routes := slices.Contains(counts, settings.ReadySessions), slices.Contains(counts, settings.ReadyRoutes)
	if r.Unknown != "" && (sessions || routes) {
		return append(list, "set "+r.Set+": it is not known how routes are: "+r.Unknown)
	}
	if len(r.Down) > 0 && sessions {
		list = append(list, "set "+r.Set+": "+strconv.Itoa(len(r.Down))+" sessions are not up: "+few(r.Down))
	}
	if routes {
		for i, f := range r.Faults {
			if i == mostLost {
				list = append(list, fmt.Sprintf("set %s: more is wrong with routes: confd status", r.Set))
				break
			}
			list = append(list, "set "+r.Set+": "+f.Text)
		}
	}
	return list
}

// mostLost is how many lost sessions are named.
const mostLost = 3

// notApplied says why what should run does not.
func (p *reporter) notApplied(r *report.Report) []string {
	var list []string
	if r.Stale != nil {
		list = append(list, r.Stale.Why+": BIRD runs on files of "+r.Stale.Confirmed.Format(time.RFC3339))
	}
	for _, held := range r.AllHeld() {
		list = append(list, "a change is held back: "+held.String())
	}
	for i, l := range r.Lost {
		if i == mostLost {
			list = append(list, fmt.Sprintf("%d more sessions that were up before a change are not", len(r.Lost)-mostLost))
			break
		}
		list = append(list, l.String())
	}
	for _, problem := range r.Problems {
		if problem.Stale {
			list = append(list, problem.Object+" cannot be used: "+problem.Text)
		}
	}
	if missing := p.inbox.Missing(); p.runs.Running() != nil && missing != nil {
		list = append(list, "waiting for what is needed: "+missing.Error())
	}
	if r.Waiting != "" {
		list = append(list, "waiting: "+r.Waiting)
	}
	if p.runs.Running() == nil && !p.runs.OnTrial() && r.Stale == nil {
		list = append(list, "no configuration is in place yet")
	}
	if r.Failure != "" {
		list = append(list, "not applied: "+r.Failure)
	}
	return list
}

// notYet says that a set should run which has not been confirmed, and is not on trial.
func notYet(s report.Set) bool {
	return s.Rendered != "" && s.Confirmed != s.Rendered && s.TrialEnds.IsZero()
}

// notConfirmed says what a BIRD has not said yet.
func (p *reporter) notConfirmed(s report.Set) []string {
	if s.State == control.Absent.String() && s.Error == "" && !p.missed(s.Name) {
		return nil // nobody misses it
	}
	var list []string
	if notYet(s) {
		missing := "BIRD has not confirmed what should run"
		if s.Socket == "" {
			missing = "its reload commands have not worked yet"
		}
		list = append(list, "set "+s.Name+": "+missing+after(": ", s.Error))
	}
	away := []string{control.Absent.String(), control.Hung.String(), control.Restarting.String()}
	if slices.Contains(away, s.State) {
		list = append(list, "set "+s.Name+": BIRD is "+s.State)
	}
	if s.GivenUp != nil {
		list = append(list, "set "+s.Name+": "+s.GivenUp.String())
	}
	return list
}
