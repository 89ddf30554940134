package bgp

import (
	"net/netip"

	"confd/backends"
)

// Reflected are the nodes whose routes of a family (4 or 6) come by the route
// reflectors of those names: their clients, and those of other reflectors that
// they have sessions with, by what the cluster asks for. It errs to fewer: what is
// only one side's wish (reversePeering Manual), or between AS numbers, does not
// count.
func Reflected(s *backends.State, version int, reflectors []string) map[string]bool {
	r := reflection{
		Cluster: NewCluster(s), version: version,
		reached: map[string]bool{}, gone: map[step]bool{}, queued: map[string]bool{},
	}
	for _, name := range reflectors {
		if n, ok := s.Nodes[name]; ok {
			r.enqueue(n)
		}
	}
	for len(r.queue) > 0 {
		next := r.queue[0]
		r.queue = r.queue[1:]
		for _, p := range s.BGPPeers {
			r.follow(p, next)
		}
	}
	return r.reached
}

// reflection is one search.
type reflection struct {
	*Cluster
	version int
	reached map[string]bool
	// queue are the reflectors that are still to be looked at, queued all that ever
	// were.
	queue  []*backends.Node
	queued map[string]bool
	gone   map[step]bool
}

// step is the way from one side of a BGPPeer to the other one, for reflectors of
// one cluster.
type step struct {
	peer      string
	back      bool
	as        uint32
	clusterID netip.Addr
}

// follow goes from a reflector to those that p gives it sessions with.
func (r *reflection) follow(p *backends.BGPPeer, from *backends.Node) {
	if p.NoReversePeering || p.LocalASNumber != 0 || p.LocalWorkloadSelector != "" {
		return
	}
	if on, err := r.onLocalSide(p, from); err == nil && on && r.first(p, from, false) {
		r.reach(from, r.remoteSide(p))
	}
	if r.isRemote(p, from) && r.first(p, from, true) {
		nodes, err := r.localSide(p)
		if err == nil {
			r.reach(from, nodes)
		}
	}
}

// first says whether nobody has gone that way yet.
func (r *reflection) first(p *backends.BGPPeer, from *backends.Node, back bool) bool {
	s := step{p.Name, back, r.asNumber(from), from.ClusterID}
	was := r.gone[s]
	r.gone[s] = true
	return !was
}

func (r *reflection) remoteSide(p *backends.BGPPeer) []*backends.Node {
	if p.PeerSelector != "" {
		nodes, err := r.selectNodes(p.PeerSelector)
		if err != nil {
			return nil
		}
		return nodes
	}
	if n, ok := r.byAddress[p.PeerIP]; ok && VersionOf(p.PeerIP) == r.version && (p.ASNumber == 0 || p.ASNumber == r.asNumber(n)) {
		return []*backends.Node{n}
	}
	return nil
}

func (r *reflection) isRemote(p *backends.BGPPeer, n *backends.Node) bool {
	if p.PeerSelector != "" {
		yes, err := r.matches(p.PeerSelector, n)
		return err == nil && yes
	}
	for _, remote := range r.remoteSide(p) {
		return remote == n
	}
	return false
}

// reach notes nodes that a reflector has sessions with. Another reflector passes
// on what its clients tell it, unless it is of the same cluster: then nobody
// takes that from it (RFC 4456, CLUSTER_LIST).
func (r *reflection) reach(from *backends.Node, nodes []*backends.Node) {
	for _, n := range nodes {
		if !addressOf(n, r.version).Addr.IsValid() || r.asNumber(n) != r.asNumber(from) {
			continue
		}
		r.reached[n.Name] = true
		if n.ClusterID.IsValid() && n.ClusterID != from.ClusterID {
			r.enqueue(n)
		}
	}
}

func (r *reflection) enqueue(n *backends.Node) {
	if !r.queued[n.Name] {
		r.queued[n.Name] = true
		r.queue = append(r.queue, n)
	}
}
