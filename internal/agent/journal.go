package agent

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/edition"
	"confd/internal/guard"
	"confd/internal/metrics"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/rollout"
	"confd/reload"
)

// mostProblems is how many problems are logged at a time.
const mostProblems = 20

// journal says in the log what has changed, once.
type journal struct {
	log     *slog.Logger
	level   *slog.LevelVar
	given   bool // somebody gave the level: the datastore's does not count
	metrics *metrics.Metrics
	// problems are those that were logged already.
	problems []bgp.Problem
	// templates is what was logged last of why they are not used.
	templates string
}

// computed says what is new in a configuration.
func (j *journal) computed(cfg *bgp.Config) {
	j.follow(cfg.LogSeverity)
	old, now := setOf(j.problems), setOf(cfg.Problems)
	j.differing(cfg.Problems, old, slog.LevelWarn, "", "more problems like these are not listed")
	j.differing(j.problems, now, slog.LevelInfo, "no longer a problem: ", "more problems that are gone are not listed")
	j.problems = cfg.Problems
}

func setOf(list []bgp.Problem) map[bgp.Problem]bool {
	m := make(map[bgp.Problem]bool, len(list))
	for _, p := range list {
		m[p.Anywhere()] = true
	}
	return m
}

// differing logs the problems of a list that others do not have.
func (j *journal) differing(list []bgp.Problem, others map[bgp.Problem]bool, level slog.Level, prefix, more string) {
	count := 0
	for _, p := range list {
		if others[p.Anywhere()] {
			continue
		}
		if count++; count <= mostProblems {
			j.log.Log(context.Background(), level, prefix+p.Text, p.Attributes()...)
		}
	}
	if count > mostProblems {
		j.log.Log(context.Background(), level, more, "count", count-mostProblems)
	}
}

// follow has the log follow the datastore's logSeverityScreen, in whichever of its
// spellings, unless somebody gave a level.
func (j *journal) follow(severity string) {
	if j.given {
		return
	}
	level := levelOf(severity)
	if was := j.level.Level(); level != was {
		j.level.Set(level)
		j.log.Log(context.Background(), max(level, was), "this log follows the datastore's logSeverityScreen",
			"level", level.String(), "was", was.String(), "severity", severity)
	}
}

// levelOf is the level that a severity stands for. There is nothing above error
// for slog: what is fatal is logged as an error.
func levelOf(severity string) slog.Level {
	switch strings.ToLower(severity) {
	case "debug", "trace":
		return slog.LevelDebug
	case "warning", "warn":
		return slog.LevelWarn
	case "error", "fatal", "critical", "panic", "none":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// rendered looks at what was rendered.
func (j *journal) rendered(c *plan.Candidate) { warnOfKeys(j.log, c.Config, optmemPath) }

// held says that something is held back.
func (j *journal) held(h report.Held) {
	attributes := []any{"hash", h.Hash, "why", h.Why}
	if len(h.Objects) > 0 {
		attributes = append(attributes, "because", report.Few(h.Objects))
	}
	attributes = append(attributes, "sessions", few(h.Lost))
	if !h.Until.IsZero() {
		attributes = append(attributes, "until", h.Until.Format(time.RFC3339))
	}
	j.log.Error("a change is held back: the old configuration stays until this is approved (confd approve), or the input changes", attributes...)
}

// notes says what an operator should know besides.
func (j *journal) notes(list []string) {
	for _, text := range list {
		j.log.Warn(text)
	}
}

// passes says what lets a change through that would be held.
func (j *journal) passes(v guard.Verdict) {
	j.notes(v.Notes)
	if len(v.Announced) > 0 {
		j.log.Warn("a change goes on that takes sessions or routes away: it is announced", "objects", few(keyTexts(v.Announced)))
	}
}

// templatesKept says, once, why changed templates are not used, or those that were
// there when the program was started.
func (j *journal) templatesKept(e *edition.Edition) {
	if j.templates == e.Why() {
		return
	}
	j.templates = e.Why()
	message := "changed templates are not used: the last good ones stay"
	if e.State() == edition.Missing {
		message = "the templates cannot be used: BIRD keeps what it has until they can"
	}
	for line := range strings.Lines(e.Why()) {
		j.log.Error(message, "error", strings.TrimSpace(line))
	}
}

// applied writes one line for each set that something was done with, and measures
// it.
func (j *journal) applied(c *plan.Candidate, of *rollout.Rollout, running *plan.Candidate) {
	changes := sync.OnceValue(func() bgp.Changes {
		changes := bgp.Compare(running.ConfigOrNil(), c.Config, c.Birds.Version.Major)
		changes.WithoutRefresh(func(session string) bool { return slices.Contains(c.Ended, session) })
		return changes
	})
	for _, s := range c.Sets {
		r := of.Answer(s.Name).Result
		if of.Answer(s.Name).Err != nil || r.State == reload.Unchanged || r.Hash == "" || r.State == reload.Installed && len(r.Changed) == 0 {
			continue
		}
		// Of a program that was restarted and has found its files as they should be nothing
		// says that BIRD had not these sessions before.
		var known bgp.Changes
		if running.ConfigOrNil() != nil || len(r.Changed) > 0 {
			known = changes()
		}
		j.line(c, s, r, known)
	}
}

func (j *journal) line(c *plan.Candidate, s reload.Set, r reload.Result, changes bgp.Changes) {
	t := stages(c.Times, r)
	j.metrics.Applied(s.Name, t)
	attributes := []any{"set", s.Name, "state", r.State.String(), "bird", r.Version, "revision", c.Revision}
	if len(c.Changed) > 0 {
		attributes = append(attributes, "because", few(keyTexts(c.Changed)))
	}
	j.log.Info("applied", append(attributes, "files", r.Changed,
		"sessions", len(c.Config.IPv4.Sessions)+len(c.Config.IPv6.Sessions),
		"added", few(changes.Added), "removed", few(changes.Removed), "restarted", few(changes.Restarted), "refiltered", few(changes.Refiltered),
		"waited", t.Gather.Round(time.Millisecond), "took", time.Since(c.Times.Began).Round(time.Millisecond))...)
	j.log.Debug("times", "set", s.Name, "gather", t.Gather, "compute", t.Compute, "render", t.Render,
		"check", t.Check, "swap", t.Swap, "confirm", t.Confirm, "total", t.Total)
}

// stages are the times that a change took. Staging counts as a part of the check.
func stages(t plan.Times, r reload.Result) metrics.Stages {
	s := metrics.Stages{
		Gather: since(t.Event, t.Began), Compute: since(t.Began, t.Computed), Render: since(t.Computed, t.Rendered),
		Check: since(t.Rendered, r.Checked), Swap: since(r.Checked, r.Swapped), Confirm: since(r.Swapped, r.Confirmed),
	}
	if r.State == reload.Confirmed {
		s.Total = since(t.Event, r.Confirmed)
	}
	return s
}

// since is the time between two steps, 0 where one was not taken.
func since(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from).Round(10 * time.Microsecond)
}

// left says what a candidate leaves out, or leaves as it is, that running did not.
func (j *journal) left(c, running *plan.Candidate) {
	j.quarantine(c.Quarantined, running)
	if running == nil || running.Templates.Engine == c.Templates.Engine {
		return
	}
	now := destinations(c.Sets)
	for _, dest := range destinations(running.Sets) {
		if !slices.Contains(now, dest) {
			j.log.Warn("no template is for this file any more: it stays as it is", "file", dest)
		}
	}
}

// quarantine logs what is left out now, and what is back.
func (j *journal) quarantine(now map[backends.Key]string, running *plan.Candidate) {
	var was map[backends.Key]string
	if running != nil {
		was = running.Quarantined
	}
	for _, k := range sortedKeys(maps.Keys(now)) {
		if was[k] != now[k] {
			j.log.Error("quarantined: BIRD refuses what comes of this object, so it is left out", "object", k.String(), "refusal", now[k])
		}
	}
	for _, k := range sortedKeys(maps.Keys(was)) {
		if _, still := now[k]; !still {
			j.log.Info("no longer quarantined: BIRD takes this object again, or it is gone", "object", k.String())
		}
	}
}
