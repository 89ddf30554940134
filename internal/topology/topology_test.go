package topology

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden files")

// cluster reads resources as YAML.
func cluster(t *testing.T, text string) *backends.State {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := file.Load(t.Context(), []string{path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := backends.NewState()
	for _, e := range events {
		s.Apply(e)
	}
	return s
}

func graph(t *testing.T, o Options, text string) *Graph {
	t.Helper()
	g, err := Of(t.Context(), cluster(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const (
	meshOff = "---\n{kind: BGPConfiguration, apiVersion: projectcalico.org/v3, metadata: {name: default}, spec: {nodeToNodeMeshEnabled: false}}\n"
	toRR    = "---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: peer-to-rrs}, spec: {nodeSelector: '!has(rr)', peerSelector: has(rr)}}\n"
	amongRR = "---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: rrs}, spec: {nodeSelector: has(rr), peerSelector: has(rr)}}\n"
)

func node(name, address string, more ...string) string {
	labels, id := "", ""
	for _, m := range more {
		if after, ok := strings.CutPrefix(m, "id "); ok {
			id = ", routeReflectorClusterID: " + after
			m = "rr: 'true'"
		}
		labels += ", " + m
	}
	return fmt.Sprintf("---\n{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: %q, labels: {a: b%s}}, spec: {bgp: {ipv4Address: %s/24%s}}}\n", name, labels, address, id)
}

func torOf(name, selector, address string) string {
	return fmt.Sprintf("---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: %s}, spec: {nodeSelector: %q, peerIP: %s, asNumber: 65000}}\n", name, selector, address)
}

// roles are the nodes with their roles and tiers.
func roles(g *Graph) []string {
	var list []string
	for _, n := range g.Nodes {
		list = append(list, fmt.Sprintf("%s %s %d", n.Name, n.Role, n.Tier))
	}
	return list
}

// pairs are the links.
func pairs(g *Graph) []string {
	list := []string{}
	for _, l := range g.Links {
		text := l.A + "-" + l.B
		if l.OneSided {
			text += " one-sided"
		}
		if l.Down {
			text += " down"
		}
		list = append(list, text)
	}
	return list
}

func TestGraphs(t *testing.T) {
	for _, c := range []struct {
		name, cluster string
		options       Options
		roles, pairs  []string
		mesh          int
	}{
		{"a mesh is told by its number", node("a", "10.0.0.1") + node("b", "10.0.0.2") + node("c", "10.0.0.3"), Options{},
			[]string{"a mesh -1", "b mesh -1", "c mesh -1"}, []string{}, 3},
		{"a mesh of one is none", node("a", "10.0.0.1"), Options{}, []string{"a alone -1"}, []string{}, 0},
		{"what is down in the mesh is a link", node("a", "10.0.0.1") + node("b", "10.0.0.2"),
			Options{BGP: bgp.Options{Node: "a"}, Live: map[string]string{"Mesh_10_0_0_2": "Active"}},
			[]string{"a mesh -1", "b mesh -1"}, []string{"a-b down"}, 2},
		{"clients below their reflectors", meshOff + toRR + amongRR + node("a", "10.0.0.1", "id 224.0.0.1") + node("b", "10.0.0.2", "id 224.0.0.1") + node("c", "10.0.0.3"), Options{},
			[]string{"a reflector 0", "b reflector 0", "c client 1"}, []string{"a-b", "a-c", "b-c"}, 0},
		{"tiers of reflectors", meshOff + node("top", "10.0.0.1", "id 224.0.0.1", "tier: '0'") + node("mid", "10.0.0.2", "id 224.0.0.2", "tier: '1'") + node("low", "10.0.0.3", "tier: '2'") +
			"---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: one}, spec: {nodeSelector: \"tier == '2'\", peerSelector: \"tier == '1'\"}}\n" +
			"---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: two}, spec: {nodeSelector: \"tier == '1'\", peerSelector: \"tier == '0'\"}}\n", Options{},
			[]string{"low client 1", "mid reflector 0", "top reflector 0"}, []string{"low-mid", "mid-top"}, 0},
		{"routers", meshOff + node("a", "10.0.0.1") + node("b", "10.0.0.2") + torOf("tor", "all()", "192.0.2.1"), Options{},
			[]string{"a peer -1", "b peer -1", "192.0.2.1 router -1"}, []string{"a-192.0.2.1", "b-192.0.2.1"}, 0},
		{"one side only", meshOff + node("a", "10.0.0.1") + node("b", "10.0.0.2") +
			"---\n{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: x}, spec: {node: a, peerSelector: all(), reversePeering: Manual}}\n", Options{},
			[]string{"a peer -1", "b peer -1"}, []string{"a-b one-sided"}, 0},
		{"nobody", meshOff + node("a", "10.0.0.1"), Options{}, []string{"a alone -1"}, []string{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph(t, c.options, c.cluster)
			if diff := cmp.Diff(c.roles, roles(g)); diff != "" {
				t.Errorf("nodes: want (-), got (+)\n%s", diff)
			}
			if diff := cmp.Diff(c.pairs, pairs(g)); diff != "" {
				t.Errorf("links: want (-), got (+)\n%s", diff)
			}
			if g.Mesh != c.mesh {
				t.Errorf("a mesh of %d: want %d", g.Mesh, c.mesh)
			}
		})
	}
}

const demo = meshOff + toRR + `---
{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: k8s-m1, labels: {rr: 'true'}}, spec: {bgp: {ipv4Address: 192.168.2.140/24, routeReflectorClusterID: 224.0.0.1}}}
---
{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: k8s-m2}, spec: {bgp: {ipv4Address: 192.168.2.141/24}}}
---
{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: k8s-m3}, spec: {bgp: {ipv4Address: 192.168.2.142/24}}}
---
{kind: BGPPeer, apiVersion: projectcalico.org/v3, metadata: {name: tor}, spec: {node: k8s-m1, peerIP: 192.168.2.1, asNumber: 65000}}
`

func TestFormats(t *testing.T) {
	g := graph(t, Options{}, demo)
	for _, format := range Formats() {
		if format == FormatHTML { // has what was fetched in it
			continue
		}
		var b bytes.Buffer
		if err := g.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "demo."+format)
		if format == FormatSVG { // the picture in the README
			golden = filepath.Join(testenv.Root(t), "docs", "topology.svg")
		}
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s: want (-), got (+); -update writes it\n%s", format, diff)
		}
	}
	if err := g.Write(io.Discard, "png"); !errors.Is(err, ErrFormat) {
		t.Errorf("png: %v", err)
	}
}

// What users can name cannot become a part of the picture's or the page's structure.
func TestHostileNames(t *testing.T) {
	g := &Graph{
		Nodes: []Node{{Name: `"><script>alert(1)</script>`, Role: Peer, Group: `</style><script>`, Tier: -1}, {Name: "]]>&\n\"\\", Role: Router, Tier: -1}},
		Links: []Link{{A: `"><script>alert(1)</script>`, B: "]]>&\n\"\\", Sessions: []Session{{Node: "x", Name: "y", Why: "</script><script>alert(2)</script>"}}}},
	}
	var svg, html, dot, mermaid strings.Builder
	for w, write := range map[*strings.Builder]func(io.Writer) error{
		&svg: g.SVG, &html: g.HTML,
		&dot:     func(w io.Writer) error { return g.Write(w, FormatDOT) },
		&mermaid: func(w io.Writer) error { return g.Write(w, FormatMermaid) },
	} {
		if err := write(w); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(svg.String(), "<script") || strings.Contains(html.String(), "<script>alert") {
		t.Error("a name is a part of the document")
	}
	d := xml.NewDecoder(strings.NewReader(svg.String()))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
	}
	for line := range strings.Lines(dot.String()) {
		if strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\"`, ""), `"`)%2 != 0 {
			t.Errorf("a string without an end: %s", line)
		}
	}
	if lines := strings.Count(mermaid.String(), "\n"); lines != 4 {
		t.Errorf("Mermaid has %d lines, want 4:\n%s", lines, mermaid.String())
	}
}

func TestNamesThatAreNotPrintable(t *testing.T) {
	g := graph(t, Options{}, meshOff+node("a\x1b[31m\u202e", "10.0.0.1")+torOf("tor", "all()", "192.0.2.1"))
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := g.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u202e") {
			t.Errorf("%s has what a terminal takes for a command", format)
		}
	}
}

// large has n nodes, of which some are reflectors (none: a mesh), in racks.
func large(n, reflectors, racks int) string {
	var b strings.Builder
	if reflectors > 0 {
		b.WriteString(meshOff + toRR + amongRR)
	}
	b.WriteString(torOf("tor", "rack == 'r0'", "192.0.2.1"))
	for i := range n {
		more := []string{fmt.Sprintf("rack: r%d", i%racks)}
		if i < reflectors {
			more = append(more, "id 224.0.0.1")
		}
		b.WriteString(node(fmt.Sprintf("node-%04d", i), fmt.Sprintf("10.%d.%d.1", i/250, i%250), more...))
	}
	return b.String()
}

// Nothing is drawn over another node, nor outside of the picture.
func TestLayoutOfThousands(t *testing.T) {
	for name, text := range map[string]string{"mesh": large(1000, 0, 4), "reflectors": large(1000, 3, 8), "few": large(5, 1, 1), "a mesh of 30": large(30, 0, 1)} {
		g := graph(t, Options{GroupBy: "rack"}, text)
		l := arrange(g)
		at := map[[2]int]string{}
		for _, n := range g.Nodes {
			p, ok := l.places[n.Name]
			if !ok || p.X-p.R < 0 || p.Y-p.R < 0 || p.X+p.R > l.width || p.Y+p.R > l.height {
				t.Fatalf("%s: %s is at %+v of a picture of %v by %v", name, n.Name, p, l.width, l.height)
			}
			cell := [2]int{int(p.X / 2), int(p.Y / 2)}
			if other := at[cell]; other != "" {
				t.Errorf("%s: %s is drawn over %s", name, n.Name, other)
			}
			at[cell] = n.Name
		}
		if l.width > 2500 {
			t.Errorf("%s: the picture is %v wide", name, l.width)
		}
	}
}

func TestBundles(t *testing.T) {
	p := graph(t, Options{GroupBy: "rack"}, large(1000, 3, 8)).picture()
	if len(p.Bundles) != 3*8+1 {
		t.Errorf("%d bundles, want one for each reflector and rack, and one of the router", len(p.Bundles))
	}
	fine := 0
	for _, l := range p.Lines {
		if l.Class == "link fine" {
			fine++
		}
	}
	if want := 3*997 + 124; fine != want {
		t.Errorf("%d links are in bundles, want %d", fine, want)
	}
}

var chromiums = []string{"chromium", "chromium-browser", "google-chrome"}

// The page does in a browser what it says: it finds the node that its address names.
func TestPageInABrowser(t *testing.T) {
	var browser string
	for _, name := range chromiums {
		if path, err := exec.LookPath(name); err == nil && browser == "" {
			browser = path
		}
	}
	if browser == "" {
		t.Skip("there is no Chromium here: apt-get install chromium")
	}
	var b bytes.Buffer
	if err := graph(t, Options{}, demo).HTML(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "topology.html")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + t.TempDir(), "--virtual-time-budget=5000", "--dump-dom"}
	dom, err := exec.CommandContext(t.Context(), browser, append(args, "file://"+path+"#node=k8s-m2&colour=as")...).Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	zooms := "plain"
	if _, err := assets.ReadFile("assets/d3.min.js"); err == nil {
		zooms = "zooms"
	}
	for what, pattern := range map[string]string{
		"the script ran to its end":      `<body data-ready="` + zooms + `"`,
		"the node is found":              `class="node client found" data-node="k8s-m2"`,
		"its reflector is not dimmed":    `class="node reflector" data-node="k8s-m1"`,
		"others are":                     `class="node client dim" data-node="k8s-m3"`,
		"it says what the node is":       `k8s-m2: client, AS 64512`,
		"and why its sessions are there": `Node_192_168_2_140`,
		"colours are by AS":              `style="fill: rgb`,
	} {
		if !regexp.MustCompile(pattern).Match(dom) {
			t.Errorf("%s: no %s in the page", what, pattern)
		}
	}
	if slices.Contains(strings.Fields(string(dom)), "undefined") {
		t.Error("something is undefined in the page")
	}
}
