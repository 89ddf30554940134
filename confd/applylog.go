package main

import (
	"errors"
	"fmt"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/metrics"
	"confd/reload"
	"confd/reload/control"
)

// reportProblems logs what is new among the problems, and what is gone.
func (d *daemon) reportProblems(problems []bgp.Problem) {
	const most = 20
	isIn := func(list []bgp.Problem) map[bgp.Problem]bool {
		m := make(map[bgp.Problem]bool, len(list))
		for _, p := range list {
			m[p.Anywhere()] = true
		}
		return m
	}
	old, now := isIn(d.problems), isIn(problems)
	count := 0
	for _, p := range problems {
		if !old[p.Anywhere()] {
			if count++; count <= most {
				d.log.Warn(p.Text, problemPlace(p)...)
			}
		}
	}
	if count > most {
		d.log.Warn("more problems like these are not listed", "count", count-most)
	}
	count = 0
	for _, p := range d.problems {
		if !now[p.Anywhere()] {
			if count++; count <= most {
				d.log.Info("no longer a problem: "+p.Text, "object", p.Object.String())
			}
		}
	}
	if count > most {
		d.log.Info("more problems that are gone are not listed", "count", count-most)
	}
	d.problems = problems
}

// logApplied writes one line for each set that something was done with, and
// measures it.
func (d *daemon) logApplied(w *wanted, results []reload.Result) {
	var c bgp.Changes
	compared := false
	for i, r := range results {
		if r.State == reload.Unchanged || r.Hash == "" || r.State == reload.Installed && len(r.Changed) == 0 {
			continue
		}
		if !compared {
			c, compared = bgp.Compare(d.liveConfig(), w.config, w.version.Major), true
		}
		s := d.stages(w, r)
		d.observer.metrics.Applied(w.sets[i].Name, s)
		d.log.Info("applied", "set", w.sets[i].Name, "state", r.State.String(), "bird", r.Version, "revision", w.revision,
			"because", fewKeys(w.changed), "files", r.Changed,
			"sessions", len(w.config.IPv4.Sessions)+len(w.config.IPv6.Sessions),
			"added", few(c.Added), "removed", few(c.Removed), "restarted", few(c.Restarted), "refiltered", few(c.Refiltered),
			"waited", s.Gather.Round(time.Millisecond), "took", time.Since(w.times.began).Round(time.Millisecond))
		d.log.Debug("times", "set", w.sets[i].Name, "gather", s.Gather, "compute", s.Compute, "render", s.Render,
			"check", s.Check, "swap", s.Swap, "confirm", s.Confirm, "total", s.Total)
	}
}

// stages are the times that a change took. Staging counts as a part of the
// check.
func (d *daemon) stages(w *wanted, r reload.Result) metrics.Stages {
	t := w.times
	s := metrics.Stages{
		Gather: since(t.event, t.began), Compute: since(t.began, t.computed), Render: since(t.computed, t.rendered),
		Check: since(t.rendered, r.Checked), Swap: since(r.Checked, r.Swapped), Confirm: since(r.Swapped, r.Confirmed),
	}
	if r.State == reload.Confirmed {
		s.Total = since(t.event, r.Confirmed)
	}
	return s
}

// countResult counts what came of a set.
func (d *daemon) countResult(s reload.Set, r reload.Result, err error) {
	m := d.observer.metrics
	switch {
	case err == nil && !r.Checked.IsZero():
		m.Checked(metrics.CheckOK)
	case refusal(err):
		m.Checked(metrics.CheckRefused)
		return
	case errors.Is(err, reload.ErrCannotCheck):
		m.Checked(metrics.CheckImpossible)
		return
	}
	if result := reloadResult(r, err); result != "" {
		m.Reloaded(s.Name, result)
	}
}

// reloadResult is what came of having BIRD read a set; empty: it was not told.
func reloadResult(r reload.Result, err error) string {
	switch {
	case err == nil && r.State == reload.Confirmed:
		return metrics.ReloadConfirmed
	case err == nil && r.State == reload.Installed && len(r.Changed) > 0:
		return metrics.ReloadInstalled
	case err == nil:
		return ""
	case errors.As(err, new(*reload.UndoneError)):
		return metrics.ReloadUndone
	case errors.As(err, new(*reload.RefusedError)):
		return metrics.ReloadRefused
	}
	switch control.HealthOf(err) {
	case control.Hung:
		return metrics.ReloadHung
	case control.Busy:
		return metrics.ReloadBusy
	case control.Restarting:
		return metrics.ReloadRestarting
	case control.Absent:
		return metrics.ReloadNotRunning
	}
	return metrics.ReloadFailed
}

// since is the time between two steps, 0 where one was not taken.
func since(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from).Round(10 * time.Microsecond)
}

// few keeps log lines readable: the first names, and how many there are.
func few(names []string) string {
	const most = 5
	if len(names) == 0 {
		return "0"
	}
	more := ""
	if len(names) > most {
		more = " ..."
	}
	return fmt.Sprintf("%d %v%s", len(names), names[:min(len(names), most)], more)
}

func fewKeys(keys []backends.Key) string { return few(keyTexts(keys)) }

func keyTexts(keys []backends.Key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.String()
	}
	return list
}
