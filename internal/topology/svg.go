package topology

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"confd/internal/terminal"
)

//go:embed assets/topology.svg
var svgTemplate string

//go:embed assets/topology.css
var style string

// picture is what the template draws. Numbers are text, rounded, so that the same
// graph gives the same bytes.
type picture struct {
	Width, Height string
	Style         template.CSS
	Title         string
	Legend        []Role
	Boxes         []drawnBox
	Ring          *drawnRing
	Bundles       []drawnLine
	Lines         []drawnLine
	Dots          []drawnDot
}

// KeyX is where a part of the legend stands.
func (p picture) KeyX(i int) int { return 16 + 84*i }

type drawnBox struct{ X, Y, W, H, TitleX, TitleY, Title string }

type drawnRing struct {
	X, Y, R, Size     string
	Text, Below       string
	BelowY, BelowSize string
}

type drawnLine struct {
	Index          int
	Class, Title   string
	Width          string // of a bundle
	X1, Y1, X2, Y2 string
}

type drawnDot struct {
	Name, Class, Group, AS string
	X, Y, R                string
	Label                  string // empty: none
	LabelY                 string
	Title                  string
}

// SVG writes the graph as a picture that needs nothing else.
func (g *Graph) SVG(w io.Writer) error {
	drawing, err := template.New("svg").Parse(svgTemplate)
	if err == nil {
		err = drawing.Execute(w, g.picture())
	}
	if err != nil {
		return fmt.Errorf("drawing the topology: %w", err)
	}
	return nil
}

func (g *Graph) picture() picture {
	l := arrange(g)
	p := picture{Width: num(l.width), Height: num(l.height), Style: template.CSS(style), Title: g.Summary(), Legend: g.legend()}
	for _, b := range l.boxes {
		p.Boxes = append(p.Boxes, drawnBox{num(b.X), num(b.Y), num(b.W), num(b.H), num(b.X + 8), num(b.Y + 16), fmt.Sprintf("%s: %s", b.Title, terminal.Count(b.Count, "node"))})
	}
	if l.ring.R > 0 {
		p.Ring = g.drawnRing(l.ring)
	}
	p.Lines, p.Bundles = g.lines(l)
	for _, n := range g.Nodes {
		p.Dots = append(p.Dots, drawnDotOf(n, l.places[n.Name]))
	}
	return p
}

// legend are the roles that occur.
func (g *Graph) legend() []Role {
	var list []Role
	for _, r := range []Role{Router, Reflector, Client, Mesh, Peer, Alone} {
		for _, n := range g.Nodes {
			if n.Role == r {
				list = append(list, r)
				break
			}
		}
	}
	return list
}

func (g *Graph) drawnRing(at place) *drawnRing {
	size := max(16, at.R/7)
	return &drawnRing{
		X: num(at.X), Y: num(at.Y), R: num(at.R), Size: num(size), BelowY: num(at.Y + size), BelowSize: num(size * 0.6),
		Text: fmt.Sprintf("full mesh of %d", g.Mesh), Below: terminal.Count(g.Mesh*(g.Mesh-1)/2, "pair"),
	}
}

// end is a crowd that a node has links into.
type end struct {
	node  string
	crowd int
}

// lines are the links, and the bundles of those that lead into a crowd: these are
// drawn one by one only where somebody asks for a node's.
func (g *Graph) lines(l *layout) (lines, bundles []drawnLine) {
	count := map[end]int{}
	for i, link := range g.Links {
		a, b := l.places[link.A], l.places[link.B]
		class := "link"
		switch {
		case link.Down:
			class = "link down"
		case link.OneSided:
			class = "link onesided"
		case b.In > 0 && a.In == 0:
			class = "link fine"
			count[end{link.A, b.In}]++
		case a.In > 0 && b.In == 0:
			class = "link fine"
			count[end{link.B, a.In}]++
		}
		lines = append(lines, drawnLine{i, class, link.Text(), "", num(a.X), num(a.Y), num(b.X), num(b.Y)})
	}
	for _, e := range slices.SortedFunc(maps.Keys(count), func(x, y end) int { return cmp.Or(cmp.Compare(x.node, y.node), x.crowd-y.crowd) }) {
		from, to := l.places[e.node], l.crowds[e.crowd]
		title := fmt.Sprintf("%s: %s", e.node, terminal.Count(count[e], "peering"))
		bundles = append(bundles, drawnLine{0, "bundle", title, num(1 + math.Log2(float64(count[e]))/2), num(from.X), num(from.Y), num(to.X), num(to.Y)})
	}
	return lines, bundles
}

func drawnDotOf(n Node, at place) drawnDot {
	d := drawnDot{
		Name: n.Name, Class: "node " + string(n.Role), Group: n.Group, AS: fmt.Sprint(n.AS),
		X: num(at.X), Y: num(at.Y), R: num(at.R), LabelY: num(at.Y + at.R + 12), Title: n.Text(),
	}
	if n.Problem != "" {
		d.Class += " broken"
	}
	if at.Named {
		d.Label = short(n.Name, 18)
	}
	return d
}

// num is a coordinate.
func num(f float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0")
}

// short is text, or its ends.
func short(text string, most int) string {
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:most/2]) + "…" + string(r[len(r)-most/2+1:])
}
