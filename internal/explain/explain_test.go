package explain

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/internal/terminal"
)

var update = flag.Bool("update", false, "write the answers into testdata")

// TestAnswers asks the questions of testdata, each a line that begins with "> ",
// about the cluster of the same name.
func TestAnswers(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { testAnswers(t, path) })
	}
}

func testAnswers(t *testing.T, path string) {
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	asker := New(stateOf(t, strings.TrimSuffix(path, ".txt")+".yaml"), bgp.Options{Node: "node-1", SecretNamespace: "kube-system"})
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		if question, ok := strings.CutPrefix(line, "> "); ok {
			fmt.Fprintf(&got, "%s%s", line, answerTo(asker, strings.Fields(question)))
		}
	}
	if *update {
		want = []byte(got.String())
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestPlaceSaysWhatIsDown has an answer from the resources say which of this node's
// sessions carry nothing at this moment.
func TestPlaceSaysWhatIsDown(t *testing.T) {
	asker := New(stateOf(t, "testdata/mesh.yaml"), bgp.Options{Node: "node-1"})
	asker.Live = &Live{Sessions: []LiveSession{
		{Name: "Mesh_10_0_0_2", State: "start", Info: "Active Socket: Connection refused", Meaning: "nobody listens"},
		{Name: "Mesh_10_0_0_3", Up: true, State: "up", Info: "Established"},
		{Name: "Mesh_fd00__2", State: "start"},
		{Name: "Local_Workload_10_65_0_9", State: "start"},
		{Name: "uplink", State: "down"},
	}}
	const line = "! node-1's session Mesh_10_0_0_2 is not up, and nothing is told by it: start, Active Socket: Connection refused: nobody listens"
	got := answerTo(asker, []string{"pod", "10.128.2.9"})
	if strings.Count(got, "not up") != 1 || !strings.Contains(strings.Join(strings.Fields(got), " "), line) {
		t.Error(got)
	}
	for i := range 6 {
		asker.Live.Sessions = append(asker.Live.Sessions, LiveSession{Name: fmt.Sprintf("Mesh_10_0_1_%d", i), State: "start"})
	}
	if got := answerTo(asker, []string{"pod", "10.128.2.9"}); strings.Count(got, "nothing is told by it") != 5 || !strings.Contains(got, "! and 2 more of its sessions are not up") {
		t.Error(got)
	}
}

func answerTo(a *Asker, words []string) string {
	text, err := ask(a, words)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	p := &terminal.Page{Width: 110}
	text.Text(p)
	return p.String()
}

func ask(a *Asker, words []string) (interface{ Text(*terminal.Page) }, error) {
	switch words[0] {
	case "route":
		return askRoute(a, words)
	case "pod":
		net, err := a.Workload(words[1])
		if err != nil {
			return nil, err
		}
		return a.Place(net)
	case "block":
		net, err := a.Block(words[1])
		if err != nil {
			return nil, err
		}
		return a.Place(net)
	case "node":
		return a.Node(words[1])
	case "filter":
		if len(words) < 3 {
			return a.Filter(words[1], nil)
		}
		r, _, err := ParseRoute(strings.Join(words[2:], " "))
		if err != nil {
			return nil, err
		}
		return a.Filter(words[1], &r)
	case "session":
		x, err := a.Party(words[1])
		if err != nil {
			return nil, err
		}
		y, err := a.Party(words[2])
		if err != nil {
			return nil, err
		}
		return a.Session(x, y)
	}
	return nil, fmt.Errorf("no question: %s", words[0])
}

// askRoute reads "route NODE ROUTE [to|from PEER]" or "route NODE ROUTE kernel".
func askRoute(a *Asker, words []string) (*RouteAnswer, error) {
	q := RouteQuestion{Node: words[1]}
	var err error
	if q.Route, q.Given, err = ParseRoute(words[2]); err != nil {
		return nil, err
	}
	if len(words) > 4 {
		peer, err := a.Party(words[4])
		if err != nil {
			return nil, err
		}
		if words[3] == "to" {
			q.To = &peer
		} else {
			q.From = &peer
		}
	}
	q.Kernel = len(words) == 4
	return a.Route(q)
}

func stateOf(t testing.TB, path string) *backends.State {
	t.Helper()
	events, err := file.Load(context.Background(), []string{path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := backends.NewState()
	for _, e := range events {
		s.Apply(e)
	}
	return s
}
