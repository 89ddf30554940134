package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"confd/backends"
	"confd/bgp"
)

// The subtrees of Calico's key tree.
const (
	globalKeys  = "/calico/bgp/v1/global"
	hostKeys    = "/calico/bgp/v1/host"
	poolKeys    = "/calico/v1/ipam"
	blockKeys   = "/calico/ipam/v2/host"
	staticKeys  = "/calico/staticroutes"
	rejectKeys  = "/calico/rejectcidrs"
	filterKeys  = "/calico/resources/v3/projectcalico.org/bgpfilters"
	defaultName = "default"
)

// treeBuilder writes Calico's key tree.
type treeBuilder struct {
	config *bgp.Config
	state  *backends.State
}

func newKeySource(in Input) *keySource {
	b := treeBuilder{config: in.Config, state: in.State}
	group := func(root string, fill func(*pairs) error) *keyGroup { return &keyGroup{root: root, fill: fill} }
	return &keySource{groups: []*keyGroup{
		group(globalKeys, b.global), group(hostKeys, b.hosts), group(poolKeys, b.pools),
		group(blockKeys, b.blocks), group(filterKeys, b.filters),
		group(staticKeys, func(p *pairs) error { return b.statics(p, &b.config.IPv4, "") }),
		group(staticKeys+"v6", func(p *pairs) error { return b.statics(p, &b.config.IPv6, "v6") }),
		group(rejectKeys, func(p *pairs) error { return b.rejects(p, &b.config.IPv4, "") }),
		group(rejectKeys+"v6", func(p *pairs) error { return b.rejects(p, &b.config.IPv6, "v6") }),
	}}
}

// global writes the cluster's settings and the sessions of global peers.
func (b treeBuilder) global(p *pairs) error {
	c := b.configuration(defaultName)
	as, mesh := c.ASNumber, true
	if as == 0 {
		as = bgp.DefaultAS
	}
	if c.NodeToNodeMesh != nil {
		mesh = *c.NodeToNodeMesh
	}
	p.add(number32(as), globalKeys, "/as_num")
	p.add(fmt.Sprintf(`{"enabled":%t}`, mesh), globalKeys, "/node_mesh")
	p.add(severityWord(c.LogSeverity), globalKeys, "/loglevel")
	if c.ListenPort != 0 {
		p.add(number32(c.ListenPort), globalKeys, "/listen_port")
	}
	b.globalWhereSet(p, c)
	if err := b.advertisements(p, c, globalKeys); err != nil {
		return err
	}
	return b.peers(p, globalKeys, func(s *bgp.Session) bool { return s.Kind == bgp.GlobalSession })
}

// globalWhereSet writes the cluster's settings whose keys templates test for.
func (b treeBuilder) globalWhereSet(p *pairs, c *backends.BGPConfiguration) {
	set := func(key, value string) {
		if value != "" {
			p.add(value, globalKeys, "/", key)
		}
	}
	for _, s := range slices.Concat(b.config.IPv4.Sessions, b.config.IPv6.Sessions) {
		if s.Kind == bgp.MeshSession && s.Password != "" {
			set("node_mesh_password", s.Password)
			break
		}
	}
	if c.NodeMeshMaxRestartTime != nil {
		set("node_mesh_restart_time", number32(bgp.RestartSeconds(*c.NodeMeshMaxRestartTime)))
	}
	if c.BindNodeIP {
		set("bind_mode", "NodeIP")
	}
	set("ignored_interfaces", strings.Join(c.IgnoredInterfaces, ","))
	set("svc_cluster_ips", netList(c.ServiceClusterIPs))
	set("svc_external_ips", netList(c.ServiceExternalIPs))
	set("svc_loadbalancer_ips", netList(c.ServiceLoadBalancerIPs))
	set("program_cluster_routes", string(c.ProgramClusterRoutes))
}

func netList(nets []netip.Prefix) string {
	texts := make([]string, len(nets))
	for i, n := range nets {
		texts[i] = n.String()
	}
	return strings.Join(texts, ",")
}

// hosts writes every node's addresses and settings, and this node's peers.
func (b treeBuilder) hosts(p *pairs) error {
	for _, n := range b.state.Nodes {
		if !safeInKey(n.Name) {
			continue
		}
		if err := b.host(p, n, hostKeys+"/"+n.Name); err != nil {
			return err
		}
	}
	own := hostKeys + "/" + b.config.Node
	return b.peers(p, own, func(s *bgp.Session) bool {
		return s.Kind == bgp.NodeSession || s.Kind == bgp.LocalWorkloadSession
	})
}

func (b treeBuilder) host(p *pairs, n *backends.Node, key string) error {
	p.add(addressText(n.IPv4.Addr), key, "/ip_addr_v4")
	p.add(addressText(n.IPv6.Addr), key, "/ip_addr_v6")
	p.add(addressText(n.ClusterID), key, "/rr_cluster_id")
	p.add(addressText(n.WireguardIPv4), key, "/wireguard_addr_v4")
	p.add(addressText(n.WireguardIPv6), key, "/wireguard_addr_v6")
	if n.IPv4.Subnet.IsValid() {
		p.add(n.IPv4.Subnet.String(), key, "/network_v4")
	}
	if n.IPv6.Subnet.IsValid() {
		p.add(n.IPv6.Subnet.String(), key, "/network_v6")
	}
	if n.ASNumber != 0 {
		p.add(number32(n.ASNumber), key, "/as_num")
	}
	c := b.configuration("node." + n.Name)
	if c.ListenPort != 0 {
		p.add(number32(c.ListenPort), key, "/listen_port")
	}
	if level := b.hostLevel(n, c); level != "" {
		p.add(level, key, "/loglevel")
	}
	return b.advertisements(p, c, key)
}

// hostLevel is a node's own log level; empty where it has none. For this node
// it says what has been computed, where the cluster's setting does not.
func (b treeBuilder) hostLevel(n *backends.Node, own *backends.BGPConfiguration) string {
	if own.LogSeverity != "" {
		return severityWord(own.LogSeverity)
	}
	level := levelWord(b.config.LogLevel)
	if n.Name == b.config.Node && level != severityWord(b.configuration(defaultName).LogSeverity) {
		return level
	}
	return ""
}

// configuration is the named BGPConfiguration, or one that says nothing.
func (b treeBuilder) configuration(name string) *backends.BGPConfiguration {
	if c, ok := b.state.BGPConfigurations[name]; ok {
		return c
	}
	return &backends.BGPConfiguration{Name: name}
}

// advertisements writes the prefixAdvertisements of c, names looked up, where
// it has any; one family's list may be empty.
func (b treeBuilder) advertisements(p *pairs, c *backends.BGPConfiguration, key string) error {
	if c.PrefixAdvertisements == nil {
		return nil
	}
	values := map[string]string{}
	for _, named := range slices.Backward(c.Communities) { // of one name the first counts
		values[named.Name] = named.Value.String()
	}
	type advertisement struct {
		CIDR        netip.Prefix `json:"cidr"`
		Communities []string     `json:"communities"`
	}
	lists := map[bool][]advertisement{true: {}, false: {}}
	for _, a := range c.PrefixAdvertisements {
		communities := communityTexts(a.Communities, values)
		if len(communities) > 0 {
			four := a.CIDR.Addr().Is4()
			lists[four] = append(lists[four], advertisement{a.CIDR, communities})
		}
	}
	for suffix, list := range map[string][]advertisement{"ip_v4": lists[true], "ip_v6": lists[false]} {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		p.add(string(text), key, "/prefix_advertisements/", suffix)
	}
	return nil
}

// communityTexts looks names up; what is neither name nor value is left out.
func communityTexts(names []string, values map[string]string) []string {
	var out []string
	for _, n := range names {
		v, ok := values[n]
		if !ok {
			c, err := backends.ParseCommunity(n)
			if err != nil {
				continue
			}
			v = c.String()
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// pools writes the cluster's pools.
func (b treeBuilder) pools(p *pairs) error {
	for _, name := range slices.Sorted(maps.Keys(b.state.IPPools)) {
		pool := b.state.IPPools[name]
		tunnel, ipip := "", encapsulationWord(pool.IPIP)
		if ipip != "" {
			tunnel = "tunl0"
		}
		text := fmt.Sprintf(`{"cidr":%q,"ipip":%q,"ipip_mode":%q,"vxlan_mode":%q,"masquerade":%t,"ipam":%t,"disabled":%t,"disableBGPExport":%t}`,
			pool.CIDR, tunnel, ipip, encapsulationWord(pool.VXLAN), pool.NATOutgoing, !pool.Disabled, pool.Disabled, pool.DisableBGPExport)
		p.add(text, poolKeys, "/v", strconv.Itoa(bgp.VersionOf(pool.CIDR.Addr())), "/pool/", netText(pool.CIDR))
	}
	return nil
}

// blocks writes all nodes' blocks, but pending ones.
func (b treeBuilder) blocks(p *pairs) error {
	const confirmed = `{"state":"confirmed","deleted":false}`
	for _, f := range b.config.Families() {
		for _, net := range f.Export.Blocks {
			p.add(confirmed, blockKey(b.config.Node, net)...)
		}
	}
	for _, a := range b.state.BlockAffinities {
		switch {
		case a.State == "pending" || a.Deleted || !safeInKey(a.Node) || b.config.PodCIDRs && a.Node == b.config.Node:
		case a.State == "" || a.State == "confirmed":
			p.add(confirmed, blockKey(a.Node, a.CIDR)...)
		default:
			p.add(`{"state":"pendingDeletion","deleted":false}`, blockKey(a.Node, a.CIDR)...)
		}
	}
	return nil
}

func blockKey(node string, net netip.Prefix) []string {
	return []string{blockKeys, "/", node, "/ipv", strconv.Itoa(bgp.VersionOf(net.Addr())), "/block/", netText(net)}
}

// statics writes this node's service routes.
func (b treeBuilder) statics(p *pairs, f *bgp.Family, suffix string) error {
	for _, s := range f.Export.Services {
		p.add(s.Net.String(), staticKeys, suffix, "/", netText(s.Net))
	}
	return nil
}

// rejects writes the ranges that the kernel does not take.
func (b treeBuilder) rejects(p *pairs, f *bgp.Family, suffix string) error {
	for _, net := range f.Kernel.RejectServices {
		p.add(net.String(), rejectKeys, suffix, "/", netText(net))
	}
	return nil
}

// filters writes the cluster's BGPFilters, under names that functions can have.
func (b treeBuilder) filters(p *pairs) error {
	all := maps.Clone(b.state.BGPFilters)
	for _, f := range b.config.Filters {
		all[f.Name] = f // also what takes the place of one that is not there
	}
	for _, f := range all {
		text, err := backends.Encode(f)
		if err != nil {
			return err
		}
		p.add(string(text), filterKeys, "/", filterWord(f.Name))
	}
	return nil
}

// safeInKey says whether a name can be part of a key: templates print parts of
// keys, in comments and elsewhere.
func safeInKey(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`/"';{}#*`, r)
	})
}

// netText is a net as the last part of a key: its "/" is a "-".
func netText(p netip.Prefix) string { return p.Addr().String() + "-" + strconv.Itoa(p.Bits()) }

// addressText is an address; empty where there is none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func number32[T uint8 | uint16 | uint32](n T) string { return strconv.FormatUint(uint64(n), 10) }

// optional is a number; empty where there is none.
func optional(n *uint32) string {
	if n == nil {
		return ""
	}
	return number32(*n)
}

// encapsulationWord is a pool's mode as the key tree has it; empty for never.
func encapsulationWord(e backends.Encapsulation) string {
	switch e {
	case backends.EncapAlways:
		return "always"
	case backends.EncapCrossSubnet:
		return "cross-subnet"
	}
	return ""
}

// levelWord is a log level as templates compare it.
func levelWord(l bgp.LogLevel) string {
	switch l {
	case bgp.LogAll:
		return "debug"
	case bgp.LogNone:
		return "none"
	}
	return "info"
}

// severityWord is a logSeverityScreen as templates compare it.
func severityWord(severity string) string { return levelWord(bgp.LogLevelOf(severity)) }
