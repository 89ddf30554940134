package reload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"confd/reload/control"
)

// trial is a set that BIRD uses until further notice.
type trial struct {
	hash     string
	ends     time.Time                       // when the sessions have stayed up for long enough
	deadline time.Time                       // when BIRD goes back by itself
	stay     map[string]control.SessionState // the sessions that must stay up, as they were before
}

// UndoneError says that a trial has failed. BIRD is back to what it used before.
type UndoneError struct {
	Hash     string   // of the set that was tried
	Sessions []string // those that did not stay up; empty where it was something else
	Reason   string   // in words
	// Restored says that the files from before are back on disk too. They are not
	// where nobody knows what BIRD agreed to before, as after a restart of confd
	// in the middle of a trial: a BIRD that starts reads the set then.
	Restored bool
}

// Error is one line.
func (e *UndoneError) Error() string {
	text := "the configuration " + e.Hash + " was undone: " + e.Reason
	if len(e.Sessions) > 0 {
		text += ": " + strings.Join(e.Sessions, ", ")
	}
	if !e.Restored {
		text += " (its files are still on disk)"
	}
	return text
}

// ErrNoTrial says that there was nothing that Trial could look at. Where Trial ended with
// another error before, the trial is over, and Apply goes on from there.
var ErrNoTrial = errors.New("no configuration is on trial")

// onTrial adds where the trial stands to a result.
func (m *memory) onTrial(res Result) Result {
	res.State, res.TrialEnds = OnTrial, m.trial.ends
	return m.proven(res)
}

// prepareTrial notes how the sessions are that must stay up; nil where there is
// none, so that nothing could be learned from a trial.
func prepareTrial(ctx context.Context, c *control.Client, g *Guard, margin time.Duration) (*trial, error) {
	if g == nil || g.Within <= 0 || len(g.Stay) == 0 {
		return nil, nil
	}
	sessions, err := c.SessionsBrief(ctx)
	if err != nil {
		return nil, err
	}
	must := map[string]bool{}
	for _, name := range g.Stay {
		must[name] = true
	}
	stay := map[string]control.SessionState{}
	for _, s := range sessions {
		if must[s.Name] && s.Established() {
			stay[s.Name] = s
		}
	}
	if len(stay) == 0 {
		return nil, nil
	}
	ends := time.Now().Add(g.Within)
	return &trial{ends: ends, deadline: ends.Add(margin), stay: stay}, nil
}

// Trial looks how a set on trial does: call it some two to four times a second
// while Apply's or Trial's State is OnTrial. It returns OnTrial, or Confirmed
// when the sessions have stayed up for the whole time and BIRD was told to keep
// the set; only then are there reload commands to be run.
//
// A session that must stay up and goes down, even for a moment, ends the trial
// at once; so does a BIRD that ends, is started again or is reconfigured by
// somebody else, as nobody can tell whether the set did it. BIRD is then told to
// go back, the files that were there when it last agreed are put back and read
// again, and an *UndoneError says so. Apply may be called again with any set.
//
// A BIRD that does not answer stays on trial until it has gone back by itself.
// Where the process ends in the middle, BIRD goes back some time later; the new
// files stay on disk, and the next Apply tries them again.
func (a *Applier) Trial(ctx context.Context, s Set) (Result, error) {
	res, err := a.watchTrial(ctx, s)
	return res, naming(s.Name, err)
}

func (a *Applier) watchTrial(ctx context.Context, s Set) (Result, error) {
	mem := a.memory(s.Name)
	if mem.trial == nil {
		return Result{}, ErrNoTrial
	}
	s.Guard = nil
	res := Result{Hash: mem.trial.hash, State: Confirmed, Version: mem.version}
	verdict, err := a.judge(ctx, s, mem)
	switch {
	case err != nil:
		return res, err
	case verdict.reason != "":
		return res, a.endTrial(ctx, s, mem, verdict)
	case !verdict.passed:
		return mem.onTrial(res), nil
	}
	mem.trial = nil
	if !verdict.confirmed {
		// Somebody else confirmed, or BIRD went back at this very moment.
		return a.tell(ctx, s, mem, res)
	}
	mem.unsure = true
	return a.settle(s, mem, res), nil
}

// verdict is what a look at a trial says. Without a reason it has not failed.
type verdict struct {
	passed    bool // its time is over
	confirmed bool // BIRD knows that it passed
	reason    string
	sessions  []string
	deaf      bool // BIRD cannot be told to go back
}

// judge looks at BIRD, and confirms a set whose time is over.
func (a *Applier) judge(ctx context.Context, s Set, mem *memory) (verdict, error) {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	v, err := mem.examine(limited, s.socket())
	switch {
	case err == nil:
		return v, nil
	case ctx.Err() != nil:
		return verdict{}, context.Cause(ctx)
	case errors.Is(err, control.ErrNotRunning):
		return verdict{reason: "BIRD ended", deaf: true}, nil
	case time.Now().After(mem.trial.deadline):
		return verdict{reason: fmt.Sprintf("BIRD has not answered until it went back by itself: %v", err), deaf: true}, nil
	}
	a.log.Debug("the set stays on trial", "set", s.Name, "error", err)
	return verdict{}, nil
}

func (m *memory) examine(ctx context.Context, socket string) (verdict, error) {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return verdict{}, err
	}
	defer c.Close()
	now, err := observe(ctx, c)
	if err != nil {
		return verdict{}, err
	}
	if m.proof.restarted(now) {
		return verdict{reason: "BIRD was restarted"}, nil
	}
	sessions, err := c.SessionsBrief(ctx)
	if err != nil {
		return verdict{}, err
	}
	if fallen := m.trial.fallen(sessions, m.proof.stepped(now)); len(fallen) > 0 {
		return verdict{reason: "sessions that it should not have touched went down", sessions: fallen}, nil
	}
	if m.proof.replaced(now) {
		return verdict{reason: "BIRD went back, or was reconfigured by somebody else"}, nil
	}
	if time.Now().Before(m.trial.ends) {
		return verdict{}, nil
	}
	confirmed, err := c.Confirm(ctx)
	return verdict{passed: err == nil, confirmed: confirmed}, err
}

// endTrial takes a failed set back.
func (a *Applier) endTrial(ctx context.Context, s Set, mem *memory, v verdict) error {
	undone := &UndoneError{Hash: mem.trial.hash, Sessions: v.sessions, Reason: v.reason}
	mem.trial, mem.proof, mem.unsure = nil, nil, true
	if !v.deaf {
		if err := a.goBack(ctx, s); err != nil {
			a.log.Warn("BIRD was not told to go back: it does so by itself", "set", s.Name, "error", err)
		}
	}
	if mem.backup == nil || !mem.backup.agreed {
		a.renewProof(ctx, s, mem)
		mem.unsure = mem.proof == nil
		return undone
	}
	if err := a.restore(s, mem); err != nil {
		return errors.Join(undone, err)
	}
	undone.Restored = true
	if err := a.tellOld(ctx, s, mem, v); err != nil {
		a.log.Warn("BIRD has not read the files from before again", "set", s.Name, "error", err)
	}
	return undone
}

func (a *Applier) goBack(ctx context.Context, s Set) error {
	ctx, cancel := context.WithTimeout(ctx, a.opts.ReloadTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.Undo(ctx)
	a.log.Debug("BIRD was told to go back", "set", s.Name, "answer", answer)
	return err
}

// tellOld has BIRD read the files from before: it uses what is on disk then,
// whatever it had gone back to.
func (a *Applier) tellOld(ctx context.Context, s Set, mem *memory, v verdict) error {
	if v.deaf {
		mem.waits, mem.unsure = true, false // Verify says when it is there again
		return nil
	}
	told, err := a.tellDaemon(ctx, s)
	if err != nil {
		mem.waits = errors.Is(err, control.ErrNotRunning)
		mem.unsure = !mem.waits
		return err
	}
	mem.confirmed, mem.unsure, mem.version, mem.proof = true, false, told.version, &told.proof
	return nil
}

// fallen are the sessions that are not up, or were not for a moment, sorted.
// stepped is by how much BIRD's clock was set meanwhile.
func (t *trial) fallen(now []control.SessionState, stepped time.Duration) []string {
	up := map[string]control.SessionState{}
	for _, s := range now {
		if s.Established() {
			up[s.Name] = s
		}
	}
	var names []string
	for name, was := range t.stay {
		if is, there := up[name]; !there || !is.SameSince(was, stepped) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
