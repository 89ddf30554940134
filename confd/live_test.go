package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"confd/internal/birds"
	"confd/internal/settings"
	"confd/internal/testenv"
)

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

const oneNode = `apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-1}
spec: {bgp: {ipv4Address: 10.0.0.1/24}}
`

// liveRig is a daemon that renders a folder of templates.
type liveRig struct {
	t       *testing.T
	dir     string // with confd/ (the templates), out/ (what is rendered) and data.yaml
	log     *logBuffer
	stopped chan error
}

// newLiveRig makes the folders; start starts the daemon.
func newLiveRig(t *testing.T) *liveRig {
	t.Helper()
	r := &liveRig{t: t, dir: t.TempDir(), log: &logBuffer{}, stopped: make(chan error, 1)}
	r.write("data.yaml", oneNode)
	r.mkdir("out")
	return r
}

func (r *liveRig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := settings.Settings{
		Node: "node-1", NodeRef: "node-1", Datastore: settings.DatastoreFile, Data: []string{filepath.Join(r.dir, "data.yaml")},
		BGP:       settings.BGP{EndpointStatusPrefix: r.dir},
		BIRD:      birds.Settings{Version: "2.0.12", Dir: filepath.Join(r.dir, "out")},
		Templates: settings.Templates{ConfDir: filepath.Join(r.dir, "confd"), Prefix: "/calico", SyncOnly: true, Mode: 0o640, Owner: -1, Group: -1},
		Timing:    settings.Timing{Gather: time.Millisecond, CheckTimeout: time.Minute, ReloadTimeout: time.Minute, SyncTimeout: time.Minute},
	}
	go func() { r.stopped <- runLogged(ctx, s, slog.New(slog.NewTextHandler(r.log, nil)), new(slog.LevelVar)) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-r.stopped; err != nil {
			r.t.Errorf("the daemon ended with %v", err)
		}
		if r.t.Failed() {
			r.t.Logf("log:\n%s", r.log)
		}
	})
}

func (r *liveRig) mkdir(name string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Join(r.dir, name), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *liveRig) write(name, text string) {
	r.t.Helper()
	r.mkdir(filepath.Dir(name))
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *liveRig) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// resource writes a template resource and its template.
func (r *liveRig) resource(folder, name, template string) {
	r.t.Helper()
	r.write(filepath.Join(folder, "templates", name+".template"), template)
	r.write(filepath.Join(folder, "conf.d", name+".toml"), "[template]\nsrc = \""+name+".template\"\ndest = \""+filepath.Join(r.dir, "out", name)+"\"\n")
}

// awaitOut waits until a rendered file is this text.
func (r *liveRig) awaitOut(name, want string) {
	r.t.Helper()
	testenv.Eventually(r.t, time.Minute, name+" to be "+want, func() bool { return r.out(name) == want })
}

func (r *liveRig) out(name string) string {
	text, err := os.ReadFile(filepath.Join(r.dir, "out", name))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(text)
}

// awaitLog waits until one line of the log has all of the texts.
func (r *liveRig) awaitLog(texts ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, time.Minute, "a log line with "+strings.Join(texts, ", "), func() bool {
		for line := range strings.Lines(r.log.String()) {
			found := true
			for _, text := range texts {
				found = found && strings.Contains(line, text)
			}
			if found {
				return true
			}
		}
		return false
	})
}

func TestLiveTemplatesChange(t *testing.T) {
	r := newLiveRig(t)
	r.resource("confd", "a", "first {{.Node}}")
	r.start()
	r.awaitOut("a", "first node-1")

	r.write("confd/templates/a.template", "second {{.Node}}")
	r.awaitOut("a", "second node-1")

	// Broken ones are named, and what is rendered stays.
	r.write("confd/templates/a.template", "one line\n{{if}}")
	r.awaitLog("a.template:2", "last good ones stay")
	r.resource("confd", "b", "{{.Nonsense}}")
	r.write("confd/templates/a.template", "third {{.Node}}")
	r.awaitLog("b.template:1", "Nonsense", "the last good ones stay")
	// Changes of the cluster are rendered with those.
	if got := r.out("a"); got != "second node-1" {
		r.t.Errorf("a is %q while b cannot be rendered", got)
	}
	r.write("confd/templates/b.template", "b {{.Node}}")
	r.awaitOut("b", "b node-1")
	r.awaitOut("a", "third node-1")

	// A resource that goes leaves its file.
	r.remove("confd/conf.d/b.toml")
	r.awaitLog("no template is for this file any more", filepath.Join(r.dir, "out", "b"))
	r.write("confd/templates/a.template", "fourth")
	r.awaitOut("a", "fourth")

	// A folder in templates that comes later is seen, too.
	r.write("confd/templates/lib/l.template", `{{define "l"}}from the library{{end}}`)
	r.write("confd/templates/a.template", `{{template "l"}}`)
	r.awaitOut("a", "from the library")
	r.write("confd/templates/lib/l.template", `{{define "l"}}from the new library{{end}}`)
	r.awaitOut("a", "from the new library")
}

func TestLiveTemplatesComeAndGo(t *testing.T) {
	r := newLiveRig(t)
	r.start()
	testenv.Eventually(t, time.Minute, "the built-in templates", func() bool { return strings.Contains(r.out("bird.conf"), "router id 10.0.0.1") })

	r.mkdir("confd")
	r.write("confd/conf.d/a.toml", "[template]\n\nsrc = \"none\"\n")
	r.awaitLog("a.toml", "last good ones stay")
	r.resource("confd", "a", "mine {{.Node}}")
	r.awaitOut("a", "mine node-1")

	r.remove("confd/conf.d")
	r.awaitLog("has no conf.d any more")
	r.write("data.yaml", strings.Replace(oneNode, "10.0.0.1", "10.0.0.7", 1)) // the engine that stays still works
	r.resource("confd", "a", "mine again {{.RouterID}}")
	r.awaitOut("a", "mine again 10.0.0.7")
}

// TestLiveTemplatesOfConfigMap swaps folders as Kubernetes does for a mounted
// ConfigMap: conf.d and templates are links through ..data.
func TestLiveTemplatesOfConfigMap(t *testing.T) {
	r := newLiveRig(t)
	version := func(name, text string) {
		r.resource(filepath.Join("confd", name), "a", text)
		link := filepath.Join(r.dir, "confd", "..tmp")
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(r.dir, "confd", "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "one")
	for _, folder := range []string{"conf.d", "templates"} {
		if err := os.Symlink(filepath.Join("..data", folder), filepath.Join(r.dir, "confd", folder)); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.awaitOut("a", "one")
	version("..2", "two")
	r.remove("confd/..1")
	r.awaitOut("a", "two")
	version("..3", "three")
	r.remove("confd/..2")
	r.awaitOut("a", "three")
}
