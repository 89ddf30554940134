package control

import (
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Codes of the lines of "show route": a route with its next hops, what kind it is,
// and its attributes.
const (
	codeRoute      = 1007
	codeRouteKind  = 1008
	codeAttributes = 1012
)

// routeParser collects what BIRD says of its routes, line by line. All versions say
// the same in other words:
//
//	1.6      10.2.0.0/24   via 10.9.0.2 on eth0 [Mesh_10_9_0_2 11:14:42] * (100/0) [AS64513i]
//	2, 3     10.2.0.0/24   unicast [Mesh_10_9_0_2 11:14:42.500] * (100) [AS64513i]
//	         	via 10.9.0.2 on eth0
//	1.6, 2   	BGP.local_pref: 100
//	3        	bgp_local_pref: 100
type routeParser struct {
	limit int
	list  []Route
	// net is that of the row before: further routes to it do not repeat it. It is not
	// valid where that row is no route of IPv4 or IPv6.
	net netip.Prefix
	// open says that the lines belong to the last route of list; attribute is the one
	// that a line goes on with which begins with two tabs.
	open      bool
	attribute string
	names     map[string]string // one copy of each name: there are few
}

func newRouteParser(limit int) *routeParser {
	return &routeParser{limit: limit, list: []Route{}, names: map[string]string{}}
}

// line reads one line, and leaves out what it does not know.
func (p *routeParser) line(l Line) error {
	indented := strings.HasPrefix(l.Text, "\t")
	switch {
	case l.Code == codeRoute && !indented:
		return p.row(l.Text)
	case !indented || !p.open:
	case l.Code == codeRoute:
		p.nextHop(strings.Fields(l.Text))
	case l.Code == codeRouteKind, l.Code == codeAttributes:
		p.detail(l.Text)
	}
	return nil
}

// row reads the first line of a route.
func (p *routeParser) row(text string) error {
	p.open, p.attribute = false, ""
	words := strings.Fields(text)
	if !strings.HasPrefix(text, " ") {
		p.net = netip.Prefix{}
		if len(words) > 0 {
			p.net, _ = netip.ParsePrefix(words[0])
			words = words[1:]
		}
	}
	if !p.net.IsValid() || len(words) == 0 {
		return nil
	}
	r := Route{Net: p.net}
	if words = p.target(&r, words); len(words) == 0 || !strings.HasPrefix(words[0], "[") {
		return nil
	}
	if len(p.list) == p.limit {
		return manyRoutes(p.limit)
	}
	r.Protocol = p.name(strings.Trim(words[0], "[]"))
	r.Best = slices.Contains(words[1:], "*")
	p.list, p.open = append(p.list, r), true
	return nil
}

// target reads where a route leads, and returns the words after that; none where it
// is no route of IPv4 or IPv6.
func (p *routeParser) target(r *Route, words []string) []string {
	r.Target = Unicast
	switch words[0] {
	case "blackhole", "unreachable", "prohibited":
		r.Target = Target(p.name(words[0]))
		return words[1:]
	case "unicast", "multipath":
		return words[1:]
	case "dev":
		if len(words) > 2 {
			p.hop(r, netip.Addr{}, words[1])
			return words[2:]
		}
	case "via":
		if len(words) < 5 || words[2] != "on" {
			return nil
		}
		via, _ := netip.ParseAddr(words[1])
		p.hop(r, via, words[3])
		if i := slices.IndexFunc(words[4:], func(w string) bool { return strings.HasPrefix(w, "[") }); i >= 0 {
			return words[4+i:]
		}
	}
	return nil
}

// nextHop reads one next hop of several: "via ADDRESS on INTERFACE", or "dev
// INTERFACE".
func (p *routeParser) nextHop(words []string) {
	r := &p.list[len(p.list)-1]
	switch {
	case len(words) >= 4 && words[0] == "via" && words[2] == "on":
		via, _ := netip.ParseAddr(words[1])
		p.hop(r, via, words[3])
	case len(words) >= 2 && words[0] == "dev":
		p.hop(r, netip.Addr{}, words[1])
	}
}

// hop adds one way that a route leads.
func (p *routeParser) hop(r *Route, via netip.Addr, name string) {
	h := Hop{via, p.name(name)}
	r.Hops = append(r.Hops, h)
	if r.Interface == "" {
		r.Interface = h.Interface
	}
}

// detail reads a line with an attribute, or with more of the one before.
func (p *routeParser) detail(text string) {
	value := text
	if !strings.HasPrefix(text, "\t\t") {
		p.attribute, value, _ = strings.Cut(text[1:], ":")
	}
	r := &p.list[len(p.list)-1]
	switch p.attribute {
	case "Type", "source":
		kind, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		r.BGP = kind == "BGP"
	case "BGP.as_path", "bgp_path":
		r.Path = asPath(value)
	case "BGP.next_hop", "bgp_next_hop":
		r.NextHop = nextHop(value)
	case "BGP.local_pref", "bgp_local_pref":
		r.LocalPref = attributeNumber(value)
	case "Kernel.metric", "krt_metric":
		r.Metric = attributeNumber(value)
	case "BGP.community", "bgp_community":
		for n := range tuples(value, 2) {
			r.Communities = append(r.Communities, [2]uint32(n))
		}
	case "BGP.large_community", "bgp_large_community":
		for n := range tuples(value, 3) {
			r.LargeCommunities = append(r.LargeCommunities, [3]uint32(n))
		}
	}
}

// name is a name that does not hold on to the line it was found in.
func (p *routeParser) name(name string) string {
	if known, ok := p.names[name]; ok {
		return known
	}
	name = strings.Clone(name)
	p.names[name] = name
	return name
}

// nextHop reads the first of BGP's next hops: a link-local one may stand behind it.
func nextHop(text string) netip.Addr {
	for word := range strings.FieldsSeq(text) {
		a, _ := netip.ParseAddr(word)
		return a
	}
	return netip.Addr{}
}

func attributeNumber(text string) *uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return nil
	}
	v := uint32(n)
	return &v
}

// asPath reads AS numbers up to the first set, "{65001 65002}", or to where BIRD has
// cut the path short. Those in parentheses are of a confederation.
func asPath(text string) []uint32 {
	var path []uint32
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(strings.Trim(word, "()"), 10, 32)
		if err != nil {
			break
		}
		path = append(path, uint32(n))
	}
	return path
}

// tuples are those of n numbers in a text such as "(64513,1) (65535,65281)".
func tuples(text string, n int) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		for part := range strings.SplitSeq(text, ")") {
			numbers, ok := tuple(strings.TrimSpace(part), n)
			if ok && !yield(numbers) {
				return
			}
		}
	}
}

// tuple reads "(64513, 1", of n numbers.
func tuple(text string, n int) ([]uint32, bool) {
	text, ok := strings.CutPrefix(text, "(")
	numbers := make([]uint32, 0, 3)
	for word := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseUint(strings.TrimSpace(word), 10, 32)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, uint32(v))
	}
	return numbers, ok && len(numbers) == n
}
