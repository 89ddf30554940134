package templates

import (
	"fmt"
	"net/netip"
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
	// Sessions are the family's, sorted by name.
	Sessions []Session
}

// Session is one session, ready to print. The fields of bgp.Session are reached
// directly.
type Session struct {
	// Session is what was computed; its fields are reached directly.
	*bgp.Session
	// ImportFilter is what follows "import filter": a name, or a body in braces.
	ImportFilter string
	// ExportFilter is what follows "export filter": a name, or a body in braces.
	ExportFilter string
	// Usual is set where both filters are those that the built-in templates give
	// every session of the family: an internal session without BGPFilters.
	Usual bool
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
			out.FilterFunctions = append(out.FilterFunctions, filterLines(filter, direction, f.Version, v)...)
		}
	}
	out.Sessions = make([]Session, len(f.Sessions))
	for i := range f.Sessions {
		out.Sessions[i] = newSession(&f.Sessions[i], f.Version)
	}
	return out
}

func newSession(s *bgp.Session, version int) Session {
	side := "external"
	if s.Internal {
		side = "internal"
	}
	out := Session{
		Session:      s,
		ImportFilter: fmt.Sprintf("calico_import%d", version),
		ExportFilter: fmt.Sprintf("calico_export_%s%d", side, version),
		Usual:        s.Internal && len(s.Import) == 0 && len(s.Export) == 0,
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
	return out
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
		"addressSet":   addressSet,
	}
}

func addressSet(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return "[ " + strings.Join(texts, ", ") + " ]"
}

// checkVersion refuses a configuration that v cannot carry out.
func checkVersion(cfg *bgp.Config, v Version) error {
	if pool, ok := cfg.NeedsTunnel(); ok && v.Major > 1 {
		return fmt.Errorf("IP pool %q (%s) needs krt_tunnel, which only Calico's BIRD 1.6 has and BIRD %s has not: "+
			"set programClusterRoutes in the BGPConfiguration \"default\" to EnabledNoEncapOnly or Disabled, so that Felix programs IPIP routes, or run Calico's BIRD",
			pool.Name, pool.CIDR, v)
	}
	return nil
}
