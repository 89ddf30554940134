package golden

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"confd/backends"
	"confd/bgp"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newCase makes a case in a new folder.
func newCase(t *testing.T, toml string) *Case {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, CaseFile), toml)
	put(t, filepath.Join(dir, "x.yaml"), "")
	cases, err := Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	return cases[0]
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"b/deep", "a", "a/inner", ".hidden"} {
		put(t, filepath.Join(root, dir, CaseFile), "node = \"n\"\nbird = \"2\"\n")
		put(t, filepath.Join(root, dir, "x.yaml"), "")
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(filepath.Join(root, "b"), link); err != nil {
		t.Fatal(err)
	}
	cases, err := Find([]string{root, filepath.Join(root, "a"), link})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, strings.TrimPrefix(c.Name, root+"/"))
	}
	if got := strings.Join(names, " "); got != "a b/deep link/deep" {
		t.Errorf("got %s", got)
	}
	put(t, filepath.Join(root, "a", CaseFile), "x = 1\n")
	put(t, filepath.Join(root, "b/deep", CaseFile), "y = 1\n")
	if _, err := Find([]string{root}); err == nil || !strings.Contains(err.Error(), "a/case.toml:1: x: unknown key\n") || !strings.Contains(err.Error(), "y: unknown") {
		t.Errorf("got %v, want both broken cases", err)
	}
	missing := filepath.Join(root, "missing")
	if _, err := Find([]string{missing}); err == nil || !strings.Contains(err.Error(), missing+": no such file") {
		t.Errorf("got %v, want the folder's name", err)
	}
}

// kept is a reporter that keeps what it is told.
type kept struct {
	results []Result
	planned int
	err     error // for what comes next
}

func (k *kept) Planned(n int) { k.planned += n }
func (k *kept) Result(r Result) error {
	k.results = append(k.results, r)
	return k.err
}
func (k *kept) End(Summary) error { return nil }

// run runs a case that lies in dir.
func run(t *testing.T, dir string, o Options) ([]Result, Summary) {
	t.Helper()
	cases, err := Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{}
	o.Report = k
	s, err := Run(t.Context(), cases, o)
	if err != nil {
		t.Fatal(err)
	}
	if k.planned < len(k.results) || s.Cases != len(k.results) || s.Broken == nil && k.planned != s.Cases {
		t.Errorf("%d planned, %d counted, %d results", k.planned, s.Cases, len(k.results))
	}
	return k.results, s
}

// twoNodes are a case's nodes a and b, and one that others would not choose.
const twoNodes = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rack1-a}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rack1-b}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: other}, spec: {bgp: {ipv4Address: 10.0.0.3/24}}}
`

// nodesCase makes a case with these settings and twoNodes, and a template that
// prints the node's name.
func nodesCase(t *testing.T, toml string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, CaseFile), "confdir = \"confd\"\n"+toml)
	put(t, filepath.Join(dir, "nodes.yaml"), twoNodes)
	put(t, filepath.Join(dir, "confd/conf.d/f.toml"), "[template]\nsrc = \"f\"\ndest = \"/f\"\n")
	put(t, filepath.Join(dir, "confd/templates/f"), "{{.Node}}\n")
	return dir
}

func TestNodePatterns(t *testing.T) {
	for toml, want := range map[string]string{
		`nodes = "*"`:                            "other rack1-a rack1-b",
		`nodes = "rack1-?"`:                      "rack1-a rack1-b",
		`nodes = ["rack1-b", "rack1-*"]`:         "rack1-b rack1-a",
		`nodes = ["rack1-[b-z]", "o*", "other"]`: "rack1-b other",
		`nodes = "other"`:                        "other",
	} {
		dir := nodesCase(t, toml+"\nbird = \"2\"\n")
		results, _ := run(t, dir, Options{Update: true})
		var names []string
		for _, r := range results {
			names = append(names, r.Target.Node)
			if text, err := os.ReadFile(filepath.Join(dir, "want", r.Target.Node, "f")); err != nil || string(text) != r.Target.Node+"\n" {
				t.Errorf("%s: %q, %v", toml, text, err)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %s, want %s", toml, got, want)
		}
	}
	results, s := run(t, nodesCase(t, "nodes = [\"other\", \"rack9-*\"]\nbird = [\"2\", \"3\"]\n"), Options{})
	if len(results) != 1 || s.Broken == nil || !strings.Contains(s.Broken.Error(), `case.toml:2: nodes: no Node of the case's resources matches "rack9-*"`) {
		t.Errorf("%+v, %v", results, s.Broken)
	}
}

// TestStrays: what is wanted and in no target's folder is the first one's, also
// where only others are picked. What is in the folder of a target that is not
// picked is nobody's.
func TestStrays(t *testing.T) {
	dir := nodesCase(t, "nodes = \"rack1-*\"\nbird = \"2\"\n")
	put(t, filepath.Join(dir, "want/rack1-a/f"), "rack1-a\n")
	put(t, filepath.Join(dir, "want/rack1-b/f"), "rack1-b\n")
	put(t, filepath.Join(dir, "want/rack1-b/g"), "")
	put(t, filepath.Join(dir, "want/gone/f"), "n3")
	results, _ := run(t, dir, Options{})
	if len(results) != 2 || len(results[0].Diffs) != 1 || results[0].Diffs[0].File != "want/gone/f" || len(results[1].Diffs) != 1 {
		t.Fatalf("%+v", results)
	}
	results, _ = run(t, dir, Options{Match: regexp.MustCompile("b$"), Update: true})
	if len(results) != 1 || strings.Join(results[0].Updated, " ") != "-want/rack1-b/g" {
		t.Fatalf("%+v", results)
	}
	results, _ = run(t, dir, Options{Update: true})
	if strings.Join(results[0].Updated, " ") != "-want/gone/f" || len(results[1].Updated) > 0 {
		t.Fatalf("%+v", results)
	}
	if _, err := Run(t.Context(), nil, Options{Match: regexp.MustCompile("nobody"), Report: &kept{}}); !errors.Is(err, ErrNoMatch) {
		t.Error(err)
	}
}

// TestBrokenData: data that nobody can read are one failure, however many nodes
// the case has.
func TestBrokenData(t *testing.T) {
	dir := nodesCase(t, "nodes = [\"other\", \"rack1-a\"]\nbird = \"2\"\n")
	put(t, filepath.Join(dir, "broken.yaml"), "kind: [")
	for _, match := range []string{"", "rack1-a"} {
		results, s := run(t, dir, Options{Update: true, Match: regexp.MustCompile(match)})
		if len(results) != 1 || results[0].Good() || s.Broken == nil || !strings.Contains(s.Broken.Error(), "broken.yaml") {
			t.Errorf("%+v, %v", results, s.Broken)
		}
	}
}

func TestRunStops(t *testing.T) {
	cases, err := Find([]string{nodesCase(t, "nodes = \"*\"\nbird = \"2\"\n")})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	if _, err := Run(t.Context(), cases, Options{Report: &kept{err: full}}); !errors.Is(err, full) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k := &kept{}
	if _, err := Run(ctx, cases, Options{Report: k}); !errors.Is(err, context.Canceled) || len(k.results) > 0 {
		t.Error(err, k.results)
	}
}

func TestReportInColour(t *testing.T) {
	c := newCase(t, "node = \"n\"\nbird = \"2\"\n")
	var b bytes.Buffer
	r := NewReporter(&b, Text, func(diff string) string { return "<" + diff + ">" })
	result := Result{Target: c.targets(c.nodes)[0][0], Diffs: []Diff{{File: "f", Text: "-a\x1b[2J\n+b\tc\n"}}}
	if err := errors.Join(r.Result(result), r.End(Summary{Cases: 1, Failed: 1})); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "\x1b[31mFAIL   \x1b[m "+c.Name+"\n<-a?[2J\n+b\tc\n>") || !strings.Contains(got, "failed:") {
		t.Errorf("got %q", got)
	}
}

// TestJUnitPlaces has what CI systems link to: names that tell tests apart, and
// the file and line at fault, from the top of the repository.
func TestJUnitPlaces(t *testing.T) {
	top := t.TempDir()
	put(t, filepath.Join(top, ".git/HEAD"), "")
	dir := filepath.Join(top, "checks/rack")
	if err := os.Rename(nodesCase(t, "nodes = [\"rack1-a\", \"other\", \"rack1-b\"]\nbird = [\"2\", \"3\"]\n"), mkdir(t, dir)); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "confd/templates/f"), "1\n2\n{{.Node}}\n")
	for _, name := range []string{"want/rack1-a/2/f", "want/rack1-a/3/f"} {
		put(t, filepath.Join(dir, name), "1\n2\nx\n"+strings.Repeat("gone\n", 500))
	}
	put(t, filepath.Join(dir, "want/rack1-b/2/f"), "1\n2\nrack1-b\n")
	cases, err := Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := Run(t.Context(), cases, Options{Report: NewReporter(&b, JUnit, nil)}); err != nil {
		t.Fatal(err)
	}
	var x struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Class   string `xml:"classname,attr"`
			File    string `xml:"file,attr"`
			Line    int    `xml:"line,attr"`
			Failure string `xml:"failure"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(b.Bytes(), &x); err != nil {
		t.Fatalf("%v:\n%s", err, b.Bytes())
	}
	if x.Tests != 6 || x.Failures != 5 || len(x.Cases) != 6 {
		t.Fatalf("%+v", x)
	}
	bad, missing, good := x.Cases[0], x.Cases[2], x.Cases[4]
	if bad.Name != "rack/rack1-a/2" || bad.Class != "checks.rack" || bad.File != "checks/rack/want/rack1-a/2/f" || bad.Line != 3 ||
		!strings.Contains(bad.Failure, "-x\n") || !strings.Contains(bad.Failure, " lines more; ") {
		t.Errorf("%+v", bad)
	}
	if missing.Name != "rack/other/2" || missing.File != "checks/rack/case.toml" || missing.Line != 0 || missing.Failure == "" {
		t.Errorf("%+v", missing)
	}
	if good.Name != "rack/rack1-b/2" || good.File != "checks/rack/case.toml" || good.Failure != "" {
		t.Errorf("%+v", good)
	}
}

// mkdir makes the folder that path is in, and returns path.
func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProgress: the bar goes with what is reported, and is gone at the end.
func TestProgress(t *testing.T) {
	cases, err := Find([]string{nodesCase(t, "nodes = \"*\"\nbird = \"2\"\n")})
	if err != nil {
		t.Fatal(err)
	}
	var out, bar bytes.Buffer
	if _, err := Run(t.Context(), cases, Options{Report: WithProgress(&bar, NewReporter(&out, Text, nil), true), Update: true}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 4 || !strings.Contains(bar.String(), "(1/3)") || !strings.Contains(bar.String(), "(2/3)") {
		t.Errorf("%d lines, bar %q", lines, bar.String())
	}
	if text := strings.TrimRight(bar.String(), " "); !strings.HasSuffix(text, "\r") && !strings.HasSuffix(text, "\x1b[2K\r") {
		t.Errorf("the bar stays: %q", text)
	}
}

// TestProgressGoesOn: where it was done, and more comes, the bar comes back.
func TestProgressGoesOn(t *testing.T) {
	var bar bytes.Buffer
	p := WithProgress(&bar, &kept{}, true)
	p.Planned(2)
	for range 2 {
		if err := p.Result(Result{}); err != nil {
			t.Fatal(err)
		}
	}
	p.Planned(4)
	if err := p.Result(Result{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(1/2)", "(2/6)", "(3/6)"} {
		if !strings.Contains(bar.String(), want) {
			t.Errorf("%s is not in %q", want, bar.String())
		}
	}
}

func TestEqual(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"a", "", false}, {"", "a", false}, {"ab", "a", false}, {"a", "ab", false},
		{long, long, true}, {long, long + "y", false}, {long + "y", long, false}, {long, "y" + long[1:], false},
	} {
		if got, err := equal(iotest.HalfReader(strings.NewReader(c.a)), []byte(c.b)); got != c.want || err != nil {
			t.Errorf("%d and %d bytes: %v, %v", len(c.a), len(c.b), got, err)
		}
	}
}

// TestWarningsSayWhere: a warning that nobody expects comes with its name, and
// with the place where it stands.
func TestWarningsSayWhere(t *testing.T) {
	dir := nodesCase(t, "node = \"other\"\nbird = \"2\"\n")
	put(t, filepath.Join(dir, "peer.yaml"), "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.9, asNumber: 8589934592}\n")
	results, _ := run(t, dir, Options{Update: true})
	p := bgp.Problem{Object: backends.Key{Kind: "BGPPeer", Name: "p"}, Text: "left out", Code: "some-code", Place: "peer.yaml:4:37", Excerpt: "spec\n  ^"}
	if w := warningOf(p); w.Code != "some-code" || w.Text != "BGPPeer p: left out" || w.Detail != "peer.yaml:4:37\n  spec\n    ^\n" {
		t.Errorf("%+v", w)
	}
	if results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "BGPPeer p: left out: ") || !strings.Contains(results[0].Err.Error(), "to expect it: warnings = [") {
		t.Error(results[0].Err)
	}
}

// TestEntryWithoutWarning: an entry of the list that no target has a warning for any more
// fails, where all targets were looked at.
func TestEntryWithoutWarning(t *testing.T) {
	dir := nodesCase(t, "nodes = [\"other\", \"rack1-a\"]\nbird = [\"1.6.8\", \"2\"]\nwarnings = [\"8589934592\", \"unusable\", \"gone \\\"for good\\\"\"]\n")
	put(t, filepath.Join(dir, "peer.yaml"), "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {node: other, peerIP: 10.0.0.9, asNumber: 8589934592}\n")
	for name, test := range map[string]struct {
		options Options
		fails   int
	}{
		"updated":     {Options{Update: true}, 1},
		"as it is":    {Options{}, 1},
		"only some":   {Options{Match: regexp.MustCompile("other")}, 0},
		"strictly so": {Options{Strict: true}, 4},
	} {
		results, _ := run(t, dir, test.options)
		failed := 0
		for i, r := range results {
			if r.Err == nil {
				continue
			}
			failed++
			says := strings.Contains(r.Err.Error(), `case.toml:4: warnings: nothing has such a warning any more: take out "gone \"for good\""`)
			if says != (i == len(results)-1) || strings.Contains(r.Err.Error(), `take out "8589934592"`) {
				t.Errorf("%s, %d: %v", name, i, r.Err)
			}
		}
		if failed != test.fails {
			t.Errorf("%s: %d of %d have failed", name, failed, len(results))
		}
	}
}
