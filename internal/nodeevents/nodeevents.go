// Package nodeevents tells Kubernetes what this node's program holds back, has undone,
// and leaves out, as Events of the node's Node: kubectl describe node shows them.
package nodeevents

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"confd/internal/report"
	"confd/internal/terminal"
)

// The reasons of events.
const (
	Held        = "BGPChangeHeld"
	Undone      = "BGPChangeUndone"
	Quarantined = "BGPObjectQuarantined"
)

// How often the report is looked at: what a whole fleet has to say at once arrives
// spread over that time. And how many events there are at most: so many at once, and
// one more each fiveMinutes.
const (
	lookEvery   = 10 * time.Second
	burst       = 10
	fiveMinutes = 5 * time.Minute
	maxText     = 1000 // bytes; the API server takes 1,024
)

// Event is one event.
type Event struct {
	Reason, Text string
	about        string // the same for as long as it is the same that happened
}

// Watcher looks at reports, and sends what is new in them.
type Watcher struct {
	Newest func() *report.Report // nil: nothing is known yet
	Send   func(context.Context, Event) error
	Log    *slog.Logger

	told map[string]bool // what events were about, of what stands in the report now
	fail string          // why the last one could not be sent
}

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	limit := rate.NewLimiter(rate.Every(fiveMinutes), burst)
	timer := time.NewTimer(rand.N(lookEvery))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		w.look(ctx, limit)
		timer.Reset(lookEvery)
	}
}

// look sends what is new. What the limit, or the API server, has no room for is not
// sent later: the log has it.
func (w *Watcher) look(ctx context.Context, limit *rate.Limiter) {
	r := w.Newest()
	if r == nil {
		return
	}
	stands := map[string]bool{}
	for _, e := range Of(r) {
		stands[e.about] = true
		if w.told[e.about] || !limit.Allow() {
			continue
		}
		w.complain(w.Send(ctx, e))
	}
	w.told = stands
}

// complain logs why events cannot be sent, once.
func (w *Watcher) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != w.fail {
		w.Log.Warn("Kubernetes is not told of this as an Event of the Node; the log has it", "error", err)
	}
	w.fail = text
}

// Of is what there is to tell of a report.
func Of(r *report.Report) []Event {
	var list []Event
	for _, h := range r.AllHeld() {
		if h.Trial {
			list = append(list, event(Undone, h.Hash+h.Token, "a change was on trial and is undone: "+h.String()))
		} else {
			list = append(list, event(Held, h.Hash+h.Token, "a change is held back (ID "+h.Hash+"): "+h.String()+". If it is meant: confd approve"))
		}
	}
	for _, p := range r.Quarantined {
		list = append(list, event(Quarantined, p.Object, p.Object+" is left out, because BIRD refuses it: "+p.Text))
	}
	return list
}

func event(reason, about, text string) Event {
	text = terminal.Line(text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return Event{Reason: reason, Text: text, about: reason + " " + about}
}
