package agent

import (
	"bytes"
	"context"
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
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/bgp"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/settings"
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
	agent   *Agent // that runs, or ran last
	cancel  context.CancelFunc
	ended   chan error
	kids    *fakeChildren

	mu    sync.Mutex
	out   bytes.Buffer
	began time.Time // of the command
	names map[string]string
	ready string
	held  *report.Held // last
}

func newScript(t *testing.T, dir string) *script {
	return &script{
		t: t, dir: dir, names: map[string]string{}, changed: make(chan struct{}, 1), signals: make(chan os.Signal, 128),
		store: newFakeStore(),
	}
}

// runScript carries the commands of a text out, and returns it with what came of
// them.
func runScript(t *testing.T, dir, text string) string {
	s := newScript(t, dir)
	var whole strings.Builder
	for _, c := range commandsOf(text) {
		whole.WriteString(c.text)
		if c.command != "" {
			whole.WriteString(s.do(c.command, c.body))
		}
	}
	s.stop()
	s.world.end()
	return whole.String()
}

// command is one of a script, or what stands between: its lines as they are, what it
// says, and the text that goes with it.
type command struct{ text, command, body string }

// commandsOf reads a script: what was said the last time is left out.
func commandsOf(text string) []command {
	var list []command
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		line = strings.TrimSuffix(line, "\n")
		order, isCommand := strings.CutPrefix(line, "> ")
		more, isBody := strings.CutPrefix(line, "| ")
		switch last := len(list) - 1; {
		case isCommand:
			list = append(list, command{text: line + "\n", command: order})
		case isBody || line == "|":
			list[last].text += line + "\n"
			list[last].body = strings.TrimPrefix(list[last].body+"\n"+more, "\n")
		case strings.HasPrefix(line, "#") || line == "":
			list = append(list, command{text: line + "\n"})
		}
	}
	return list
}

// do carries out a command, and returns what came of it.
func (s *script) do(command, body string) string {
	s.mu.Lock()
	s.began = time.Now()
	s.mu.Unlock()
	words := strings.Fields(command)
	f, ok := s.commands()[words[0]]
	if !ok {
		s.t.Fatalf("%q: no such command", command)
	}
	f(words[1:], body)
	synctest.Wait()
	s.reportReadiness()
	s.heldNow()
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
	text = others.ReplaceAllString(text, "other")
	text = hexes.ReplaceAllStringFunc(text, func(h string) string {
		if s.names[h] == "" {
			s.names[h] = "#" + strconv.Itoa(len(s.names)+1)
		}
		return s.names[h]
	})
	fmt.Fprintf(&s.out, "  %7s %s\n", time.Since(s.began).Round(time.Millisecond), text)
}

// others are names of sets that no BIRD reads: they come from those of temporary
// folders.
var others = regexp.MustCompile(`[\w-]*-\d{3}-other\b`)

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

// start starts the loop, with settings as flags; --children has it run BIRD itself.
func (s *script) start(args []string) {
	time.Sleep(500 * time.Microsecond) // so that the loop does not turn when scripts do something
	set := s.settings(args)
	log := slog.New(scriptLog{s: s})
	planning := plan.Settings{BGP: bgp.Options{Node: "node-1", SecretNamespace: "kube-system"}, ConfDir: set.Templates.ConfDir, Files: plan.FileSettings{Mode: 0o600, Owner: -1, Group: -1}}
	if s.loaded.Engine == nil && s.broken == nil {
		var err error
		if s.loaded, err = plan.Load(planning, quiet()); err != nil {
			s.t.Fatal(err)
		}
	}
	select {
	case <-s.changed: // what changed before is what it finds
	default:
	}
	s.kids = &fakeChildren{world: s.world, say: s.say, told: map[string]bool{}, real: slices.Contains(args, "--children")}
	s.store.restart()
	o := Options{
		Settings: set, Program: "test", Planner: plan.Planner{Settings: planning, Templates: s.loaded, Env: func(string) string { return "" }}, Broken: s.broken,
		Load: func() (plan.Templates, error) { return s.loaded, s.broken }, Changed: s.changed, Signals: s.signals,
		Sources: []inbox.Source{{Name: "etcd", Backend: s.store}}, World: s.world, Log: log, Level: new(slog.LevelVar),
		Children: func(context.Context, *errgroup.Group, ChildObserver) Children { return s.kids },
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan error, 1)
	g, ctx := errgroup.WithContext(ctx)
	s.agent = newAgent(ctx, g, o)
	go func() { s.ended <- s.agent.run(ctx, g) }()
}

// settings are those of a node with flags.
func (s *script) settings(args []string) settings.Settings {
	flags := settings.Layer{"node": {Text: "node-1"}, "datastore": {Text: "file"}, "data": {Text: "/"}, "splay": {Text: "0s"}, "confdir": {Text: filepath.Join(s.dir, "none")}}
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if name != "children" {
			flags[name] = settings.Given{Text: value, From: "--" + name}
		}
	}
	set, err := settings.Load(flags, settings.Surroundings{
		LookupEnv: func(string) (string, bool) { return "", false }, Hostname: func() (string, error) { return "node-1", nil },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return set
}

// stop ends the program, and the BIRDs that it runs.
func (s *script) stop() {
	s.kill()
	if s.kids != nil && s.kids.real {
		for _, b := range s.world.birds {
			b.kill()
		}
	}
}

// kill ends the program alone.
func (s *script) kill() {
	if s.cancel != nil {
		s.cancel()
		<-s.ended
		s.cancel = nil
	}
}

// freeze has the program stand still for a time: BIRD does not.
func (s *script) freeze(d time.Duration) {
	s.world.faults.freeze(d)
	s.kids.freeze(d)
	s.signals <- syscall.SIGUSR1
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
