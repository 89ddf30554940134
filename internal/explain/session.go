package explain

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// Session explains the session between two parties, of which one at least is a node.
func (a *Asker) Session(x, y Party) (*SessionAnswer, error) {
	if x.Node == "" {
		x, y = y, x
	}
	if x.Node == "" {
		return nil, errors.New("neither of the two is a node of this cluster: nobody knows their sessions")
	}
	if x.Node == y.Node {
		return nil, fmt.Errorf("both are node %s: a node has no session with itself", x.Node)
	}
	out := &SessionAnswer{A: x, B: y, Sessions: []Pair{}}
	ours, err := a.endsOf(x, y)
	if err != nil {
		return nil, err
	}
	var theirs ends
	if y.Node != "" {
		if theirs, err = a.endsOf(y, x); err != nil {
			return nil, err
		}
	}
	for _, family := range []int{4, 6} {
		out.Sessions = append(out.Sessions, a.pairs(family, ours.list, theirs.list, y.Node != "")...)
	}
	a.absences(out, ours, theirs)
	if len(out.Sessions) > 0 && len(out.Absent) == 0 { // else they are among the misses
		out.LeftOut = a.leftOutPeers(x, y, ours, theirs)
	}
	return out, nil
}

func (a *Asker) endsOf(me, peer Party) (ends, error) {
	cfg, claims, err := a.clusterOf(me.Node).Claims(a.options.For(me.Node), func(s *bgp.Session) bool { return peer.has(s.Neighbor) })
	if err != nil {
		return ends{}, err
	}
	out := ends{config: cfg}
	for _, c := range claims {
		if !c.Lost() {
			out.list = append(out.list, a.end(me, peer, c, claims))
		}
	}
	return out, nil
}

func (a *Asker) end(me, peer Party, c bgp.Claim, all []bgp.Claim) End {
	e := End{
		Node: me.Node, Session: c.Name, Kind: string(c.Kind), Object: c.Reason.Object.String(), Why: c.Reason.Text, Reverse: c.Reason.Reverse,
		Chain: a.chain(me, peer, &c.Session), Options: a.optionsOf(me, &c.Session), Live: a.liveOf(me.Node, c.Name), session: c.Session,
	}
	for _, other := range all {
		if other.Lost() && other.Neighbor == c.Neighbor && other.PortOf() == c.PortOf() && other.Reason.Object != c.Reason.Object {
			e.Losers = append(e.Losers, Loser{other.Reason.Object.String(), other.Reason.Text, other.Name})
		}
	}
	return e
}

// chain is how the resources lead to a session.
func (a *Asker) chain(me, peer Party, s *bgp.Session) []string {
	p := a.state().BGPPeers[s.Reason.Object.Name]
	if s.Reason.Object.Kind != backends.KindBGPPeer || p == nil {
		on := "nodeToNodeMeshEnabled is true"
		if c := a.state().BGPConfigurations["default"]; c == nil || c.NodeToNodeMesh == nil {
			on = "nobody set nodeToNodeMeshEnabled, and so the mesh is on"
		}
		return []string{on, "neither " + me.Name() + " nor " + peer.Name() + " has a route reflector cluster ID: both take part in it"}
	}
	mine, theirs := a.state().Nodes[me.Node], a.state().Nodes[peer.Node]
	switch {
	case s.Kind == bgp.LocalWorkloadSession:
		return []string{a.localSide(p, mine).why, s.Reason.Text}
	case s.Reason.Reverse:
		return []string{
			"forward: " + a.localSide(p, theirs).why, "to: " + a.remoteSide(p, me, mine).why,
			"reversePeering is Auto: " + me.Name() + " gets the other side of it",
		}
	}
	return []string{a.localSide(p, mine).why, a.remoteSide(p, peer, theirs).why}
}

// pairs puts the ends of one family together.
func (a *Asker) pairs(family int, ours, theirs []End, bothNodes bool) []Pair {
	of := func(e End) bool { return bgp.VersionOf(e.session.Neighbor) == family }
	mine, other := slices.DeleteFunc(slices.Clone(ours), func(e End) bool { return !of(e) }), slices.DeleteFunc(slices.Clone(theirs), func(e End) bool { return !of(e) })
	var out []Pair
	for i := range max(len(mine), len(other)) {
		p := Pair{Family: family}
		if i < len(mine) {
			p.Ends = append(p.Ends, mine[i])
		}
		if i < len(other) {
			p.Ends = append(p.Ends, other[i])
		}
		p.OneSided = bothNodes && len(p.Ends) == 1
		if len(p.Ends) == 2 {
			p.Conflicts = a.conflicts(p.Ends[0], p.Ends[1])
		}
		out = append(out, p)
	}
	return out
}

func (a *Asker) conflicts(x, y End) []string {
	listens := func(node string) uint16 { return a.own.ListenPortOf(a.state().Nodes[node]) }
	var out []string
	for _, d := range bgp.Disagreements(x.Node, &x.session, listens(x.Node), y.Node, &y.session, listens(y.Node)) {
		out = append(out, d.Text)
	}
	return out
}

// absences explains what is not there: of two nodes that have no session at all, of
// one that lacks the end of the other's, and of families that both speak.
func (a *Asker) absences(out *SessionAnswer, ours, theirs ends) {
	x, y := out.A, out.B
	has := func(e ends, family int) bool {
		return slices.ContainsFunc(e.list, func(e End) bool { return bgp.VersionOf(e.session.Neighbor) == family })
	}
	if len(ours.list)+len(theirs.list) == 0 {
		out.Absent = append(out.Absent, a.absence(x, y, 0, ours.config))
		return
	}
	for _, family := range []int{4, 6} {
		if y.Node != "" && has(ours, family) && !has(theirs, family) {
			out.Absent = append(out.Absent, a.absence(y, x, family, theirs.config))
		}
		if has(theirs, family) && !has(ours, family) {
			out.Absent = append(out.Absent, a.absence(x, y, family, ours.config))
		}
	}
}

const mostMisses = 12

func (a *Asker) absence(me, peer Party, family int, cfg *bgp.Config) Absence {
	out := Absence{Node: me.Node, Peer: peer.Name(), Family: family, Mesh: a.whyNoMesh(me, peer, cfg), Misses: []Miss{}}
	for _, name := range slices.Sorted(maps.Keys(a.state().BGPPeers)) {
		out.Misses = append(out.Misses, a.miss(me, peer, a.state().BGPPeers[name], cfg))
	}
	slices.SortStableFunc(out.Misses, func(x, y Miss) int { return cmp.Compare(y.near, x.near) })
	keep := min(len(out.Misses), mostMisses)
	out.More, out.Misses = len(out.Misses)-keep, out.Misses[:keep]
	out.Misses = append(a.unusablePeers(), out.Misses...)
	return out
}

// whyNoMesh says what keeps a session of the mesh away.
func (a *Asker) whyNoMesh(me, peer Party, cfg *bgp.Config) []string {
	if !a.own.MeshEnabled() {
		return []string{"it is off: nodeToNodeMeshEnabled is false in BGPConfiguration default"}
	}
	var out []string
	for _, p := range []Party{me, peer} {
		if p.ClusterID.IsValid() {
			out = append(out, fmt.Sprintf("node %s is a route reflector (its own cluster ID is %s), and route reflectors stay out of the mesh", p.Node, p.ClusterID))
		}
	}
	if peer.Node == "" {
		return append(out, peer.Name()+" is no node's address, and the mesh is among nodes")
	}
	if !commonFamily(me, peer) {
		out = append(out, noCommonFamily(me, peer))
	}
	key := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
	return append(out, leftOut(cfg, key)...)
}
