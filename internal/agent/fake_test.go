package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
	"confd/templates"
)

// fakeWorld is a node whose BIRDs are scripts: it remembers what was done to it, and
// fails where it is told to. What lies on disk does: records are read from there.
type fakeWorld struct {
	mu        sync.Mutex
	dir       string
	daemons   birds.Daemons
	birds     map[string]*fakeBIRD // by socket
	sets      map[string]*fakeSet
	faults    []*fault
	say       func(format string, args ...any)
	watchers  map[string][]chan<- control.Event
	approved  map[string]bool
	knowledge Knowledge
	locked    error
	addresses []netip.Addr
	routes    []bgp.Route
	downPeers map[string]bool
	noBird    bool
}

// fakeBIRD is a BIRD at a control socket.
type fakeBIRD struct {
	up, hung bool
	since    time.Time
	blocks   map[string]string // what it runs: the text of each session
	up2      map[string]time.Time
	text     string
}

// fakeSet is what package reload knows of a set.
type fakeSet struct {
	confirmed string
	trial     *fakeTrial
	record    reload.Record
	failed    bool // its commands have
	told      string
}

// fakeTrial is a set on trial, with the way back.
type fakeTrial struct {
	hash   string
	ends   time.Time
	stay   map[string]time.Time
	back   []string
	before map[string]string
}

// fault has an action on a set fail, for a number of times.
type fault struct {
	action, set string
	err         error
	times       int
	after       time.Duration
}

func newFakeWorld(dir, version string, say func(string, ...any)) *fakeWorld {
	v, err := templates.ParseVersion(version)
	if err != nil {
		panic(err)
	}
	w := &fakeWorld{
		dir: dir, say: say, sets: map[string]*fakeSet{}, watchers: map[string][]chan<- control.Event{}, approved: map[string]bool{},
		daemons: birds.Daemons{Version: v, Socket: dir + "/bird.ctl", Dir: dir}, downPeers: map[string]bool{},
		birds: map[string]*fakeBIRD{dir + "/bird.ctl": {}},
	}
	if v.Major == 1 {
		w.daemons.Socket6 = dir + "/bird6.ctl"
		w.birds[w.daemons.Socket6] = &fakeBIRD{}
	}
	return w
}

func (w *fakeWorld) Find(ctx context.Context) (birds.Daemons, error) {
	time.Sleep(time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noBird {
		return birds.Daemons{}, birds.ErrNoVersion
	}
	return w.daemons, nil
}

func (w *fakeWorld) Left(folder string) Left {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, err := report.ReadOwn(folder)
	l := Left{Report: r, Knowledge: w.knowledge, Err: err}
	for _, name := range slices.Sorted(maps.Keys(w.sets)) {
		if rec := w.sets[name].record; rec.Set != "" {
			l.Records = append(l.Records, rec)
		}
	}
	return l
}

func (w *fakeWorld) Target(set string) Target {
	return &fakeTarget{w, set}
}

func (w *fakeWorld) Survey(ctx context.Context, socket string, whole bool) ([]guard.Seen, []bgp.Route, error) {
	w.mu.Lock()
	b := w.birds[socket]
	hung := b.hung
	w.mu.Unlock()
	if hung {
		<-ctx.Done()
		return nil, nil, control.ErrHung
	}
	time.Sleep(time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	var seen []guard.Seen
	for _, name := range slices.Sorted(maps.Keys(b.up2)) {
		if b.up {
			seen = append(seen, guard.Seen{Name: name, Counts: &guard.Counts{Imported: 1, Exported: 1}})
		}
	}
	return seen, w.routes, nil
}

func (w *fakeWorld) Explain(ctx context.Context, socket, session string) (string, error) {
	return "Received: Connection refused", nil
}

func (w *fakeWorld) Local() []netip.Addr { return w.addresses }

func (w *fakeWorld) Remember(folder string, k Knowledge) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knowledge = k
	return nil
}

func (w *fakeWorld) Lock(string) error { return w.locked }

func (w *fakeWorld) Watch(ctx context.Context, socket string, out chan<- control.Event) {
	w.mu.Lock()
	w.watchers[socket] = append(w.watchers[socket], out)
	e := w.eventLocked(socket)
	w.mu.Unlock()
	select {
	case out <- e:
	case <-ctx.Done():
	}
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers[socket] = nil // that of this run
}

func (w *fakeWorld) eventLocked(socket string) control.Event {
	e := control.Event{Socket: socket, At: time.Now()}
	if b := w.birds[socket]; b.up {
		e.Up, e.Version = true, w.daemons.Version.String()
	} else {
		e.Err = control.ErrNotRunning
	}
	return e
}

// tell tells who watches how the BIRD of a socket is.
func (w *fakeWorld) tell(socket string) {
	w.mu.Lock()
	e, list := w.eventLocked(socket), slices.Clone(w.watchers[socket])
	w.mu.Unlock()
	for _, out := range list {
		out <- e
	}
}

func (w *fakeWorld) Run(ctx context.Context, commands []string) error {
	w.say("run %q", commands)
	if err := w.fault(ctx, "run", ""); err != nil {
		return err
	}
	return ctx.Err()
}

func (w *fakeWorld) Approved(folder, token string) bool { return w.approved[token] }

func (w *fakeWorld) Forget(folder string) { clear(w.approved) }

// fault is what an action is to fail with; nil: it works.
func (w *fakeWorld) fault(ctx context.Context, action, set string) error {
	w.mu.Lock()
	i := slices.IndexFunc(w.faults, func(f *fault) bool { return f.action == action && (set == "" || f.set == set) })
	if i < 0 {
		w.mu.Unlock()
		return nil
	}
	f := w.faults[i]
	if f.times--; f.times <= 0 {
		w.faults = slices.Delete(w.faults, i, i+1)
	}
	w.mu.Unlock()
	select {
	case <-time.After(f.after):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return f.err
}

// startBIRD starts the BIRD of a socket with what lies on disk.
func (w *fakeWorld) startBIRD(socket string) {
	w.mu.Lock()
	b := w.birds[socket]
	*b = fakeBIRD{up: true, since: time.Now(), up2: map[string]time.Time{}, blocks: map[string]string{}}
	if text, err := os.ReadFile(w.mainFile(socket)); err == nil {
		w.read(b, string(text))
	}
	w.mu.Unlock()
	w.tell(socket)
}

func (w *fakeWorld) stopBIRD(socket string) {
	w.mu.Lock()
	*w.birds[socket] = fakeBIRD{}
	w.mu.Unlock()
	w.tell(socket)
}

func (w *fakeWorld) mainFile(socket string) string {
	name := "bird.conf"
	if w.daemons.Version.Major == 1 {
		name = strings.TrimSuffix(filepath.Base(socket), ".ctl") + ".cfg"
	}
	return filepath.Join(w.dir, name)
}

var sessionBlock = regexp.MustCompile(`(?ms)^protocol bgp '?(\w+)'?[^{]*\{(.*?)^\}`)

// read has a BIRD take a text over: a session whose own text is another one is made
// anew, others stay as they are.
func (w *fakeWorld) read(b *fakeBIRD, text string) {
	blocks := map[string]string{}
	for _, m := range sessionBlock.FindAllStringSubmatch(text, -1) {
		blocks[m[1]] = m[2]
		if b.blocks[m[1]] != m[2] {
			delete(b.up2, m[1])
		}
	}
	b.blocks, b.text = blocks, text
	maps.DeleteFunc(b.up2, func(name string, _ time.Time) bool { _, has := blocks[name]; return !has })
	w.peers(b)
}

// peers has sessions come up whose peers are there, and others go down.
func (w *fakeWorld) peers(b *fakeBIRD) {
	for name := range b.blocks {
		if _, up := b.up2[name]; !up && !w.downPeers[name] {
			b.up2[name] = time.Now()
		} else if w.downPeers[name] {
			delete(b.up2, name)
		}
	}
}

// fakeTarget is package reload, as far as the loop sees it.
type fakeTarget struct {
	w   *fakeWorld
	set string
}

// cost is how long an action takes: each set another time, so that the order of
// what they answer is always the same.
func (t *fakeTarget) cost() time.Duration {
	switch t.set {
	case "bird":
		return time.Millisecond
	case "bird6":
		return 2 * time.Millisecond
	}
	return 3 * time.Millisecond
}

// begin takes an action's time, and fails where it is to.
func (t *fakeTarget) begin(ctx context.Context, action string) error {
	time.Sleep(t.cost())
	return t.w.fault(ctx, action, t.set)
}

func (t *fakeTarget) state() *fakeSet {
	s := t.w.sets[t.set]
	if s == nil {
		s = &fakeSet{}
		t.w.sets[t.set] = s
	}
	return s
}

func (t *fakeTarget) said(action string, s reload.Set, r reload.Result, err error) (reload.Result, error) {
	outcome := r.State.String()
	if err != nil {
		outcome = err.Error()
	}
	t.w.say("%s: %s %s -> %s", t.set, action, s.Hash(), outcome)
	return r, err
}

func (t *fakeTarget) Check(ctx context.Context, s reload.Set) error {
	err := t.checked(ctx, s)
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
	if err := t.begin(ctx, "check"); err != nil {
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

// onDisk says whether a set lies on disk.
func onDisk(s reload.Set) []string {
	var changed []string
	for _, f := range s.Files {
		if text, err := os.ReadFile(f.Dest); err != nil || string(text) != string(f.Data) {
			changed = append(changed, f.Dest)
		}
	}
	return changed
}

func (t *fakeTarget) Apply(ctx context.Context, s reload.Set) (reload.Result, error) {
	t.w.mu.Lock()
	state, changed := t.state(), onDisk(s)
	trial := state.trial
	t.w.mu.Unlock()
	r := reload.Result{Hash: s.Hash(), Changed: changed}
	if trial != nil {
		if trial.hash == r.Hash {
			r.State, r.TrialEnds = reload.OnTrial, trial.ends
			return r, nil
		}
		return r, reload.ErrOnTrial
	}
	before := map[string]string{}
	if len(changed) > 0 {
		if err := t.checked(ctx, s); err != nil {
			return t.said("apply", s, r, err)
		}
		r.Checked = time.Now()
	}
	if err := t.begin(ctx, "apply"); err != nil {
		return t.said("apply", s, r, err)
	}
	t.w.mu.Lock()
	for _, f := range s.Files {
		if old, err := os.ReadFile(f.Dest); err == nil {
			before[f.Dest] = string(old)
		}
		if err := os.WriteFile(f.Dest, f.Data, 0o600); err != nil {
			t.w.mu.Unlock()
			return t.said("apply", s, r, err)
		}
	}
	if len(changed) > 0 {
		r.Swapped = time.Now()
		state.confirmed = ""
		t.record(s, time.Time{})
	}
	done, waits := state.confirmed == r.Hash && !state.failed, len(changed) == 0 && state.told == r.Hash && !state.failed
	t.w.mu.Unlock()
	if done {
		return r, nil // unchanged
	}
	if waits && s.Daemon != nil {
		r.State = reload.Installed
		return r, nil
	}
	return t.read(ctx, "apply", s, r, before)
}

// record notes what lies on disk.
func (t *fakeTarget) record(s reload.Set, confirmed time.Time) {
	if s.Daemon == nil {
		return
	}
	g := reload.Generation{Hash: s.Hash(), Mark: s.Mark, Checked: time.Now(), Confirmed: confirmed, Version: t.w.daemons.Version.String()}
	for _, f := range s.Files {
		g.Files = append(g.Files, reload.RecordedFile{Dest: f.Dest, SHA256: sha(f.Data), Mode: 0o600})
	}
	t.state().record = reload.Record{Version: 1, Set: s.Name, Main: s.Daemon.Main, Generations: []reload.Generation{g}}
}

// read has BIRD read what is on disk.
func (t *fakeTarget) read(ctx context.Context, action string, s reload.Set, r reload.Result, before map[string]string) (reload.Result, error) {
	state := t.state()
	for _, f := range s.Files {
		if f.ReloadCmd != "" {
			r.Commands = append(r.Commands, f.ReloadCmd)
		}
	}
	if s.Daemon == nil {
		state.told = r.Hash
		if r.State = reload.Installed; len(r.Commands) == 0 {
			r.State, r.Confirmed, state.confirmed = reload.Confirmed, time.Now(), r.Hash
		}
		return t.said(action, s, r, nil)
	}
	t.w.mu.Lock()
	b := t.w.birds[s.Daemon.Socket]
	up, hung := b.up, b.hung
	t.w.mu.Unlock()
	if hung {
		time.Sleep(5 * time.Second)
		return t.said(action, s, r, fmt.Errorf("set %s: %w", s.Name, control.ErrHung))
	}
	if !up {
		state.told, r.State = r.Hash, reload.Installed
		return t.said(action, s, r, nil)
	}
	if err := t.w.fault(ctx, "tell", t.set); err != nil {
		for dest, text := range before {
			_ = os.WriteFile(dest, []byte(text), 0o600)
		}
		return t.said(action, s, r, fmt.Errorf("set %s: %w", s.Name, err))
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	if g := s.Guard; g != nil && g.Within > 0 {
		trial := &fakeTrial{hash: r.Hash, ends: time.Now().Add(g.Within), stay: map[string]time.Time{}, back: g.Return, before: before}
		for _, name := range g.Stay {
			if at, is := b.up2[name]; is {
				trial.stay[name] = at
			}
		}
		if len(trial.stay)+len(trial.back) > 0 {
			state.trial, r.State, r.TrialEnds = trial, reload.OnTrial, trial.ends
		}
	}
	t.w.read(b, mainText(s))
	r.Version, r.Rebooted, r.Reconfigured = t.w.daemons.Version.String(), b.since, time.Now()
	if r.State == reload.OnTrial {
		r.Commands = nil
		return t.said(action, s, r, nil)
	}
	t.confirm(s, &r)
	return t.said(action, s, r, nil)
}

func (t *fakeTarget) confirm(s reload.Set, r *reload.Result) {
	state := t.state()
	r.State, r.Confirmed = reload.Confirmed, time.Now()
	state.confirmed, state.told, state.failed = r.Hash, r.Hash, false
	t.record(s, time.Now())
}

func mainText(s reload.Set) string {
	for _, f := range s.Files {
		if f.Dest == s.Daemon.Main {
			return string(f.Data)
		}
	}
	return ""
}

func (t *fakeTarget) Reconfigure(ctx context.Context, s reload.Set) (reload.Result, error) {
	if err := t.begin(ctx, "reconfigure"); err != nil {
		return t.said("reconfigure", s, reload.Result{}, err)
	}
	return t.read(ctx, "reconfigure", s, reload.Result{Hash: s.Hash()}, nil)
}

func (t *fakeTarget) Trial(ctx context.Context, s reload.Set) (reload.Result, error) {
	if err := t.begin(ctx, "look"); err != nil {
		return t.said("look", s, reload.Result{}, err)
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	state := t.state()
	trial := state.trial
	if trial == nil {
		return t.said("look", s, reload.Result{}, reload.ErrNoTrial)
	}
	b, r := t.w.birds[s.Daemon.Socket], reload.Result{Hash: trial.hash, State: reload.OnTrial, TrialEnds: trial.ends}
	var fallen []string
	for name, at := range trial.stay {
		if since, up := b.up2[name]; !up || !since.Equal(at) {
			fallen = append(fallen, name)
		}
	}
	over, reason := !time.Now().Before(trial.ends), "sessions that it should not have touched went down"
	if len(fallen) == 0 && over {
		reason = "sessions that it remade have not come back"
		fallen = slices.DeleteFunc(slices.Clone(trial.back), func(n string) bool { _, up := b.up2[n]; return up })
	}
	switch {
	case !b.up:
		state.trial = nil
		return t.said("look", s, r, &reload.LapsedError{Hash: trial.hash, Reason: "BIRD ended"})
	case len(fallen) > 0:
		slices.Sort(fallen)
		state.trial = nil
		for dest, text := range trial.before {
			_ = os.WriteFile(dest, []byte(text), 0o600)
			if dest == s.Daemon.Main {
				t.w.read(b, text)
			}
		}
		return t.said("look", s, r, fmt.Errorf("set %s: %w", s.Name, &reload.UndoneError{Hash: trial.hash, Sessions: fallen, Reason: reason, Restored: true}))
	case !over:
		return r, nil
	}
	state.trial = nil
	t.confirm(s, &r)
	r.TrialEnds = time.Time{}
	return t.said("look", s, r, nil)
}

func (t *fakeTarget) Verify(ctx context.Context, s reload.Set) (reload.Drift, error) {
	var d reload.Drift
	if err := t.begin(ctx, "verify"); err != nil {
		return d, err
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	d.Files = onDisk(s)
	if s.Daemon == nil {
		return d, nil
	}
	b := t.w.birds[s.Daemon.Socket]
	switch {
	case b.hung:
		d.BIRD = control.Hung
		return d, nil
	case !b.up:
		d.BIRD = control.Absent
		return d, nil
	}
	d.BIRD, d.Version = control.Up, t.w.daemons.Version.String()
	d.Reconfigured = b.text != mainText(s) && t.state().confirmed == s.Hash()
	if len(d.Files) > 0 || d.Any() {
		t.w.say("%s: verify -> %s", t.set, d)
	}
	return d, nil
}

func (t *fakeTarget) Boot(ctx context.Context, r reload.Record, d reload.Daemon) (reload.Result, error) {
	s, g, err := r.OnDisk()
	if err == nil {
		err = t.begin(ctx, "boot")
	}
	if err != nil {
		return t.said("boot", s, reload.Result{}, err)
	}
	s.Daemon = &d
	return t.read(ctx, "boot", s, reload.Result{Hash: g.Hash}, nil)
}

func (t *fakeTarget) Resume(ctx context.Context, r reload.Record, d reload.Daemon) (reload.Result, error) {
	return reload.Result{}, reload.ErrNoTrial
}

func (t *fakeTarget) Ran(ctx context.Context, s reload.Set, err error) (reload.Result, error) {
	time.Sleep(t.cost())
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	r, state := reload.Result{Hash: s.Hash()}, t.state()
	if state.told != r.Hash {
		return r, err
	}
	if state.failed = err != nil; err != nil {
		state.confirmed = ""
		return t.said("ran", s, r, fmt.Errorf("set %s: %w", s.Name, err))
	}
	t.confirm(s, &r)
	return t.said("ran", s, r, nil)
}

// errWords are the errors that scripts name.
var errWords = map[string]error{
	"hung": control.ErrHung, "busy": control.ErrBusy, "away": control.ErrWentAway, "cannot-check": reload.ErrCannotCheck,
	"refused": &control.RefusedError{Position: control.Position{Message: "out of cheese"}}, "full": errors.New("no space left on device"),
	"command": errors.New("reload command failed"), "ok": nil,
}
