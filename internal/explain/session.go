package explain

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
)

// SessionAnswer says which sessions two parties have with each other, and why.
type SessionAnswer struct {
	A Party `json:"a"`
	B Party `json:"b"`
	// Sessions are those that at least one side has.
	Sessions []Pair `json:"sessions"`
	// Absent says, of each node that has no session with the other party, or not in
	// each family that it could, why.
	Absent []Absence `json:"absent,omitempty"`
	// LeftOut are the BGPPeers that are for these two, besides what there is, and of
	// which nothing is used: something is wrong with them, or they cannot be read, so
	// that nobody knows whom they are for.
	LeftOut []Miss `json:"left_out,omitempty"`
}

// Pair is one session, with one or both of its ends. The end of who is outside of
// the cluster is not known.
type Pair struct {
	Family int   `json:"family"`
	Ends   []End `json:"ends"`
	// OneSided: only one of two nodes has it.
	OneSided bool `json:"one_sided"`
	// Conflicts say why the two ends cannot come together.
	Conflicts []string `json:"conflicts,omitempty"`
}

// End is a session as one node has it.
type End struct {
	Node    string `json:"node"`
	Session string `json:"session"` // BIRD's name for it
	Kind    string `json:"kind"`
	Object  string `json:"object"` // that asks for it
	Why     string `json:"why"`
	Reverse bool   `json:"reverse"`
	// Chain is how the resources lead to it, a step each.
	Chain []string `json:"chain"`
	// Losers asked for the same session and do not have it.
	Losers  []Loser      `json:"losers,omitempty"`
	Options []Option     `json:"options"`
	Live    *LiveSession `json:"live,omitempty"`

	session bgp.Session
}

// Loser is who asked for a session that another object has.
type Loser struct {
	Object  string `json:"object"`
	Why     string `json:"why"`
	Session string `json:"session"`
}

// Option is one option of a session, and what it comes from.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// Absence says why a node has no session.
type Absence struct {
	Node   string `json:"node"`
	Peer   string `json:"peer"`
	Family int    `json:"family,omitempty"` // 0: in none
	// Mesh says why there is none of the mesh.
	Mesh []string `json:"mesh"`
	// Misses are the BGPPeers, the nearest first; More is how many others there are,
	// which concern neither side.
	Misses []Miss `json:"misses"`
	More   int    `json:"more,omitempty"`
}

// Miss says why a BGPPeer asks for no session.
type Miss struct {
	Object string `json:"object"`
	// Sides is how many of its two sides fit.
	Sides int      `json:"sides"`
	Why   []string `json:"why"`

	near int // the more, the likelier it is meant
}

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

// ends are one node's sessions with a party.
type ends struct {
	config *bgp.Config
	list   []End
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

func commonFamily(x, y Party) bool {
	return x.family(4).IsValid() && y.family(4).IsValid() || x.family(6).IsValid() && y.family(6).IsValid()
}

func noCommonFamily(x, y Party) string {
	return fmt.Sprintf("they have no address family in common: %s has %s, %s has %s", x.Name(), addressesText(x), y.Name(), addressesText(y))
}

func addressesText(p Party) string {
	if len(p.Addresses) == 0 {
		return "no address"
	}
	var parts []string
	for _, a := range p.Addresses {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, " and ")
}

// leftOut is what a configuration leaves out of what an object asks for.
func leftOut(cfg *bgp.Config, key backends.Key) []string {
	var out []string
	for _, p := range cfg.Problems {
		if p.Object == key && p.LeftOut {
			out = append(out, p.Text)
		}
	}
	return out
}

// miss says why a BGPPeer asks for no session that me has with peer: in the one of
// both directions that comes nearer to it.
func (a *Asker) miss(me, peer Party, p *backends.BGPPeer, cfg *bgp.Config) Miss {
	mine, theirs := a.state().Nodes[me.Node], a.state().Nodes[peer.Node]
	there := [2]side{a.localSide(p, mine), a.remoteSide(p, peer, theirs)}
	back := [2]side{a.localSide(p, theirs), a.remoteSide(p, me, mine)}
	m := Miss{Object: p.ResourceKey().String()}
	sides, reverse := there, false
	if fits(back) > fits(there) {
		sides, reverse = back, true
	}
	m.Sides = fits(sides)
	m.near = 2 * m.Sides
	for _, s := range sides {
		if !s.is || m.Sides == 2 {
			m.Why = append(m.Why, s.why)
		}
		if s.nobody {
			m.near++
		}
	}
	if m.Sides == 2 {
		m.Why = append(m.Why, a.whyNotGiven(me, peer, p, reverse, cfg)...)
	}
	return m
}

func fits(sides [2]side) int {
	n := 0
	for _, s := range sides {
		if s.is {
			n++
		}
	}
	return n
}

// whyNotGiven says why there is no session although both sides of p fit.
func (a *Asker) whyNotGiven(me, peer Party, p *backends.BGPPeer, reverse bool, cfg *bgp.Config) []string {
	out := leftOut(cfg, p.ResourceKey())
	switch mine := a.state().Nodes[me.Node]; {
	case !commonFamily(me, peer):
		out = append(out, noCommonFamily(me, peer))
	case !reverse:
	case p.NoReversePeering:
		out = append(out, fmt.Sprintf("reversePeering is Manual: %s gets no session for the one that %s has", me.Name(), peer.Name()))
	case p.PeerIP.IsValid() && cmp.Or(p.ASNumber, a.own.ASNumberOf(&backends.Node{})) != me.AS:
		out = append(out, fmt.Sprintf("asNumber: %d is not the AS number of %s, which is %d", p.ASNumber, me.Name(), me.AS))
	case p.PeerIP.IsValid() && p.Port != 0 && a.own.ListenPortOf(mine) != p.Port:
		out = append(out, fmt.Sprintf("peerIP: port %d is not the one that %s listens on, which is %d", p.Port, me.Name(), a.own.ListenPortOf(mine)))
	}
	return out
}
