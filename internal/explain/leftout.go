package explain

import (
	"fmt"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// leftOutPeers are the BGPPeers that fit both sides, and of which something is left out
// for a fault; and those that cannot be used at all.
func (a *Asker) leftOutPeers(x, y Party, ours, theirs ends) []Miss {
	out := a.unusablePeers()
	for _, name := range slices.Sorted(maps.Keys(a.state().BGPPeers)) {
		p := a.state().BGPPeers[name]
		if a.state().Invalid[p.ResourceKey()] != nil {
			continue
		}
		why := a.faultsOf(p, x, y, ours.config)
		for _, text := range a.faultsOf(p, y, x, theirs.config) {
			if !slices.Contains(why, text) {
				why = append(why, text)
			}
		}
		if len(why) > 0 {
			out = append(out, Miss{Object: p.ResourceKey().String(), Sides: 2, Why: why})
		}
	}
	return out
}

// faultsOf is why a node's configuration leaves something of p out, where p is for a
// session of that node with peer; or for one of both, and nobody can read for whom else.
// That another has the session is no fault. cfg is nil of who is no node.
func (a *Asker) faultsOf(p *backends.BGPPeer, me, peer Party, cfg *bgp.Config) []string {
	if cfg == nil {
		return nil
	}
	var why []string
	sides := 2
	for _, problem := range cfg.Problems {
		if problem.Object != p.ResourceKey() || !problem.LeftOut || problem.Code == bgp.CodeSessionTaken {
			continue
		}
		why = append(why, problem.Text)
		if problem.Code == bgp.CodeBadSelector {
			sides = 1
		}
	}
	if len(why) == 0 || a.miss(me, peer, p, cfg).Sides < sides {
		return nil
	}
	return why
}

// unusablePeers are the BGPPeers that cannot be read, so that nobody knows whom they
// are for.
func (a *Asker) unusablePeers() []Miss {
	var out []Miss
	for _, key := range slices.SortedFunc(maps.Keys(a.state().Invalid), backends.Key.Compare) {
		if key.Kind == backends.KindBGPPeer {
			out = append(out, Miss{Object: key.String(), Why: []string{fmt.Sprintf("it cannot be used: %v", a.state().Invalid[key])}})
		}
	}
	return out
}
