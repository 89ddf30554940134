package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

var update = flag.Bool("update", false, "draw docs/demo.svg anew from docs/demo.txt")

const docs = "../../../docs/"

func recordingOfDocs(t *testing.T) recording {
	t.Helper()
	text, err := os.ReadFile(docs + "demo.txt")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if r.String() != string(text) {
		t.Error("docs/demo.txt is not as it is written")
	}
	return r
}

// TestRecordingIsTheDemo runs the demo: it must say what docs/demo.txt has, times and
// the like aside.
func TestRecordingIsTheDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while, and the program runs outside of this process")
	}
	if os.Getuid() != 0 {
		t.Skip("the recording is of a demo in namespaces, which takes root")
	}
	for _, program := range []string{"bird", "birdc", "etcd", "etcdctl", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the demo needs %s: make deps", program)
		}
	}
	if err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "true").Run(); err != nil {
		t.Skipf("no namespaces here: %v", err)
	}
	confd := filepath.Join(t.TempDir(), "confd")
	build := exec.Command("go", "build", "-o", confd, "./confd")
	build.Dir = testenv.Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	r, err := runDemo(t.Context(), "../demo.sh", confd)
	if err != nil {
		t.Fatal(err)
	}
	got, want := r.masked(), recordingOfDocs(t).masked()
	if !slices.Equal(got, want) {
		t.Errorf("docs/demo.txt is old: make demo-recording. Now the demo says\n%s\nand there it says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPictureIsTheRecording: docs/demo.svg is drawn from docs/demo.txt.
func TestPictureIsTheRecording(t *testing.T) {
	svg, err := picture(recordingOfDocs(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(docs+"demo.svg", []byte(svg), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile(docs + "demo.svg"); err != nil || string(old) != svg {
		t.Errorf("docs/demo.svg is not docs/demo.txt (%v): go test ./internal/demo/record -update", err)
	}
}

// TestEachLineIsSeen: in the picture a line is uncovered when it was printed, after the
// pauses, and stands within the terminal then.
func TestEachLineIsSeen(t *testing.T) {
	r := recording{{0, command}}
	for i := range 3 * rows {
		r = append(r, line{time.Duration(i) * time.Second, "  printed"})
		if i%10 == 0 {
			r = append(r, line{time.Duration(i) * time.Second, ""})
		}
	}
	all := wrapped(paced(r))
	length := all[len(all)-1].at + stay
	at := func(moves []step, when time.Duration) (to int) {
		for _, m := range moves {
			if percent(when, length) >= m.percent {
				to = m.To
			}
		}
		return to
	}
	covered := steps(all, length, func(lines int) int { return lines * lineHeight })
	up := steps(all, length, scrolled)
	for i, row := range all {
		if end := at(covered, row.at); y(i) > end {
			t.Errorf("line %d is covered below %d when it is printed", i, end)
		}
		if i > 0 && all[i-1].at < row.at {
			if before := at(covered, row.at-time.Millisecond*20); y(i) < before {
				t.Errorf("line %d is seen before it is printed", i)
			}
		}
		if place := y(i) + at(up, row.at); place < 0 || place > rows*lineHeight {
			t.Errorf("line %d is outside of the terminal, at %d", i, place)
		}
	}
}

// TestLongLinesAreContinued below their text, at words, with nothing lost.
func TestLongLinesAreContinued(t *testing.T) {
	words := strings.Repeat("word ", 60)
	for _, text := range []string{"   ! " + words, "      " + strings.Repeat("x", 3*columns)} {
		text = clean(text)
		var whole string
		rows := wrapped(recording{{0, text}})
		for i, r := range rows {
			if len(r.Text) > columns {
				t.Errorf("%d columns: %q", len(r.Text), r.Text)
			}
			if i > 0 && !strings.HasPrefix(r.Text, "     ") {
				t.Errorf("continued at the left: %q", r.Text)
			}
			whole += r.Text
		}
		if len(rows) < 3 || strings.ReplaceAll(whole, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%d lines: %q", len(rows), whole)
		}
	}
}

// TestMasks: what stays and what does not.
func TestMasks(t *testing.T) {
	r := recording{
		{time.Second, "   every session is Established          1792 ms"},
		{time.Second, "      Node k8s-m2: confd v1.2.3, runs as process 127 since 2026-11-29 16:17:51"},
		{time.Second, "      bird: BIRD 2.0.12 runs since 2026-11-29 16:17:51; its configuration is 1m2s old, of revision 12, and NOT"},
		{time.Second, "      bird: IPv4 routes: 0 of BGP, 1 static; the kernel has 1 of BIRD's"},
		{time.Second, "      192.168.2.140  node specific  up  16:17:55.016  2 in, 1 out  Established"},
	}
	want := []string{
		"   every session is Established N ms",
		"      Node k8s-m2: confd V, runs as process N since DATE",
		"      bird: BIRD V runs since DATE; its configuration is N s old, of revision N, and NOT",
		"      bird: IPv4 routes: N of BGP, N static; the kernel has N of BIRD's",
		"      192.168.2.140  node specific  up  TIME  2 in, 1 out  Established",
	}
	if got := r.masked(); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("  0.00  $ make demo\n  0.00\n 12.30     a line\n")
	f.Add("1.00 x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q is read as %q, and that as %q (%v)", text, r.String(), again.String(), err)
		}
	})
}
