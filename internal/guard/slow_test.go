package guard_test

import (
	"net/netip"
	"slices"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
)

// slow reads the rule of docs/safety.md as it stands there, with lists alone, and
// over whole configurations: it knows nothing of outlines, books and histories.
type slow struct {
	node      string
	now       time.Time
	past      []slowPast // all that ever ran, the oldest first
	running   *bgp.Config
	runState  *backends.State
	candidate *bgp.Config
	state     *backends.State
	seen      map[string]guard.Seen
	held      []string
	announced guard.Announcements
}

type slowPast struct {
	config   *bgp.Config
	until    time.Time
	pardoned []string
	// pardonedAt is when the last of them was.
	pardonedAt time.Time
}

// slowSession is a session, and the port that its node listens on.
type slowSession struct {
	bgp.Session
	family int
	listen uint16
}

func slowSessions(c *bgp.Config) []slowSession {
	var list []slowSession
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			list = append(list, slowSession{*s, f.Version, f.ListenPort})
		}
	}
	return list
}

func port(n uint16) uint16 {
	if n == 0 {
		return 179
	}
	return n
}

// is finds what s is in a configuration.
func (s slowSession) in(c *bgp.Config) *slowSession {
	all := slowSessions(c)
	for _, ok := range []func(o slowSession) bool{
		func(o slowSession) bool { return o.Name == s.Name },
		func(o slowSession) bool {
			return o.Neighbor == s.Neighbor && (port(o.Port) == port(s.Port) || o.PeerNode != "")
		},
		func(o slowSession) bool { return s.PeerNode != "" && o.PeerNode == s.PeerNode },
		func(o slowSession) bool {
			return s.PeerNode == "" && o.PeerNode == "" && o.Reason.Object == s.Reason.Object
		},
	} {
		for _, o := range all {
			if o.family == s.family && ok(o) {
				return &o
			}
		}
	}
	return nil
}

// stays says that c leaves the session as it is.
func (s slowSession) stays(c *bgp.Config) bool {
	o := s.in(c)
	return o != nil && o.Name == s.Name && o.Source == s.Source && port(o.Port) == port(s.Port) && port(o.listen) == port(s.listen) &&
		o.AS == s.AS && o.LocalAS == s.LocalAS && o.TTLHops == s.TTLHops && o.Password == s.Password
}

func (r slow) wasUp(name string) bool {
	s, ok := r.seen[name]
	return ok && (s.Established || !s.Last.IsZero() && r.now.Sub(s.Last) < 5*time.Minute)
}

// established counts those that what is held takes away, if the candidate does.
func (r slow) established(name string) bool { return r.wasUp(name) || slices.Contains(r.held, name) }

// oldest is what ran first within the last five minutes: of what was replaced
// within the same minute, the first, for as long as the last.
func (r slow) oldest() *slowPast {
	var minutes []slowPast
	for _, p := range r.past {
		if n := len(minutes); n > 0 && minutes[n-1].until.Unix()/60 == p.until.Unix()/60 {
			minutes[n-1].until = p.until
		} else {
			minutes = append(minutes, p)
		}
	}
	for _, p := range minutes {
		if r.now.Sub(p.until) < 5*time.Minute {
			return &p
		}
	}
	return nil
}

type slowJudged struct {
	slowSession
	lost, step, up bool
	renamed        bool // it is lost for no more than another name
}

// judged are the sessions that count.
func (r slow) judged() []slowJudged {
	type from struct {
		slowSession
		reflector bool
	}
	var list []from
	old := r.oldest()
	if old != nil {
		for _, s := range slowSessions(old.config) {
			if !slices.Contains(old.pardoned, s.Name) && r.established(s.Name) {
				list = append(list, from{s, old.config.ClusterID.IsValid()})
			}
		}
	}
	for _, s := range slowSessions(r.running) {
		isNew := old == nil || !r.downSincePardoned(*old, s)
		for _, o := range list {
			if was := o.in(r.running); was != nil && was.Name == s.Name && was.family == s.family {
				isNew = false
			}
		}
		if isNew {
			list = append(list, from{s, r.running.ClusterID.IsValid()})
		}
	}
	var out []slowJudged
	for _, s := range list {
		if s.Kind != bgp.LocalWorkloadSession && r.established(s.Name) && r.isThere(s.slowSession) && !r.reflects(s.slowSession, s.reflector) {
			j := r.judge(s.slowSession)
			if j.lost || r.wasUp(s.Name) {
				out = append(out, j)
			}
		}
	}
	return out
}

// downSincePardoned says that the loss of what s came in the place of was pardoned, and that
// s has not come up since.
func (r slow) downSincePardoned(old slowPast, s slowSession) bool {
	if seen := r.seen[s.Name]; seen.Established || seen.Last.After(old.pardonedAt) {
		return false
	}
	return slices.ContainsFunc(slowSessions(old.config), func(o slowSession) bool {
		runs := o.in(r.running)
		return slices.Contains(old.pardoned, o.Name) && runs != nil && runs.Name == s.Name && runs.family == s.family
	})
}

func (r slow) isThere(s slowSession) bool {
	return s.PeerNode == "" || r.state.Nodes[s.PeerNode] != nil
}

// reflects says that the session goes since one of its ends reflects now.
func (r slow) reflects(s slowSession, reflector bool) bool {
	d := r.state.BGPConfigurations["default"]
	if s.Kind != bgp.MeshSession || d != nil && d.NodeToNodeMesh != nil && !*d.NodeToNodeMesh {
		return false
	}
	count := 0
	for _, n := range r.state.Nodes {
		if n.ClusterID.IsValid() {
			count++
		}
	}
	if count > 2 && count*2 > len(r.state.Nodes) {
		return false
	}
	peer := r.state.Nodes[s.PeerNode]
	return r.candidate.ClusterID.IsValid() && !reflector || peer != nil && peer.ClusterID.IsValid()
}

func (r slow) judge(s slowSession) slowJudged {
	j := slowJudged{slowSession: s, up: r.seen[s.Name].Established, lost: !s.stays(r.candidate)}
	if is := s.in(r.candidate); is != nil && j.lost && is.Neighbor == s.Neighbor {
		as := s
		as.Name = is.Name
		j.renamed = as.stays(r.candidate)
	}
	if runs := s.in(r.running); runs != nil {
		j.step = !runs.stays(r.candidate)
		if j.lost && !j.step && r.seen[runs.Name].Established {
			j.lost, j.up = false, true
		}
	}
	if j.lost && r.reflected(s) {
		j.lost, j.step = false, false
	}
	return j
}

// reflected says that the routes of the node behind a session of the mesh come by
// a reflector, one step away: the test's clusters have no others.
func (r slow) reflected(s slowSession) bool {
	if s.Kind != bgp.MeshSession {
		return false
	}
	for _, o := range slowSessions(r.running) {
		if o.family != s.family || !o.Internal || !o.stays(r.candidate) || !r.seen[o.Name].Established {
			continue
		}
		reflector := r.state.Nodes[o.PeerNode]
		if reflector == nil || !reflector.ClusterID.IsValid() {
			continue
		}
		theirs, err := bgp.Compute(r.state, bgp.Options{Node: reflector.Name})
		if err != nil {
			continue
		}
		for _, x := range slowSessions(theirs) {
			if x.family == s.family && x.PeerNode == s.PeerNode && x.Internal {
				return true
			}
		}
	}
	return false
}

func slowTooMuch(list []slowJudged, of func(slowJudged) bool) bool {
	counted, lost, renamed, step := 0, 0, 0, false
	for _, s := range list {
		if of(s) {
			counted++
			if s.lost {
				lost++
				step = step || s.step
				if s.renamed {
					renamed++
				}
			}
		}
	}
	return step && (lost != 1 || renamed != 1) && (lost == counted || lost >= 2 && lost > counted-lost)
}

// holds says whether the candidate is to be held.
func (r slow) holds() bool {
	list := r.judged()
	for _, of := range []func(slowJudged) bool{
		func(slowJudged) bool { return true },
		func(s slowJudged) bool { return s.family == 4 },
		func(s slowJudged) bool { return s.family == 6 },
		func(s slowJudged) bool { return s.Kind == bgp.MeshSession },
		func(s slowJudged) bool { return s.Kind == bgp.GlobalSession },
		func(s slowJudged) bool { return s.Kind == bgp.NodeSession },
	} {
		if slowTooMuch(list, of) {
			return true
		}
	}
	for _, family := range []int{4, 6} {
		up, lost, renamed, step := 0, 0, 0, false
		for _, s := range list {
			if s.family == family && s.up {
				up++
				if s.lost {
					lost++
					step = step || s.step
					if s.renamed {
						renamed++
					}
				}
			}
		}
		if step && up > 0 && lost == up && (lost != 1 || renamed != 1) {
			return true
		}
		if r.tellsNothing(list, family) || r.takesNothing(list, family) || r.silences(list, family) {
			return true
		}
	}
	return false
}

// tells are the blocks of node-1 that a configuration tells some peer of.
func tells(c *bgp.Config, family int) []netip.Prefix {
	var out []netip.Prefix
	for _, f := range c.Families() {
		if f.Version != family {
			continue
		}
		for _, r := range f.Statics {
			b := r.Net
			for _, s := range f.Sessions {
				if !slowRejectsAll(c, s.Export, family, true) && !slices.ContainsFunc(f.Export.RejectPools, func(p bgp.Pool) bool { return p.CIDR.Overlaps(b) }) &&
					!slices.Contains(out, b) {
					out = append(out, b)
				}
			}
		}
	}
	return out
}

// slowRejectsAll says that a filter rejects everything: the test's filters reject
// everything, or nothing that there is.
func slowRejectsAll(c *bgp.Config, calls []bgp.FilterCall, family int, export bool) bool {
	for _, call := range calls {
		for _, f := range c.Filters {
			rules := map[bool]map[int][]backends.FilterRule{true: {4: f.ExportV4, 6: f.ExportV6}, false: {4: f.ImportV4, 6: f.ImportV6}}[export][family]
			for _, rule := range rules {
				if f.Name == call.Filter && !rule.CIDR.IsValid() {
					return true
				}
			}
		}
	}
	return false
}

func (r slow) tellsNothing(list []slowJudged, family int) bool {
	if !slices.ContainsFunc(list, func(s slowJudged) bool { return s.family == family && !s.lost }) {
		return false
	}
	counts := func(nets []netip.Prefix, pardoned []string) []netip.Prefix {
		return slices.DeleteFunc(slices.Clone(nets), func(n netip.Prefix) bool {
			return slices.Contains(pardoned, n.String()) || r.givenBack(n, family)
		})
	}
	before, runs := counts(tells(r.running, family), nil), counts(tells(r.running, family), nil)
	if old := r.oldest(); old != nil {
		before = counts(tells(old.config, family), old.pardoned)
	}
	gone := func(nets []netip.Prefix) bool {
		return len(nets) > 0 && !slices.ContainsFunc(nets, func(n netip.Prefix) bool { return slices.Contains(tells(r.candidate, family), n) })
	}
	step := slices.ContainsFunc(runs, func(n netip.Prefix) bool { return !slices.Contains(tells(r.candidate, family), n) })
	return gone(before) && step
}

// givenBack says that a block which is not told of any more was given back.
func (r slow) givenBack(n netip.Prefix, family int) bool {
	a := r.state.BlockAffinities[n.String()]
	if a == nil {
		a = r.runState.BlockAffinities[n.String()]
	}
	return a != nil && a.State == "pendingDeletion" && !slices.Contains(tells(r.candidate, family), n)
}

// silences says that a node which tells of no block of its own, but of routes of
// others, is kept from it by the filters of all sessions that stay.
func (r slow) silences(list []slowJudged, family int) bool {
	before := tells(r.running, family)
	if old := r.oldest(); old != nil {
		before = slices.DeleteFunc(tells(old.config, family), func(n netip.Prefix) bool { return slices.Contains(old.pardoned, n.String()) })
	}
	before = slices.DeleteFunc(before, func(n netip.Prefix) bool { return r.givenBack(n, family) })
	if len(before) > 0 {
		return false
	}
	open, silenced, exported := 0, 0, 0
	for _, s := range list {
		is := s.in(r.candidate)
		if s.family != family || s.lost || is == nil {
			continue
		}
		if !slowRejectsAll(r.candidate, is.Export, family, true) {
			open++
		} else if was := is.in(r.running); was != nil && was.Name == is.Name && !slowRejectsAll(r.running, was.Export, family, true) {
			silenced++
		}
		if c := r.seen[is.Name].Counts; c != nil {
			exported += c.Exported
		}
	}
	return open == 0 && silenced > 0 && exported > 0
}

func (r slow) takesNothing(list []slowJudged, family int) bool {
	before, left, step := 0, 0, false
	for _, s := range list {
		if s.family != family {
			continue
		}
		name := s.Name
		if runs := s.in(r.running); !s.lost && !s.stays(r.candidate) && runs != nil {
			name = runs.Name
		}
		n := 0
		if c := r.seen[name].Counts; c != nil {
			n = c.Imported
		}
		before += n
		is := s.in(r.candidate)
		step = step || s.step || !s.lost && is != nil && slices.Contains(bgp.Compare(r.running, r.candidate, 2).Reimporting, is.Name)
		if s.lost && s.renamed && !slowRejectsAll(r.candidate, is.Import, family, false) {
			left += n
		}
		if !s.lost && is != nil && !slowRejectsAll(r.candidate, is.Import, family, false) {
			left += n
		}
	}
	return step && before > 0 && left == 0
}
