package topology

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Sizes of the picture, in its own units; most are pixels on a screen.
const (
	margin     = 40.0
	labelled   = 40    // nodes of a row or box up to which each has its name beside it
	widthNamed = 120.0 // of a node with its name
	widthDot   = 14.0
	tierHeight = 130.0
	boxGap     = 24.0
	headHeight = 24.0 // of a box's title
	ringGap    = 13.0 // between two nodes of a ring
	leastRing  = 130.0
	oneRing    = 120.0 // nodes that stand on a single ring
)

// place is where a node is drawn. Named: with its name beside it. In is the crowd that
// it is one of, in which nodes have no names; 0: none.
type place struct {
	X, Y, R float64
	Named   bool
	In      int
}

// box is drawn around the nodes of a group.
type box struct {
	X, Y, W, H float64
	Title      string
	Count      int
}

// layout is where everything is.
type layout struct {
	width, height float64
	places        map[string]place
	boxes         []box
	crowds        []place // where lines to a crowd end; the first is none
	// ring is the mesh's: no radius where there is none.
	ring place
}

// arrange gives everything its place: routers on top, reflectors below them tier by
// tier, then the other nodes in boxes, one for each group, and the mesh's ring.
func arrange(g *Graph) *layout {
	l := &layout{places: map[string]place{}, crowds: make([]place, 1), width: 900}
	rows := g.rows()
	for _, row := range rows.tiers {
		l.width = max(l.width, float64(len(row))*rowStep(row)+2*margin)
	}
	boxes := boxesOf(rows.grouped)
	for _, b := range boxes {
		l.width = max(l.width, min(1600, b.w)+2*margin)
	}
	rings := ringsOf(len(rows.ring))
	radius := ringRadius(len(rows.ring), rings)
	if radius > 0 {
		l.width = max(l.width, 2*(radius+2*margin+ringNames(rows.ring)))
	}
	y := margin + headHeight
	for _, row := range rows.tiers {
		l.row(row, y+tierHeight/3)
		y += tierHeight
	}
	y = l.flow(boxes, y)
	if radius > 0 {
		room := ringNames(rows.ring)/3 + margin/2
		l.circle(rows.ring, rings, y+room+radius, radius)
		y += 2 * (room + radius)
	}
	l.height = y + margin
	return l
}

// rows are a graph's nodes by where they stand.
type rows struct {
	tiers   [][]Node
	grouped map[string][]Node
	ring    []Node
}

func (g *Graph) rows() rows {
	r := rows{grouped: map[string][]Node{}}
	var routers []Node
	tiers := map[int][]Node{}
	for _, n := range g.Nodes {
		switch n.Role {
		case Router:
			routers = append(routers, n)
		case Reflector:
			tiers[n.Tier] = append(tiers[n.Tier], n)
		case Mesh:
			r.ring = append(r.ring, n)
		default:
			r.grouped[n.Group] = append(r.grouped[n.Group], n)
		}
	}
	if len(routers) > 0 {
		r.tiers = append(r.tiers, routers)
	}
	for _, t := range slices.Sorted(maps.Keys(tiers)) {
		r.tiers = append(r.tiers, tiers[t])
	}
	slices.SortStableFunc(r.ring, func(x, y Node) int { return cmp.Compare(x.Group, y.Group) })
	return r
}

func rowStep(row []Node) float64 {
	if len(row) <= labelled {
		return widthNamed
	}
	return widthDot
}

// row spreads nodes over the picture's width.
func (l *layout) row(row []Node, y float64) {
	step := max(rowStep(row), (l.width-2*margin)/float64(len(row)))
	left := (l.width - step*float64(len(row))) / 2
	for i, n := range row {
		l.places[n.Name] = place{X: left + step*(float64(i)+0.5), Y: y, R: 8, Named: len(row) <= labelled}
	}
}

// boxed is a group with the size of its box.
type boxed struct {
	title   string
	nodes   []Node
	columns int
	step    float64
	w, h    float64
}

func boxesOf(groups map[string][]Node) []boxed {
	var boxes []boxed
	for _, title := range slices.Sorted(maps.Keys(groups)) {
		b := boxed{title: title, nodes: groups[title], step: widthDot}
		high := widthDot
		if len(b.nodes) <= labelled {
			b.step, high = widthNamed, 44
		}
		b.columns = max(1, int(math.Ceil(math.Sqrt(float64(len(b.nodes))*high/b.step*2))))
		b.columns = min(b.columns, len(b.nodes))
		b.w = max(120, float64(b.columns)*b.step+boxGap)
		b.h = math.Ceil(float64(len(b.nodes))/float64(b.columns))*high + headHeight + boxGap/2
		boxes = append(boxes, b)
	}
	return boxes
}

// flow puts the boxes side by side, and on as many lines as that takes, each in the
// middle.
func (l *layout) flow(boxes []boxed, y float64) float64 {
	for len(boxes) > 0 {
		n, w, h := 0, 0.0, 0.0
		for n < len(boxes) && (n == 0 || w+boxGap+boxes[n].w <= l.width-2*margin) {
			if n > 0 {
				w += boxGap
			}
			w, h = w+boxes[n].w, max(h, boxes[n].h)
			n++
		}
		x := (l.width - w) / 2
		for _, b := range boxes[:n] {
			l.fill(b, x, y)
			x += b.w + boxGap
		}
		boxes, y = boxes[n:], y+h+boxGap
	}
	return y
}

func (l *layout) fill(b boxed, x, y float64) {
	l.boxes = append(l.boxes, box{x, y, b.w, b.h, b.title, len(b.nodes)})
	named := len(b.nodes) <= labelled
	high, r, in := widthDot, 4.0, 0
	if named {
		high, r = 44, 7
	} else {
		in = len(l.crowds)
		l.crowds = append(l.crowds, place{X: x + b.w/2, Y: y})
	}
	for i, n := range b.nodes {
		column, row := float64(i%b.columns), float64(i/b.columns)
		l.places[n.Name] = place{x + boxGap/2 + b.step*(column+0.5), y + headHeight + high*(row+0.4), r, named, in}
	}
}

// ringsOf is how many rings, one in the other, the nodes of a mesh stand on.
func ringsOf(n int) int { return max(1, int(math.Ceil(math.Sqrt(float64(n)/oneRing)))) }

func ringRadius(n, rings int) float64 {
	if n == 0 {
		return 0
	}
	return max(leastRing, ringGap*float64(n)/float64(rings)/(2*math.Pi)+ringGap*float64(rings-1))
}

// ringNames is the room that names beside a ring take.
func ringNames(ring []Node) float64 {
	if len(ring) > labelled {
		return 0
	}
	return widthNamed
}

// circle puts nodes on rings, neighbors in the list on one radius.
func (l *layout) circle(ring []Node, rings int, y, radius float64) {
	l.ring = place{X: l.width / 2, Y: y, R: radius}
	in := 0
	if len(ring) > labelled {
		in = len(l.crowds)
		l.crowds = append(l.crowds, place{X: l.ring.X, Y: y - radius})
	}
	steps := (len(ring) + rings - 1) / rings
	for i, n := range ring {
		angle := 2*math.Pi*float64(i/rings)/float64(steps) - math.Pi/2
		r := radius - ringGap*float64(i%rings)
		l.places[n.Name] = place{l.ring.X + r*math.Cos(angle), y + r*math.Sin(angle), 5, in == 0, in}
	}
}
