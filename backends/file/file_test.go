package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"confd/backends"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// node is a document with a Calico Node.
func node(name string, as int) string {
	return fmt.Sprintf("---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: %s\nspec:\n  bgp:\n    asNumber: %d\n", name, as)
}

// load returns the events as text.
func load(t *testing.T, log *slog.Logger, paths ...string) []string {
	t.Helper()
	events, err := Load(t.Context(), paths, log)
	if err != nil {
		t.Fatal(err)
	}
	return texts(events)
}

func texts(events []backends.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, text(e))
	}
	return all
}

func text(e backends.Event) string {
	s := e.Key.String()
	switch n, isNode := e.Resource.(*backends.Node); {
	case e.Err != nil:
		s += ": " + e.Err.Error()
	case isNode:
		s += fmt.Sprintf(" AS %d", n.ASNumber)
	case e.Resource == nil:
		s += " gone"
	}
	return s
}

// inUTF16 is a text as PowerShell writes it.
func inUTF16(order binary.ByteOrder, text string) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		data = append(data, 0, 0)
		order.PutUint16(data[len(data)-2:], unit)
	}
	return string(data)
}

// That a file's last line has no end is told from its text.
func TestUnfinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	for text, want := range map[string]bool{
		node("a", 1): false, node("a", 1) + "x": true,
		inUTF16(binary.LittleEndian, node("a", 1)): false, inUTF16(binary.LittleEndian, node("a", 1)+"x"): true,
	} {
		write(t, path, text)
		f, err := readFile(t.Context(), path, nil, newKnowledge())
		if err != nil || f.unfinished != want {
			t.Errorf("%q: %+v, %v", text, f, err)
		}
	}
}

func TestLoad(t *testing.T) {
	const bom = "\ufeff"
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{"documents", "a.yaml", node("a", 1) + node("b", 2), []string{"Node a AS 1", "Node b AS 2"}},
		{"without a marker, CRLF, BOM", "a.yml", "\xef\xbb\xbf" + strings.ReplaceAll(strings.TrimPrefix(node("a", 1), "---\n")+node("b", 2), "\n", "\r\n"),
			[]string{"Node a AS 1", "Node b AS 2"}},
		{"files with a BOM behind one another", "a.yaml", bom + strings.TrimPrefix(node("a", 1), "---\n") + bom + node("b", 2) + "---\n# nothing\n" + bom + strings.TrimPrefix(node("c", 3), "---\n") +
			"---\n" + bom + `{"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "d"}}` + "\n",
			[]string{"Node a AS 1", "Node b AS 2", "Node c AS 3", "Node d AS 0"}},
		{"a BOM in a List", "a.yaml", bom + "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}}\n" + bom + node("b", 2), []string{"Node b AS 2", "Service default/s"}},
		{"UTF-16", "a.yaml", inUTF16(binary.LittleEndian, node("a", 1)+node("\U0001f600", 2)+"---\n"+`{"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "d"}}`+"\r\n"),
			[]string{"Node a AS 1", "Node d AS 0", "Node \U0001f600 AS 2"}},
		{"UTF-16 of the other order, cut in the middle", "a.yaml", inUTF16(binary.BigEndian, node("a", 1)+node("b", 2)+"# ") + "\x00", []string{"Node a AS 1", "Node b AS 2"}},
		{"directives and ends", "a.yaml", "%YAML 1.1\n" + node("a", 1) + "...\n# nothing\n---\n---  # a\n" + node("b", 2) + "...\n",
			[]string{"Node a AS 1", "Node b AS 2"}},
		{"flow after a marker", "a.yaml", `--- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}}` + "\n",
			[]string{"Node a AS 0"}},
		{"kubectl's List", "a.yaml", `apiVersion: v1
items:
- apiVersion: v1
  kind: Node
  metadata:
    annotations:
      projectcalico.org/ASNumber: "7"
    name: k
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
- apiVersion: v1
  kind: Service
  metadata:
    name: s
kind: List
metadata:
  resourceVersion: ""
`, []string{"Node k AS 7", "Service default/s"}},
		{"a typed list whose items say nothing", "a.yaml", `kind: BGPPeerList
apiVersion: projectcalico.org/v3
items:
  # comment
- metadata: {name: p}
  spec: {peerIP: 10.0.0.1}

- metadata: {name: q}
  spec: {peerIP: x}
`, []string{"BGPPeer p", `BGPPeer q: PATH/a.yaml:9:18: spec.peerIP: "x" is not an IP address, or one with a port`}},
		{"an indented list", "a.yaml", "kind: NodeList\napiVersion: projectcalico.org/v3\nitems:\n  - metadata: {name: a}\n", []string{"Node a AS 0"}},
		{"JSON", "a.json", `{"kind": "List", "apiVersion": "v1", "items": [{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}}]}`,
			[]string{"Secret default/s"}},
		{"both API groups, and others' kinds", "a.yaml", `
{apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: {name: b}, spec: {node: a, cidr: 10.0.0.0/26, deleted: "false"}}
---
{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: v}, spec: {node: a, cidr: 10.0.0.0/26, type: virtual}}
---
{apiVersion: example.com/v1, kind: Node, metadata: {name: x}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}}
`, []string{"BlockAffinity b", "EndpointSlice default/e"}},
		{"later wins", "a.yaml", node("a", 1) + node("a", 2), []string{"Node a AS 2"}},
		{"duplicate fields", "a.yaml", "apiVersion: projectcalico.org/v3\nkind: Node\nkind: Node\nmetadata: {name: x, name: a}\n", []string{"Node a AS 0"}},
		{"a bad document among good ones", "a.yaml", node("a", 1) + "---\nkind: Node\n  bad: [\n" + node("b", 2),
			[]string{"File PATH/a.yaml, document 2: PATH/a.yaml:11:6: mapping values are not allowed in this context", "Node a AS 1", "Node b AS 2"}},
		{"a bad item among good ones", "a.yaml", "apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}}\n- \"\n- {apiVersion: v1, kind: Service, metadata: {name: t}}\nkind: List\n",
			[]string{"File PATH/a.yaml, document 1, item 2: PATH/a.yaml:4:3: found unexpected end of stream", "Service default/s", "Service default/t"}},
		{"no kind", "a.yaml", "a: b\n---\nkind: Node\n---\ntext\n---\napiVersion: v1\nkind: Service\n", []string{
			`File PATH/a.yaml, document 2: PATH/a.yaml:3:1: is a "Node" without apiVersion`,
			"File PATH/a.yaml, document 3: PATH/a.yaml:5:1: is not an object",
			"File PATH/a.yaml, document 4: PATH/a.yaml:7:1: is a Service that cannot be used: metadata.name: is missing"}},
		{"a password that YAML takes for an alias", "a.yaml", "stringData: {a: *hunter2}\n",
			[]string{"File PATH/a.yaml, document 1: PATH/a.yaml:1:17: unknown anchor '...' referenced; a text that begins with * needs quotes"}},
		{"not text", "a.yaml", "\x00\x01\x02", []string{"File PATH/a.yaml, document 1: PATH/a.yaml:1:1: control characters are not allowed (value: 0)"}},
		{"empty", "a.yaml", "", nil},
		{"other names", "a.txt", node("a", 1), nil},
		{"hidden", ".a.yaml", node("a", 1), nil},
		{"hidden folder", "..data/a.yaml", node("a", 1), nil},
		{"sub folder", "x/y/a.yaml", node("a", 1), []string{"Node a AS 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, tc.file), tc.text)
			got := load(t, nil, dir)
			for i, s := range got {
				got[i] = strings.ReplaceAll(s, dir, "PATH")
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestHostile(t *testing.T) {
	var deep, bomb, many strings.Builder
	for i := range 10000 {
		deep.WriteString(strings.Repeat(" ", i%500) + strings.Repeat("- ", 20))
	}
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	for range 200000 {
		many.WriteString("---\nx\n")
	}
	for name, text := range map[string]string{
		"flow":       strings.Repeat("[", 10000),
		"closed":     strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000),
		"JSON":       strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000),
		"block":      deep.String(),
		"bomb":       bomb.String(),
		"50 MB":      "a: " + strings.Repeat("x", 50<<20),
		"50 MB item": "items:\n- a: |\n" + strings.Repeat("   xxxxxxxxxxxxx\n", 50<<16) + "kind: List\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a.yaml"), text+"\n"+node("good", 1))
			got := load(t, nil, dir)
			if len(got) != 2 || !strings.HasPrefix(got[0], "File ") || got[1] != "Node good AS 1" {
				t.Errorf("%.300q", got)
			}
			t.Logf("%.300q", got)
		})
	}
	t.Run("many", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.yaml"), many.String())
		if got := load(t, nil, dir); len(got) != 200000 {
			t.Error(len(got))
		}
	})
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.yaml")
	if _, err := Load(t.Context(), []string{missing}, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), []string{dir}, nil); err == nil || !strings.Contains(err.Error(), "dangling.yaml") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	write(t, missing, node("a", 1))
	if _, err := Load(ctx, []string{missing}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("nothing to read is taken")
	}
}

// run is a backend that runs, and the state that its updates lead to.
type run struct {
	t       *testing.T
	updates chan backends.Update
	state   map[backends.Key]string
	inSync  bool
	err     error
	deleted []string
}

// start runs the backend without a poll worth mentioning.
func start(t *testing.T, paths ...string) *run {
	t.Helper()
	return startWith(t, Config{Paths: paths, settled: 100 * time.Millisecond})
}

func startWith(t *testing.T, cfg Config) *run {
	t.Helper()
	cfg.Logger, cfg.PollInterval = slog.New(slog.NewTextHandler(t.Output(), nil)), time.Hour
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, updates: make(chan backends.Update), state: map[backends.Key]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx, r.updates); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

// until takes updates until the state is as wanted.
func (r *run) until(inSync bool, want ...string) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for seen := false; !seen || r.inSync != inSync || !slices.Equal(r.now(), want); seen = true {
		select {
		case u := <-r.updates:
			r.apply(u)
		case <-deadline:
			r.t.Fatalf("got %q (in step: %v, error: %v), want %q", r.now(), r.inSync, r.err, want)
		}
	}
}

func (r *run) apply(u backends.Update) {
	r.inSync, r.err = u.InSync, u.Err
	for _, e := range u.Events {
		if e.Resource == nil && e.Err == nil {
			r.deleted = append(r.deleted, e.Key.String())
			delete(r.state, e.Key)
			continue
		}
		r.state[e.Key] = text(e)
	}
}

func (r *run) now() []string {
	var all []string
	for _, s := range r.state {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func TestRunFolder(t *testing.T) {
	dir := t.TempDir()
	a, sub := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "sub", "deep", "b.yaml")
	write(t, a, node("a", 1)+node("x", 1))
	r := start(t, dir)
	r.until(true, "Node a AS 1", "Node x AS 1")

	write(t, a, node("a", 2)+node("x", 1))
	r.until(true, "Node a AS 2", "Node x AS 1")

	write(t, sub, node("b", 1))
	r.until(true, "Node a AS 2", "Node b AS 1", "Node x AS 1")
	write(t, sub, node("b", 2))
	r.until(true, "Node a AS 2", "Node b AS 2", "Node x AS 1")

	// As editors write: a new file under another name, then renamed.
	write(t, filepath.Join(dir, ".a.yaml.swp"), node("a", 3))
	if err := os.Rename(filepath.Join(dir, ".a.yaml.swp"), a); err != nil {
		t.Fatal(err)
	}
	r.until(true, "Node a AS 3", "Node b AS 2")
	os.Remove(a)
	r.until(true, "Node b AS 2")
	os.RemoveAll(filepath.Join(dir, "sub"))
	r.until(true)
}

func TestRunSendsDifferences(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := range 100 {
		all.WriteString(node(fmt.Sprintf("n%02d", i), 1))
	}
	write(t, filepath.Join(dir, "a.yaml"), all.String())
	r := start(t, dir)
	if u := <-r.updates; len(u.Events) != 100 || !u.InSync || u.Source != "file" {
		t.Fatalf("%+v", u)
	}
	// Nothing that matters changes, then one node does.
	write(t, filepath.Join(dir, "a.yaml"), "# comment\n"+all.String())
	write(t, filepath.Join(dir, "a.yaml"), all.String()+node("n50", 2))
	if u := <-r.updates; len(u.Events) != 1 || text(u.Events[0]) != "Node n50 AS 2" {
		t.Fatalf("%+v", u)
	}
}

func TestRunConfigMap(t *testing.T) {
	dir := t.TempDir()
	swap := func(version, text string) {
		write(t, filepath.Join(dir, version, "a.yaml"), text)
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..v1", node("a", 1))
	if err := os.Symlink(filepath.Join("..data", "a.yaml"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	folder, file := start(t, dir), start(t, filepath.Join(dir, "a.yaml"))
	folder.until(true, "Node a AS 1")
	file.until(true, "Node a AS 1")
	swap("..v2", node("a", 2))
	os.RemoveAll(filepath.Join(dir, "..v1"))
	folder.until(true, "Node a AS 2")
	file.until(true, "Node a AS 2")
	if len(folder.deleted)+len(file.deleted) > 0 {
		t.Error("deletions in between:", folder.deleted, file.deleted)
	}
}

func TestRunWaitsForPaths(t *testing.T) {
	base := t.TempDir()
	dir, file := filepath.Join(base, "x", "y"), filepath.Join(base, "z", "f.yaml")
	r := start(t, dir, file)
	r.until(false)
	if r.err == nil || !strings.Contains(r.err.Error(), dir) || !strings.Contains(r.err.Error(), file) {
		t.Error(r.err)
	}
	write(t, filepath.Join(dir, "a.yaml"), node("a", 1))
	r.until(false)
	write(t, file, node("f", 1))
	r.until(true, "Node a AS 1", "Node f AS 1")

	// What goes as a whole is unknown, not empty.
	if err := os.Rename(filepath.Join(base, "x"), filepath.Join(base, "away")); err != nil {
		t.Fatal(err)
	}
	r.until(false, "Node a AS 1", "Node f AS 1")
	write(t, filepath.Join(dir, "b.yaml"), node("b", 1))
	r.until(true, "Node b AS 1", "Node f AS 1")
	os.Remove(file)
	r.until(false, "Node b AS 1", "Node f AS 1")
	write(t, file, node("f", 2))
	r.until(true, "Node b AS 1", "Node f AS 2")
}

func TestRunThroughSymlinks(t *testing.T) {
	base := t.TempDir()
	write(t, filepath.Join(base, "v1", "a.yaml"), node("a", 1))
	write(t, filepath.Join(base, "v2", "a.yaml"), node("a", 2))
	current := filepath.Join(base, "current")
	os.Symlink("v1", current)
	r := start(t, current, filepath.Join(base, "v1"))
	r.until(true, "Node a AS 1")
	write(t, filepath.Join(base, "v1", "b.yaml"), node("b", 1))
	r.until(true, "Node a AS 1", "Node b AS 1")
	os.Symlink("v2", filepath.Join(base, "next"))
	os.Rename(filepath.Join(base, "next"), current)
	os.Remove(filepath.Join(base, "v1", "a.yaml"))
	r.until(true, "Node a AS 2", "Node b AS 1")
}

// A file that is written in parts is seen as a whole in the end.
func TestRunHalfWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	text := node("a", 1) + node("b", 1)
	write(t, path, text)
	r := start(t, dir)
	r.until(true, "Node a AS 1", "Node b AS 1")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text = node("a", 2) + node("b", 2)
	for _, part := range []string{text[:len(text)/3], text[len(text)/3 : len(text)/2], text[len(text)/2:]} {
		time.Sleep(5 * time.Millisecond)
		f.WriteString(part)
	}
	r.until(true, "Node a AS 2", "Node b AS 2")
}

// A file that is written in place, however slowly, loses nothing on the way.
func TestRunSlowlyWritten(t *testing.T) {
	dir := t.TempDir()
	path, beside := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	write(t, path, node("a", 1)+node("b", 1)+node("c", 1))
	r := startWith(t, Config{Paths: []string{dir}, settled: time.Hour})
	r.until(true, "Node a AS 1", "Node b AS 1", "Node c AS 1")
	text := node("a", 2) + node("b", 2) + node("c", 2)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, cut := range []int{0, 30, len(node("a", 2)), len(node("a", 2)) + 60, len(text) - 1} {
		if _, err := f.WriteAt([]byte(text[:cut]), 0); err != nil {
			t.Fatal(err)
		}
		// What changes beside it is seen, so the file was looked at, too.
		write(t, beside, node("x", i+1))
		r.until(true, "Node a AS 1", "Node b AS 1", "Node c AS 1", fmt.Sprintf("Node x AS %d", i+1))
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
	r.until(true, "Node a AS 2", "Node b AS 2", "Node c AS 2", "Node x AS 5")
	if len(r.deleted) > 0 {
		t.Error("deletions in between:", r.deleted)
	}
	// One that is put in its place is whole.
	write(t, filepath.Join(dir, ".new"), node("a", 3))
	if err := os.Rename(filepath.Join(dir, ".new"), path); err != nil {
		t.Fatal(err)
	}
	r.until(true, "Node a AS 3", "Node x AS 5")
}

// A file that is only ever written, and never quiet, is believed some day.
func TestHoldHasAnEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	r := newReader(Config{Paths: []string{dir}, settled: time.Hour})
	read := func(text string) *parsedFile {
		write(t, path, text)
		f, err := readFile(t.Context(), path, nil, r.knowledge)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	before, now := read(node("a", 1)+node("b", 1)), read(node("a", 1))
	if r.hold(path, now, before) == 0 {
		t.Error("it is not held")
	}
	r.held[path] = time.Now().Add(-heldMost - time.Second)
	if r.hold(path, now, before) != 0 {
		t.Error("it is held for ever")
	}
}

// While a part of a file cannot be read, nothing that was in it goes; what can be
// read counts.
func TestRunKeepsTheLastGood(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	put := func(text string) {
		write(t, filepath.Join(dir, ".new"), text)
		if err := os.Rename(filepath.Join(dir, ".new"), path); err != nil {
			t.Fatal(err)
		}
	}
	put(node("a", 1) + node("b", 1) + node("c", 1))
	r := start(t, dir)
	r.until(true, "Node a AS 1", "Node b AS 1", "Node c AS 1")
	stays := func(n int) string {
		return fmt.Sprintf(" (what was read of this file before, and cannot be found now, stays: %d objects)", n)
	}
	put(node("a", 2) + "---\nkind: [\n" + node("d", 1))
	r.until(true, "File "+path+", document 2: "+path+":10:8: did not find expected node content"+stays(2),
		"Node a AS 2", "Node b AS 1", "Node c AS 1", "Node d AS 1")
	put("<html>")
	r.until(true, "File "+path+", document 1: "+path+":1:1: is not an object"+stays(4), "Node a AS 2", "Node b AS 1", "Node c AS 1", "Node d AS 1")
	put(node("a", 3))
	r.until(true, "Node a AS 3")
	put("{{ .Values }}")
	r.until(true, "File "+path+", document 1: "+path+":1:1: a template that was not rendered?"+stays(1), "Node a AS 3")
	os.Remove(path)
	r.until(true)
}

// Calico's Node and the Kubernetes Node of one name are one, in whatever order
// they are written.
func TestNodesAreMerged(t *testing.T) {
	calico := "---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a, labels: {rr: 'yes', rack: old}}\nspec: {bgp: {ipv4Address: 10.0.0.1/24, asNumber: 7}}\n"
	kubernetes := "---\napiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {rack: new, zone: z}, annotations: {projectcalico.org/ASNumber: '9', projectcalico.org/RouteReflectorClusterID: 1.2.3.4}}\nspec: {podCIDRs: [10.1.0.0/24]}\n"
	for _, text := range []string{calico + kubernetes, kubernetes + calico, kubernetes + calico + kubernetes} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.yaml"), text)
		events, err := Load(t.Context(), []string{dir}, nil)
		if err != nil || len(events) != 1 || len(events[0].Warnings) > 0 {
			t.Fatal(events, err)
		}
		got := *events[0].Resource.(*backends.Node)
		if diff := cmp.Diff(map[string]string{"rr": "yes", "rack": "new", "zone": "z"}, got.Labels); diff != "" {
			t.Error(diff)
		}
		if got.IPv4.Addr.String() != "10.0.0.1" || got.ASNumber != 7 || got.ClusterID.String() != "1.2.3.4" || len(got.PodCIDRs) != 1 {
			t.Errorf("%+v", got)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), calico+strings.Replace(kubernetes, "metadata: {name: a,", "metadata: {name: a, namespace: [],", 1))
	if got := load(t, nil, dir); len(got) != 1 {
		t.Error(got)
	}
}

func BenchmarkLoad5000JSON(b *testing.B) {
	var all strings.Builder
	all.WriteString("{\n  \"kind\": \"NodeList\",\n  \"apiVersion\": \"projectcalico.org/v3\",\n  \"items\": [\n")
	for i := range 5000 {
		if i > 0 {
			all.WriteString(",\n")
		}
		fmt.Fprintf(&all, `    {
      "kind": "Node",
      "apiVersion": "projectcalico.org/v3",
      "metadata": {
        "name": "node-%d",
        "uid": "1d9bf1de-4a4b-4c2f-8b1e-34a7d7a1a000",
        "labels": {
          "rack": "r%d"
        }
      },
      "spec": {
        "bgp": {
          "ipv4Address": "10.%d.%d.1/16"
        }
      }
    }`, i, i%100, i/256, i%256)
	}
	all.WriteString("\n  ]\n}\n")
	path := filepath.Join(b.TempDir(), "a.json")
	if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(all.Len()))
	for b.Loop() {
		if events, err := Load(context.Background(), []string{path}, nil); err != nil || len(events) != 5000 {
			b.Fatal(len(events), err)
		}
	}
}

func BenchmarkLoad5000(b *testing.B) {
	var all strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&all, "---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: node-%d\n  labels:\n    kubernetes.io/hostname: node-%d\n    rack: r%d\n"+
			"  uid: 1d9bf1de-4a4b-4c2f-8b1e-34a7d7a1a000\nspec:\n  bgp:\n    ipv4Address: 10.%d.%d.1/16\n    asNumber: 64512\n", i, i, i%100, i/256, i%256)
	}
	path := filepath.Join(b.TempDir(), "a.yaml")
	if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(all.Len()))
	for b.Loop() {
		if events, err := Load(context.Background(), []string{path}, nil); err != nil || len(events) != 5000 {
			b.Fatal(len(events), err)
		}
	}
}
