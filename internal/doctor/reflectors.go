package doctor

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
)

func reflectorCodes() []Code {
	return []Code{
		{
			ID: id(50), Name: "reflector-without-clients", Severity: Warning, check: (*patient).withoutClients,
			Says:        "has a cluster ID, and no session with a client",
			Consequence: "A node with a cluster ID stays out of the mesh, and this one reflects nothing for anybody.",
			Cure:        "Remove routeReflectorClusterID from the Node, or add a BGPPeer that gives it clients.",
		},
		{
			ID: id(51), Name: "single-reflector", Severity: Warning, check: (*patient).singleReflector,
			Says:        "node rr-1 is its only route reflector",
			Consequence: "When that reflector is down, the node has no routes.",
			Cure:        "Give it a second one.",
		},
		{
			ID: id(52), Name: "reflectors-not-connected", Severity: Error, check: func(p *patient) []complaint { return p.apart(false) },
			Says:        "its clients and those of node rr-2 have no route reflector in common, and there is no way of sessions between the two",
			Consequence: "The clients of one do not hear of those of the other.",
			Cure:        "Add a BGPPeer between the route reflectors.",
		},
		{
			ID: id(53), Name: "cluster-id-splits", Severity: Error, check: func(p *patient) []complaint { return p.apart(true) },
			Says:        "it and node rr-2 have the same cluster ID 244.0.0.1, and not the same clients",
			Consequence: "A route reflector drops what another one of its cluster reflected (RFC 4456, CLUSTER_LIST): the clients of one do not hear of those of the other.",
			Cure:        "Give them different cluster IDs, or all clients sessions with both.",
		},
	}
}

// reflectorOf is the cluster ID of a kind's nodes; not valid: they reflect nothing.
func (p *patient) reflectorOf(kind int) netip.Addr { return p.inside.Kinds[kind][0].ClusterID }

// clients are, by kind, the kinds of route reflectors that its nodes are clients of.
// Reflectors are no clients here.
func (p *patient) clients() map[int][]int {
	out := map[int][]int{}
	add := func(client, reflector int) {
		if !slices.Contains(out[client], reflector) {
			out[client] = append(out[client], reflector)
		}
	}
	for _, l := range p.links {
		if !l.internal() {
			continue
		}
		a, b := p.reflectorOf(l.a).IsValid(), p.reflectorOf(l.b).IsValid()
		switch {
		case a && !b:
			add(l.b, l.a)
		case b && !a:
			add(l.a, l.b)
		}
	}
	return out
}

func (p *patient) withoutClients() []complaint {
	has := map[int]bool{}
	for _, reflectors := range p.clients() {
		for _, r := range reflectors {
			has[r] = true
		}
	}
	for _, l := range p.links { // reflectors in tiers are each other's
		if l.internal() && l.atX.RRClient && l.atY.RRClient {
			has[l.a], has[l.b] = true, true
		}
	}
	var out []complaint
	for i, kind := range p.inside.Kinds {
		for _, n := range kind {
			if n.ClusterID.IsValid() && !has[i] && !p.reflectsOutside(n) {
				out = append(out, complaint{object: n.ResourceKey().String(), text: "has a cluster ID, " + n.ClusterID.String() + ", and no session with a client"})
			}
		}
	}
	return out
}

// reflectsOutside says whether a node has internal sessions with routers.
func (p *patient) reflectsOutside(n *backends.Node) bool {
	for _, peer := range p.State.BGPPeers {
		if !peer.PeerIP.IsValid() || p.cluster.IsInside(peer) || peer.ASNumber != 0 && peer.ASNumber != p.cluster.ASNumberOf(n) {
			continue
		}
		if nodes, err := p.cluster.LocalSide(peer); err == nil && slices.Contains(nodes, n) {
			return true
		}
	}
	return false
}

func (p *patient) singleReflector() []complaint {
	clients := p.clients()
	others := p.withOthers()
	var out []complaint
	for _, client := range slices.Sorted(maps.Keys(clients)) {
		reflectors := clients[client]
		if len(reflectors) != 1 || len(p.inside.Kinds[reflectors[0]]) != 1 || others[client] {
			continue
		}
		for _, n := range p.inside.Kinds[client] {
			if p.outside[n.Name] == 0 {
				out = append(out, complaint{object: n.ResourceKey().String(), text: fmt.Sprintf("node %s is its only route reflector", p.inside.Kinds[reflectors[0]][0].Name)})
			}
		}
	}
	return out
}

// withOthers are the kinds that have sessions with nodes that are no reflectors.
func (p *patient) withOthers() map[int]bool {
	out := map[int]bool{}
	for _, l := range p.links {
		if !p.reflectorOf(l.a).IsValid() && !p.reflectorOf(l.b).IsValid() {
			out[l.a], out[l.b] = true, true
		}
	}
	return out
}

// apart finds route reflectors whose clients do not hear of each other: because
// nothing connects them or, where sameID is asked for, because they are of one
// cluster.
func (p *patient) apart(sameID bool) []complaint {
	if p.cluster.MeshEnabled() { // the clients have sessions with each other
		return nil
	}
	all, passing := p.reflectorIslands(true), p.reflectorIslands(false)
	type side struct{ key, reflector int }
	var sides []side
	seen := map[string]bool{}
	reach := map[int]map[int]bool{}
	clients := p.clients()
	for _, c := range slices.Sorted(maps.Keys(clients)) {
		islands, key := map[int]bool{}, ""
		of := all
		if sameID {
			of = passing
		}
		for _, r := range clients[c] {
			islands[of[r]] = true
		}
		key = fmt.Sprint(slices.Sorted(maps.Keys(islands)))
		if seen[key] {
			continue
		}
		seen[key] = true
		reach[c] = islands
		sides = append(sides, side{c, clients[c][0]})
	}
	for i := range sides {
		for j := range i {
			x, y := sides[j], sides[i]
			if meet(reach[x.key], reach[y.key]) {
				continue
			}
			a, b := p.inside.Kinds[x.reflector][0], p.inside.Kinds[y.reflector][0]
			switch {
			case !sameID:
				return []complaint{{object: a.ResourceKey().String(), text: fmt.Sprintf("its clients and those of node %s have no route reflector in common, and there is no way of sessions between the two", b.Name)}}
			case all[x.reflector] == all[y.reflector]:
				return []complaint{{object: a.ResourceKey().String(), text: fmt.Sprintf("it and node %s have the same cluster ID %s, and not the same clients", b.Name, b.ClusterID)}}
			}
		}
	}
	return nil
}

func meet(a, b map[int]bool) bool {
	for x := range a {
		if b[x] {
			return true
		}
	}
	return false
}

// reflectorIslands are the kinds of route reflectors that have sessions with each
// other, by a number; sameID counts those within one cluster, too. Nodes that are in
// a mesh are no reflectors and connect none.
func (p *patient) reflectorIslands(sameID bool) []int {
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
		a, b := p.reflectorOf(l.a), p.reflectorOf(l.b)
		if l.internal() && a.IsValid() && b.IsValid() && (sameID || a != b) {
			island[find(l.a)] = find(l.b)
		}
	}
	for i := range island {
		island[i] = find(i)
	}
	return island
}
