package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"

	"confd/backends"
	"confd/internal/guard/outline"
)

// aspect is what of an object is looked at.
type aspect int

const (
	ofSessions aspect = iota // what decides on sessions and their terms
	ofLabels                 // the same of a Node, where labels choose it
	ofRoutes                 // what decides on which routes are taken and told
	ofImports                // on what import filters do
)

// keyAspect is an aspect of an object.
type keyAspect struct {
	backends.Key
	aspect
}

// essenceOf is a text of what an object says in one aspect: the same as long as
// that is the same, and empty where there is no usable one. Secrets are not in the
// clear.
func essenceOf(s *backends.State, key backends.Key, about aspect, salt outline.Salt) string {
	r, ok := s.Get(key)
	if !ok {
		return ""
	}
	switch r := r.(type) {
	case *backends.Secret:
		return fmt.Sprint(salt.Secret(r).Data)
	case *backends.Node:
		return nodeEssence(r, about)
	}
	data, err := json.Marshal(reduced(r, about))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// nodeEssence is written by hand: there can be thousands that changed.
func nodeEssence(n *backends.Node, about aspect) string {
	text := make([]byte, 0, 64)
	for _, a := range []netip.Addr{n.IPv4.Addr, n.IPv6.Addr, n.ClusterID} {
		text = append(a.AppendTo(text), ' ')
	}
	text = strconv.AppendUint(text, uint64(n.ASNumber), 10)
	if about == ofLabels {
		text = fmt.Append(text, n.Labels)
	}
	return string(text)
}

// reduced is a copy of what matters of an object in one aspect.
func reduced(r backends.Resource, about aspect) any {
	switch r := r.(type) {
	case *backends.BGPConfiguration:
		return reducedConfiguration(r, about)
	case *backends.BGPPeer:
		p := *r
		p.Intent, p.KeepaliveTime, p.MaxRestartTime, p.NextHopMode, p.KeepOriginalNextHop = backends.Intent{}, nil, nil, "", false
		if about == ofSessions {
			p.Filters = nil
		}
		return p
	case *backends.BGPFilter:
		f := *r
		f.Intent = backends.Intent{}
		return f
	case *backends.IPPool:
		return struct{ CIDR, Disabled any }{r.CIDR, r.DisableBGPExport}
	}
	return r
}

func reducedConfiguration(c *backends.BGPConfiguration, about aspect) any {
	switch about {
	case ofImports:
		return struct{ V4, V6 any }{c.IPv4NormalPriority, c.IPv6NormalPriority}
	case ofSessions:
		return struct{ AS, Mesh, Port, Password any }{c.ASNumber, meshOn(c), c.ListenPort, c.NodeMeshPassword}
	}
	return struct{ Cluster, External, LoadBalancer, Aggregation any }{
		c.ServiceClusterIPs, c.ServiceExternalIPs, c.ServiceLoadBalancerIPs, c.NoLoadBalancerAggregation,
	}
}
