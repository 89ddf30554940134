package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/confd/report"
	"confd/reload"
)

// establishedTimeout is for BIRD to list its sessions.
const establishedTimeout = 3 * time.Second

// heldError says that a configuration is held back, and why.
type heldError struct{ report.Held }

// Error is one line.
func (e *heldError) Error() string {
	text := e.Why
	if len(e.Objects) > 0 {
		text += "; " + fewTexts(e.Objects)
	}
	return text
}

// judge looks at what w would do to the sessions that are established: it holds
// w back where that is too much, and says which sessions must stay up while w is
// on trial. It is no judge of what is in place already.
func (d *daemon) judge(ctx context.Context, w *wanted) error {
	hash := w.hash
	if d.live != nil && hash == d.live.hash || hash == d.approved {
		return nil
	}
	if d.held != nil && hash == d.held.Hash && (hash == d.failed || !d.holdIsOver()) {
		return &heldError{*d.held}
	}
	safety := d.node.settings.Safety
	mayLose := d.live == nil || d.stale || len(bgp.Compare(d.live.config, w.config, w.version.Major).Removed) > 0
	if safety.Guard == 0 && !(safety.Hold && mayLose) {
		return nil
	}
	up, err := established(ctx, w.sets)
	if err != nil {
		return err
	}
	if safety.Hold && mayLose && !(d.held != nil && hash == d.held.Hash) {
		if held := tooMuch(d.node.settings.Node, d.live, w, up); held != nil {
			if safety.HoldFor > 0 {
				held.Until = held.Since.Add(safety.HoldFor)
			}
			return held
		}
	}
	if safety.Guard > 0 {
		d.guard(w, up)
	}
	return nil
}

// tooMuch says whether w takes most of the sessions away that are up (names by
// set), although what is behind them is still there; nil: it does not. live is
// what is in place, nil where that is not known.
func tooMuch(node string, live, w *wanted, up map[string][]string) *heldError {
	var all []string
	for _, s := range w.sets {
		all = append(all, up[s.Name]...)
	}
	var old *bgp.Config
	var before *backends.State
	if live != nil {
		old, before = live.config, live.state
	}
	impact := bgp.ImpactOf(all, old, w.config, w.state)
	if !impact.TooMuch() {
		return nil
	}
	held := &heldError{report.Held{
		Hash: w.hash, Since: time.Now(), Lost: impact.Lost,
		Why: fmt.Sprintf("it would take away %d of %d established sessions", len(impact.Lost), impact.Counted),
	}}
	for _, c := range bgp.Causes(old, before, w.state, node, impact.Lost) {
		held.Objects = append(held.Objects, c.Text)
	}
	return held
}

// keepBack notes that a configuration is held, and says so once.
func (d *daemon) keepBack(held *heldError) {
	d.waiting = ""
	if d.held != nil && d.held.Hash == held.Hash {
		return
	}
	d.held = &held.Held
	d.observer.metrics.Held()
	attributes := []any{"hash", held.Hash, "why", held.Why, "because", fewTexts(held.Objects), "sessions", few(held.Lost)}
	if !held.Until.IsZero() {
		attributes = append(attributes, "until", held.Until.Format(time.RFC3339))
	}
	d.log.Error("a change is held back: the old configuration stays until this is approved (confd approve), or the input changes", attributes...)
}

// holdIsOver says that what is held has been so for as long as it may.
func (d *daemon) holdIsOver() bool {
	return d.held != nil && !d.held.Until.IsZero() && !time.Now().Before(d.held.Until)
}

// lookForApproval lets what is held go on where somebody has approved it, or
// its time is over.
func (d *daemon) lookForApproval() {
	if d.held == nil || !d.in.complete() {
		return
	}
	switch approved := report.Approved(d.birds.dir); {
	case approved == d.held.Hash && d.approved != approved:
		d.log.Warn("what was held back is approved", "hash", approved)
		d.approved = approved
	case d.holdIsOver() && d.approved != d.held.Hash && d.held.Hash != d.failed:
		d.log.Warn("what was held back goes on: its time is over", "hash", d.held.Hash)
		d.approved = d.held.Hash
	default:
		return
	}
	d.dirty = true
	d.pace.soon(time.Now())
}

// established are the names of the sessions that are established now, by set. A
// BIRD that is not there has none.
func established(ctx context.Context, sets []reload.Set) (map[string][]string, error) {
	up := map[string][]string{}
	for _, s := range sets {
		if s.Daemon == nil || s.Daemon.Socket == "" {
			continue
		}
		names, err := establishedAt(ctx, s.Daemon.Socket)
		if err != nil && !errors.Is(err, reload.ErrNotRunning) {
			return nil, fmt.Errorf("listing the sessions of set %s: %w", s.Name, err)
		}
		up[s.Name] = names
	}
	return up, nil
}

func establishedAt(ctx context.Context, socket string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, establishedTimeout)
	defer cancel()
	c, err := reload.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	sessions, err := c.SessionsBrief(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range sessions {
		if s.Established() {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// hashOf names what would be put in place.
func hashOf(sets []reload.Set) string {
	sum := sha256.New()
	for _, s := range sets {
		fmt.Fprintln(sum, s.Name, s.Hash())
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// fewTexts joins the first of several texts.
func fewTexts(list []string) string {
	const most = 3
	text := strings.Join(list[:min(len(list), most)], "; ")
	if len(list) > most {
		text += fmt.Sprintf("; and %d more", len(list)-most)
	}
	return text
}

// liveConfig is the configuration that is live; nil: none is yet.
func (d *daemon) liveConfig() *bgp.Config {
	if d.live == nil {
		return nil
	}
	return d.live.config
}
