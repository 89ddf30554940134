package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/yaml"

	"confd/backends"
	"confd/bgp"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/settings"
	"confd/templates"
)

var update = flag.Bool("update", false, "write what the scripts say, instead of comparing it")

// TestScripts runs the scripts of testdata: a line that begins with > is something
// that happens, and below it is what the loop says and does, until the next. Time is
// virtual, BIRD is a fake, the model, the templates and the guard are real.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var got string
			synctest.Test(t, func(t *testing.T) { got = runScript(t, dir, string(text)) })
			if got == string(text) {
				return
			}
			if !*update {
				t.Fatalf("%s says something else (-update writes it):\n%s", path, diffLines(string(text), got))
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// diffLines are the first lines that differ.
func diffLines(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d\nwant:\n%s\ngot:\n%s", i+1,
				strings.Join(a[min(i, len(a)):min(i+8, len(a))], "\n"), strings.Join(b[min(i, len(b)):min(i+8, len(b))], "\n"))
		}
	}
	return ""
}

// script is one run of a script.
type script struct {
	t       *testing.T
	world   *fakeWorld
	store   *fakeStore
	dir     string
	loaded  plan.Templates
	broken  error
	changed chan struct{}
	signals chan os.Signal
	cancel  context.CancelFunc
	ended   chan error
	kids    *fakeChildren

	mu      sync.Mutex
	out     bytes.Buffer
	began   time.Time // of the command
	names   map[string]string
	ready   string
	version string
}

func runScript(t *testing.T, dir, text string) string {
	s := &script{
		t: t, dir: dir, names: map[string]string{}, changed: make(chan struct{}, 1), signals: make(chan os.Signal, 8),
		store: newFakeStore(), version: "2.0.12",
	}
	var whole strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		command, isCommand := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			whole.WriteString(line + "\n")
			continue
		case !isCommand:
			continue // what was said the last time
		}
		whole.WriteString(line + "\n")
		var body []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "| ") {
			i++
			body = append(body, lines[i][2:])
			whole.WriteString(lines[i] + "\n")
		}
		whole.WriteString(s.do(command, strings.Join(body, "\n")))
	}
	s.stop()
	return whole.String()
}

// do carries out a command, and returns what came of it.
func (s *script) do(command, body string) string {
	s.began = time.Now()
	words := strings.Fields(command)
	f, ok := s.commands()[words[0]]
	if !ok {
		s.t.Fatalf("%q: no such command", command)
	}
	f(words[1:], body)
	synctest.Wait()
	s.reportReadiness()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.out.String()
	s.out.Reset()
	return out
}

// say notes that something was done.
func (s *script) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), s.dir, "$DIR")
	text = hexes.ReplaceAllStringFunc(text, func(h string) string {
		if s.names[h] == "" {
			s.names[h] = "#" + strconv.Itoa(len(s.names)+1)
		}
		return s.names[h]
	})
	fmt.Fprintf(&s.out, "  %7s %s\n", time.Since(s.began).Round(time.Millisecond), text)
}

// hexes are hashes, which scripts number.
var hexes = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// Handle makes script a slog.Handler: what the log says is part of what is said.
type scriptLog struct {
	s     *script
	attrs []slog.Attr
}

func (l scriptLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l scriptLog) WithGroup(string) slog.Handler                    { return l }
func (l scriptLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return scriptLog{l.s, append(slices.Clone(l.attrs), attrs...)}
}

func (l scriptLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Level, r.Message)
	add := func(a slog.Attr) bool {
		if a.Key != "took" && a.Key != "waited" {
			fmt.Fprintf(&b, " %s=%s", a.Key, quoted(a.Value.String()))
		}
		return true
	}
	for _, a := range l.attrs {
		add(a)
	}
	r.Attrs(add)
	l.s.say("%s", b.String())
	return nil
}

func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, " \"=") {
		return strconv.Quote(text)
	}
	return text
}

// reportReadiness says whether the program is ready, where that has changed.
func (s *script) reportReadiness() {
	r, err := report.ReadOwn(s.dir)
	if err != nil || r == nil {
		return
	}
	now := "ready"
	if !r.Ready {
		now = "not ready: " + strings.Join(r.NotReady, "; ")
	}
	if now != s.ready {
		s.ready = now
		s.say("%s", now)
	}
}

func (s *script) commands() map[string]func(args []string, body string) {
	return map[string]func([]string, string){
		"bird":      func(args []string, _ string) { s.bird(args) },
		"start":     func(args []string, _ string) { s.start(args) },
		"stop":      func([]string, string) { s.stop() },
		"wait":      func(args []string, _ string) { time.Sleep(s.duration(args[0])) },
		"nodes":     func(args []string, _ string) { s.nodes(args) },
		"put":       func(_ []string, body string) { s.store.send(s.objects(body)...) },
		"gone":      func(args []string, _ string) { s.store.send(goneEvents(args)...) },
		"bad":       func(args []string, _ string) { s.store.send(badEvents(args)...) },
		"block":     func(args []string, _ string) { s.blocks(args) },
		"store":     func(args []string, _ string) { s.store.stand(args...) },
		"peers":     func(args []string, _ string) { s.peers(args) },
		"fail":      func(args []string, _ string) { s.fail(args) },
		"edit":      func(args []string, body string) { s.edit(args[0], body) },
		"templates": func(args []string, body string) { s.templates(args, body) },
		"approve":   func([]string, string) { s.approve() },
		"signal":    func([]string, string) { s.signals <- syscall.SIGHUP },
		"sessions":  func([]string, string) { s.sessions() },
	}
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// bird VERSION makes the node; start, stop, hang, go on: what becomes of its BIRDs
// afterwards, of all or of the named set.
func (s *script) bird(args []string) {
	if s.world == nil {
		s.version = args[0]
		s.world = newFakeWorld(s.dir, s.version, s.say)
		return
	}
	sockets := s.world.daemons.Sockets()
	if len(args) > 1 {
		sockets = []string{s.dir + "/" + args[1] + ".ctl"}
	}
	for _, socket := range sockets {
		switch args[0] {
		case "start":
			s.world.startBIRD(socket)
		case "stop":
			s.world.stopBIRD(socket)
		case "hang", "answer":
			s.world.mu.Lock()
			s.world.birds[socket].hung = args[0] == "hang"
			s.world.mu.Unlock()
		default:
			s.t.Fatalf("bird %q", args)
		}
	}
}

// start starts the loop, with settings as flags.
func (s *script) start(args []string) {
	if s.world == nil {
		s.world = newFakeWorld(s.dir, s.version, s.say)
	}
	flags := settings.Layer{"node": {Text: "node-1"}, "datastore": {Text: "file"}, "data": {Text: "/"}, "splay": {Text: "0s"}}
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		flags[name] = settings.Given{Text: value, From: "--" + name}
	}
	set, err := settings.Load(flags, settings.Surroundings{
		LookupEnv: func(string) (string, bool) { return "", false }, Hostname: func() (string, error) { return "node-1", nil },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	set.Templates.ConfDir = filepath.Join(s.dir, "none")
	log := slog.New(scriptLog{s: s})
	planning := plan.Settings{BGP: bgp.Options{Node: "node-1"}, ConfDir: set.Templates.ConfDir, Files: plan.FileSettings{Mode: 0o640, Owner: -1, Group: -1}}
	if s.loaded.Engine == nil && s.broken == nil {
		if s.loaded, err = plan.Load(planning, log); err != nil {
			s.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended, s.kids = cancel, make(chan error, 1), &fakeChildren{say: s.say, sockets: map[string]bool{}}
	s.store.restart()
	o := Options{
		Settings: set, Program: "test", Planner: plan.Planner{Settings: planning, Templates: s.loaded, Env: func(string) string { return "" }}, Broken: s.broken,
		Load: func() (plan.Templates, error) { return s.loaded, s.broken }, Changed: s.changed, Signals: s.signals,
		Sources: []inbox.Source{{Name: "etcd", Backend: s.store}}, World: s.world, Log: log, Level: new(slog.LevelVar),
		Children: func(context.Context, *errgroup.Group, ChildObserver) Children { return s.kids },
	}
	go func() { s.ended <- Run(ctx, o) }()
}

func (s *script) stop() {
	if s.cancel != nil {
		s.cancel()
		<-s.ended
		s.cancel = nil
	}
}

// nodes N has nodes up to N, with addresses 10.0.0.N.
func (s *script) nodes(args []string) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	var list []backends.Event
	for i := range n {
		list = append(list, s.objects(fmt.Sprintf("kind: Node\nmetadata: {name: node-%[1]d}\nspec: {bgp: {ipv4Address: 10.0.0.%[1]d/24}}", i+1))...)
	}
	s.store.send(list...)
}

// objects are the events that put the objects of a YAML text.
func (s *script) objects(text string) []backends.Event {
	var list []backends.Event
	for _, doc := range strings.Split(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte("apiVersion: projectcalico.org/v3\n" + doc))
		if err != nil {
			s.t.Fatal(err)
		}
		var head struct{ Kind backends.Kind }
		if err := yaml.Unmarshal(data, &head); err != nil {
			s.t.Fatal(err)
		}
		r, err := backends.Decode(head.Kind, "", data)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return list
}

func goneEvents(args []string) []backends.Event {
	var list []backends.Event
	for _, name := range args[1:] {
		list = append(list, backends.Event{Key: backends.Key{Kind: backends.Kind(args[0]), Name: name}})
	}
	return list
}

func badEvents(args []string) []backends.Event {
	return []backends.Event{{Key: backends.Key{Kind: backends.Kind(args[0]), Name: args[1]}, Err: fmt.Errorf("it is garbage")}}
}

// blocks gives this node blocks.
func (s *script) blocks(args []string) {
	for _, cidr := range args {
		s.store.send(s.objects(fmt.Sprintf("kind: BlockAffinity\nmetadata: {name: node-1-%s}\nspec: {node: node-1, cidr: %s, state: confirmed}",
			strings.NewReplacer(".", "-", "/", "-").Replace(cidr), cidr))...)
	}
}

// peers up|down SESSION... has the peers of sessions come and go.
func (s *script) peers(args []string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for _, name := range args[1:] {
		s.world.downPeers[name] = args[0] == "down"
	}
	for _, b := range s.world.birds {
		s.world.peers(b)
	}
}

// fail ACTION SET ERROR [TIMES [AFTER]] has actions fail.
func (s *script) fail(args []string) {
	if s.world == nil {
		s.world = newFakeWorld(s.dir, s.version, s.say)
	}
	f := &fault{action: args[0], set: args[1], times: 1}
	err, known := errWords[args[2]]
	if !known {
		s.t.Fatalf("fail: no error %q", args[2])
	}
	f.err = err
	if len(args) > 3 {
		f.times, _ = strconv.Atoi(args[3])
	}
	if len(args) > 4 {
		f.after = s.duration(args[4])
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.faults = append(s.world.faults, f)
}

// edit FILE changes a file on disk; without a body it is removed.
func (s *script) edit(name, body string) {
	path := filepath.Join(s.dir, name)
	var err error
	if body == "" {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, []byte(body), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// templates [broken] changes the templates: to the built-in ones with a comment, or
// to those of a body. A body with {{ that does not end is broken.
func (s *script) templates(args []string, body string) {
	if len(args) > 0 && args[0] == "broken" {
		s.loaded, s.broken = plan.Templates{}, fmt.Errorf("template main: it is broken")
	} else {
		files := fstest.MapFS{"templates/main": {Data: []byte(body)}, "conf.d/bird.toml": {Data: []byte("[template]\nsrc = \"main\"\ndest = \"bird.conf\"\ndaemon = \"bird\"\n" + strings.Join(args, "\n"))}}
		engine, err := templates.Load(files, templates.Options{Node: "node-1", Logger: slog.New(slog.DiscardHandler)})
		s.loaded, s.broken = plan.Templates{Engine: engine}, err
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// approve approves what the report says is held.
func (s *script) approve() {
	r, err := report.ReadOwn(s.dir)
	if err != nil || r == nil || r.Held == nil {
		s.say("nothing is held: %v", err)
		return
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.approved[r.Held.Token] = true
}

// sessions lists those that are established.
func (s *script) sessions() {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for _, socket := range s.world.daemons.Sockets() {
		var names []string
		for name := range s.world.birds[socket].up2 {
			names = append(names, name)
		}
		slices.Sort(names)
		defer s.say("%s: %s", filepath.Base(socket), strings.Join(names, " "))
	}
}

// fakeStore is a datastore that a script writes.
type fakeStore struct {
	mu                sync.Mutex
	state             *backends.State
	keys              map[backends.Key]bool
	out               chan backends.Update
	queue             chan backends.Update
	inSync            bool
	silent            bool
	revision, cluster string
}

func newFakeStore() *fakeStore {
	return &fakeStore{state: backends.NewState(), keys: map[backends.Key]bool{}, queue: make(chan backends.Update, 64), inSync: true, cluster: "a"}
}

// restart has the next Run tell everything.
func (f *fakeStore) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = make(chan backends.Update, 64)
}

func (f *fakeStore) Run(ctx context.Context, out chan<- backends.Update) error {
	f.mu.Lock()
	queue := f.queue
	u := f.update(f.all())
	silent := f.silent
	f.mu.Unlock()
	if !silent {
		out <- u
	}
	for {
		select {
		case u := <-queue:
			select {
			case out <- u:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fakeStore) all() []backends.Event {
	var list []backends.Event
	for k := range f.keys {
		if r, ok := f.state.Get(k); ok {
			list = append(list, backends.Event{Key: k, Resource: r})
		} else if err := f.state.Invalid[k]; err != nil {
			list = append(list, backends.Event{Key: k, Err: err})
		}
	}
	slices.SortFunc(list, func(a, b backends.Event) int { return a.Key.Compare(b.Key) })
	return list
}

func (f *fakeStore) update(events []backends.Event) backends.Update {
	u := backends.Update{Source: "etcd", Events: events, InSync: f.inSync, At: time.Now(), Revision: f.revision, Cluster: f.cluster}
	if !f.inSync {
		u.Err = fmt.Errorf("the store is away")
	}
	return u
}

// send changes objects, in one transaction.
func (f *fakeStore) send(events ...backends.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		f.keys[e.Key] = true
		f.state.Apply(e)
	}
	if !f.silent {
		f.queue <- f.update(events)
	}
}

// stand has the store be silent (before a start), away or back, of another cluster,
// or at a revision.
func (f *fakeStore) stand(args ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch how := args[0]; how {
	case "revision":
		f.revision = args[1]
	case "cluster":
		f.cluster = args[1]
	case "silent":
		f.silent = true
	case "away", "back":
		f.inSync = how == "back"
		events := []backends.Event(nil)
		if f.silent && how == "back" {
			f.silent, events = false, f.all()
		}
		f.queue <- f.update(events)
	}
}

// fakeChildren are BIRDs that the program would run.
type fakeChildren struct {
	say     func(string, ...any)
	sockets map[string]bool
	all     bool
}

func (c *fakeChildren) Prepare([]string) error { return nil }
func (c *fakeChildren) Has(string) bool        { return false }
func (c *fakeChildren) Signal(os.Signal)       {}
func (c *fakeChildren) InPlace(sockets ...string) {
	for _, socket := range sockets {
		if !c.sockets[socket] {
			c.sockets[socket] = true
			c.say("may start: %s", filepath.Base(socket))
		}
	}
	if len(sockets) == 0 && !c.all {
		c.all = true
		c.say("may start: all")
	}
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
