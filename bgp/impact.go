package bgp

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
)

// Impact is what a new configuration does to sessions that are established.
type Impact struct {
	// Counted is how many of them count: all but those of local workloads,
	// which come and go, and those with nodes that are gone.
	Counted int
	// Lost are those of them that the new configuration has no longer, in the
	// order in which they were given.
	Lost []string
}

// TooMuch says whether more than half of the sessions that count are lost, and
// two at least, or all.
func (i Impact) TooMuch() bool {
	lost := len(i.Lost)
	return lost > 0 && lost == i.Counted || lost > 1 && 2*lost > i.Counted
}

// ImpactOf says which of the established sessions, given as the names of
// BIRD's protocols, new takes away although what is behind them is still there.
//
// A session is kept where new has one with the same neighbor and port, of
// whichever kind; with one of the cluster's nodes whatever the port, since a
// node speaks BGP once. A neighbor is gone where no node in after, the state
// that new was made from, has its address, and one had it: Mesh sessions always
// lead to nodes; of others old tells, the configuration that is in force. Where
// old is nil, they count as leading to routers outside the cluster, which are
// always there. Names that do not follow the model's convention (a user's own
// templates) count as sessions that stay.
func ImpactOf(established []string, old, new *Config, after *backends.State) Impact {
	var impact Impact
	kept, nodes, wereNodes := endpointsOf(new), nodeTexts(after), peerNodeTexts(old)
	for _, name := range established {
		s, ok := parseName(name)
		switch {
		case !ok:
			impact.Counted++
		case s.kind == LocalWorkloadSession:
		case kept.has(s, nodes[s.neighbor]):
			impact.Counted++
		case !nodes[s.neighbor] && (s.kind == MeshSession || wereNodes[s.neighbor]):
		default:
			impact.Counted++
			impact.Lost = append(impact.Lost, name)
		}
	}
	return impact
}

// underscores makes an address part of a session's name.
func underscores(a netip.Addr) string {
	return strings.NewReplacer(".", "_", ":", "_").Replace(a.String())
}

// namedSession is what a session's name tells.
type namedSession struct {
	kind SessionKind
	// neighbor is the address, with underscores.
	neighbor string
	// port is the neighbor's; 0: a Mesh session's name does not tell.
	port uint16
}

// address is the neighbor's; not valid where the name is no session's.
func (s namedSession) address() netip.Addr {
	sign := ":"
	if strings.Count(s.neighbor, "_") == 3 && !strings.Contains(s.neighbor, "__") {
		sign = "."
	}
	a, err := netip.ParseAddr(strings.ReplaceAll(s.neighbor, "_", sign))
	if err != nil {
		return netip.Addr{}
	}
	return a
}

var sessionName = regexp.MustCompile(`^(Mesh|Global|Node|Local_Workload)_([0-9a-f_]+?)(?:_port_([0-9]+))?$`)

// ParseSessionName reads the name that Compute gave a session: its kind, and its
// neighbor's address and port (0: a Mesh session's name does not tell the port).
// It is false of other names.
func ParseSessionName(name string) (kind SessionKind, neighbor netip.Addr, port uint16, ok bool) {
	s, ok := parseName(name)
	a := s.address()
	return s.kind, a, s.port, ok && a.IsValid()
}

// parseName reads a session's name; false: it is none of the model's.
func parseName(name string) (namedSession, bool) {
	m := sessionName.FindStringSubmatch(name)
	if m == nil {
		return namedSession{}, false
	}
	s := namedSession{kind: SessionKind(m[1]), neighbor: m[2]}
	switch port, err := strconv.ParseUint(m[3], 10, 16); {
	case err == nil:
		s.port = uint16(port)
	case s.kind != MeshSession:
		s.port = bgpPort
	}
	return s, true
}

// endpoints are neighbors, with underscores, and the ports of sessions with them.
type endpoints map[string][]uint16

func endpointsOf(c *Config) endpoints {
	e := endpoints{}
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			neighbor := underscores(s.Neighbor)
			e[neighbor] = append(e[neighbor], cmp.Or(s.Port, bgpPort))
		}
	}
	return e
}

func (e endpoints) has(s namedSession, anyPort bool) bool {
	ports, ok := e[s.neighbor]
	return ok && (anyPort || s.port == 0 || slices.Contains(ports, s.port))
}

// nodeTexts has the addresses of all nodes, with underscores.
func nodeTexts(s *backends.State) map[string]bool {
	texts := map[string]bool{}
	for _, n := range s.Nodes {
		for _, a := range []netip.Addr{n.IPv4.Addr, n.IPv6.Addr} {
			if a.IsValid() {
				texts[underscores(a)] = true
			}
		}
	}
	return texts
}

// peerNodeTexts has the addresses of neighbors that were nodes.
func peerNodeTexts(c *Config) map[string]bool {
	texts := map[string]bool{}
	if c == nil {
		return texts
	}
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			if s.PeerNode != "" {
				texts[underscores(s.Neighbor)] = true
			}
		}
	}
	return texts
}

// NeedsRestart names, in words, what a BIRD of that major version does not take
// over from now when it is reconfigured, having started with started: BIRD 1
// opens its listening socket once. It is conservative: BIRD 1 also opens it
// anew where all sessions of a family were away for a moment. Each text begins
// with the family, "IPv4" or "IPv6", of the daemon that needs it.
func NeedsRestart(started, now *Config, birdMajor int) []string {
	if birdMajor != 1 || started == nil {
		return nil
	}
	var out []string
	for i, f := range now.Families() {
		was := started.Families()[i]
		prefix := "IPv" + strconv.Itoa(f.Version)
		if was, is := listenPortOf(was), listenPortOf(f); was != is {
			out = append(out, prefix+" listening port: "+strconv.Itoa(int(is))+" in place of "+strconv.Itoa(int(was)))
		}
		if was.ListenAddress != f.ListenAddress {
			out = append(out, prefix+" listening address: "+listenText(f.ListenAddress)+" in place of "+listenText(was.ListenAddress))
		}
	}
	return out
}

func listenText(a netip.Addr) string {
	if a.IsValid() {
		return a.String()
	}
	return "all"
}
