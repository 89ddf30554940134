package explain

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/terminal"
)

// FilterAnswer says whom a BGPFilter concerns and, of a route, what it makes of it.
type FilterAnswer struct {
	Filter string `json:"filter"`
	// Unusable is why it cannot be used as it stands; empty: it can. What it does then is
	// in Instead.
	Unusable string `json:"unusable,omitempty"`
	Instead  string `json:"instead,omitempty"`
	// Peers are the BGPPeers that name it, and the sides of their sessions.
	Peers []FilterUse `json:"peers"`
	// Lists are its rules, by list.
	Lists []FilterList  `json:"lists"`
	Net   *netip.Prefix `json:"net,omitempty"`
	// Verdicts are those on the route, by direction and kind of session.
	Verdicts []Verdict `json:"verdicts,omitempty"`
}

// FilterUse is a BGPPeer that names the filter.
type FilterUse struct {
	Object string `json:"object"`
	Nodes  int    `json:"nodes"` // on its local side
}

// FilterList is a list of rules that has some.
type FilterList struct {
	Name  string   `json:"name"`
	Rules []string `json:"rules"`
	// Unreachable are the rules, from 1, that no route gets to.
	Unreachable []int `json:"unreachable,omitempty"`
}

// Filter explains a BGPFilter; route is nil where it is asked of none.
func (a *Asker) Filter(name string, route *bgp.Route) (*FilterAnswer, error) {
	f := a.state().BGPFilters[name]
	key := backends.Key{Kind: backends.KindBGPFilter, Name: name}
	fault := a.state().Invalid[key]
	if f == nil && fault == nil {
		hint := ""
		if meant := backends.Nearest(name, slices.Sorted(maps.Keys(a.state().BGPFilters))); meant != "" {
			hint = fmt.Sprintf("; did you mean %q?", meant)
		}
		return nil, &UnknownError{"BGPFilter", name, hint}
	}
	out := &FilterAnswer{Filter: name, Peers: []FilterUse{}, Lists: []FilterList{}}
	if fault != nil {
		out.Unusable, out.Instead = faultText(fault), "it is closed: what is below stands in its place until it can be read"
		if f != nil && a.state().Stale[key] {
			out.Instead = "the version of it that was good before stays in use, which is below"
		}
	}
	if f == nil { // it is closed all the same
		f = backends.ClosedFilter(name)
	}
	for _, peer := range slices.Sorted(maps.Keys(a.state().BGPPeers)) {
		p := a.state().BGPPeers[peer]
		if slices.Contains(p.Filters, name) {
			nodes, _ := a.own.LocalSide(p) // a selector that cannot be read chooses none
			out.Peers = append(out.Peers, FilterUse{p.ResourceKey().String(), len(nodes)})
		}
	}
	for _, l := range []struct {
		export  bool
		version int
		rules   []backends.FilterRule
	}{{false, 4, f.ImportV4}, {true, 4, f.ExportV4}, {false, 6, f.ImportV6}, {true, 6, f.ExportV6}} {
		if len(l.rules) > 0 {
			out.Lists = append(out.Lists, filterList(bgp.RuleList(l.export, l.version), l.rules))
		}
	}
	if route != nil {
		out.Net, out.Verdicts = &route.Net, filterVerdicts(f, *route)
	}
	return out, nil
}

// faultText is why an object cannot be used, and that it cannot, which a
// backends.Closed says itself.
func faultText(err error) string {
	if closed := (*backends.Closed)(nil); errors.As(err, &closed) {
		return err.Error()
	}
	return "cannot be used: " + err.Error()
}

func filterList(name string, rules []backends.FilterRule) FilterList {
	l := FilterList{Name: name, Unreachable: bgp.UnreachableRules(rules)}
	for _, r := range rules {
		l.Rules = append(l.Rules, bgp.RuleText(r)+": "+ruleDoes(r))
	}
	return l
}

// ruleDoes is what a rule does, as if a route got to it.
func ruleDoes(r backends.FilterRule) string {
	out, _ := bgp.TraceFilter(&backends.BGPFilter{ImportV4: []backends.FilterRule{{Accept: r.Accept, Operations: r.Operations}}}, false, false, bgp.Route{Net: netip.PrefixFrom(netip.IPv4Unspecified(), 0)})
	return out.Steps[0].Does
}

// filterVerdicts are those of each direction that has rules; of external and internal
// sessions, where they differ.
func filterVerdicts(f *backends.BGPFilter, route bgp.Route) []Verdict {
	out := []Verdict{}
	for _, export := range []bool{false, true} {
		direction := "import"
		if export {
			direction = "export"
		}
		external, internal := filterVerdict(f, direction, export, false, route), filterVerdict(f, direction, export, true, route)
		if len(external.Steps) == 0 {
			continue
		}
		if external.Accepted == internal.Accepted && external.Undecided == internal.Undecided && external.Why == internal.Why {
			external.Peer = ""
			out = append(out, external)
		} else {
			out = append(out, external, internal)
		}
	}
	return out
}

func filterVerdict(f *backends.BGPFilter, direction string, export, internal bool, route bgp.Route) Verdict {
	o, decided := bgp.TraceFilter(f, export, internal, route)
	v := verdictOf(direction, o, true)
	v.Peer = "external sessions (eBGP)"
	if internal {
		v.Peer = "internal sessions (iBGP)"
	}
	if v.Undecided = !decided; v.Undecided {
		v.Why = "no rule is for the route"
	}
	return v
}

// Text writes the answer for people.
func (f *FilterAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, "BGPFilter "+f.Filter)
	if f.Unusable != "" {
		p.Text(2, terminal.Bad, "! "+f.Unusable)
		p.Text(2, terminal.Bad, f.Instead)
	}
	if len(f.Peers) == 0 {
		p.Text(2, terminal.Odd, "no BGPPeer names it: it filters nothing")
	}
	for _, u := range f.Peers {
		p.Text(2, terminal.Plain, fmt.Sprintf("used by %s, which is for %s", u.Object, terminal.Count(u.Nodes, "node")))
	}
	for _, l := range f.Lists {
		if f.Net != nil {
			break
		}
		p.Blank()
		p.Text(2, terminal.Title, l.Name)
		for i, r := range l.Rules {
			if slices.Contains(l.Unreachable, i+1) {
				p.Text(4, terminal.Odd, fmt.Sprintf("%d. %s (no route gets to it)", i+1, r))
			} else {
				p.Text(4, terminal.Plain, fmt.Sprintf("%d. %s", i+1, r))
			}
		}
	}
	for _, v := range f.Verdicts {
		p.Blank()
		title := fmt.Sprintf("%s of %s", v.Direction, f.Net)
		if v.Peer != "" {
			title += " in " + v.Peer
		}
		p.Text(0, terminal.Title, title)
		v.text(p)
	}
	if f.Net != nil && len(f.Verdicts) == 0 {
		p.Text(2, terminal.Plain, "it has no rules for the route's address family")
	}
}
