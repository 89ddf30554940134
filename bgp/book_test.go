package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
)

// TestSessionsByTheBook compares the sessions, static routes and pools of random clusters'
// nodes with what the rules say when they are followed one by one, for every node, with
// no thought for time: see book.
func TestSessionsByTheBook(t *testing.T) {
	clusters := 400
	if testing.Short() {
		clusters = 50
	}
	kinds := map[SessionKind]int{}
	for seed := range uint64(clusters) {
		g := bookCluster{rand.New(rand.NewPCG(seed, 9))}
		s := g.state()
		c := NewCluster(s)
		for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
			got, err := c.Compute(Options{Node: name, SecretNamespace: "kube-system"})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range got.Families() {
				b := book{state: s, me: s.Nodes[name], version: f.Version, taken: map[string]bool{}}
				b.sessions()
				if diff := gocmp.Diff(b.lines, linesOf(f), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("cluster %d, node %s, IPv%d: sessions (-book +computed):\n%s", seed, name, f.Version, diff)
				}
				if diff := gocmp.Diff(b.routes(), routesOf(f), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("cluster %d, node %s, IPv%d: routes and pools (-book +computed):\n%s", seed, name, f.Version, diff)
				}
				for _, x := range f.Sessions {
					kinds[x.Kind]++
				}
			}
		}
	}
	for _, k := range []SessionKind{MeshSession, GlobalSession, NodeSession, LocalWorkloadSession} {
		if kinds[k] < clusters {
			t.Errorf("%d sessions of kind %s in %d clusters prove little", kinds[k], k, clusters)
		}
	}
}

// linesOf are the sessions of a family, a line each, sorted.
func linesOf(f *Family) []string {
	var lines []string
	for _, s := range f.Sessions {
		l := bookLine{
			name: s.Name, as: s.AS, localAS: s.LocalAS, port: s.Port, source: s.Source, passive: s.Passive, client: s.RRClient,
			next: s.NextHop, ttl: s.TTLHops, allow: number(s.AllowLocalAS), password: s.Password,
			restart: number(s.GracefulRestartTime), keepalive: number(s.KeepaliveTime), via: s.ReachableBy,
		}
		for _, call := range s.Import {
			l.in = append(l.in, call.Filter)
		}
		for _, call := range s.Export {
			l.out = append(l.out, call.Filter)
		}
		lines = append(lines, fmt.Sprintf("%+v", l))
	}
	slices.Sort(lines)
	return lines
}

func number(n *uint32) int {
	if n == nil {
		return -1
	}
	return int(*n)
}

// bookLine is all that matters of a session.
type bookLine struct {
	name      string
	as        uint32
	localAS   uint32
	port      uint16
	source    netip.Addr
	passive   bool
	client    bool
	next      NextHop
	ttl       uint8
	allow     int
	password  string
	restart   int
	keepalive int
	via       netip.Addr
	in, out   []string
}

// book works out the sessions of a node in a family as the rules are written: it looks
// through the whole cluster for each question.
type book struct {
	state   *backends.State
	me      *backends.Node
	version int
	taken   map[string]bool
	lines   []string
	via     []string // routes to gateways
}

func (b *book) defaults() *backends.BGPConfiguration {
	if c := b.state.BGPConfigurations["default"]; c != nil {
		return c
	}
	return &backends.BGPConfiguration{}
}

func (b *book) addressOf(n *backends.Node) netip.Addr {
	if b.version == 4 {
		return n.IPv4.Addr
	}
	return n.IPv6.Addr
}

func (b *book) portOf(n *backends.Node) uint16 {
	if c := b.state.BGPConfigurations["node."+n.Name]; c != nil && c.ListenPort != 0 {
		return c.ListenPort
	}
	return b.defaults().ListenPort
}

func (b *book) defaultAS() uint32 {
	if b.defaults().ASNumber != 0 {
		return b.defaults().ASNumber
	}
	return 64512
}

func (b *book) asOf(n *backends.Node) uint32 {
	if n.ASNumber != 0 {
		return n.ASNumber
	}
	return b.defaultAS()
}

func (b *book) password(ref *backends.SecretKeyRef) string {
	if ref == nil {
		return ""
	}
	if s := b.state.Secrets[backends.Key{Kind: backends.KindSecret, Namespace: "kube-system", Name: ref.Name}]; s != nil {
		return s.Data[ref.Key]
	}
	return ""
}

func wholeSeconds(d *time.Duration) int {
	if d == nil {
		return -1
	}
	return int(d.Seconds() + 0.5)
}

// bookSelectors are those that the clusters have, and what they mean.
var bookSelectors = map[string]func(map[string]string) bool{
	"all()":       func(map[string]string) bool { return true },
	"has(rr)":     func(l map[string]string) bool { _, has := l["rr"]; return has },
	"!has(rr)":    func(l map[string]string) bool { _, has := l["rr"]; return !has },
	"rack == 'a'": func(l map[string]string) bool { return l["rack"] == "a" },
	"rack != 'a'": func(l map[string]string) bool { return l["rack"] != "a" },
	"rack in {'a', 'b'} && !has(rr)": func(l map[string]string) bool {
		_, has := l["rr"]
		return (l["rack"] == "a" || l["rack"] == "b") && !has
	},
	"rack not in {'a'} || has(rr)": func(l map[string]string) bool { _, has := l["rr"]; return l["rack"] != "a" || has },
}

func (b *book) onLocalSide(p *backends.BGPPeer, n *backends.Node) bool {
	switch {
	case p.Node != "":
		return p.Node == n.Name
	case p.NodeSelector != "":
		return bookSelectors[p.NodeSelector](n.Labels)
	}
	return true
}

func (b *book) nodes() []*backends.Node {
	return slices.SortedFunc(maps.Values(b.state.Nodes), func(x, y *backends.Node) int { return cmp.Compare(x.Name, y.Name) })
}

func (b *book) peers() []*backends.BGPPeer {
	return slices.SortedFunc(maps.Values(b.state.BGPPeers), func(x, y *backends.BGPPeer) int { return cmp.Compare(x.Name, y.Name) })
}

// add takes a session up, unless its neighbor and port are those of one before.
func (b *book) add(kind string, neighbor netip.Addr, withPort bool, l bookLine, cluster netip.Addr) {
	known := fmt.Sprint(neighbor, " ", cmp.Or(l.port, 179))
	if b.taken[known] {
		return
	}
	b.taken[known] = true
	l.name = kind + "_" + strings.ReplaceAll(strings.ReplaceAll(neighbor.String(), ".", "_"), ":", "_")
	if withPort && l.port != 0 {
		l.name += fmt.Sprint("_port_", l.port)
	}
	l.client = l.as == l.localAS && b.me.ClusterID.IsValid() && cluster != b.me.ClusterID
	b.lines = append(b.lines, fmt.Sprintf("%+v", l))
	if l.via.IsValid() {
		b.via = append(b.via, fmt.Sprintf("%s/%d via %s", neighbor, neighbor.BitLen(), l.via))
	}
}

// settings are those of a session that a BGPPeer gives.
func (b *book) settings(p *backends.BGPPeer, l *bookLine) {
	l.source = b.addressOf(b.me)
	if p.NoSourceAddress {
		l.source = netip.Addr{}
	}
	l.ttl, l.password = p.TTLSecurity, b.password(p.Password)
	l.restart, l.keepalive = wholeSeconds(p.MaxRestartTime), wholeSeconds(p.KeepaliveTime)
	switch {
	case p.NextHopMode == backends.NextHopKeep, p.NextHopMode == "" && p.KeepOriginalNextHop && l.as != l.localAS:
		l.next = NextHopKeep
	case p.NextHopMode == backends.NextHopSelf:
		l.next = NextHopSelf
	}
	for _, name := range p.Filters {
		f := b.state.BGPFilters[name]
		if f == nil {
			continue
		}
		in, out := f.ImportV4, f.ExportV4
		if b.version == 6 {
			in, out = f.ImportV6, f.ExportV6
		}
		if len(in) > 0 {
			l.in = append(l.in, name)
		}
		if len(out) > 0 {
			l.out = append(l.out, name)
		}
	}
}

func (b *book) sessions() {
	own := b.addressOf(b.me)
	if !own.IsValid() {
		return
	}
	b.mesh(own)
	for _, global := range []bool{true, false} {
		for _, p := range b.peers() {
			if (p.Node == "" && p.NodeSelector == "") == global && b.onLocalSide(p, b.me) {
				b.forward(p, own, map[bool]string{true: "Global", false: "Node"}[global])
			}
		}
	}
	for _, p := range b.peers() {
		if !p.NoReversePeering && p.LocalWorkloadSelector == "" {
			b.reverse(p, own)
		}
	}
	for _, p := range b.peers() {
		if p.LocalWorkloadSelector != "" && b.onLocalSide(p, b.me) {
			b.workloads(p)
		}
	}
	slices.Sort(b.lines)
}

func (b *book) mesh(own netip.Addr) {
	d := b.defaults()
	if d.NodeToNodeMesh != nil && !*d.NodeToNodeMesh || b.me.ClusterID.IsValid() {
		return
	}
	for _, n := range b.nodes() {
		if a := b.addressOf(n); n != b.me && !n.ClusterID.IsValid() && a.IsValid() {
			b.add("Mesh", a, false, bookLine{
				as: b.asOf(n), localAS: b.asOf(b.me), port: b.portOf(n), source: own, passive: a.String() > own.String(),
				password: b.password(d.NodeMeshPassword), restart: wholeSeconds(d.NodeMeshMaxRestartTime), keepalive: -1, allow: -1,
			}, netip.Addr{})
		}
	}
}

// withNode adds a BGPPeer's session with a node.
func (b *book) withNode(p *backends.BGPPeer, n *backends.Node, kind string) {
	if a := b.addressOf(n); n != b.me && a.IsValid() {
		l := bookLine{as: b.asOf(n), localAS: b.asOf(b.me), port: b.portOf(n), allow: -1}
		b.settings(p, &l)
		b.add(kind, a, true, l, n.ClusterID)
	}
}

func (b *book) forward(p *backends.BGPPeer, own netip.Addr, kind string) {
	if p.PeerSelector != "" {
		for _, n := range b.nodes() {
			if bookSelectors[p.PeerSelector](n.Labels) {
				b.withNode(p, n, kind)
			}
		}
		return
	}
	if !p.PeerIP.IsValid() || p.PeerIP == own || p.PeerIP.Is4() != (b.version == 4) {
		return
	}
	l := bookLine{as: p.ASNumber, localAS: cmp.Or(p.LocalASNumber, b.asOf(b.me)), port: p.Port, allow: number(p.NumAllowedLocalAS)}
	var cluster netip.Addr
	for _, n := range b.nodes() {
		if b.addressOf(n) == p.PeerIP {
			l.as, l.port, cluster = cmp.Or(l.as, b.asOf(n)), cmp.Or(l.port, b.portOf(n)), n.ClusterID
			l.passive = kind == "Global" && p.PeerIP.String() > own.String()
		}
	}
	l.as = cmp.Or(l.as, b.defaultAS())
	l.via = p.ReachableBy
	b.settings(p, &l)
	b.add(kind, p.PeerIP, true, l, cluster)
}

func (b *book) reverse(p *backends.BGPPeer, own netip.Addr) {
	if p.PeerSelector != "" {
		if !bookSelectors[p.PeerSelector](b.me.Labels) {
			return
		}
	} else {
		port := b.portOf(b.me)
		if p.PeerIP != own || cmp.Or(p.ASNumber, b.defaultAS()) != b.asOf(b.me) || p.Port != 0 && port != 0 && port != p.Port {
			return
		}
	}
	for _, n := range b.nodes() {
		if b.onLocalSide(p, n) {
			b.withNode(p, n, "Node")
		}
	}
}

func (b *book) workloads(p *backends.BGPPeer) {
	for _, name := range slices.Sorted(maps.Keys(b.state.EndpointStatuses)) {
		w := b.state.EndpointStatuses[name]
		a := w.IPv4
		if b.version == 6 {
			a = w.IPv6
		}
		if w.BGPPeer != p.Name || !a.IsValid() || a == b.addressOf(b.me) {
			continue
		}
		l := bookLine{as: cmp.Or(p.ASNumber, b.defaultAS()), localAS: cmp.Or(p.LocalASNumber, b.asOf(b.me)), allow: -1}
		b.settings(p, &l)
		l.passive, l.source = true, netip.Addr{}
		b.add("Local_Workload", a, true, l, netip.Addr{})
	}
}

// routes are the node's own routes, which are told, and what becomes of pools, a line each.
func (b *book) routes() []string {
	lines := b.via
	ours := func(p netip.Prefix) bool { return p.Addr().Is4() == (b.version == 4) }
	for _, a := range b.state.BlockAffinities {
		if a.Node != b.me.Name || a.Deleted || a.State == "pending" || !ours(a.CIDR) {
			continue
		}
		if !a.CIDR.IsSingleIP() {
			lines = append(lines, a.CIDR.String()+" blackhole")
		}
		if a.State != "pendingDeletion" {
			lines = append(lines, "block "+a.CIDR.String())
		}
	}
	routes := cmp.Or(b.defaults().ProgramClusterRoutes, "EnabledNoEncapOnly")
	homeless := b.version == 4 && !b.me.IPv4.Addr.IsValid()
	for _, p := range b.state.IPPools {
		if !ours(p.CIDR) {
			continue
		}
		export, kernel := "accept", "reject"
		if p.DisableBGPExport {
			export = "reject"
		}
		always, cross := p.IPIP == backends.EncapAlways, p.IPIP == backends.EncapCrossSubnet
		switch ipip := routes == "Enabled" || routes == "EnabledIPIPOnly"; {
		case p.VXLAN == backends.EncapAlways || p.VXLAN == backends.EncapCrossSubnet:
		case (always || cross) && ipip && b.version == 6:
			kernel = "accept"
		case always && ipip:
			kernel = "tunnel"
		case cross && ipip:
			kernel = "cross-subnet"
		case !always && !cross && (routes == "Enabled" || routes == "EnabledNoEncapOnly"):
			kernel = "accept"
		}
		lines = append(lines, fmt.Sprintf("export %s %s", p.CIDR, export))
		if !homeless {
			lines = append(lines, fmt.Sprintf("kernel %s %s", p.CIDR, kernel))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// routesOf are those that were computed.
func routesOf(f *Family) []string {
	var lines []string
	for _, r := range f.Statics {
		lines = append(lines, r.String())
	}
	for _, b := range f.Export.Blocks {
		lines = append(lines, "block "+b.String())
	}
	for _, p := range f.Export.RejectPools {
		lines = append(lines, fmt.Sprintf("export %s reject", p.CIDR))
	}
	for _, p := range f.Export.Pools {
		lines = append(lines, fmt.Sprintf("export %s accept", p.CIDR))
	}
	for _, p := range f.Kernel.Pools {
		lines = append(lines, fmt.Sprintf("kernel %s %s", p.CIDR, p.Action))
	}
	slices.Sort(lines)
	return lines
}

// bookCluster makes random clusters in which no two nodes have one address.
type bookCluster struct{ *rand.Rand }

func anyOf[T any](g bookCluster, from ...T) T { return from[g.IntN(len(from))] }

// maybe is a pointer to one of the values, or nil.
func maybe[T any](g bookCluster, from ...T) *T {
	if g.IntN(2) == 0 {
		return nil
	}
	v := anyOf(g, from...)
	return &v
}

func (g bookCluster) state() *backends.State {
	s := backends.NewState()
	for i := range 2 + g.IntN(6) {
		set(s, g.node(i))
		if g.IntN(5) == 0 {
			set(s, &backends.BGPConfiguration{Name: fmt.Sprint("node.n", i), ListenPort: anyOf[uint16](g, 0, 1790, 1179), ASNumber: 7, NodeToNodeMesh: maybe(g, false)})
		}
	}
	if g.IntN(8) > 0 {
		set(s, &backends.BGPConfiguration{
			Name: "default", ASNumber: anyOf[uint32](g, 0, 65000, 65001), NodeToNodeMesh: maybe(g, true, false), ListenPort: anyOf[uint16](g, 0, 0, 179, 1179),
			NodeMeshPassword: maybe(g, backends.SecretKeyRef{Name: "s", Key: "a"}, backends.SecretKeyRef{Name: "s", Key: "none"}), NodeMeshMaxRestartTime: maybe(g, time.Minute, 1500*time.Millisecond),
			ProgramClusterRoutes: anyOf[backends.ClusterRoutes](g, "", "Enabled", "EnabledIPIPOnly", "EnabledNoEncapOnly", "Disabled"),
		})
	}
	set(s, &backends.Secret{Namespace: "kube-system", Name: "s", Data: map[string]string{"a": "one", "b": "two"}})
	set(s, &backends.Secret{Namespace: "elsewhere", Name: "t", Data: map[string]string{"a": "three"}})
	rules := []backends.FilterRule{{Accept: true}}
	set(s, &backends.BGPFilter{Name: "f0", ImportV4: rules, ExportV6: rules})
	set(s, &backends.BGPFilter{Name: "f1", ImportV4: rules, ExportV4: rules, ImportV6: rules})
	for i := range g.IntN(8) {
		set(s, g.peer(fmt.Sprint("p", i)))
		if g.IntN(2) == 0 {
			ten := netip.AddrFrom4([4]byte{10, 8, 0, byte(g.IntN(4))})
			four := anyOf(g, ten, ten, ten, netip.MustParseAddr(anyOf(g, "172.18.0.9", "172.18.0.10", "172.18.0.100")))
			set(s, &backends.EndpointStatus{Name: fmt.Sprint("w", g.IntN(9)), IPv4: four, IPv6: netip.MustParseAddr("fd08::" + fmt.Sprint(g.IntN(4))), BGPPeer: fmt.Sprint("p", i)})
		}
	}
	for i, cidr := range []string{"10.8.0.0/16", "10.9.0.0/16", "fd08::/48", "fd09::/48"} {
		p := &backends.IPPool{Name: fmt.Sprint("pool", i), CIDR: netip.MustParsePrefix(cidr), DisableBGPExport: g.IntN(3) == 0, Disabled: g.IntN(3) == 0}
		mode := anyOf[backends.Encapsulation](g, "", "Never", "Always", "CrossSubnet")
		if g.IntN(2) == 0 {
			p.IPIP = mode
		} else {
			p.VXLAN = mode
		}
		set(s, p)
	}
	for i, cidr := range []string{"10.8.0.0/26", "10.8.0.64/26", "10.8.1.0/26", "10.9.0.9/32", "fd08::/122", "fd08::40/122", "fd09::7/128"} {
		set(s, &backends.BlockAffinity{Name: fmt.Sprint(i), Node: fmt.Sprint("n", g.IntN(4)), CIDR: netip.MustParsePrefix(cidr), State: anyOf(g, "", "confirmed", "confirmed", "pending", "pendingDeletion"), Deleted: g.IntN(8) == 0})
	}
	return s
}

func (g bookCluster) node(i int) *backends.Node {
	n := &backends.Node{Name: fmt.Sprint("n", i), Labels: map[string]string{}, ASNumber: anyOf[uint32](g, 0, 0, 0, 64512, 65000, 65009)}
	if g.IntN(6) > 0 {
		n.IPv4 = at(fmt.Sprintf("172.18.0.%d", anyOf(g, 9, 10, 100)+i*11))
		n.IPv4.Subnet = netip.PrefixFrom(n.IPv4.Addr, 16).Masked()
	}
	if g.IntN(2) > 0 {
		n.IPv6 = at(fmt.Sprintf("fd18::%x", anyOf(g, 9, 10, 100)+i*11))
		n.IPv6.Subnet = netip.PrefixFrom(n.IPv6.Addr, 64).Masked()
	}
	if rack := anyOf(g, "", "a", "b", "c"); rack != "" {
		n.Labels["rack"] = rack
	}
	if g.IntN(3) == 0 {
		n.Labels["rr"] = ""
		n.ClusterID = netip.AddrFrom4([4]byte{244, 0, 0, byte(g.IntN(2))})
	}
	return n
}

func (g bookCluster) peer(name string) *backends.BGPPeer {
	p := &backends.BGPPeer{
		Name: name, NextHopMode: anyOf[backends.NextHopMode](g, "", "", "Auto", "Self", "Keep"), KeepOriginalNextHop: g.IntN(3) == 0,
		Password:        maybe(g, backends.SecretKeyRef{Name: "s", Key: "b"}, backends.SecretKeyRef{Name: "t", Key: "a"}),
		NoSourceAddress: g.IntN(4) == 0, MaxRestartTime: maybe(g, time.Minute, 0, 2500*time.Millisecond), KeepaliveTime: maybe(g, 10*time.Second, 1499*time.Millisecond),
		TTLSecurity: anyOf[uint8](g, 0, 0, 1, 255), NoReversePeering: g.IntN(4) == 0, LocalASNumber: anyOf[uint32](g, 0, 0, 65000, 65077), NumAllowedLocalAS: maybe[uint32](g, 0, 1, 3),
		Filters: anyOf(g, nil, []string{"f0"}, []string{"f1", "gone", "f0"}),
	}
	selectors := slices.Sorted(maps.Keys(bookSelectors))
	switch g.IntN(3) {
	case 0:
		p.Node = fmt.Sprint("n", g.IntN(4))
	case 1:
		p.NodeSelector = anyOf(g, selectors...)
	}
	switch g.IntN(5) {
	case 0:
		p.LocalWorkloadSelector, p.ASNumber = "all()", anyOf[uint32](g, 0, 65000)
	case 1, 2:
		p.PeerSelector = anyOf(g, selectors...)
	default:
		i := g.IntN(6)
		p.PeerIP = netip.MustParseAddr(anyOf(g, fmt.Sprintf("172.18.0.%d", anyOf(g, 9, 10, 100)+i*11), fmt.Sprintf("fd18::%x", anyOf(g, 9, 10, 100)+i*11), "192.168.7.1", "2001:db8::7"))
		p.ASNumber, p.Port = anyOf[uint32](g, 0, 64512, 65000, 65009), anyOf[uint16](g, 0, 0, 179, 1179)
		if via := netip.MustParseAddr(anyOf(g, "172.18.0.1", "fd18::1")); via.Is4() == p.PeerIP.Is4() && g.IntN(3) == 0 {
			p.ReachableBy = via
		}
	}
	return p
}
