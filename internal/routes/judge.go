package routes

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"confd/bgp"
	"confd/reload/control"
)

// Verdict is what is known of the routes of one BIRD.
type Verdict struct {
	At time.Time
	// Unknown is why nothing is known; nil: the rest is.
	Unknown error
	// KernelUnknown is why nobody knows what the kernel has; nil: it is known.
	KernelUnknown error
	Recovery      Recovery
	Tables        []Table
	// Down are sessions that should be up, but for those of local workloads.
	Down []string
	// Faults are what is wrong just now, sorted.
	Faults []Fault
	// Of the last look at whole lists: what it showed, when it was, and of what.
	listed []Fault
	Whole  time.Time
	Signature
}

// Table counts the routes of one family.
type Table struct {
	Family int
	// Static, Direct, Kernel and BGP are those that BIRD has, by where they come from.
	Static, Direct, Kernel, BGP int
	// Programmed are those of the kernel's that carry BIRD's number; -1: not known.
	Programmed int
}

// Recovery is BIRD's, after a graceful restart.
type Recovery struct {
	InProgress bool
	Left       time.Duration // at most
	// Sessions are waited for.
	Sessions []string
}

// Judge says what a look has shown, where before is what was known. What a look has
// not read anew is as it was.
func Judge(w Want, l Look, before Verdict) Verdict {
	v := Verdict{At: l.At, Unknown: l.Err, Signature: l.Signature, listed: before.listed, Whole: before.Whole, KernelUnknown: before.KernelUnknown}
	if l.Err != nil {
		return Verdict{At: l.At, Unknown: l.Err}
	}
	up := established(l.Overview)
	v.Recovery, v.Down = recovery(l), down(w, up, before.Down)
	programmed := map[int]int{}
	for _, t := range before.Tables {
		programmed[t.Family] = t.Programmed
	}
	if l.Lists != nil {
		v.Whole, v.listed, v.KernelUnknown = l.At, listed(w, l, up), l.Lists.KernelErr
		programmed = l.Lists.programmed()
	}
	for _, f := range w.Families {
		n, ok := programmed[f.Version]
		if !ok {
			n = -1
		}
		v.Tables = append(v.Tables, table(l.Overview, f.Version, len(w.Families) == 1, n))
	}
	v.Faults = append(ownFaults(w, l, up), v.listed...)
	slices.SortFunc(v.Faults, Fault.compare)
	return v
}

// Untold are the sessions that were seen not to be told what they should be.
func (v Verdict) Untold() []string {
	var names []string
	for _, f := range v.listed {
		if f.Kind == NotTold {
			names = append(names, f.Session)
		}
	}
	return names
}

// Reads says whether v says of counts and recovery what other does.
func (v Verdict) Reads(other Verdict) bool {
	return v.Recovery.InProgress == other.Recovery.InProgress && slices.Equal(v.Recovery.Sessions, other.Recovery.Sessions) &&
		slices.Equal(v.Tables, other.Tables) && slices.Equal(v.Down, other.Down)
}

func (l *Lists) programmed() map[int]int {
	count := map[int]int{}
	for family, k := range l.Kernel {
		count[family] = 0
		for _, e := range k.Entries {
			if e.BIRD {
				count[family]++
			}
		}
	}
	return count
}

func recovery(l Look) Recovery {
	r := Recovery{InProgress: l.Status.Recovery.InProgress, Left: l.Status.Recovery.Left}
	if !r.InProgress {
		return Recovery{}
	}
	for _, s := range l.Overview.Sessions {
		if s.Awaited {
			r.Sessions = append(r.Sessions, s.Name)
		}
	}
	return r
}

// down are the names of the sessions that are not up; where they are those of before, that
// very list.
func down(w Want, up map[string]*control.SessionRoutes, before []string) []string {
	names := make([]string, 0, len(before))
	for _, f := range w.Families {
		for _, s := range f.Sessions {
			if _, ok := up[s.Name]; !ok && s.Kind != bgp.LocalWorkloadSession {
				names = append(names, s.Name)
			}
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case slices.Equal(names, before):
		return before
	}
	return names
}

// table counts the routes of a family. only says that BIRD has no other one.
func table(o control.Overview, family int, only bool, programmed int) Table {
	t, name := Table{Family: family, Programmed: programmed}, familyName(family)
	add := func(to *int, counts []control.RouteCount) {
		for _, c := range counts {
			if c.Family == name || c.Family == "" && only {
				*to += c.Imported
			}
		}
	}
	for i := range o.Sessions {
		add(&t.BGP, o.Sessions[i].Routes)
	}
	for _, p := range o.Others {
		switch p.Kind {
		case "Static":
			add(&t.Static, p.Routes)
		case "Direct":
			add(&t.Direct, p.Routes)
		case "Kernel":
			add(&t.Kernel, p.Routes)
		}
	}
	return t
}

// ownFaults are what keeps sessions down on this side.
func ownFaults(w Want, l Look, up map[string]*control.SessionRoutes) []Fault {
	var list []Fault
	for _, f := range w.Families {
		for _, s := range f.Sessions {
			if _, ok := up[s.Name]; ok {
				continue
			}
			if s.Source.IsValid() && l.Local != nil && !slices.Contains(l.Local, s.Source) {
				list = append(list, Fault{Kind: SourceNotLocal, Family: f.Version, Session: s.Name,
					Text: fmt.Sprintf("session %s is to come from %s, which is on no interface of this node: BIRD cannot open it", s.Name, s.Source)})
				continue
			}
			if way := l.Ways[s.Neighbor]; way != WayOpen {
				list = append(list, Fault{Kind: PeerBlackholed, Family: f.Version, Session: s.Name,
					Text: fmt.Sprintf("session %s is down since this node's kernel has a route of type %s to %s", s.Name, way, s.Neighbor)})
			}
		}
	}
	return list
}

// listed is what whole lists show.
func listed(w Want, l Look, up map[string]*control.SessionRoutes) []Fault {
	var list []Fault
	for _, f := range w.Families {
		j := judge{w: w, l: l, f: f, up: up}
		list = append(list, j.dead()...)
		if w.BuiltIn && !l.Status.Recovery.InProgress {
			list = append(list, j.notTold()...)
			list = append(list, j.absent()...)
		}
		if k, ok := l.Lists.Kernel[f.Version]; ok && !l.Status.Recovery.InProgress {
			list = append(list, j.kernel(k)...)
			list = append(list, j.detours(k)...)
		}
	}
	return list
}

// judge judges one family.
type judge struct {
	w  Want
	l  Look
	f  *bgp.Family
	up map[string]*control.SessionRoutes
}

func (j judge) fault(k Kind, net netip.Prefix, session, format string, args ...any) Fault {
	return Fault{Kind: k, Family: j.f.Version, Net: net, Session: session, Text: fmt.Sprintf(format, args...)}
}

func (j judge) isOurs(net netip.Prefix) bool { return net.Addr().Is4() == (j.f.Version == 4) }

// dead are the routes of BGP that lead nowhere.
func (j judge) dead() []Fault {
	if len(j.l.Lists.Dead) == 0 {
		return nil
	}
	bgps := map[string]bool{}
	for i := range j.l.Overview.Sessions {
		bgps[j.l.Overview.Sessions[i].Name] = true
	}
	cover := covering(j.l.Lists.Primary)
	var list []Fault
	for _, r := range j.l.Lists.Dead {
		if !j.isOurs(r.Net) {
			continue
		}
		via, ok := cover.of(r.NextHop)
		switch {
		case ok && bgps[via.Protocol]:
			list = append(list, j.fault(NextHopByBGP, r.Net, r.Protocol,
				"%s of %s leads nowhere: its next hop %s is reached by %s, which %s brought; BIRD takes no route of BGP to reach another's next hop",
				r.Net, r.Protocol, r.NextHop, via.Net, via.Protocol))
		case !ok && r.NextHop.IsValid():
			list = append(list, j.fault(Unreachable, r.Net, r.Protocol, "%s of %s leads nowhere: BIRD has no route to its next hop %s", r.Net, r.Protocol, r.NextHop))
		default:
			list = append(list, j.fault(Unreachable, r.Net, r.Protocol, "%s of %s leads nowhere: its next hop %s cannot be reached", r.Net, r.Protocol, r.NextHop))
		}
	}
	return list
}

// notTold are the configured routes that peers are not told of.
func (j judge) notTold() []Fault {
	t := toldIn(j.w.Config, j.f)
	var list []Fault
	for _, s := range j.f.Sessions {
		state, ok := j.up[s.Name]
		if !ok {
			continue
		}
		want := t.of(s)
		tells, asked := j.l.Lists.Exports[s.Name]
		switch n := exported(state, j.f.Version); {
		case asked:
			has := map[netip.Prefix]bool{}
			for _, net := range tells {
				has[net] = true
			}
			for _, net := range want {
				if !has[net] {
					list = append(list, j.fault(NotTold, net, s.Name, "%s is not told of %s", s.Name, net))
				}
			}
		case n < len(want):
			list = append(list, j.fault(NotTold, netip.Prefix{}, s.Name, "%s is told %d routes, and should be of this node's %d alone", s.Name, n, len(want)))
		}
	}
	return list
}

// absent are the blocks of other nodes to which BIRD has no route, where a session
// that is up should have brought one: that with the node, or one with a reflector. One
// with filters may do as it likes.
func (j judge) absent() []Fault {
	if !slices.ContainsFunc(j.w.Blocks, func(b Block) bool { return j.isOurs(b.Net) }) {
		return nil
	}
	direct, reflectors := map[string]bool{}, ""
	for _, s := range j.f.Sessions {
		_, up := j.up[s.Name]
		up = up && len(s.Filters) == 0
		if s.PeerNode != "" {
			direct[s.PeerNode] = up
		}
		if up && s.Internal && s.PeerClusterID.IsValid() {
			reflectors = s.Name
		}
	}
	has := map[netip.Prefix]bool{}
	for _, r := range j.l.Lists.Primary {
		has[r.Net] = true
	}
	var list []Fault
	for _, b := range j.w.Blocks {
		up, isPeer := direct[b.Node]
		if !j.isOurs(b.Net) || has[b.Net] || !j.w.has(b.Node, j.f.Version) || isPeer && !up || !isPeer && reflectors == "" || j.isHidden(b.Net) {
			continue
		}
		by := "its session with this node is up"
		if !isPeer {
			by = "reflectors are, such as " + reflectors
		}
		list = append(list, j.fault(BlockAbsent, b.Net, "", "no route to %s, a block of node %s: %s, and does not bring it", b.Net, b.Node, by))
	}
	return list
}

// isHidden says that a block lies in a pool that BGP does not tell of, or whose routes
// are programmed by somebody else than BIRD.
func (j judge) isHidden(net netip.Prefix) bool {
	return slices.ContainsFunc(j.f.Export.RejectPools, func(p bgp.Pool) bool { return within(net, p.CIDR) }) ||
		slices.ContainsFunc(j.f.Kernel.Pools, func(p bgp.PoolRoutes) bool { return p.Action == bgp.PoolReject && within(net, p.CIDR) })
}

func within(net, outer netip.Prefix) bool {
	return net.Bits() >= outer.Bits() && outer.Contains(net.Addr())
}

// cover finds the route that covers an address best.
type cover map[netip.Prefix]control.Route

func covering(list []control.Route) cover {
	c := cover{}
	for _, r := range list {
		c[r.Net] = r
	}
	return c
}

func (c cover) of(a netip.Addr) (control.Route, bool) { return best(c, a) }

// best is what is known of the longest net that holds an address.
func best[T any](known map[netip.Prefix]T, a netip.Addr) (T, bool) {
	for bits := a.BitLen(); a.IsValid() && bits >= 0; bits-- {
		p, _ := a.Prefix(bits)
		if found, ok := known[p]; ok {
			return found, true
		}
	}
	var none T
	return none, false
}
