package templates

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"confd/bgp"
)

// Data is what our own templates print: the computed configuration, with the
// texts that depend on BIRD's syntax. It is the template's ".".
type Data struct {
	// Config is the whole configuration; its fields are reached directly.
	*bgp.Config
	// Bird is the BIRD version to write for.
	Bird Version
	// Families are the address families of the file: both, or the one that the
	// template resource names.
	Families []Family
}

// Family is one address family, ready to print. The fields of bgp.Family are
// reached directly, except for Sessions.
type Family struct {
	// Family is what was computed; its fields are reached directly.
	*bgp.Family
	// Bird is the BIRD version to write for.
	Bird Version
	// LogLevel is how much BIRD logs.
	LogLevel bgp.LogLevel
	// ASNumber is this node's.
	ASNumber uint32
	// FilterFunctions are the definitions of the BGPFilters' functions, in lines.
	FilterFunctions []string
	own             *ownEnd
}

// Sessions are the family's, sorted by name.
func (f Family) Sessions() []Session {
	if f.own.sessions == nil {
		f.own.sessions = make([]Session, len(f.Family.Sessions))
		for i, s := range f.Family.Sessions {
			f.own.sessions[i] = newSession(s, f.own)
		}
	}
	return f.own.sessions
}

// Session is one session, ready to print. The fields of bgp.Session are reached
// directly. What our own templates print of every session is text here: a cluster
// has very many sessions, and each thing that a template works out takes longer
// than all of these texts.
type Session struct {
	// Name is the protocol's name for BIRD, such as Mesh_10_0_0_2.
	Name string
	// Why is why the session is there, fit for a comment.
	Why string
	// Local is what follows "local": source address, port and AS number.
	Local string
	// Remote is what follows "neighbor": its address, port and AS number.
	Remote string
	// From is the address to speak from; empty where BIRD may choose.
	From string
	// Passive is set where the peer is to open the connection.
	Passive bool
	// HasMore is set where there is more to print than these: an option, a password,
	// an AS number of its own, a next hop or filters that are not the usual ones.
	HasMore bool
	// Session is what was computed; its fields are reached directly.
	*bgp.Session
	// ImportFilter is what follows "import filter": a name, or a body in braces.
	ImportFilter string
	// ExportFilter is what follows "export filter": a name, or a body in braces.
	ExportFilter string
	// Usual is set where both filters are those that the built-in templates give
	// every session of the family: an internal session without BGPFilters.
	Usual bool
	// Strict is set where BIRD must listen on the session's own address alone.
	Strict bool
	// Family is 4 or 6.
	Family int
	// Bird is the BIRD version to write for.
	Bird Version
	// HoldTime is set (seconds) where three keepalive times, as is usual, make a
	// longer hold time than BIRD's own, 240.
	HoldTime uint32
}

// newData prepares cfg for printing; family is 4 or 6, or 0 for both.
func newData(cfg *bgp.Config, v Version, family int) Data {
	d := Data{Config: cfg, Bird: v}
	for _, f := range cfg.Families() {
		if family == 0 || family == f.Version {
			d.Families = append(d.Families, newFamily(cfg, f, v))
		}
	}
	return d
}

func newFamily(cfg *bgp.Config, f *bgp.Family, v Version) Family {
	out := Family{Family: f, Bird: v, LogLevel: cfg.LogLevel, ASNumber: cfg.ASNumber}
	for _, filter := range cfg.Filters {
		for _, direction := range []string{"import", "export"} {
			out.FilterFunctions = append(out.FilterFunctions, explainedLines(filter, direction, f.Version, v)...)
		}
	}
	out.own = newOwnEnd(f, v)
	return out
}

// ownEnd is this node's end of a family's sessions, which most of them share.
type ownEnd struct {
	family *bgp.Family
	bird   Version
	// The names of the family's usual filters.
	imports, toInternal, toExternal string
	// from and local are the texts for source and as; empty: none were made yet.
	source      netip.Addr
	as          uint32
	from, local string
	// sessions are all of them, once a template has asked for them.
	sessions []Session
}

func newOwnEnd(f *bgp.Family, bird Version) *ownEnd {
	v := strconv.Itoa(f.Version)
	return &ownEnd{family: f, bird: bird, imports: "calico_import" + v, toInternal: "calico_export_internal" + v, toExternal: "calico_export_external" + v}
}

// texts are the texts of a session's own end: its address, and what follows "local".
func (o *ownEnd) texts(s *bgp.Session) (from, local string) {
	if o.local == "" || o.source != s.Source || o.as != s.LocalAS {
		o.source, o.as, o.from = s.Source, s.LocalAS, ""
		if s.Source.IsValid() {
			o.from = s.Source.String()
		}
		o.local = endpoint(o.from, o.family.ListenPort, s.LocalAS)
	}
	return o.from, o.local
}

func newSession(s *bgp.Session, own *ownEnd) Session {
	version := own.family.Version
	out := Session{
		Session: s, Family: version, Bird: own.bird, Strict: own.family.ListenAddress.IsValid() && s.Source.IsValid(), Name: s.Name, Passive: s.Passive, Why: comment(s.Reason.Text), Remote: endpoint(s.Neighbor.String(), s.Port, s.AS),
		ImportFilter: own.imports, ExportFilter: own.toExternal, Usual: s.Internal && len(s.Import) == 0 && len(s.Export) == 0,
	}
	out.From, out.Local = own.texts(s)
	if s.Internal {
		out.ExportFilter = own.toInternal
	}
	if len(s.Import) > 0 {
		out.ImportFilter = fmt.Sprintf("{ %scalico_from_peer%d(); }", filterCalls(s.Import, "import", version, s.Internal), version)
	}
	if len(s.Export) > 0 {
		out.ExportFilter = fmt.Sprintf("{ calico_metric%d(); %scalico_to_peer%d(%t); }", version, filterCalls(s.Export, "export", version, s.Internal), version, s.Internal)
	}
	if s.KeepaliveTime != nil && *s.KeepaliveTime > 80 {
		out.HoldTime = min(3**s.KeepaliveTime, 65535)
	}
	out.HasMore = s.OwnLocalAS || s.TTLHops != 0 || s.RRClient || s.AllowLocalAS != nil || s.GracefulRestartTime != nil ||
		s.KeepaliveTime != nil || s.Password != "" || s.NextHop != "" || !out.Usual
	return out
}

// endpoint is one end of a session as BIRD writes it: address and port only where
// they are given.
func endpoint(address string, port uint16, as uint32) string {
	text := make([]byte, 0, 64)
	if address != "" {
		text = append(append(text, address...), ' ')
	}
	if port != 0 {
		text = append(strconv.AppendUint(append(text, "port "...), uint64(port), 10), ' ')
	}
	return string(strconv.AppendUint(append(text, "as "...), uint64(as), 10))
}

// filterCalls are the statements that call BGPFilters' functions.
func filterCalls(calls []bgp.FilterCall, direction string, version int, internal bool) string {
	var b strings.Builder
	for _, c := range calls {
		argument := ""
		if c.BySession {
			argument = fmt.Sprint(internal)
		}
		fmt.Fprintf(&b, "'%s'(%s); ", functionName(c.Filter, direction, version), argument)
	}
	return b.String()
}

// dataFunctions are the functions that our own templates use besides those of
// Calico's contract.
func dataFunctions() map[string]any {
	return map[string]any{
		"quote":        quote,
		"comment":      comment,
		"symbol":       symbol,
		"interfaces":   interfacePatterns,
		"communityAdd": communityAdd,
		"preferenceOf": func(priority uint32) int64 { return maxPreference - int64(priority) },
		"addressSet":   set[netip.Addr],
		"prefixSet":    set[netip.Prefix],
	}
}

// set is a set of BIRD's.
func set[T fmt.Stringer](members []T) string {
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = m.String()
	}
	return "[ " + strings.Join(texts, ", ") + " ]"
}

// checkVersion refuses a configuration that v cannot carry out.
func checkVersion(cfg *bgp.Config, v Version) error {
	if pool, ok := cfg.NeedsTunnel(); ok && !v.HasTunnels() {
		return &NoTunnelError{pool, v}
	}
	return nil
}

// NoTunnelError says that a pool's routes cannot be had with a version of BIRD.
type NoTunnelError struct {
	Pool    bgp.Pool
	Version Version
}

// Error says why, and what to do.
func (e *NoTunnelError) Error() string {
	return fmt.Sprintf("IP pool %q (%s) needs krt_tunnel, which only Calico's BIRD 1.6 has and BIRD %s has not: "+
		"set programClusterRoutes in the BGPConfiguration \"default\" to EnabledNoEncapOnly or Disabled, so that Felix programs IPIP routes, or run Calico's BIRD",
		e.Pool.Name, e.Pool.CIDR, e.Version)
}
