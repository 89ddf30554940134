package explain

import (
	"cmp"
	"fmt"
	"strings"

	"confd/backends"
	"confd/bgp"
)

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
