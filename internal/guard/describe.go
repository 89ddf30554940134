package guard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// maxObjects is how many objects are named as the reason: one change of a script's
// can be of thousands.
const maxObjects = 30

// describe says of each object that is the reason what happened to it, one line
// each: first those that asked for what is lost, then by kind.
func (j *judgement) describe(reasons map[backends.Key]aspect, lost []string) []string {
	before := j.q.stateBefore()
	if len(reasons) == 0 && j.unwritten {
		return []string{"the templates leave these sessions out"}
	}
	if before == nil {
		return j.describeStanding(lost)
	}
	asked, names := map[backends.Key]bool{}, setOf(lost)
	for _, l := range j.then.Lines {
		if names[l.Name] {
			asked[l.Object] = true
		}
	}
	if j.q.Doubt != "" {
		for _, l := range j.then.Lines {
			if k := (backends.Key{Kind: backends.KindNode, Name: l.Node}); names[l.Name] && j.gone(l) {
				reasons[k] = ofSessions
			}
		}
	}
	rank := func(k backends.Key) int {
		if asked[k] {
			return rankOf(k, j.q.Options.Node) - 10
		}
		return rankOf(k, j.q.Options.Node)
	}
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b backends.Key) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Compare(b))
	})
	var texts []string
	for _, k := range keys[:min(len(keys), maxObjects)] {
		texts = append(texts, k.String()+describeChange(before, j.state, k))
	}
	if more := len(keys) - maxObjects; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return texts
}

// rankOf orders objects by how likely they are the cause: what concerns all comes
// before other nodes.
func rankOf(k backends.Key, me string) int {
	kinds := []backends.Kind{backends.KindBGPConfiguration, backends.KindBGPPeer, backends.KindNode, backends.KindSecret}
	rank := slices.Index(kinds, k.Kind)
	switch {
	case rank < 0:
		return len(kinds)
	case k.Kind == backends.KindNode && k.Name != me:
		return len(kinds) + 1
	}
	return rank
}

// describeStanding says what keeps lost sessions away, where nobody knows what it
// was before.
func (j *judgement) describeStanding(lost []string) []string {
	mesh, peers := false, false
	for _, name := range lost {
		kind, _, _, ok := bgp.ParseSessionName(name)
		mesh, peers = mesh || kind == bgp.MeshSession, peers || ok && kind != bgp.MeshSession
	}
	var texts []string
	if key, why := standingMesh(j.state, j.q.Options.Node); mesh && why != "" {
		texts = append(texts, key.String()+": "+why)
	}
	switch n := len(j.state.BGPPeers); {
	case !peers:
	case n == 0:
		texts = append(texts, "there is no BGPPeer at all")
	default:
		texts = append(texts, fmt.Sprintf("none of the %d BGPPeers asks for these sessions", n))
	}
	for _, key := range slices.SortedFunc(maps.Keys(j.state.Invalid), backends.Key.Compare) {
		switch key.Kind {
		case backends.KindBGPConfiguration, backends.KindBGPPeer, backends.KindSecret:
			texts = append(texts, fmt.Sprintf("%s cannot be used: %v", key, j.state.Invalid[key]))
		}
	}
	return texts
}
