package doctor

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/bgp/selector"
)

func resourceCodes() []Code {
	return []Code{
		{
			ID: id(70), Name: "selector-matches-nothing", Severity: Warning, check: (*patient).selectors,
			Says:        `peerSelector: route-reflectr == "true" matches no node; none has route-reflectr; 2 nodes have route-reflector`,
			Consequence: "The BGPPeer gives nobody a session.",
			Cure:        "Correct the selector, or label nodes.",
		},
		{
			ID: id(71), Name: "no-such-node", Severity: Warning, check: (*patient).missingNodes,
			Says:        `node: "a" is no node's name`,
			Consequence: "The object is for nobody.",
			Cure:        "Correct the name, or remove the object.",
		},
		{
			ID: id(72), Name: "unused-filter", Severity: Advice, check: (*patient).unusedFilters,
			Says:        "no BGPPeer names it",
			Consequence: "It filters nothing.",
			Cure:        "Name it in the filters of a BGPPeer, or remove it.",
		},
		{
			ID: id(73), Name: "unreachable-rule", Severity: Warning, check: (*patient).unreachableRules,
			Says:        "exportV4: no route gets to rule 3 (net In 10.1.0.0/16: accept)",
			Consequence: "The rule does nothing: one before it is for all of its routes, or it is for none.",
			Cure:        "Put it before the rule that covers it, or remove it.",
		},
		{
			ID: id(74), Name: "address-without-length", Severity: Warning, check: (*patient).withoutLength,
			Says:        "its IPv4 address 10.0.0.1 has no prefix length, and IPPool a is for crossing subnets",
			Consequence: "Its subnet is the address alone: all packets of that pool are encapsulated.",
			Cure:        "Give the address with its length: 10.0.0.1/24.",
		},
		{
			ID: id(75), Name: "router-id-twice", Severity: Error, check: (*patient).routerIDs,
			Says:        "has the router ID 10.0.0.1, which node b has too",
			Consequence: "BGP refuses a session with a peer of the same router ID, and route reflectors mistake one for the other.",
			Cure:        "Give the nodes different IPv4 addresses, or CALICO_ROUTER_ID.",
		},
		{
			ID: id(76), Name: "foreign-first-as", Severity: Warning, check: (*patient).foreignFirst,
			Says:        "exportV4: rule 1 prepends 65010 to what BGPPeer a's router is told: BIRD 1.6 puts it before the node's own AS number, 64512",
			Consequence: "A router that looks whether a path begins with its neighbor's AS number (FRR does, from version 10 on) drops these routes without a word to the node.",
			Cure:        "Prepend the node's own AS number, or use BIRD 2 or 3, which put theirs before it.",
		},
	}
}

func (p *patient) selectors() []complaint {
	if len(p.State.Nodes) == 0 {
		return nil
	}
	var out []complaint
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPPeers)) {
		peer := p.State.BGPPeers[name]
		for _, s := range []struct{ field, text string }{{"nodeSelector", peer.NodeSelector}, {"peerSelector", peer.PeerSelector}} {
			parsed, err := selector.Parse(s.text)
			if s.text == "" || err != nil || s.field == "nodeSelector" && peer.Node != "" {
				continue
			}
			if nodes, err := p.cluster.Selected(s.text); err == nil && len(nodes) == 0 {
				out = append(out, complaint{object: peer.ResourceKey().String(), text: fmt.Sprintf("%s: %s matches no node%s", s.field, s.text, p.asker.NearestLabels(parsed))})
			}
		}
	}
	return out
}

func (p *patient) missingNodes() []complaint {
	names := slices.Sorted(maps.Keys(p.State.Nodes))
	missing := func(node string) bool {
		return node != "" && p.State.Nodes[node] == nil && p.State.Invalid[backends.Key{Kind: backends.KindNode, Name: node}] == nil
	}
	text := func(field, node string) string {
		t := fmt.Sprintf("%s: %q is no node's name", field, node)
		if meant := bgp.LikelyNode(node, names); meant != "" {
			t += fmt.Sprintf("; did you mean %q?", meant)
		}
		return t
	}
	var out []complaint
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPPeers)) {
		if peer := p.State.BGPPeers[name]; missing(peer.Node) {
			out = append(out, complaint{object: peer.ResourceKey().String(), text: text("node", peer.Node)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPConfigurations)) {
		if node := trimNode(name); missing(node) {
			out = append(out, complaint{object: backends.Key{Kind: backends.KindBGPConfiguration, Name: name}.String(), text: text("metadata.name", node)})
		}
	}
	return out
}

func (p *patient) unusedFilters() []complaint {
	used := map[string]bool{}
	for _, peer := range p.State.BGPPeers {
		for _, name := range peer.Filters {
			used[name] = true
		}
	}
	var out []complaint
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPFilters)) {
		if !used[name] {
			out = append(out, complaint{object: backends.Key{Kind: backends.KindBGPFilter, Name: name}.String(), text: "no BGPPeer names it"})
		}
	}
	return out
}

func (p *patient) unreachableRules() []complaint {
	var out []complaint
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPFilters)) {
		f := p.State.BGPFilters[name]
		if p.State.Invalid[f.ResourceKey()] != nil {
			continue // it is closed, and that is said
		}
		for _, l := range []struct {
			name  string
			rules []backends.FilterRule
		}{{"importV4", f.ImportV4}, {"exportV4", f.ExportV4}, {"importV6", f.ImportV6}, {"exportV6", f.ExportV6}} {
			for _, n := range bgp.UnreachableRules(l.rules) {
				out = append(out, complaint{object: f.ResourceKey().String(), text: fmt.Sprintf("%s: no route gets to rule %d (%s)", l.name, n, bgp.RuleText(l.rules[n-1]))})
			}
		}
	}
	return out
}

func (p *patient) withoutLength() []complaint {
	pool := ""
	for _, x := range p.pools() {
		if x.CIDR.Addr().Is4() && (x.IPIP == backends.EncapCrossSubnet || x.VXLAN == backends.EncapCrossSubnet) {
			pool = x.Name
		}
	}
	if pool == "" {
		return nil
	}
	var out []complaint
	for _, n := range p.cluster.Nodes() {
		if n.IPv4.Addr.IsValid() && n.IPv4.Subnet.IsSingleIP() {
			out = append(out, complaint{object: n.ResourceKey().String(), text: fmt.Sprintf("its IPv4 address %s has no prefix length, and IPPool %s is for crossing subnets", n.IPv4.Addr, pool)})
		}
	}
	return out
}

func (p *patient) routerIDs() []complaint {
	first := map[netip.Addr]string{}
	var out []complaint
	for _, n := range p.cluster.Nodes() {
		id := n.IPv4.Addr
		if p.Options.RouterID == "hash" || !id.IsValid() {
			id = bgp.HashRouterID(n.Name)
		}
		other, taken := first[id]
		if !taken {
			first[id] = n.Name
			continue
		}
		if nodes := p.cluster.NodesAt(id); len(nodes) > 1 && slices.Contains(nodes, n) {
			continue // they have one address, which is said of itself
		}
		out = append(out, complaint{object: n.ResourceKey().String(), text: fmt.Sprintf("has the router ID %s, which node %s has too", id, other)})
	}
	return out
}
