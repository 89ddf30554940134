package templates

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
)

// Trace says which resources may be behind a line of a rendered file (from 1),
// the most likely one first: those of the line itself and of the blocks around
// it, then those of what stands before it, as BIRD often notices a fault only
// at the next word. It knows them by the names and addresses that templates
// print: sessions' names and neighbors, filters' functions, routes. cfg is what
// the file was rendered from. It names none that must not be left out (see
// CanLeaveOut).
func Trace(file []byte, line int, cfg *bgp.Config) []backends.Key {
	o := newOutline(file)
	i := min(max(line, 1), len(o.lines)) - 1
	t := newTracer(cfg)
	t.line(o, i)
	if i = o.before(i); i >= 0 {
		t.line(o, i)
	}
	return t.found
}

// CanLeaveOut says whether BIRD may be configured without the resource that key
// names, as backends.State.Without does it. It may where that takes away no
// more than sessions, routes that this node announces, or (of a filter or a
// tunnel's pool) routes that would have been accepted: never for settings that
// other resources depend on, for this node, for a node whose routes WireGuard
// must keep out of the kernel, or for a pool that keeps routes in.
func CanLeaveOut(cfg *bgp.Config, key backends.Key) bool {
	return canLeaveOut(cfg, tunnelled(cfg), key)
}

func canLeaveOut(cfg *bgp.Config, tunnelled map[string]bool, key backends.Key) bool {
	switch key.Kind {
	case backends.KindBGPPeer, backends.KindBGPFilter, backends.KindService, backends.KindBlockAffinity:
		return true
	case backends.KindNode:
		return key.Name != cfg.Node && !tunnelled[key.Name]
	case backends.KindIPPool:
		return slices.ContainsFunc(cfg.IPv4.Kernel.Pools, func(p bgp.PoolRoutes) bool {
			return p.Name == key.Name && (p.Action == bgp.PoolTunnel || p.Action == bgp.PoolCrossSubnet)
		})
	}
	return false
}

// tunnelled are the nodes whose routes WireGuard has and the kernel must not.
func tunnelled(cfg *bgp.Config) map[string]bool {
	if len(cfg.IPv4.Kernel.RejectNextHops)+len(cfg.IPv6.Kernel.RejectNextHops) == 0 {
		return nil
	}
	nodes := map[string]bool{}
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			if _, found := slices.BinarySearchFunc(f.Kernel.RejectNextHops, s.Neighbor, netip.Addr.Compare); found {
				nodes[s.PeerNode] = true
			}
		}
	}
	return nodes
}

// Candidates are all resources that cfg could be made without, as Trace names
// them; not pools, which nobody is to lose by trying. What uses others comes
// before them, so that whoever takes them back in this order finds the one at
// fault, and not the one that uses it.
func Candidates(cfg *bgp.Config) []backends.Key {
	t := newTracer(cfg)
	for _, f := range cfg.Families() {
		for _, r := range slices.Concat(f.Statics, f.Export.Services) {
			if r.Reason.Object.Kind != backends.KindBGPPeer {
				t.add(r.Reason.Object)
			}
		}
	}
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			t.add(s.Reason.Object)
		}
	}
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			if s.Kind == bgp.MeshSession {
				t.add(nodeKey(s.PeerNode))
			}
		}
	}
	for _, f := range cfg.Filters {
		t.add(f.ResourceKey())
	}
	return t.found
}

func nodeKey(name string) backends.Key { return backends.Key{Kind: backends.KindNode, Name: name} }

// tracer finds the resources of cfg that lines name.
type tracer struct {
	cfg        *bgp.Config
	tunnelled  map[string]bool
	byName     map[string][]*bgp.Session
	byNeighbor map[netip.Addr][]*bgp.Session
	// uses counts the sessions of each object.
	uses map[backends.Key]int
	// proven are the sessions that stand behind another one of their object.
	proven    map[*bgp.Session]bool
	functions map[string]backends.Key
	routes    map[netip.Prefix]backends.Key
	tunnels   map[netip.Prefix]backends.Key
	// objects are the resources by their own names.
	objects map[string][]backends.Key

	found []backends.Key
	seen  map[backends.Key]bool
}

func newTracer(cfg *bgp.Config) *tracer {
	t := &tracer{
		cfg: cfg, tunnelled: tunnelled(cfg), byName: map[string][]*bgp.Session{}, byNeighbor: map[netip.Addr][]*bgp.Session{},
		uses: map[backends.Key]int{}, proven: map[*bgp.Session]bool{},
		functions: map[string]backends.Key{}, routes: map[netip.Prefix]backends.Key{}, tunnels: map[netip.Prefix]backends.Key{},
		objects: map[string][]backends.Key{}, seen: map[backends.Key]bool{},
	}
	for _, f := range cfg.Families() {
		t.learn(f)
	}
	for _, filter := range cfg.Filters {
		t.objects[filter.Name] = append(t.objects[filter.Name], filter.ResourceKey())
		for _, direction := range []string{"import", "export"} {
			for _, version := range []int{4, 6} {
				t.functions[functionName(filter.Name, direction, version)] = filter.ResourceKey()
			}
		}
	}
	return t
}

func (t *tracer) learn(f *bgp.Family) {
	earlier := map[backends.Key]bool{}
	for _, s := range f.Sessions {
		object := s.Reason.Object
		t.byName[s.Name] = append(t.byName[s.Name], s)
		t.byNeighbor[s.Neighbor] = append(t.byNeighbor[s.Neighbor], s)
		t.uses[object]++
		t.proven[s] = earlier[object]
		t.objects[object.Name] = append(t.objects[object.Name], object)
		if s.Kind == bgp.MeshSession {
			t.objects[s.PeerNode] = append(t.objects[s.PeerNode], nodeKey(s.PeerNode))
		}
		earlier[object] = true
	}
	for _, r := range slices.Concat(f.Statics, f.Export.Services) {
		t.routes[r.Net] = r.Reason.Object
		t.objects[r.Reason.Object.Name] = append(t.objects[r.Reason.Object.Name], r.Reason.Object)
	}
	for _, p := range f.Kernel.Pools {
		t.tunnels[p.CIDR] = backends.Key{Kind: backends.KindIPPool, Name: p.Name}
	}
}

// add takes a resource up that may be left out.
func (t *tracer) add(key backends.Key) {
	if !t.seen[key] {
		t.seen[key] = true
		if canLeaveOut(t.cfg, t.tunnelled, key) {
			t.found = append(t.found, key)
		}
	}
}

// The words of a BIRD file that can name something of ours.
var (
	functionHead = regexp.MustCompile(`^\s*function\s+'?([A-Za-z0-9_.:-]+)`)
	functionWord = regexp.MustCompile(`bgp_[A-Za-z0-9_.:-]+_(?:import|export)FilterV[46]`)
	neighborWord = regexp.MustCompile(`\bneighbor\s+([0-9A-Fa-f:.]+)`)
	netWord      = regexp.MustCompile(`[0-9A-Fa-f:.]+/\d+`)
	plainWord    = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9_.:-]*`)
)

// line finds what line i and the blocks around it are about.
func (t *tracer) line(o outline, i int) {
	head, block := o.block(i)
	text := o.lines[i]
	if m := functionHead.FindStringSubmatch(head); m != nil && t.functions[m[1]].Kind != "" {
		t.filter(t.functions[m[1]])
	} else if sessions := t.sessions(head, block); len(sessions) > 0 {
		for _, s := range sessions {
			t.session(s)
		}
	} else {
		t.nets(text, text)
		for _, h := range o.heads(i) {
			t.nets(o.lines[h], text)
		}
	}
	for _, name := range functionWord.FindAllString(text, -1) {
		t.filter(t.functions[name])
	}
	for _, word := range plainWord.FindAllString(text, -1) {
		for _, s := range t.byName[word] {
			t.session(s)
		}
		for _, key := range t.objects[word] {
			t.add(key)
		}
	}
}

// sessions are those that a block configures: by the name in its head, else by
// its neighbor.
func (t *tracer) sessions(head string, block []string) []*bgp.Session {
	for _, word := range plainWord.FindAllString(head, -1) {
		if s := t.byName[word]; len(s) > 0 {
			return s
		}
	}
	for _, text := range block {
		if m := neighborWord.FindStringSubmatch(text); m != nil {
			if a, err := netip.ParseAddr(m[1]); err == nil && len(t.byNeighbor[a]) > 0 {
				return t.byNeighbor[a]
			}
		}
	}
	return nil
}

// session adds the objects that a session comes from. Of one that has several
// sessions the node behind this one is tried first: it costs this one alone.
// Where BIRD has read another one of the same object before, the object is not
// at fault.
func (t *tracer) session(s *bgp.Session) {
	object := s.Reason.Object
	if s.Kind == bgp.MeshSession || s.PeerNode != "" && t.uses[object] > 1 {
		t.add(nodeKey(s.PeerNode))
	}
	if s.PeerNode == "" || !t.proven[s] {
		t.add(object)
	}
}

// fewUsers is how many users of a filter are worth naming.
const fewUsers = 4

// filter adds a BGPFilter, and then those who use it, where they are few: where
// a template's own text about it is wrong, no rules make that better.
func (t *tracer) filter(key backends.Key) {
	t.add(key)
	var users []backends.Key
	for _, f := range t.cfg.Families() {
		for _, s := range f.Sessions {
			if slices.Contains(s.Filters, key.Name) && !slices.Contains(users, s.Reason.Object) {
				if users = append(users, s.Reason.Object); len(users) > fewUsers {
					return
				}
			}
		}
	}
	for _, key := range users {
		t.add(key)
	}
}

// nets adds the routes and tunnels whose nets text names; line is the line at
// fault.
func (t *tracer) nets(text, line string) {
	for _, word := range netWord.FindAllString(text, -1) {
		net, err := netip.ParsePrefix(word)
		if err != nil {
			continue
		}
		if pool := t.tunnels[net]; strings.Contains(line, "krt_tunnel") && pool.Kind != "" {
			t.add(pool)
		}
		if object := t.routes[net]; object.Kind != "" {
			t.add(object)
		}
	}
}
