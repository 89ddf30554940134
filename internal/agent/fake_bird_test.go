package agent

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"confd/internal/birdtext"
	"confd/reload/control"
)

// comeUpAfter is how long a session takes to come up whose peer is there.
const comeUpAfter = time.Second

// fakeBIRD is a BIRD at a control socket: what package birdtext says of two texts is
// what becomes of its sessions.
type fakeBIRD struct {
	set   string
	major int
	// unreachable says whether a session cannot be up with a text.
	unreachable func(session, text string) bool

	mu       sync.Mutex
	changed  chan struct{} // closed when it starts, ends, hangs or answers again
	up, hung bool
	version  string
	// rebooted and reconfigured are its own times.
	rebooted, reconfigured time.Time
	text, before           string      // what it uses, and what "undo" goes back to
	waiting                *time.Timer // it goes back by itself; nil: it does not
	since                  map[string]time.Time
	coming                 map[string]*time.Timer
	// kept are sessions that should not end by what it is told to use; lost are those
	// that have.
	kept, lost []string
}

func newFakeBIRD(set, version string, major int, unreachable func(session, text string) bool) *fakeBIRD {
	return &fakeBIRD{set: set, version: version, major: major, unreachable: unreachable, changed: make(chan struct{})}
}

// install has it be another version, when it is started.
func (b *fakeBIRD) install(version string, major int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version, b.major = version, major
}

// start starts it with a text.
func (b *fakeBIRD) start(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	b.up, b.hung, b.rebooted = true, false, time.Now()
	b.since, b.coming = map[string]time.Time{}, map[string]*time.Timer{}
	b.read(text)
}

// kill ends it.
func (b *fakeBIRD) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
}

func (b *fakeBIRD) end() {
	b.stay()
	for _, t := range b.coming {
		t.Stop()
	}
	b.up, b.hung, b.text, b.before, b.since, b.coming = false, false, "", "", nil, nil
	b.tell()
}

// hang has it take connections only, or answer again.
func (b *fakeBIRD) hang(hung bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hung = hung
	b.tell()
}

// tell tells who waits for a change of state.
func (b *fakeBIRD) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// configure has it use a text; where within is not 0 it goes back by itself after
// that.
func (b *fakeBIRD) configure(text string, within time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stay()
	b.before = b.text
	b.read(text)
	if within > 0 {
		b.waiting = time.AfterFunc(within, b.undo)
	}
}

// confirm has it stay, and says whether it was about to go back.
func (b *fakeBIRD) confirm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stay()
}

func (b *fakeBIRD) stay() bool {
	waiting := b.waiting != nil && b.waiting.Stop()
	b.waiting = nil
	return waiting
}

// undo has it go back.
func (b *fakeBIRD) undo() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stay()
	if b.up {
		text := b.before
		b.before = b.text
		b.read(text)
	}
}

// read takes a text over: sessions that are others end, and come up again.
func (b *fakeBIRD) read(text string) {
	of := func(text string) []birdtext.Set { return []birdtext.Set{{Name: b.set, Files: [][]byte{[]byte(text)}}} }
	c := birdtext.Compare(of(b.text), of(text), b.major)
	for _, name := range append(c.Restarted, c.Removed...) {
		b.down(name)
		if slices.Contains(b.kept, name) {
			b.lost = append(b.lost, name)
		}
	}
	b.text, b.reconfigured = text, time.Now()
	b.settle()
}

func (b *fakeBIRD) down(name string) {
	delete(b.since, name)
	if t := b.coming[name]; t != nil {
		t.Stop()
		delete(b.coming, name)
	}
}

// settle has sessions end that cannot be up any more, and others come up.
func (b *fakeBIRD) settle() {
	for name := range birdtext.Sessions([]birdtext.Set{{Name: b.set, Files: [][]byte{[]byte(b.text)}}}) {
		switch {
		case b.unreachable(name, b.text):
			b.down(name)
		case b.since[name].IsZero() && b.coming[name] == nil:
			b.coming[name] = time.AfterFunc(comeUpAfter, func() { b.comeUp(name) })
		}
	}
}

func (b *fakeBIRD) comeUp(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.coming[name] != nil {
		delete(b.coming, name)
		b.since[name] = time.Now()
	}
}

// keep has sessions be kept from now on.
func (b *fakeBIRD) keep(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = names
}

func (b *fakeBIRD) lostOf() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lost)
}

// peersChanged has it notice which peers are there.
func (b *fakeBIRD) peersChanged() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up {
		b.settle()
	}
}

// fakeStatus is what a BIRD says of itself.
type fakeStatus struct {
	health                 control.Health
	err                    error
	version, text          string
	rebooted, reconfigured time.Time
	since                  map[string]time.Time // of the sessions that are established
	changed                <-chan struct{}
}

func (b *fakeBIRD) status() fakeStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := fakeStatus{version: b.version, text: b.text, rebooted: b.rebooted, reconfigured: b.reconfigured, since: maps.Clone(b.since), changed: b.changed}
	switch {
	case !b.up:
		s.health, s.err = control.Absent, control.ErrNotRunning
	case b.hung:
		s.health, s.err = control.Hung, control.ErrHung
	default:
		s.health = control.Up
	}
	return s
}

// established are the sessions that are up, sorted.
func (s fakeStatus) established() []string { return slices.Sorted(maps.Keys(s.since)) }

// textOf is what BIRD reads at a start: nothing where the file is not there.
func textOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
