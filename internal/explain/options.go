package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/internal/terminal"
)

// optionsOf are the options of a session that are not just BIRD's, and what each
// comes from.
func (a *Asker) optionsOf(me Party, s *bgp.Session) []Option {
	o := optioned{a: a, me: me, s: s, node: a.state().Nodes[me.Node]}
	if s.Reason.Object.Kind == backends.KindBGPPeer {
		o.peer = a.state().BGPPeers[s.Reason.Object.Name]
	}
	if o.peer == nil {
		o.peer = &backends.BGPPeer{}
	}
	o.numbers()
	o.connection()
	o.timers()
	o.filters()
	return o.list
}

// optioned collects the options of one session.
type optioned struct {
	a    *Asker
	me   Party
	node *backends.Node
	s    *bgp.Session
	peer *backends.BGPPeer // empty for sessions of the mesh
	list []Option
}

func (o *optioned) add(name, value, from string) { o.list = append(o.list, Option{name, value, from}) }

// by names a field of the object that asks for the session.
func (o *optioned) by(field string) string { return o.s.Reason.Object.String() + ", " + field }

func (o *optioned) numbers() {
	as := strconv.FormatUint(uint64(o.s.AS), 10)
	switch peer := o.a.state().Nodes[o.s.PeerNode]; {
	case o.peer.PeerIP.IsValid() && o.peer.ASNumber != 0 && !o.s.Reason.Reverse, o.s.Kind == bgp.LocalWorkloadSession && o.peer.ASNumber != 0:
		o.add("peer's AS", as, o.by("asNumber"))
	case peer != nil:
		o.add("peer's AS", as, o.a.originOfAS(peer))
	default:
		o.add("peer's AS", as, o.a.originOfAS(&backends.Node{}))
	}
	local := strconv.FormatUint(uint64(o.s.LocalAS), 10)
	if o.s.OwnLocalAS {
		o.add("local AS", local, o.by("localASNumber"))
	} else {
		o.add("local AS", local, o.a.originOfAS(o.node))
	}
	kind := "external (eBGP)"
	if o.s.Internal {
		kind = "internal (iBGP)"
	}
	o.add("kind", kind, "the two AS numbers")
	if o.s.RRClient {
		o.add("route reflector client", "cluster ID "+o.s.ClusterID.String(), "Node "+o.me.Node+", routeReflectorClusterID: the peer has none, or another one")
	}
	if o.s.AllowLocalAS != nil {
		o.add("own AS in a path", fmt.Sprintf("allowed %s", timesText(*o.s.AllowLocalAS)), o.by("numAllowedLocalASNumbers"))
	}
}

func timesText(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// originOfAS says where a node's AS number comes from.
func (a *Asker) originOfAS(n *backends.Node) string {
	c := a.state().BGPConfigurations["default"]
	switch {
	case n.ASNumber != 0:
		return "Node " + n.Name + ", asNumber"
	case c != nil && c.ASNumber != 0:
		return "BGPConfiguration default, asNumber"
	}
	return "Calico's default"
}

func (o *optioned) connection() {
	o.add("peer's port", strconv.Itoa(int(o.s.PortOf())), o.portFrom())
	switch {
	case !o.s.Source.IsValid() && o.s.Kind == bgp.LocalWorkloadSession:
		o.add("source address", "any", "a local workload's session")
	case !o.s.Source.IsValid():
		o.add("source address", "BIRD's choice", o.by("sourceAddress: None"))
	default:
		o.add("source address", o.s.Source.String(), "Node "+o.me.Node)
	}
	if o.s.Passive {
		from := "the peer's address sorts after this node's, so that one side connects"
		if o.s.Kind == bgp.LocalWorkloadSession {
			from = "a local workload connects by itself"
		}
		o.add("passive", "waits for the peer to connect", from)
	}
	if o.s.TTLHops != 0 {
		o.add("TTL security", terminal.Count(int(o.s.TTLHops), "hop"), o.by("ttlSecurity"))
	}
	if o.s.ReachableBy.IsValid() {
		o.add("gateway", o.s.ReachableBy.String(), o.by("reachableBy"))
	}
	if o.s.NextHop != bgp.NextHopDefault {
		field := "nextHopMode: " + string(o.s.NextHopMode)
		if o.s.NextHopMode == "" {
			field = "keepOriginalNextHop"
		}
		o.add("next hop", string(o.s.NextHop), o.by(field))
	}
	o.password()
}

func (o *optioned) portFrom() string {
	own := o.a.state().BGPConfigurations["node."+o.s.PeerNode]
	c := o.a.state().BGPConfigurations["default"]
	switch {
	case o.peer.Port != 0 && !o.s.Reason.Reverse:
		return o.by("peerIP")
	case o.s.Port == 0:
		return "BGP's own"
	case o.s.PeerNode != "" && own != nil && own.ListenPort != 0:
		return own.ResourceKey().String() + ", listenPort"
	case c != nil && c.ListenPort != 0:
		return "BGPConfiguration default, listenPort"
	}
	return "BGP's own"
}

func (o *optioned) password() {
	ref, field := o.peer.Password, "password"
	if o.s.Kind == bgp.MeshSession {
		field = "nodeMeshPassword"
		if c := o.a.state().BGPConfigurations["default"]; c != nil {
			ref = c.NodeMeshPassword
		}
	}
	switch {
	case ref == nil:
	case o.s.Password == "":
		o.add("password", "none", fmt.Sprintf("%s: Secret %s, key %s, is not there", o.by(field), ref.Name, ref.Key))
	default:
		o.add("password", "(hidden)", fmt.Sprintf("%s: Secret %s, key %s", o.by(field), ref.Name, ref.Key))
	}
}

func (o *optioned) timers() {
	seconds := func(name string, v *uint32, field string) {
		if v != nil {
			o.add(name, fmt.Sprintf("%d s", *v), o.by(field))
		}
	}
	restart := "maxRestartTime"
	if o.s.Kind == bgp.MeshSession {
		restart = "nodeMeshMaxRestartTime"
	}
	seconds("graceful restart time", o.s.GracefulRestartTime, restart)
	seconds("keepalive time", o.s.KeepaliveTime, "keepaliveTime")
}

func (o *optioned) filters() {
	calls := func(list []bgp.FilterCall) string {
		var names []string
		for _, c := range list {
			names = append(names, c.Filter)
		}
		return strings.Join(names, ", ")
	}
	for _, d := range []struct {
		name string
		list []bgp.FilterCall
	}{{"import filters", o.s.Import}, {"export filters", o.s.Export}} {
		if len(d.list) > 0 {
			o.add(d.name, calls(d.list), o.by("filters"))
		}
	}
	for _, name := range o.peer.Filters {
		if !slices.Contains(o.s.Filters, name) {
			o.add("filter "+name, "not there", o.by("filters")+": no such BGPFilter, and the session goes without it")
		}
	}
}
