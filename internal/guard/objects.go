package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
	"confd/bgp"
)

// aspect is what of an object is looked at.
type aspect int

const (
	ofSessions aspect = iota // what decides on sessions and their terms
	ofLabels                 // the same of a Node, where labels choose it
	ofRoutes                 // what decides on which routes are taken and told
	ofImports                // on what import filters do
)

// essenceOf is a text of what an object says in one aspect: the same as long as
// that is the same, and empty where there is no usable one. Secrets are not in the
// clear.
func essenceOf(s *backends.State, key backends.Key, about aspect, salt Salt) string {
	r, ok := s.Get(key)
	if !ok {
		return ""
	}
	switch r := r.(type) {
	case *backends.Secret:
		return fmt.Sprint(salted(r, salt).Data)
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

// salted is a Secret without secrets.
func salted(s *backends.Secret, salt Salt) *backends.Secret {
	out := *s
	out.Data = make(map[string]string, len(s.Data))
	for k, v := range s.Data {
		out.Data[k] = salt.Of(v)
	}
	return &out
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

// stateBefore is the state that what runs was made from; nil: not known.
func (q Question) stateBefore() *backends.State {
	if q.Running == nil {
		return nil
	}
	return q.Running.State
}

// suspects finds the objects that are the reason for what a judgement has found.
type suspects struct {
	j             *judgement
	before, after *backends.State
	keys          map[backends.Key]aspect
}

// reasons are the objects that changed and are the reason for the findings, sorted;
// where nobody knows what was before, those that keep away what is lost.
func (j *judgement) reasons(list []finding) map[backends.Key]aspect {
	s := suspects{j: j, before: j.q.stateBefore(), after: j.state, keys: map[backends.Key]aspect{}}
	if s.before == nil {
		s.standing(list)
		return s.keys
	}
	lost, withSessions := map[string]bool{}, map[string]bool{}
	for _, f := range list {
		maps.Copy(lost, setOf(f.lost))
		if !f.ofRoutes {
			maps.Copy(withSessions, setOf(f.lost))
		}
	}
	for i := range j.then.lines {
		if l := &j.then.lines[i]; lost[l.Name] {
			s.line(l)
		}
	}
	s.nodesTogether()
	if slices.ContainsFunc(list, func(f finding) bool { return f.ofRoutes && !f.goesWith(withSessions) }) {
		s.routes()
	}
	return s.keys
}

// goesWith says whether the routes of a finding go with sessions alone: it has no
// reasons then but theirs, whether it is known how many routes they had or not.
func (f finding) goesWith(sessions map[string]bool) bool {
	return len(f.lost) > 0 && !f.kept && !slices.ContainsFunc(f.lost, func(name string) bool { return !sessions[name] })
}

// changed notes an object where it changed in an aspect.
func (s *suspects) changed(key backends.Key, about aspect) {
	if _, noted := s.keys[key]; noted || key.Name == "" {
		return
	}
	at := keyAspect{key, about}
	differs, known := s.j.differ[at]
	if !known {
		differs = s.differs(key, about)
		s.j.differ[at] = differs
	}
	if differs {
		s.keys[key] = about
	}
}

// keyAspect is an aspect of an object.
type keyAspect struct {
	backends.Key
	aspect
}

func (s *suspects) differs(key backends.Key, about aspect) bool {
	old, _ := s.before.Get(key)
	if now, _ := s.after.Get(key); old == now {
		return false
	}
	salt := s.j.q.Salt
	return essenceOf(s.before, key, about, salt) != essenceOf(s.after, key, about, salt)
}

// line looks at what can have taken away one session, or remade it.
func (s *suspects) line(l *Line) {
	node := func(name string) backends.Key { return backends.Key{Kind: backends.KindNode, Name: name} }
	configuration := func(name string) backends.Key {
		return backends.Key{Kind: backends.KindBGPConfiguration, Name: name}
	}
	_, is := s.j.fateOf(l)
	about := ofSessions
	if s.selects(l.Object) || is != nil && s.selects(is.Object) {
		about = ofLabels
	}
	s.changed(configuration("default"), ofSessions)
	for _, name := range []string{s.j.q.Options.Node, l.Node} {
		if name != "" {
			s.changed(node(name), about)
			s.changed(configuration("node."+name), ofSessions)
		}
	}
	s.asking(l.Object)
	if is != nil {
		s.asking(is.Object)
	}
	if s.j.ends(l) {
		s.filters(l.Object)
	}
}

// filters looks at what decides on the routes that a session takes, for which an object
// asks.
func (s *suspects) filters(key backends.Key) {
	s.changed(key, ofImports)
	s.changed(backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}, ofImports)
	for _, state := range []*backends.State{s.before, s.after} {
		if p := state.BGPPeers[key.Name]; key.Kind == backends.KindBGPPeer && p != nil {
			for _, name := range p.Filters {
				s.changed(backends.Key{Kind: backends.KindBGPFilter, Name: name}, ofImports)
			}
		}
	}
}

// selects says whether an object chooses nodes by their labels.
func (s *suspects) selects(key backends.Key) bool {
	for _, state := range []*backends.State{s.before, s.after} {
		p := state.BGPPeers[key.Name]
		if key.Kind == backends.KindBGPPeer && p != nil && (p.NodeSelector != "" || p.PeerSelector != "") {
			return true
		}
	}
	return false
}

// asking looks at an object that asks for a session, and the Secret that it names now:
// one that it does not name any more nobody reads.
func (s *suspects) asking(key backends.Key) {
	s.changed(key, ofSessions)
	r, _ := s.after.Get(key)
	var ref *backends.SecretKeyRef
	switch r := r.(type) {
	case *backends.BGPPeer:
		ref = r.Password
	case *backends.BGPConfiguration:
		ref = r.NodeMeshPassword
	}
	if ref != nil {
		s.changed(backends.Key{Kind: backends.KindSecret, Namespace: s.j.q.Options.SecretNamespace, Name: ref.Name}, ofSessions)
	}
}

// routes looks at what decides on routes.
func (s *suspects) routes() {
	for _, state := range []*backends.State{s.before, s.after} {
		for name := range state.BGPFilters {
			s.changed(backends.Key{Kind: backends.KindBGPFilter, Name: name}, ofRoutes)
		}
		for name := range state.IPPools {
			s.changed(backends.Key{Kind: backends.KindIPPool, Name: name}, ofRoutes)
		}
		for name := range state.BGPPeers {
			s.changed(backends.Key{Kind: backends.KindBGPPeer, Name: name}, ofRoutes)
		}
	}
	s.changed(backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}, ofRoutes)
	for _, t := range s.j.was.Told {
		if t.Object.Kind == backends.KindBlockAffinity {
			s.changed(t.Object, ofRoutes)
		}
	}
}

// nodesTogether takes all nodes that changed where several are the reason: it is
// one change then, which every node sees.
func (s *suspects) nodesTogether() {
	var abouts []aspect
	for key, about := range s.keys {
		if key.Kind == backends.KindNode {
			abouts = append(abouts, about)
		}
	}
	if len(abouts) < 2 {
		return
	}
	about := slices.Max(abouts)
	for _, state := range []*backends.State{s.before, s.after} {
		for name := range state.Nodes {
			s.changed(backends.Key{Kind: backends.KindNode, Name: name}, about)
		}
	}
}

// standing notes what keeps sessions of the mesh away, where nobody knows what it
// was before.
func (s *suspects) standing(list []finding) {
	key, why := standingMesh(s.after, s.j.q.Options.Node)
	for _, f := range list {
		if why != "" && slices.ContainsFunc(f.lost, func(name string) bool { return lineOfSeen(Seen{Name: name}).Kind == bgp.MeshSession }) {
			s.keys[key] = ofSessions
		}
	}
}

// idOf names what is held by what the objects that are the reason say now. Where
// there are none it is the sessions and routes that go.
func (j *judgement) idOf(reasons map[backends.Key]aspect, list []finding) string {
	var parts []string
	for key, about := range reasons {
		parts = append(parts, key.String()+" "+j.publicEssence(key, about))
	}
	if len(parts) == 0 {
		for _, f := range list {
			parts = append(parts, f.lost...)
			parts = append(parts, f.routes...)
		}
	}
	slices.Sort(parts)
	return shortHash(strings.Join(slices.Compact(parts), "\n"))
}

// publicEssence is an object's essence that is the same on every node. Of a Secret
// it is a number that tells one from thousands of others: that is enough to know
// it again, and too little to find it out.
func (j *judgement) publicEssence(key backends.Key, about aspect) string {
	secret, ok := j.state.Secrets[key]
	if key.Kind != backends.KindSecret || !ok {
		return essenceOf(j.state, key, about, nil)
	}
	return shortHash(fmt.Sprint(key, secret.Data))[:3]
}

// shortHash is 16 hexadecimal digits of the text's SHA-256.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}
