// Package routes judges a node's routes: what BIRD has, what the kernel has, and what
// the model says should be. It is pure: what is looked at comes in, what is wrong goes
// out.
package routes

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"confd/reload/control"
)

// Entry is a route of the kernel's.
type Entry struct {
	Net    netip.Prefix
	Table  int
	Metric uint32
	// BIRD says that it carries the number of routes that a BIRD has programmed
	// (RTPROT_BIRD, 12).
	BIRD   bool
	Target control.Target
	Hops   []control.Hop
}

// Way is what the kernel does with packets to an address.
type Way string

// The ways that lead nowhere, and the one that leads somewhere.
const (
	WayOpen        Way = ""
	WayBlackhole   Way = "blackhole"
	WayUnreachable Way = "unreachable"
	WayProhibited  Way = "prohibited"
)

// Look is what a look at one BIRD and at the kernel has shown.
type Look struct {
	At   time.Time
	Took time.Duration // for which BIRD may have been busy with it
	// Err is why BIRD could not be asked, or is not to be judged just now; nothing else
	// is known then.
	Err      error
	Status   control.Status
	Overview control.Overview
	// Local are the addresses of this machine's interfaces; nil: not known.
	Local []netip.Addr
	// Ways are what the kernel does with packets to the peers of sessions that are down.
	Ways map[netip.Addr]Way
	// Lists are nil where nothing tells that they would be others than before.
	Lists *Lists
	Signature
}

// Lists are whole lists of routes.
type Lists struct {
	Primary []control.Route // that BIRD uses
	Dead    []control.Route // those of BGP that lead nowhere, with their attributes: the first ones
	// Detours are those of BGP whose next hops lie in the node's own networks, and that
	// lead to other gateways, with their attributes: the first ones.
	Detours []control.Route
	// Exports are the configured routes that some sessions are told of, by session.
	Exports map[string][]netip.Prefix
	// Kernel has what the kernel is to have and has, by family. Of a family that is
	// missing KernelErr says why nobody knows.
	Kernel    map[int]Kernel
	KernelErr error
}

// Kernel is what BIRD means the kernel to have in a family, and what the kernel has.
type Kernel struct {
	Wanted  []control.Route
	Entries []Entry
	// Metrics are those that BIRD gives to routes of which the kernel has several.
	Metrics map[netip.Prefix]uint32
}

// Signature tells whether anything has changed.
type Signature struct {
	BIRD   uint64 // of BIRD's counts
	Kernel uint64 // counts the kernel's changes
	Blocks uint64 // of other nodes' blocks
}

// Sign makes a signature of what should be, of what BIRD counts, and of when it read its
// configuration.
func Sign(w Want, o control.Overview, s control.Status, kernel uint64) Signature {
	line := fmt.Append(nil, s.LastReboot, s.LastReconfiguration)
	h := fnv.New64a()
	for i := range o.Sessions {
		session := &o.Sessions[i]
		line = appendCounts(append(append(line, session.Name...), session.BGPState...), session.Routes)
		_, _ = h.Write(line) // a hash takes all
		line = line[:0]
	}
	for _, p := range o.Others {
		line = appendCounts(append(append(line, p.Name...), p.State...), p.Routes)
	}
	_, _ = h.Write(line)
	return Signature{h.Sum64(), kernel, w.signBlocks()}
}

func appendCounts(line []byte, counts []control.RouteCount) []byte {
	for _, c := range counts {
		line = append(line, c.Family...)
		for _, n := range [...]int{c.Imported, c.Exported, c.Preferred, c.Filtered} {
			line = strconv.AppendInt(append(line, ' '), int64(n), 10)
		}
	}
	return append(line, '\n')
}

func (w Want) signBlocks() uint64 {
	h := fnv.New64a()
	var line []byte
	for _, b := range w.Blocks {
		line = append(b.Net.AppendTo(line[:0]), b.Node...)
		line = strconv.AppendBool(line, w.has(b.Node, 4))
		_, _ = h.Write(strconv.AppendBool(line, w.has(b.Node, 6))) // a hash takes all
	}
	return h.Sum64()
}

// KernelProtocol is the protocol of a family that programs the kernel's routes; empty
// where there is none, or more than one. BIRD 1 does not name its only family.
func KernelProtocol(o control.Overview, family int) string {
	name := ""
	for _, p := range o.Others {
		if p.Kind != "Kernel" || p.State != "up" {
			continue
		}
		for _, r := range p.Routes {
			if r.Family != "" && r.Family != fmt.Sprintf("ipv%d", family) {
				continue
			}
			if name != "" {
				return ""
			}
			name = p.Name
		}
	}
	return name
}

// Several are the nets for which the kernel has routes of BIRD's with different
// metrics in one table, limit of them at most.
func Several(entries []Entry, limit int) []netip.Prefix {
	type place struct {
		net   netip.Prefix
		table int
	}
	first := map[place]uint32{}
	var nets []netip.Prefix
	seen := map[netip.Prefix]bool{}
	for _, e := range entries {
		if !e.BIRD {
			continue
		}
		p := place{e.Net, e.Table}
		metric, ok := first[p]
		if !ok {
			first[p] = e.Metric
		} else if metric != e.Metric && !seen[e.Net] && len(nets) < limit {
			seen[e.Net] = true
			nets = append(nets, e.Net)
		}
	}
	return nets
}

// hopsText are hops in words.
func hopsText(target control.Target, hops []control.Hop) string {
	if target != control.Unicast {
		return string(target)
	}
	var words []string
	for _, h := range hops {
		if h.Via.IsValid() {
			words = append(words, "via "+h.Via.String()+" on "+h.Interface)
		} else {
			words = append(words, "on "+h.Interface)
		}
	}
	return strings.Join(words, " and ")
}

// String is the route as people write it.
func (e Entry) String() string {
	return fmt.Sprintf("%s %s metric %d", e.Net, hopsText(e.Target, e.Hops), e.Metric)
}
