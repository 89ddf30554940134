package templates

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kelseyhightower/memkv"

	"confd/backends"
	"confd/bgp"
)

// BGPConfig is what getBGPConfig gives to Calico's templates: a node's computed
// configuration for one address family, as text that is ready for BIRD 1.
// Numbers and addresses are empty where they are not set. The names are
// Calico's.
type BGPConfig struct {
	NodeName            string
	NodeIP, NodeIPv6    string
	ASNumber            string
	RouterID            string
	LogLevel            string // "debug", "info" or "none"
	DebugMode           string // "all", "{ states }" or ""
	PeerDebugMode       string // a debug statement, or ""
	ListenAddress       string // where BIRD must listen on one address alone
	ListenPort          string
	DirectInterfaces    string // the pattern list of the direct protocol
	NormalRoutePriority int
	// ExternalIPs and LoadBalancerIPs are service ranges that a route reflector
	// passes on; other nodes have none.
	ExternalIPs, LoadBalancerIPs []string
	Communities                  []CommunityRule

	// Statements, to be printed one a line. Those for export stand in a function
	// with the parameter internal_peer, those for the kernel in its filter.
	BGPExportFilterForDisabledIPPools []string
	IBGPExportFilterForTunnelRoutes   []string
	BGPExportFilterForEnabledIPPools  []string
	KernelFilterForIPPools            []string
	SetMetricForBGPRoutes             []string
	WireguardPeerKernelFilter         []string

	Peers []BGPPeer
}

// CommunityRule adds communities to routes in CIDR, by BIRD 1 statements.
type CommunityRule struct {
	CIDR          string
	AddStatements []string
}

// BGPPeer is one session of a BGPConfig.
type BGPPeer struct {
	Name, IP, Port           string
	ASNumber                 string
	LocalASNumber            string // where it is not simply the node's
	Type                     string // "mesh", "global", "node" or "local_workload"
	ImportFilter             string // the statements of a filter's body, as lines
	ExportFilter             string
	Password                 string // without quotation marks, and safe between them
	TTLSecurity              string // "off", or the number of hops
	RouteReflector           bool   // the peer is this reflector's client
	RRClusterID              string
	SourceAddr               string
	NextHopSelf, NextHopKeep bool
	Passive                  bool
	GracefulRestart          string // seconds
	KeepaliveTime            string // seconds
	NumAllowLocalAs          string
}

// bgpConfig is the function getBGPConfig: VERSION is 4 or 6, as number or text.
// What follows is a handle in Calico's engine, and has no meaning here.
func (r *run) bgpConfig(version any, _ ...any) (*BGPConfig, error) {
	v, err := familyNumber(version)
	if err != nil {
		return nil, err
	}
	c := r.in.Config
	f := c.Families()[v/6]
	interfaces, err := interfacePatterns(c.Interfaces)
	if err != nil {
		return nil, err
	}
	out := &BGPConfig{
		NodeName: c.Node, NodeIP: addressText(c.IPv4.Address), NodeIPv6: addressText(c.IPv6.Address),
		ASNumber: number32(c.ASNumber), RouterID: addressText(c.RouterID), LogLevel: levelWord(c.LogLevel),
		DebugMode: debugMode(c.LogLevel), PeerDebugMode: peerDebugMode(c.LogLevel),
		ListenAddress: addressText(f.ListenAddress), ListenPort: portText(f.ListenPort),
		DirectInterfaces: interfaces, NormalRoutePriority: int(f.NormalPriority),
		Communities: communityRules(f.Export.Communities),
	}
	out.ExternalIPs, out.LoadBalancerIPs = reflectedRanges(f, r.in.State)
	out.setPolicies(f)
	out.Peers, err = peerTexts(f, v)
	return out, err
}

// familyNumber reads an address family that a template names.
func familyNumber(version any) (int, error) {
	switch s := fmt.Sprint(version); s {
	case "4":
		return 4, nil
	case "6":
		return 6, nil
	default:
		return 0, fmt.Errorf("IP version %q is neither 4 nor 6", s)
	}
}

func debugMode(l bgp.LogLevel) string {
	switch l {
	case bgp.LogAll:
		return "all"
	case bgp.LogNone:
		return ""
	}
	return "{ states }"
}

func peerDebugMode(l bgp.LogLevel) string {
	switch l {
	case bgp.LogAll:
		return "debug all;"
	case bgp.LogNone:
		return ""
	}
	return "debug { states, routes, filters, events };"
}

func portText(port uint16) string {
	if port == 0 {
		return ""
	}
	return number32(port)
}

func communityRules(ads []bgp.Advertisement) []CommunityRule {
	rules := make([]CommunityRule, 0, len(ads))
	for _, a := range ads {
		rule := CommunityRule{CIDR: a.CIDR.String()}
		for _, c := range a.Communities {
			rule.AddStatements = append(rule.AddStatements, communityAdd(c))
		}
		rules = append(rules, rule)
	}
	return rules
}

// reflectedRanges tells the ranges that a reflector passes on apart again.
func reflectedRanges(f *bgp.Family, state *backends.State) (external, loadBalancer []string) {
	c := state.BGPConfigurations[defaultName]
	if c == nil {
		return nil, nil
	}
	for _, net := range f.Export.ReflectedServices {
		if slices.Contains(c.ServiceExternalIPs, net) {
			external = append(external, net.String())
		}
		if slices.Contains(c.ServiceLoadBalancerIPs, net) {
			loadBalancer = append(loadBalancer, net.String())
		}
	}
	return external, loadBalancer
}

// setPolicies writes the policies that are lists of statements.
func (c *BGPConfig) setPolicies(f *bgp.Family) {
	for _, p := range f.Export.RejectPools {
		c.BGPExportFilterForDisabledIPPools = append(c.BGPExportFilterForDisabledIPPools, inNet(p.CIDR, "reject;"))
	}
	for _, p := range f.Export.Pools {
		c.BGPExportFilterForEnabledIPPools = append(c.BGPExportFilterForEnabledIPPools, inNet(p.CIDR, "accept;"))
	}
	for _, p := range f.Kernel.Pools {
		c.KernelFilterForIPPools = append(c.KernelFilterForIPPools, inNet(p.CIDR, poolStatements(p.Action, f.Subnet)))
	}
	for _, a := range f.Kernel.RejectNextHops {
		c.WireguardPeerKernelFilter = append(c.WireguardPeerKernelFilter,
			fmt.Sprintf("if (defined(bgp_next_hop)&&(bgp_next_hop = %s)) then { reject; }", a))
	}
	c.IBGPExportFilterForTunnelRoutes = []string{tunnelStatement(f.Export.RejectTunnel)}
	c.SetMetricForBGPRoutes = metricLines(f.NormalPriority)
}

func inNet(net netip.Prefix, statements string) string {
	return fmt.Sprintf("if (net ~ %s) then { %s }", net, statements)
}

func poolStatements(action bgp.PoolAction, subnet netip.Prefix) string {
	switch action {
	case bgp.PoolAccept:
		return "accept;"
	case bgp.PoolTunnel:
		return `krt_tunnel="tunl0"; accept;`
	case bgp.PoolCrossSubnet:
		return fmt.Sprintf(`if (defined(bgp_next_hop)&&(bgp_next_hop ~ %s)) then krt_tunnel=""; else krt_tunnel="tunl0"; accept;`, subnet)
	}
	return "reject;"
}

// tunnelStatement keeps routes over tunnels from internal peers. It asks all
// that it needs to ask, so that it is right wherever a template puts it.
func tunnelStatement(tunl0 bool) string {
	names := `(ifname ~ "*.cali") || (ifname ~ "*.calico")`
	if tunl0 {
		names += ` || (ifname ~ "tunl0")`
	}
	return fmt.Sprintf("if (internal_peer) then { if (defined(ifname)) then { if (%s) then { reject; } } }", names)
}

// metricLines gives a BGP route the kernel metric that its preference means.
func metricLines(normal uint32) []string {
	return []string{
		"if (defined(source) && (source = RTS_BGP) && !defined(krt_metric)) then {",
		fmt.Sprintf("    krt_metric = %d;", normal),
		"    if (defined(bgp_local_pref)) then {",
		fmt.Sprintf("        krt_metric = %d - bgp_local_pref;", maxPreference),
		"    }",
		fmt.Sprintf("    if (krt_metric < %d) then {", normal),
		"        preference = 200;",
		"    }",
		"}",
	}
}

func peerTexts(f *bgp.Family, version int) ([]BGPPeer, error) {
	peers := make([]BGPPeer, 0, len(f.Sessions))
	for _, s := range f.Sessions {
		p, err := newPeer(s, version, f.NormalPriority)
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	slices.SortStableFunc(peers, func(a, b BGPPeer) int { return strings.Compare(a.Name, b.Name) })
	return peers, nil
}

func newPeer(s *bgp.Session, version int, normal uint32) (BGPPeer, error) {
	password, err := passwordText(s)
	if err != nil {
		return BGPPeer{}, err
	}
	p := BGPPeer{
		Name: s.Name, IP: s.Neighbor.String(), Port: portText(s.Port), ASNumber: number32(s.AS),
		Type: strings.ToLower(string(s.Kind)), Password: password, TTLSecurity: "off",
		ImportFilter: importBody(s, version, normal), ExportFilter: exportBody(s, version, normal),
		RouteReflector: s.RRClient, SourceAddr: addressText(s.Source),
		NextHopSelf: s.NextHop == bgp.NextHopSelf, NextHopKeep: s.NextHop == bgp.NextHopKeep, Passive: s.Passive,
		GracefulRestart: optional(s.GracefulRestartTime), KeepaliveTime: optional(s.KeepaliveTime),
		NumAllowLocalAs: optional(s.AllowLocalAS),
	}
	if s.OwnLocalAS {
		p.LocalASNumber = number32(s.LocalAS)
	}
	if s.RRClient {
		p.RRClusterID = addressText(s.ClusterID)
	}
	if s.TTLHops > 0 {
		p.TTLSecurity = number32(s.TTLHops)
	}
	return p, nil
}

// importBody is what a session does with routes that it gets.
func importBody(s *bgp.Session, version int, normal uint32) string {
	lines := filterCallLines(s.Import, "import", version, s.Internal)
	return body(append(lines,
		fmt.Sprintf("if (defined(bgp_local_pref)&&(bgp_local_pref > %d)) then", maxPreference-int64(normal)),
		"  preference = 200;",
		"accept;"))
}

// exportBody is what a session does with routes that it may send.
func exportBody(s *bgp.Session, version int, normal uint32) string {
	lines := []string{
		"if (defined(source) && source = RTS_BGP && defined(bgp_local_pref)) then {",
		fmt.Sprintf("  krt_metric = %d - bgp_local_pref;", maxPreference),
		"} else {",
		fmt.Sprintf("  if (!defined(krt_metric)) then { krt_metric = %d; }", normal),
		fmt.Sprintf("  bgp_local_pref = %d - krt_metric;", maxPreference),
		"}",
	}
	lines = append(lines, filterCallLines(s.Export, "export", version, s.Internal)...)
	return body(append(lines, fmt.Sprintf("calico_export_to_bgp_peers(%t);", s.Internal), "reject;"))
}

// body indents lines as they stand in a protocol's filter.
func body(lines []string) string { return "    " + strings.Join(lines, "\n    ") }

func filterCallLines(calls []bgp.FilterCall, direction string, version int, internal bool) []string {
	var lines []string
	for _, c := range calls {
		text := filterCalls([]bgp.FilterCall{c}, direction, version, internal)
		lines = append(lines, strings.TrimSpace(text))
	}
	return lines
}

// filterFunctions is the function bgpFilterBIRDFuncs: the definitions of the
// functions of the filters in pairs, which hold BGPFilter resources as JSON.
func (r *run) filterFunctions(pairs []memkv.KVPair, version any) ([]string, error) {
	v, err := familyNumber(version)
	if err != nil {
		return nil, err
	}
	filters := make([]*backends.BGPFilter, 0, len(pairs))
	for _, kv := range pairs {
		f, err := decodeFilter(kv)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		filters = append(filters, f)
	}
	slices.SortFunc(filters, func(a, b *backends.BGPFilter) int { return strings.Compare(a.Name, b.Name) })
	lines := []string{}
	for _, f := range filters {
		for _, direction := range []string{"import", "export"} {
			lines = append(lines, filterLines(f, direction, v, r.in.Version)...)
		}
	}
	return lines, nil
}

func decodeFilter(kv memkv.KVPair) (*backends.BGPFilter, error) {
	name := kv.Key[strings.LastIndex(kv.Key, "/")+1:]
	res, err := backends.Decode(backends.KindBGPFilter, name, []byte(kv.Value))
	if err != nil {
		return nil, err
	}
	f, ok := res.(*backends.BGPFilter)
	if !ok {
		return nil, fmt.Errorf("is no BGPFilter")
	}
	return f, nil
}

// filterFunctionName is the name of a filter's function, in the quotation marks
// that it needs in BIRD's file.
func filterFunctionName(name, direction string, version any) (string, error) {
	v, err := familyNumber(version)
	if err != nil {
		return "", err
	}
	direction = strings.ToLower(direction)
	if direction != "import" && direction != "export" {
		return "", fmt.Errorf("direction %q is neither import nor export", direction)
	}
	return symbol(functionName(name, direction, v))
}
