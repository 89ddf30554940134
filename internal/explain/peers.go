package explain

import (
	"net/netip"

	"confd/bgp"
)

// Peer is one with whom a node has a session.
type Peer struct {
	Session string // its name
	Address netip.Addr
	AS      uint32
	Node    string // empty: it is none of the cluster's
}

// Peers are those of a node, in the order of its configuration; none where the node
// has none, or cannot be computed.
func (a *Asker) Peers(node string) []Peer {
	cfg, err := a.compute(node)
	if err != nil {
		return nil
	}
	var peers []Peer
	for _, f := range []*bgp.Family{&cfg.IPv4, &cfg.IPv6} {
		for _, s := range f.Sessions {
			p := Peer{Session: s.Name, Address: s.Neighbor, AS: s.AS}
			if nodes := a.own.NodesAt(s.Neighbor); len(nodes) > 0 {
				p.Node = nodes[0].Name
			}
			peers = append(peers, p)
		}
	}
	return peers
}
