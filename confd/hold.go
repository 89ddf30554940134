package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// establishedTimeout is for BIRD to list its sessions.
const establishedTimeout = 3 * time.Second

// heldError says that a configuration is held back, and why.
type heldError struct{ report.Held }

// Error is one line.
func (e *heldError) Error() string { return heldText(e.Held) }

// heldText says in one line why something is held, and which objects did it.
func heldText(h report.Held) string {
	if len(h.Objects) == 0 {
		return h.Why
	}
	return h.Why + "; " + fewTexts(h.Objects)
}

// judge looks at what w would do to the sessions that are established: it holds
// w back where that is too much, or where w has failed its trial, and says which
// sessions must stay up while w is on trial. It is no judge of what is live
// already, and of what is left of a change that takes sessions away.
func (d *daemon) judge(ctx context.Context, w *wanted) error {
	if d.live != nil && w.hash == d.live.hash || d.live == nil && len(d.found) > 0 && w.hash == hashOf(d.found) {
		return nil
	}
	if err := d.failedBefore(w); err != nil {
		return err
	}
	safety := d.node.settings.Safety
	removed := d.removed(w)
	mayLose := safety.Hold && (!w.rest || d.failed != nil) && (d.live == nil || d.stale || len(removed) > 0)
	if safety.Guard == 0 && !mayLose {
		return nil
	}
	id := holdID(w, removed)
	up, err := established(ctx, w.sets)
	if err != nil {
		return err
	}
	d.addLost(up, w.sets)
	if mayLose && d.approved != id {
		if held := tooMuch(d.node.settings.Node, d.live, w, d.withLost(id, inOrder(w.sets, up))); held != nil {
			return d.holdAs(id, held)
		}
	}
	if safety.Guard > 0 && (d.failed == nil || d.approved != d.failed.held.Hash) {
		d.guard(w, up)
	}
	return nil
}

// removed are the sessions that w has no longer. Where nothing is live yet, those
// of the last report were.
func (d *daemon) removed(w *wanted) []string {
	if d.live != nil {
		return bgp.Compare(d.live.config, w.config, w.version.Major).Removed
	}
	has := map[string]bool{}
	for _, f := range w.config.Families() {
		for _, s := range f.Sessions {
			has[s.Name] = true
		}
	}
	var names []string
	for _, s := range d.before.Sessions {
		if !has[s.Name] {
			names = append(names, s.Name)
		}
	}
	return names
}

// withLost adds the sessions that what is held takes away to those that are up:
// BIRD may have been restarted since, or this program too, and that is no
// approval.
func (d *daemon) withLost(id string, up []string) []string {
	held := d.held
	if before := d.before.Held; d.live == nil && held == nil && before != nil && before.Hash == id {
		held = before
	}
	if held == nil {
		return up
	}
	all := slices.Concat(up, held.Lost)
	slices.Sort(all)
	return slices.Compact(all)
}

// holdAs is held under its name, since when that is held already.
func (d *daemon) holdAs(id string, held *heldError) *heldError {
	held.Hash = id
	if d.held != nil && d.held.Hash == id {
		held.Since, held.Until = d.held.Since, d.held.Until
		return held
	}
	if limit := d.node.settings.Safety.HoldFor; limit > 0 {
		held.Until = held.Since.Add(limit)
	}
	return held
}

// holdID names what is held: the sessions that would go. What changes besides
// does not make it something else.
func holdID(w *wanted, removed []string) string {
	if len(removed) == 0 {
		return w.hash
	}
	sum := sha256.Sum256([]byte(strings.Join(removed, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}

// tooMuch says whether w takes most of the sessions away that are up, although
// what is behind them is still there; nil: it does not. live is what is in
// place, nil where that is not known.
func tooMuch(node string, live, w *wanted, up []string) *heldError {
	var old *bgp.Config
	var before *backends.State
	if live != nil {
		old, before = live.config, live.state
	}
	impact := bgp.ImpactOf(up, old, w.config, w.state)
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
		d.held = &held.Held // what it takes away may be other sessions by now
		return
	}
	// What somebody approved of it before this program was started still counts.
	d.heldAt = held.Since
	if before := d.before.Held; before != nil && before.Hash == held.Hash {
		d.heldAt = before.Since
	}
	if d.held != nil {
		held.Since = d.held.Since
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
	switch approved := report.Approved(d.birds.Dir, d.heldAt); {
	case approved == d.held.Hash && d.approved != approved:
		d.log.Warn("what was held back is approved", "hash", approved)
		d.approved = approved
	case d.holdIsOver() && d.approved != d.held.Hash:
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
		if err != nil && !errors.Is(err, control.ErrNotRunning) {
			return nil, fmt.Errorf("listing the sessions of set %s: %w", s.Name, err)
		}
		up[s.Name] = names
	}
	return up, nil
}

func establishedAt(ctx context.Context, socket string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, establishedTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
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

// justLost is how long the sessions of a BIRD that went away count as established:
// a change that comes while it is restarted must not pass for harmless.
const justLost = time.Minute

// addLost adds to the sessions that are up those that a BIRD had which went away
// a moment ago, as far as that is known.
func (d *daemon) addLost(up map[string][]string, sets []reload.Set) {
	if d.live == nil {
		return
	}
	for _, s := range sets {
		if s.Daemon == nil || time.Since(d.seenAt(s.Daemon.Socket).lost) > justLost {
			continue
		}
		for _, f := range d.live.config.Families() {
			if d.birds.Version.Major == 1 && f.Version != familyOf(s.Name, d.live.config).Version {
				continue
			}
			for _, session := range f.Sessions {
				if !slices.Contains(up[s.Name], session.Name) {
					up[s.Name] = append(up[s.Name], session.Name)
				}
			}
		}
	}
}

// inOrder are the names of all sets, sorted: BIRD lists them in an order of its
// own.
func inOrder(sets []reload.Set, up map[string][]string) []string {
	var all []string
	for _, s := range sets {
		all = append(all, up[s.Name]...)
	}
	slices.Sort(all)
	return all
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
