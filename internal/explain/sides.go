package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
	"confd/bgp/selector"
	"confd/internal/terminal"
)

// side is whether one side of a BGPPeer is somebody, and why.
type side struct {
	is  bool
	why string
	// nobody: it is no node at all, so that something is likely mistyped.
	nobody bool
}

// localSide says whether a BGPPeer gives sessions to n; n is nil for who is outside.
func (a *Asker) localSide(p *backends.BGPPeer, n *backends.Node) side {
	switch {
	case n == nil:
		return side{why: "it gives sessions to nodes only"}
	case p.Node == n.Name:
		return side{is: true, why: fmt.Sprintf("node: %s is this node", p.Node)}
	case p.Node != "" && a.state().Nodes[p.Node] == nil:
		return side{why: fmt.Sprintf("node: %s is no node's name%s", strconv.Quote(p.Node), a.meantNode(p.Node)), nobody: true}
	case p.Node != "":
		return side{why: fmt.Sprintf("node: %s is another node", p.Node)}
	case p.NodeSelector != "":
		return a.selected("nodeSelector", p.NodeSelector, n)
	}
	return side{is: true, why: "it has neither node nor nodeSelector, and so is for all nodes"}
}

// remoteSide says whether the sessions of a BGPPeer lead to party, which is n where
// it is a node.
func (a *Asker) remoteSide(p *backends.BGPPeer, party Party, n *backends.Node) side {
	switch {
	case p.PeerSelector != "" && n == nil:
		return side{why: fmt.Sprintf("peerSelector: %s chooses nodes only", p.PeerSelector)}
	case p.PeerSelector != "":
		return a.selected("peerSelector", p.PeerSelector, n)
	case p.LocalWorkloadSelector != "":
		return side{why: "it is for local workloads"}
	case party.has(p.PeerIP) && party.Node == "":
		return side{is: true, why: fmt.Sprintf("peerIP: %s, outside of the cluster", p.PeerIP)}
	case party.has(p.PeerIP):
		return side{is: true, why: fmt.Sprintf("peerIP: %s is %s", p.PeerIP, party.Name())}
	}
	whose := "an address outside of the cluster"
	if nodes := a.own.NodesAt(p.PeerIP); len(nodes) > 0 {
		whose = "the address of node " + nodes[0].Name
	}
	return side{why: fmt.Sprintf("peerIP: %s is %s", p.PeerIP, whose)}
}

// selected says whether a selector matches a node.
func (a *Asker) selected(field, text string, n *backends.Node) side {
	s, err := selector.Parse(text)
	if err != nil {
		return side{why: fmt.Sprintf("%s: %s cannot be read: %v", field, text, err)}
	}
	head := fmt.Sprintf("%s: %s ", field, text)
	misses := s.Misses(n.Labels)
	if len(misses) == 0 {
		return side{is: true, why: head + "matches " + n.Name + labelsText(s, n)}
	}
	nodes, _ := a.own.Selected(text) // it was read just now
	if len(nodes) == 0 {
		return side{why: head + "matches no node" + a.NearestLabels(s), nobody: true}
	}
	return side{why: head + fmt.Sprintf("matches %s, and not %s: %s", terminal.Count(len(nodes), "node"), n.Name, missText(misses, n.Name))}
}

// labelsText are those of a node's labels that a selector asks for.
func labelsText(s *selector.Selector, n *backends.Node) string {
	var parts []string
	for _, label := range s.Labels() {
		if value, ok := n.Labels[label]; ok {
			parts = append(parts, label+"="+value)
		} else {
			parts = append(parts, "no "+label)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func missText(misses []selector.Miss, node string) string {
	var parts []string
	for _, m := range misses {
		switch {
		case m.Label == "":
			parts = append(parts, m.Condition+" does not hold")
		case m.Has:
			parts = append(parts, fmt.Sprintf("that needs %s, and its %s is %q", m.Condition, m.Label, m.Value))
		default:
			parts = append(parts, fmt.Sprintf("that needs %s, and it has no label %s", m.Condition, m.Label))
		}
	}
	return strings.Join(parts, "; ")
}

func (a *Asker) labelBook() *labelBook {
	if a.labels == nil {
		a.labels = bookOf(a.own)
	}
	return a.labels
}

// NearestLabels says, after "matches no node", what the nodes have instead of what
// a selector asks for; empty where nothing comes near.
func (a *Asker) NearestLabels(s *selector.Selector) string {
	b := a.labelBook()
	var parts []string
	for _, label := range s.Labels() {
		if b.nodes[label] > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", label, b.valuesText(label)))
			continue
		}
		if meant := backends.Nearest(label, slices.Sorted(maps.Keys(b.nodes))); meant != "" {
			parts = append(parts, fmt.Sprintf("none has %s; %s %s", label, haveText(b.nodes[meant]), meant))
		} else {
			parts = append(parts, "none has "+label)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, "; ")
}

func haveText(n int) string {
	if n == 1 {
		return "1 node has"
	}
	return strconv.Itoa(n) + " nodes have"
}
