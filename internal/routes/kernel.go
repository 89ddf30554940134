package routes

import (
	"net/netip"
	"slices"

	"confd/bgp"
	"confd/reload/control"
)

// mainTable is the kernel's main table, which BIRD's kernel protocols write to unless
// they are told another one.
const mainTable = 254

// metricOfNone is the metric that the kernel gives to a route of IPv6 without one.
const metricOfNone = 1024

// kernel compares what BIRD means the kernel to have with what it has.
func (j judge) kernel(k Kernel) []Fault {
	direct := map[string]bool{}
	for _, p := range j.l.Overview.Others {
		direct[p.Name] = p.Kind == "Direct"
	}
	table := j.table(k)
	entries := map[netip.Prefix][]Entry{}
	for _, e := range k.Entries {
		if e.Table == table {
			entries[e.Net] = append(entries[e.Net], e)
		}
	}
	wanted := map[netip.Prefix]bool{}
	var list []Fault
	for _, r := range k.Wanted {
		wanted[r.Net] = true
		if direct[r.Protocol] {
			continue // the kernel makes those by itself
		}
		list = append(list, j.compare(r, entries[r.Net])...)
		if table == mainTable { // in others there may be another BIRD's routes
			list = append(list, j.stale(r, entries[r.Net], k.Metrics)...)
		}
	}
	for _, e := range k.Entries {
		if e.BIRD && e.Table == mainTable && table == mainTable && !wanted[e.Net] && j.inPool(e.Net) {
			list = append(list, j.fault(KernelLeft, e.Net, "", "the kernel has %s, which BIRD does not", e))
		}
	}
	return list
}

// table is the kernel's table that BIRD writes to. Templates of a user's may name
// another one than the main table: then it is the one that has most of what BIRD wants.
func (j judge) table(k Kernel) int {
	if j.w.BuiltIn {
		return mainTable
	}
	wanted := map[netip.Prefix]bool{}
	for _, r := range k.Wanted {
		wanted[r.Net] = true
	}
	count, most := map[int]int{}, mainTable
	for _, e := range k.Entries {
		if e.BIRD && wanted[e.Net] {
			count[e.Table]++
		}
	}
	for table, n := range count {
		if n > count[most] || n == count[most] && most != mainTable && table < most {
			most = table
		}
	}
	return most
}

// compare says what is wrong where the kernel does not go BIRD's way.
func (j judge) compare(r control.Route, entries []Entry) []Fault {
	switch {
	case len(entries) == 0:
		return []Fault{j.fault(KernelMissing, r.Net, r.Protocol, "%s of %s (%s) is not in the kernel: packets there take another way, or none",
			r.Net, r.Protocol, hopsText(r.Target, r.Hops))}
	case !slices.ContainsFunc(entries, func(e Entry) bool { return goesLike(e, r) }):
		return []Fault{j.fault(KernelOther, r.Net, r.Protocol, "the kernel has %s, where %s should lead %s", entries[0], r.Protocol, hopsText(r.Target, r.Hops))}
	}
	return nil
}

// goesLike says that the kernel's route leads where BIRD's does; where there are
// several ways, that one of them is the same: dead ones come and go.
func goesLike(e Entry, r control.Route) bool {
	if r.Target != control.Unicast || e.Target != control.Unicast {
		return e.Target == r.Target
	}
	return slices.ContainsFunc(e.Hops, func(h control.Hop) bool { return slices.Contains(r.Hops, h) })
}

// stale are older routes of BIRD's that stand beside the one it wants now.
func (j judge) stale(r control.Route, entries []Entry, metrics map[netip.Prefix]uint32) []Fault {
	metric, ok := metrics[r.Net]
	if !ok {
		return nil
	}
	if metric == 0 && j.f.Version == 6 {
		metric = metricOfNone
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.BIRD && e.Metric == metric && goesLike(e, r) })
	if i < 0 {
		return nil
	}
	now := entries[i]
	var old []Entry
	for _, e := range entries {
		if e.BIRD && e.Metric != metric {
			old = append(old, e)
		}
	}
	if len(old) == 0 {
		return nil
	}
	f := j.fault(KernelStale, r.Net, r.Protocol, "beside %s the kernel has an older route of BIRD's: %s%s", now, old[0], winner(old, now))
	f.Stale = old
	return []Fault{f}
}

// StillStale are the older routes of BIRD's of some faults that a later look has shown
// to be older ones, too: in the same table, with the same metric, and leading the same
// way.
func StillStale(faults, later []Fault) []Entry {
	var said, list []Entry
	for _, f := range faults {
		said = append(said, f.Stale...)
	}
	for _, f := range later {
		for _, e := range f.Stale {
			if slices.ContainsFunc(said, e.equal) {
				list = append(list, e)
			}
		}
	}
	return list
}

// equal says whether two routes are the same one, in the same place.
func (e Entry) equal(o Entry) bool {
	return e.Net == o.Net && e.Table == o.Table && e.Metric == o.Metric && e.BIRD == o.BIRD && e.Target == o.Target && slices.Equal(e.Hops, o.Hops)
}

// winner says what comes of it: of two routes the one with the smaller metric counts.
func winner(old []Entry, now Entry) string {
	if slices.ContainsFunc(old, func(e Entry) bool { return e.Metric < now.Metric }) {
		return ", which packets take"
	}
	return ""
}

// detours are the routes of BGP that leave by a router, though the kernel has their next
// hops on a network of its own.
func (j judge) detours(k Kernel) []Fault {
	ways := map[netip.Prefix][]Entry{}
	for _, e := range k.Entries {
		if e.Table == mainTable {
			ways[e.Net] = append(ways[e.Net], e)
		}
	}
	var list []Fault
	for _, r := range j.l.Lists.Detours {
		if !j.isOurs(r.Net) || slices.ContainsFunc(r.Hops, func(h control.Hop) bool { return h.Via == r.NextHop || h.Via.IsLinkLocalUnicast() }) {
			continue
		}
		if own, ok := onLink(ways, r.NextHop); ok {
			list = append(list, j.fault(NextHopByRouter, r.Net, r.Protocol, "%s of %s leads %s, though its next hop %s is in %s, where this node is: BIRD does not know that",
				r.Net, r.Protocol, hopsText(r.Target, r.Hops), r.NextHop, own))
		}
	}
	return list
}

// onLink is the network of an interface that holds an address, where the kernel has no
// better way there.
func onLink(ways map[netip.Prefix][]Entry, a netip.Addr) (netip.Prefix, bool) {
	list, ok := best(ways, a)
	if !ok {
		return netip.Prefix{}, false
	}
	return list[0].Net, slices.ContainsFunc(list, func(e Entry) bool {
		return e.Target == control.Unicast && slices.ContainsFunc(e.Hops, func(h control.Hop) bool { return !h.Via.IsValid() })
	})
}

// inPool says whether a net lies in one of the cluster's pools.
func (j judge) inPool(net netip.Prefix) bool {
	in := func(p bgp.Pool) bool { return within(net, p.CIDR) }
	return slices.ContainsFunc(j.f.Export.Pools, in) || slices.ContainsFunc(j.f.Export.RejectPools, in)
}
