package backends

import (
	"net/netip"
	"regexp"
	"strings"
)

var plainWord = regexp.MustCompile(`^[A-Za-z]{1,32}$`)

// decodeBGPConfiguration keeps all of the resource that makes sense. One bad
// field must not take the others with it: without the resource the cluster's
// mesh would be on again, and its AS number the default.
func decodeBGPConfiguration(m metadata, spec field) *BGPConfiguration {
	// Problems of spec's fields are told apart from those of the metadata,
	// which still make the object unusable.
	spec = spec.soft()
	spec.object()
	c := &BGPConfiguration{
		Name:                      m.name,
		ASNumber:                  spec.get("asNumber").asNumber(),
		NodeToNodeMesh:            spec.get("nodeToNodeMeshEnabled").boolean(),
		ListenPort:                spec.get("listenPort").port(),
		LogSeverity:               spec.get("logSeverityScreen").logSeverity(),
		ServiceClusterIPs:         spec.get("serviceClusterIPs").ranges(),
		ServiceExternalIPs:        spec.get("serviceExternalIPs").ranges(),
		ServiceLoadBalancerIPs:    spec.get("serviceLoadBalancerIPs").ranges(),
		NoLoadBalancerAggregation: oneOf(spec.get("serviceLoadBalancerAggregation"), "Enabled", "Disabled") == "Disabled",
		Communities:               spec.get("communities").namedCommunities(),
		PrefixAdvertisements:      spec.get("prefixAdvertisements").advertisements(),
		NodeMeshPassword:          spec.get("nodeMeshPassword").secretKeyRef(),
		NodeMeshMaxRestartTime:    spec.get("nodeMeshMaxRestartTime").duration(),
		BindNodeIP:                oneOf(spec.get("bindMode"), "None", "NodeIP") == "NodeIP",
		IgnoredInterfaces:         spec.get("ignoredInterfaces").interfaces(),
		ProgramClusterRoutes:      spec.get("programClusterRoutes").clusterRoutes(),
		IPv4NormalPriority:        spec.get("ipv4NormalRoutePriority").uint32(0, maxPriority),
		IPv6NormalPriority:        spec.get("ipv6NormalRoutePriority").uint32(0, maxPriority),
	}
	c.Ignored = spec.found.list()
	return c
}

func (f field) logSeverity() string {
	s := f.text()
	if s != "" && !plainWord.MatchString(s) {
		f.bad("a log level")
		return ""
	}
	return s
}

func (f field) clusterRoutes() ClusterRoutes {
	return oneOf(f, RoutesEnabledNoEncapOnly, RoutesEnabled, RoutesEnabledIPIPOnly, RoutesDisabled)
}

// ranges reads a list of {cidr}. Calico's own tools leave empty entries behind.
func (f field) ranges() []netip.Prefix {
	var ranges []netip.Prefix
	for _, e := range f.list() {
		e.object()
		if p := e.get("cidr").prefix(); p.IsValid() {
			ranges = append(ranges, p)
		}
	}
	return ranges
}

func (f field) interfaces() []string {
	var names []string
	for _, e := range f.list() {
		if name := e.interfaceName(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (f field) namedCommunities() []NamedCommunity {
	var named []NamedCommunity
	for _, e := range f.list() {
		if e.object(); len(e.names()) == 0 {
			continue
		}
		name, value := e.get("name").required().text(), e.get("value").required().community()
		if name != "" && value != nil {
			named = append(named, NamedCommunity{Name: name, Value: *value})
		}
	}
	return named
}

// advertisements reads a list that overrides another also where it is empty.
func (f field) advertisements() []PrefixAdvertisement {
	list := f.list()
	if list == nil {
		return nil
	}
	ads := []PrefixAdvertisement{}
	for _, e := range list {
		if e.object(); len(e.names()) == 0 {
			continue
		}
		ad := PrefixAdvertisement{CIDR: e.get("cidr").required().prefix(), Communities: e.get("communities").communityNames()}
		if ad.CIDR.IsValid() {
			ads = append(ads, ad)
		}
	}
	return ads
}

// communityNames reads names and values; what has a colon must be a value.
func (f field) communityNames() []string {
	var names []string
	for _, e := range f.list() {
		name := e.communityText()
		if strings.Contains(name, ":") && e.community() == nil {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
