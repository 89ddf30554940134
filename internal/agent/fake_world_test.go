package agent

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/onlink"
	"confd/internal/report"
	"confd/internal/routes"
	"confd/reload"
	"confd/reload/control"
	"confd/templates"
)

// fakeWorld is a node whose BIRDs are models. Its disk is a real folder; what is done
// to it takes its time, is said, and fails where it is told to.
type fakeWorld struct {
	dir     string
	daemons birds.Daemons
	birds   map[string]*fakeBIRD // by socket
	faults  *faults
	say     func(format string, args ...any)

	mu        sync.Mutex
	disks     map[string]*fakeDisk // by set
	knowledge []byte
	locked    error
	addresses []netip.Addr
	routes    []bgp.Route
	downPeers map[string]bool
	deaf      []string          // sessions whose neighbors cannot send their routes again
	breaks    map[string]string // a session is down while this is in the text
	noBird    bool
	look      func(*routes.Look) // what a look at routes shows; nil: nothing wrong
}

// fakeDisk is what lies on disk of a set besides its files.
type fakeDisk struct {
	mu     sync.Mutex
	record reload.Record
	// before are the files that BIRD agreed to, where it is not known whether it does to
	// those that lie there now: the text of each, by path.
	before map[string]string
	agreed bool // to those
}

func (d *fakeDisk) get() reload.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record
}

func (d *fakeDisk) set(r reload.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = r
}

func (d *fakeDisk) setTrial(trial *reload.RecordedTrial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record.Trial = trial
}

func newFakeWorld(dir, version string, f *faults, say func(string, ...any)) *fakeWorld {
	w := &fakeWorld{
		dir: dir, faults: f, say: say, disks: map[string]*fakeDisk{}, birds: map[string]*fakeBIRD{},
		downPeers: map[string]bool{}, breaks: map[string]string{}, daemons: birds.Daemons{Socket: dir + "/bird.ctl", Dir: dir},
	}
	w.install(version)
	return w
}

// install installs a version of BIRD, which does not run yet.
func (w *fakeWorld) install(version string) {
	v, err := templates.ParseVersion(version)
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	w.daemons.Version = v
	if v.Major == 1 {
		w.daemons.Socket6 = w.dir + "/bird6.ctl"
	}
	w.mu.Unlock()
	for _, socket := range w.daemons.Sockets() {
		if b := w.birds[socket]; b != nil {
			b.install(version, v.Major)
		} else {
			w.birds[socket] = newFakeBIRD(setOfSocket(socket), version, v.Major, w.unreachable)
		}
	}
}

func setOfSocket(socket string) string { return strings.TrimSuffix(filepath.Base(socket), ".ctl") }

// unreachable says whether the peer of a session is away, or does not like a text.
func (w *fakeWorld) unreachable(session, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	bad := w.breaks[session]
	return w.downPeers[session] || bad != "" && strings.Contains(text, bad)
}

func (w *fakeWorld) Find(ctx context.Context) (birds.Daemons, error) {
	err := w.faults.step(ctx, "find", "")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noBird {
		return birds.Daemons{}, birds.ErrNoVersion
	}
	return w.daemons, err
}

func (w *fakeWorld) Left(folder string) Left {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, err := report.ReadOwn(folder)
	l := Left{Report: r, Err: err}
	if w.knowledge != nil {
		l.Err = errors.Join(err, json.Unmarshal(w.knowledge, &l.Knowledge))
	}
	for _, name := range slices.Sorted(maps.Keys(w.disks)) {
		if r := w.disks[name].get(); r.Set != "" {
			l.Records = append(l.Records, r)
		}
	}
	return l
}

func (w *fakeWorld) Target(set string) Target {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.disks[set] == nil {
		w.disks[set] = &fakeDisk{}
	}
	return &fakeTarget{w: w, set: set, disk: w.disks[set]}
}

func (w *fakeWorld) Survey(ctx context.Context, socket string, whole bool) ([]guard.Seen, []bgp.Route, error) {
	b := w.birds[socket]
	if err := w.faults.step(ctx, "survey", b.set); err != nil {
		return nil, nil, err
	}
	s := b.status()
	if s.health == control.Hung {
		<-ctx.Done()
		return nil, nil, control.ErrHung
	}
	var seen []guard.Seen
	for _, name := range s.established() {
		one := guard.Seen{Name: name}
		if whole {
			one.Counts = &guard.Counts{Imported: 1, Exported: 1}
		}
		seen = append(seen, one)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !whole {
		return seen, nil, nil
	}
	return seen, w.routes, nil
}

// Deaf says so of the sessions that a script has made so.
func (w *fakeWorld) Deaf(ctx context.Context, socket string, sessions []string) (map[string]bool, error) {
	if err := w.faults.step(ctx, "ask", setOfSocket(socket)); err != nil {
		return nil, err
	}
	w.say("%s: asked what the neighbors can of %s", setOfSocket(socket), strings.Join(sessions, " "))
	w.mu.Lock()
	defer w.mu.Unlock()
	deaf := map[string]bool{}
	for _, name := range w.birds[socket].status().established() {
		if slices.Contains(sessions, name) {
			deaf[name] = slices.Contains(w.deaf, name)
		}
	}
	return deaf, nil
}

func (w *fakeWorld) Networks(context.Context, string, []string) ([]onlink.Change, error) {
	return nil, nil
}

func (w *fakeWorld) Listen(context.Context, string, []string, func(string) (netip.AddrPort, bool)) (Heard, error) {
	return Heard{}, nil
}

func (w *fakeWorld) Local(context.Context, []string) ([]netip.Addr, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addresses, w.addresses != nil
}

func (w *fakeWorld) Lock(string) error { return w.locked }

func (w *fakeWorld) Explain(ctx context.Context, socket, session string) (string, error) {
	return "Received: Connection refused", w.faults.step(ctx, "explain", setOfSocket(socket))
}

func (w *fakeWorld) Remember(folder string, k Knowledge) error {
	if err := w.faults.step(context.Background(), "remember", ""); err != nil {
		return err
	}
	text, err := json.Marshal(k)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knowledge = text
	return err
}

// Watch is as package control does it: a connection that is open says nothing of a
// BIRD that hangs.
func (w *fakeWorld) Watch(ctx context.Context, socket string, out chan<- control.Event) {
	b := w.birds[socket]
	down := func(err error) bool {
		return sendEvent(ctx, out, control.Event{Socket: socket, At: time.Now(), Err: err})
	}
	wait := func(s fakeStatus) bool {
		select {
		case <-s.changed:
			time.Sleep(cost("seen", b.set))
			w.faults.stand() // it sees that when the program goes on
			return true
		case <-ctx.Done():
			return false
		}
	}
	var said error
	time.Sleep(cost("watch", b.set))
	for {
		s := b.status()
		if s.health == control.Up {
			if !sendEvent(ctx, out, control.Event{Socket: socket, Up: true, At: time.Now(), Version: s.version}) {
				return
			}
			for now := s; now.health != control.Absent && now.rebooted.Equal(s.rebooted); now = b.status() {
				if !wait(now) {
					return
				}
			}
			s, said = b.status(), nil
			s.err = control.ErrNotRunning
		}
		if !errors.Is(s.err, said) || said == nil {
			if said = s.err; !down(said) {
				return
			}
		}
		if b.status().health != control.Up && !wait(s) {
			return
		}
	}
}

func sendEvent(ctx context.Context, out chan<- control.Event, e control.Event) bool {
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// commandLimit is how long a reload command may take.
const commandLimit = 30 * time.Second

func (w *fakeWorld) Run(ctx context.Context, commands []string) error {
	time.Sleep(cost(commands[0], ""))
	w.say("run %q", commands)
	ctx, cancel := context.WithTimeoutCause(ctx, commandLimit, errors.New("stopped, as it took longer"))
	defer cancel()
	err := w.faults.step(ctx, "run", "")
	if err != nil {
		w.say("run %q -> %v", commands, err)
	}
	return err
}

func (w *fakeWorld) Approved(folder, token string) bool { return report.Approved(folder, token) }

func (w *fakeWorld) Forget(folder string) { report.Forget(folder) }

// startBIRD starts the BIRD of a socket with what lies on disk.
func (w *fakeWorld) startBIRD(socket string) { w.birds[socket].start(textOf(w.mainFile(socket))) }

// upgrade has BIRD be another version from when it is started again.
func (w *fakeWorld) upgrade(version string) {
	w.end()
	w.install(version)
}

// end ends all BIRDs.
func (w *fakeWorld) end() {
	for _, b := range w.birds {
		b.kill()
	}
}

// peersChanged has all BIRDs notice which peers are there.
func (w *fakeWorld) peersChanged() {
	for _, b := range w.birds {
		b.peersChanged()
	}
}

// sockets are those of the BIRDs with a name; of all where it is empty.
func (w *fakeWorld) sockets(name string) []string {
	if name != "" {
		return []string{w.dir + "/" + name + ".ctl"}
	}
	return w.daemons.Sockets()
}

func (w *fakeWorld) mainFile(socket string) string {
	if w.daemons.Version.Major == 1 {
		return filepath.Join(w.dir, setOfSocket(socket)+".cfg")
	}
	return filepath.Join(w.dir, "bird.conf")
}

// write writes a file as something else than the program does.
func writeAtOnce(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
