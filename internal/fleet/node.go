package fleet

import "net/netip"

// bird is the version of the node's BIRD; empty: not known.
func (n Node) bird() string {
	if n.Summary == nil {
		return ""
	}
	for _, b := range n.Summary.BIRDs {
		if b.Version != "" {
			return b.Version
		}
	}
	return ""
}

func (n Node) program() string {
	if n.Summary == nil {
		return ""
	}
	return n.Summary.Program
}

// held are the IDs of what the node holds back.
func (n Node) held() []string {
	var list []string
	if n.Summary != nil {
		for _, h := range n.Summary.Held {
			list = append(list, h.ID)
		}
	}
	return list
}

// missing are the peers that the node has no session with, by name and by address.
func (n Node) missing() []string {
	var list []string
	if n.Summary != nil {
		for _, s := range n.Summary.Down {
			list = append(list, s.Peer, s.PeerNode)
		}
	}
	return list
}

func (n Node) down() int {
	if n.Summary == nil {
		return 0
	}
	return n.Summary.Expected - n.Summary.Up
}

// address is the node's first; empty: it has none.
func (n Node) address() string {
	if len(n.Addresses) == 0 || n.Addresses[0] == (netip.Addr{}) {
		return ""
	}
	return n.Addresses[0].String()
}
