package guard

import (
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard/outline"
)

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
	for _, l := range j.then.Lines {
		if lost[l.Name] {
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

func (s *suspects) differs(key backends.Key, about aspect) bool {
	old, _ := s.before.Get(key)
	if now, _ := s.after.Get(key); old == now {
		return false
	}
	salt := s.j.q.Salt
	return essenceOf(s.before, key, about, salt) != essenceOf(s.after, key, about, salt)
}

// line looks at what can have taken away one session, or remade it.
func (s *suspects) line(l *outline.Line) {
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
