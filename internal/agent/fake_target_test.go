package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"confd/reload"
	"confd/reload/control"
)

// fakeTarget is what package reload does to a set, as far as the loop sees it. What
// it knows is gone with the program; its disk stays.
type fakeTarget struct {
	w    *fakeWorld
	set  string
	disk *fakeDisk

	phase   fakePhase
	hash    string // of what is on disk
	takenUp bool
	trial   *fakeTrial
	// commands: 0 there are none to be run, 1 they were given, 2 they have failed.
	commands int
	proof    fakeStatus // BIRD's word for what it uses
}

type fakePhase int

const (
	isAbsent fakePhase = iota
	isInstalled
	isOnTrial
	isConfirmed
	isUnsure
)

// fakeTrial is a set on trial.
type fakeTrial struct {
	hash           string
	ends, deadline time.Time
	stay           map[string]time.Time
	back           []string
}

// trialMargin is how much later than the end of a trial BIRD goes back by itself;
// hungFor how long it takes until a BIRD counts as hung.
const (
	trialMargin = 15 * time.Second
	hungFor     = 5 * time.Second
)

func (t *fakeTarget) bird(d *reload.Daemon) *fakeBIRD { return t.w.birds[d.Socket] }

// said says what came of an action, where something was done.
func (t *fakeTarget) said(action string, r reload.Result, err error) (reload.Result, error) {
	outcome := r.State.String()
	if err != nil {
		outcome = err.Error()
	}
	if err != nil || r.State != reload.Unchanged {
		t.w.say("%s: %s %s -> %s", t.set, action, r.Hash, outcome)
	}
	return r, err
}

func (t *fakeTarget) naming(err error) error {
	if err == nil || errors.As(err, new(*reload.CheckError)) {
		return err
	}
	return fmt.Errorf("set %s: %w", t.set, err)
}

func (t *fakeTarget) Check(ctx context.Context, s reload.Set) error {
	err := t.naming(t.checked(ctx, s))
	outcome := "ok"
	if err != nil {
		outcome = err.Error()
	}
	t.w.say("%s: check %s -> %s", t.set, s.Hash(), outcome)
	return err
}

// refused is what a check refuses: a line with this word.
const refused = "REFUSED"

func (t *fakeTarget) checked(ctx context.Context, s reload.Set) error {
	if err := t.w.faults.step(ctx, "check", t.set); err != nil {
		return err
	}
	for _, f := range s.Files {
		for i, line := range strings.Split(string(f.Data), "\n") {
			if strings.Contains(line, refused) {
				return &reload.CheckError{Set: s.Name, File: f.Dest, Line: i + 1, Message: "syntax error"}
			}
		}
	}
	return nil
}

// differing are the files of a set that do not lie on disk.
func differing(s reload.Set) []string {
	var list []string
	for _, f := range s.Files {
		if text, err := os.ReadFile(f.Dest); err != nil || string(text) != string(f.Data) {
			list = append(list, f.Dest)
		}
	}
	return list
}

func (t *fakeTarget) Apply(ctx context.Context, s reload.Set) (reload.Result, error) {
	r := reload.Result{Hash: s.Hash()}
	if err := t.takeUp(ctx, s.Daemon); err != nil && !errors.As(err, new(*reload.LapsedError)) {
		return t.said("apply", r, t.naming(err))
	}
	r.Changed = differing(s)
	same := t.hash == r.Hash && len(r.Changed) == 0
	switch {
	case t.phase == isOnTrial && same:
		r.State, r.TrialEnds = reload.OnTrial, t.trial.ends
		return r, nil
	case t.phase == isOnTrial:
		return t.said("apply", r, t.naming(reload.ErrOnTrial))
	case t.phase == isConfirmed && same:
		r.Commands = t.giveAgain(s)
		return t.proven(r), nil
	case t.phase == isInstalled && same:
		r.State, r.Commands = reload.Installed, t.giveAgain(s)
		return r, nil
	case len(r.Changed) > 0:
		if err := t.install(ctx, s, &r); err != nil {
			return t.said("apply", r, t.naming(err))
		}
	default:
		t.found(r.Hash)
	}
	r, err := t.tell(ctx, s, r)
	return t.said("apply", r, t.naming(err))
}

func (t *fakeTarget) found(hash string) { t.phase, t.hash = isUnsure, hash }

// install checks a set and puts it on disk.
func (t *fakeTarget) install(ctx context.Context, s reload.Set, r *reload.Result) error {
	if err := t.checked(ctx, s); err != nil {
		return err
	}
	r.Checked = time.Now()
	if err := t.w.faults.step(ctx, "write", t.set); err != nil && !errors.Is(err, errUnheard) {
		return err
	}
	t.keepBefore(s)
	for _, f := range s.Files {
		if err := os.WriteFile(f.Dest, f.Data, f.Mode); err != nil {
			return err
		}
	}
	r.Swapped = time.Now()
	t.phase, t.hash, t.commands = isUnsure, r.Hash, 0
	return t.w.faults.step(ctx, "written", t.set)
}

// keepBefore notes what lay on disk, and what does from now on.
func (t *fakeTarget) keepBefore(s reload.Set) {
	if s.Daemon == nil {
		return
	}
	record := t.disk.get()
	last, was := record.LastConfirmed()
	if t.disk.before == nil {
		_, lies, err := record.OnDisk()
		t.disk.agreed, t.disk.before = err == nil && was && lies.Hash == last.Hash, map[string]string{}
		for _, f := range s.Files {
			if text, err := os.ReadFile(f.Dest); err == nil {
				t.disk.before[f.Dest] = string(text)
			}
		}
	}
	g := t.generation(s)
	generations := []reload.Generation{g}
	if was && last.Hash != g.Hash {
		generations = append(generations, last)
	}
	t.disk.set(reload.Record{Version: 1, Set: s.Name, Main: s.Daemon.Main, Generations: generations})
}

func (t *fakeTarget) generation(s reload.Set) reload.Generation {
	g := reload.Generation{Hash: s.Hash(), Mark: s.Mark, Checked: time.Now(), Version: t.w.daemons.Version.String()}
	for _, f := range s.Files {
		g.Files = append(g.Files, reload.RecordedFile{Dest: f.Dest, SHA256: sha(f.Data), Mode: f.Mode})
	}
	return g
}

// putBack puts the files back that BIRD agreed to last; false where it is not known
// to have agreed to any.
func (t *fakeTarget) putBack() bool {
	if t.disk.before == nil || !t.disk.agreed {
		return false
	}
	for path, text := range t.disk.before {
		_ = writeAtOnce(path, text)
	}
	record := t.disk.get()
	record.Generations, record.Trial = record.Generations[len(record.Generations)-1:], nil
	t.disk.set(record)
	t.disk.before, t.hash = nil, record.Generations[0].Hash
	return true
}

// tell has BIRD read what is on disk.
func (t *fakeTarget) tell(ctx context.Context, s reload.Set, r reload.Result) (reload.Result, error) {
	if s.Daemon == nil || s.Daemon.Socket == "" {
		if r.Commands = t.give(s); len(r.Commands) > 0 {
			t.phase, r.State = isInstalled, reload.Installed
			return r, nil
		}
		return t.confirm(s, r), nil
	}
	b := t.bird(s.Daemon)
	switch b.status().health {
	case control.Hung:
		select {
		case <-time.After(hungFor):
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
		return r, control.ErrHung
	case control.Absent:
		t.phase = isInstalled
		r.State, r.Commands = reload.Installed, t.give(s)
		return r, nil
	}
	err := t.w.faults.step(ctx, "tell", t.set)
	if refused := (*control.RefusedError)(nil); errors.As(err, &refused) {
		t.putBack()
		return r, &reload.RefusedError{Position: refused.Position, Undone: true}
	}
	if err != nil && !errors.Is(err, errUnheard) {
		return r, err
	}
	trial := t.begin(s, b)
	within := time.Duration(0)
	if trial != nil {
		within = time.Until(trial.deadline)
		t.disk.setTrial(trial.recorded())
	}
	b.configure(mainText(s), within)
	t.proof = b.status()
	if err != nil {
		return r, control.ErrHung
	}
	if err := t.w.faults.step(ctx, "told", t.set); err != nil {
		return r, err
	}
	r.Version = t.proof.version
	if trial != nil {
		t.phase, t.trial = isOnTrial, trial
		r.State, r.TrialEnds = reload.OnTrial, trial.ends
		return r, nil
	}
	return t.confirm(s, r), nil
}

// begin is the trial of a set that has one; nil: it has none.
func (t *fakeTarget) begin(s reload.Set, b *fakeBIRD) *fakeTrial {
	g := s.Guard
	if g == nil || g.Within <= 0 || len(g.Stay)+len(g.Return) == 0 {
		return nil
	}
	trial := &fakeTrial{hash: s.Hash(), ends: time.Now().Add(g.Within), deadline: time.Now().Add(g.Within + trialMargin), stay: map[string]time.Time{}, back: g.Return}
	since := b.status().since
	for _, name := range g.Stay {
		if at, up := since[name]; up {
			trial.stay[name] = at
		}
	}
	if len(trial.stay)+len(trial.back) == 0 {
		return nil
	}
	return trial
}

// confirm notes that BIRD uses a set.
func (t *fakeTarget) confirm(s reload.Set, r reload.Result) reload.Result {
	if s.Daemon != nil {
		r.Commands = t.give(s)
		g := t.generation(s)
		g.Confirmed = time.Now()
		t.disk.set(reload.Record{Version: 1, Set: s.Name, Main: s.Daemon.Main, Generations: []reload.Generation{g}})
	}
	t.disk.before, t.phase, t.hash = nil, isConfirmed, r.Hash
	r.State, r.Confirmed = reload.Confirmed, time.Now()
	return t.proven(r)
}

func (t *fakeTarget) proven(r reload.Result) reload.Result {
	r.Version, r.Reconfigured, r.Rebooted, r.Booted = t.proof.version, t.proof.reconfigured, t.proof.rebooted, t.proof.rebooted
	return r
}

func mainText(s reload.Set) string {
	for _, f := range s.Files {
		if f.Dest == s.Daemon.Main {
			return strings.TrimSpace(string(f.Data))
		}
	}
	return ""
}

// give hands out a set's commands.
func (t *fakeTarget) give(s reload.Set) []string {
	var list []string
	t.commands = 0
	for _, f := range s.Files {
		if f.ReloadCmd != "" && !slices.Contains(list, f.ReloadCmd) {
			list, t.commands = append(list, f.ReloadCmd), 1
		}
	}
	return list
}

func (t *fakeTarget) giveAgain(s reload.Set) []string {
	if t.commands != 2 {
		return nil
	}
	return t.give(s)
}

func (t *fakeTarget) Reconfigure(ctx context.Context, s reload.Set) (reload.Result, error) {
	r := reload.Result{Hash: s.Hash()}
	err := t.takeUp(ctx, s.Daemon)
	if err == nil && t.phase == isOnTrial {
		err = reload.ErrOnTrial
	}
	if err != nil && !errors.As(err, new(*reload.LapsedError)) {
		return t.said("reconfigure", r, t.naming(err))
	}
	s.Guard = nil
	t.found(r.Hash)
	r, err = t.tell(ctx, s, r)
	return t.said("reconfigure", r, t.naming(err))
}

func (t *fakeTarget) Verify(ctx context.Context, s reload.Set) (reload.Drift, error) {
	var d reload.Drift
	if err := t.w.faults.step(ctx, "verify", t.set); err != nil {
		return d, t.naming(err)
	}
	if t.phase != isAbsent && t.phase != isUnsure {
		d.Files = differing(s)
	}
	if s.Daemon == nil || s.Daemon.Socket == "" {
		return d, nil
	}
	now := t.bird(s.Daemon).status()
	if d.BIRD = now.health; now.health != control.Up {
		return d, nil
	}
	d.Version = now.version
	d.Restarted = t.phase == isInstalled || !t.proof.rebooted.IsZero() && !now.rebooted.Equal(t.proof.rebooted)
	d.Reconfigured = !d.Restarted && !t.proof.reconfigured.IsZero() && !now.reconfigured.Equal(t.proof.reconfigured)
	return d, nil
}

func (t *fakeTarget) Boot(ctx context.Context, record reload.Record, d reload.Daemon) (reload.Result, error) {
	err := t.takeUp(ctx, &d)
	if err == nil && t.phase == isOnTrial {
		err = reload.ErrOnTrial
	}
	if err != nil && !errors.As(err, new(*reload.LapsedError)) {
		return t.said("boot", reload.Result{}, t.naming(err))
	}
	s, g, err := t.disk.get().OnDisk()
	if err == nil {
		err = t.checked(ctx, s)
	}
	if err != nil {
		return t.said("boot", reload.Result{}, t.naming(err))
	}
	s.Daemon = &d
	t.found(g.Hash)
	r, err := t.tell(ctx, s, reload.Result{Hash: g.Hash})
	return t.said("boot", r, t.naming(err))
}

func (t *fakeTarget) Ran(ctx context.Context, s reload.Set, err error) (reload.Result, error) {
	r := reload.Result{Hash: s.Hash()}
	_ = t.w.faults.step(ctx, "ran", t.set) // nothing in it can fail
	if t.hash != r.Hash || t.commands != 1 {
		return r, t.naming(err)
	}
	if err != nil {
		t.commands = 2
		return t.said("ran", r, t.naming(err))
	}
	t.commands = 0
	if s.Daemon == nil || s.Daemon.Socket == "" {
		return t.said("ran", t.confirm(s, r), nil)
	}
	t.proof = t.bird(s.Daemon).status()
	r.State = map[fakePhase]reload.State{isConfirmed: reload.Confirmed, isInstalled: reload.Installed}[t.phase]
	return t.said("ran", t.proven(r), nil)
}

// names are the names of a table, sorted.
func names[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }
