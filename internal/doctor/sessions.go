package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
)

func sessionCodes() []Code {
	return []Code{
		{
			ID: id(40), Name: "one-sided-session", Severity: Error, check: (*patient).oneSided,
			Says:        "node a has a session with node b, which has none with node a",
			Consequence: "The session cannot come up: the other side refuses it.",
			Cure:        "Give both sides one: reversePeering Auto, or a BGPPeer for the other direction. confd explain session says which is missing.",
		},
		{
			ID: id(41), Name: "session-conflict", Severity: Error, check: func(p *patient) []complaint { return p.conflicts(false) },
			Says:        "node a expects node b to be AS 65001, and there it is AS 65002",
			Consequence: "Both sides have the session, and it cannot come up.",
			Cure:        "Make AS numbers, passwords and TTL security of both sides fit.",
		},
		{
			ID: id(42), Name: "wrong-port", Severity: Error, check: func(p *patient) []complaint { return p.conflicts(true) },
			Says:        "node a connects to port 1179, and node b listens on 179",
			Consequence: "No connection gets through in either direction.",
			Cure:        "Correct the port in peerIP, or the listenPort.",
		},
		{
			ID: id(43), Name: "node-without-sessions", Severity: Error, check: (*patient).withoutSessions,
			Says:        "no BGPPeer and no mesh gives it a session",
			Consequence: "Its workloads cannot be reached by BGP, and it learns no routes.",
			Cure:        "confd explain node says what it is asked for, confd explain session why it has none with another one.",
		},
		{
			ID: id(44), Name: "as-loop", Severity: Warning, check: (*patient).loops,
			Says:        "nodes of AS 64512 hear of each other by routers of other AS numbers alone",
			Consequence: "Routes of one come to the other with its own AS number in the path, and BGP drops them.",
			Cure:        "Set numAllowedLocalASNumbers in the BGPPeer, have the routers replace the number (as-override), give the nodes AS numbers of their own, or internal sessions. Where the routers do it already: --ignore.",
		},
	}
}

func (p *patient) oneSided() []complaint {
	var out []complaint
	for _, l := range p.links {
		if l.atX != nil && l.atY != nil || p.shares(l.x) || p.shares(l.y) {
			continue // who shares an address has no session, which is said of itself
		}
		has, lacks, s, kind := l.x, l.y, l.atX, l.b
		if s == nil {
			has, lacks, s, kind = l.y, l.x, l.atY, l.a
		}
		text := fmt.Sprintf("node %s has the session %s with node %s, which has none with node %s", has, s.Name, lacks, has)
		if n := len(p.inside.Kinds[kind]); n > 1 {
			text += fmt.Sprintf(" (and so it is with %d nodes)", n)
		}
		out = append(out, complaint{object: s.Reason.Object.String(), text: text})
	}
	return out
}

// shares says whether a node has the address of another one.
func (p *patient) shares(node string) bool {
	n := p.State.Nodes[node]
	return len(p.cluster.NodesAt(n.IPv4.Addr)) > 1 || len(p.cluster.NodesAt(n.IPv6.Addr)) > 1
}

func (p *patient) conflicts(ports bool) []complaint {
	var out []complaint
	for _, l := range p.links {
		if l.atX == nil || l.atY == nil || l.atX.OwnLocalAS || l.atY.OwnLocalAS {
			continue // that a localASNumber does not fit is said of itself
		}
		listens := func(node string) uint16 { return p.cluster.ListenPortOf(p.State.Nodes[node]) }
		for _, d := range bgp.Disagreements("node "+l.x, l.atX, listens(l.x), "node "+l.y, l.atY, listens(l.y)) {
			if d.Port == ports {
				out = append(out, complaint{object: l.atX.Reason.Object.String(), text: d.Text})
			}
		}
	}
	return out
}

// linked says whether nodes of a kind have sessions with other nodes.
func (p *patient) linked() map[int]bool {
	out := map[int]bool{}
	for _, l := range p.links {
		if l.a != l.b || len(p.inside.Kinds[l.a]) > 1 {
			out[l.a], out[l.b] = out[l.a] || l.atX != nil || l.a == l.b, out[l.b] || l.atY != nil || l.a == l.b
		}
	}
	return out
}

func (p *patient) withoutSessions() []complaint {
	if len(p.State.Nodes) < 2 {
		return nil
	}
	linked := p.linked()
	var out []complaint
	for i, kind := range p.inside.Kinds {
		for _, n := range kind {
			if linked[i] || p.outside[n.Name] > 0 {
				continue
			}
			text := "no BGPPeer and no mesh gives it a session"
			if !n.IPv4.Addr.IsValid() && !n.IPv6.Addr.IsValid() {
				text = "it has no BGP address, and so no session"
			}
			out = append(out, complaint{object: n.ResourceKey().String(), text: text})
		}
	}
	return out
}

// islands are the kinds of nodes that internal sessions connect, by a number.
func (p *patient) islands() []int {
	island := make([]int, len(p.inside.Kinds))
	for i := range island {
		island[i] = i
	}
	find := func(i int) int {
		for island[i] != i {
			i = island[i]
		}
		return i
	}
	for _, l := range p.links {
		if l.internal() {
			island[find(l.a)] = find(l.b)
		}
	}
	for i := range island {
		island[i] = find(i)
	}
	return island
}

// loops finds nodes of one AS number that only routers connect.
func (p *patient) loops() []complaint {
	// islands by AS number, and how many nodes and which BGPPeers with routers they have.
	type island struct{ number, node int }
	byAS := map[uint32]map[island][]string{}
	numbers := p.islands()
	connected := map[int]bool{}
	for _, l := range p.links {
		if l.internal() {
			connected[l.a], connected[l.b] = true, true
		}
	}
	strict := p.strictPeers()
	for i, kind := range p.inside.Kinds {
		for j, n := range kind {
			peers := strict[n.Name]
			if len(peers) == 0 {
				continue
			}
			as := p.cluster.ASNumberOf(n)
			at := island{numbers[i], 0}
			if !connected[i] { // each node is one by itself
				at.node = j + 1
			}
			if byAS[as] == nil {
				byAS[as] = map[island][]string{}
			}
			byAS[as][at] = append(byAS[as][at], peers...)
		}
	}
	var out []complaint
	for _, as := range slices.Sorted(maps.Keys(byAS)) {
		if len(byAS[as]) < 2 {
			continue
		}
		names := map[string]bool{}
		for _, peers := range byAS[as] {
			for _, name := range peers {
				names[name] = true
			}
		}
		list := slices.Sorted(maps.Keys(names))
		out = append(out, complaint{
			object: backends.Key{Kind: backends.KindBGPPeer, Name: list[0]}.String(),
			text:   fmt.Sprintf("nodes of AS %d hear of each other by routers of other AS numbers alone (%s)", as, some(list)),
		})
	}
	return out
}

// strictPeers are, by node, the BGPPeers that give it external sessions with routers
// in which its own AS number is not allowed in a path.
func (p *patient) strictPeers() map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPPeers)) {
		peer := p.State.BGPPeers[name]
		if !peer.PeerIP.IsValid() || p.cluster.IsInside(peer) || peer.LocalASNumber != 0 || peer.NumAllowedLocalAS != nil && *peer.NumAllowedLocalAS > 0 {
			continue
		}
		nodes, err := p.cluster.LocalSide(peer)
		if err != nil {
			continue
		}
		for _, n := range nodes {
			if as := p.cluster.ASNumberOf(n); peer.ASNumber != 0 && peer.ASNumber != as {
				out[n.Name] = append(out[n.Name], name)
			}
		}
	}
	return out
}

// some lists the first few.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
