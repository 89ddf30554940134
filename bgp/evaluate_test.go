package bgp

import (
	"net/netip"
	"slices"
	"testing"

	"confd/backends"
)

func TestPolicies(t *testing.T) {
	net := netip.MustParsePrefix
	number := func(n uint32) *uint32 { return &n }
	community := backends.Community{A: 1, B: 2}
	type rules = []backends.FilterRule
	in := func(cidr string, accept bool) backends.FilterRule {
		return backends.FilterRule{CIDR: net(cidr), Match: backends.MatchIn, Accept: accept}
	}
	pool := ExportPolicy{Pools: []Pool{{CIDR: net("10.1.0.0/16")}}}
	route := func(cidr string) Route { return Route{Net: net(cidr)} }
	ofPool := route("10.1.9.0/26")
	for name, test := range map[string]struct {
		rules   rules
		policy  ExportPolicy
		route   Route
		from    *Session
		session Session
		takes   bool
		tells   bool
	}{
		"nothing is said":           {route: route("10.9.0.0/24"), takes: true},
		"in a pool":                 {policy: pool, route: ofPool, takes: true, tells: true},
		"in a pool, rejected":       {policy: pool, rules: rules{in("10.1.0.0/16", false)}, route: ofPool},
		"accepted by a rule":        {rules: rules{in("10.9.0.0/16", true), {}}, route: route("10.9.0.0/24"), takes: true, tells: true},
		"a spare one":               {policy: pool, route: Route{Net: ofPool.Net, Spare: true}, takes: true},
		"the first rule":            {policy: pool, rules: rules{in("10.1.9.0/24", false), in("10.1.0.0/16", true)}, route: ofPool},
		"a pool that is not told":   {policy: ExportPolicy{RejectPools: pool.Pools, Pools: pool.Pools}, route: ofPool, takes: true},
		"Equal":                     {rules: rules{{CIDR: net("10.1.0.0/16"), Match: backends.MatchEqual}}, policy: pool, route: ofPool, takes: true, tells: true},
		"NotEqual":                  {rules: rules{{CIDR: net("10.1.0.0/16"), Match: backends.MatchNotEqual}}, policy: pool, route: ofPool},
		"NotIn":                     {rules: rules{{CIDR: net("10.1.0.0/16"), Match: backends.MatchNotIn}}, policy: pool, route: ofPool, takes: true, tells: true},
		"a length":                  {rules: rules{{CIDR: net("10.1.0.0/16"), Match: backends.MatchIn, PrefixLength: &backends.LengthRange{Min: 24, Max: 25}}}, policy: pool, route: ofPool, takes: true, tells: true},
		"of peers alone":            {rules: rules{{RemotePeers: true}}, policy: pool, route: ofPool, takes: true, tells: true},
		"an interface":              {rules: rules{{Interface: "eth?"}}, policy: pool, route: Route{Net: ofPool.Net, Interface: "eth0"}},
		"another interface":         {rules: rules{{Interface: "eth?"}}, policy: pool, route: Route{Net: ofPool.Net, Interface: "eth10"}, takes: true, tells: true},
		"for external peers":        {rules: rules{{PeerType: backends.PeerExternal}}, policy: pool, route: ofPool, session: Session{Internal: true}, takes: true, tells: true},
		"for internal peers":        {rules: rules{{PeerType: backends.PeerInternal}}, policy: pool, route: ofPool, session: Session{Internal: true}},
		"a community":               {rules: rules{{Community: &community}}, policy: pool, route: Route{Net: ofPool.Net, Communities: []backends.Community{community}}},
		"a path":                    {rules: rules{{ASPathPrefix: []uint32{1, 2}}}, policy: pool, route: Route{Net: ofPool.Net, Path: []uint32{1, 2, 3}}},
		"another path":              {rules: rules{{ASPathPrefix: []uint32{1, 2}}}, policy: pool, route: Route{Net: ofPool.Net, Path: []uint32{1}}, takes: true, tells: true},
		"a priority":                {rules: rules{{Priority: number(512)}}, policy: pool, route: Route{Net: ofPool.Net, LocalPref: number(maxPreference - 512), Session: "x"}},
		"the usual priority":        {rules: rules{{Priority: number(1024)}}, policy: pool, route: ofPool, takes: true},
		"the block":                 {policy: ExportPolicy{Blocks: []netip.Prefix{ofPool.Net}}, route: ofPool, takes: true, tells: true},
		"in the block":              {policy: ExportPolicy{Blocks: []netip.Prefix{ofPool.Net}, Pools: pool.Pools}, route: route("10.1.9.3/32"), takes: true},
		"on the move":               {policy: ExportPolicy{Blocks: []netip.Prefix{ofPool.Net}}, route: Route{Net: net("10.1.9.3/32"), Metric: number(512)}, takes: true, tells: true},
		"a service":                 {policy: ExportPolicy{Services: []StaticRoute{{Net: net("10.96.0.0/12")}}}, route: route("10.96.0.1/32"), takes: true, tells: true},
		"a reflected service":       {policy: ExportPolicy{ReflectedServices: []netip.Prefix{net("10.96.0.0/12")}}, route: route("10.96.0.1/32"), takes: true, tells: true},
		"a tunnel, internal":        {policy: pool, route: Route{Net: ofPool.Net, Interface: "vxlan.calico"}, session: Session{Internal: true}, takes: true},
		"a tunnel, external":        {policy: pool, route: Route{Net: ofPool.Net, Interface: "vxlan.calico"}, takes: true, tells: true},
		"BPF":                       {policy: pool, route: Route{Net: ofPool.Net, Interface: "bpfout.cali"}, takes: true},
		"tunl0":                     {policy: ExportPolicy{RejectTunnel: true, Pools: pool.Pools}, route: Route{Net: ofPool.Net, Interface: "tunl0"}, session: Session{Internal: true}, takes: true},
		"back where it came from":   {policy: pool, route: ofPool, from: &Session{Name: "s"}, session: Session{Name: "s"}, takes: true},
		"from internal to internal": {policy: pool, route: ofPool, from: &Session{Name: "a", Internal: true}, session: Session{Internal: true}, takes: true},
		"from a client":             {policy: pool, route: ofPool, from: &Session{Name: "a", Internal: true, RRClient: true}, session: Session{Internal: true}, takes: true, tells: true},
		"from internal to external": {policy: pool, route: ofPool, from: &Session{Name: "a", Internal: true}, takes: true, tells: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := Family{Version: 4, NormalPriority: 1024, Export: test.policy}
			s := test.session
			c := &Config{IPv4: f}
			if test.rules != nil {
				c.Filters = []*backends.BGPFilter{{Name: "f", ImportV4: test.rules, ExportV4: test.rules}}
				s.Import, s.Export = []FilterCall{{Filter: "f"}}, []FilterCall{{Filter: "f"}}
			}
			p := PoliciesOf(c, &f)
			if takes, tells := p.Takes(&s, test.route), p.Tells(&s, test.route, test.from); takes != test.takes || tells != test.tells {
				t.Errorf("takes %t, tells %t", takes, tells)
			}
		})
	}
}

// A path as external peers have it: BIRD 1.6 shows its filters the node's own AS
// number in it, and what they prepend comes before that.
func TestPoliciesOfPaths(t *testing.T) {
	f := Family{Version: 4, NormalPriority: 1024}
	asks := backends.FilterRule{ASPathPrefix: []uint32{1}, Accept: true, Operations: []backends.Operation{{PrependASPath: []uint32{2, 3}}}}
	c := &Config{IPv4: f, Filters: []*backends.BGPFilter{{Name: "f", ExportV4: []backends.FilterRule{asks, {}}}}}
	own := Route{Net: netip.MustParsePrefix("10.1.0.0/24")}
	far := Route{Net: own.Net, Path: []uint32{1}, Session: "x"}
	new2 := PoliciesOf(c, &f)
	for name, test := range map[string]struct {
		p        Policies
		internal bool
		route    Route
		tells    bool
		path     []uint32
	}{
		"own":                           {p: new2, route: own},
		"a peer's":                      {p: new2, route: far, tells: true, path: []uint32{2, 3, 1}},
		"own, by BIRD 1.6":              {p: new2.InBIRD1(), route: own, tells: true, path: []uint32{2, 3, 1}},
		"a peer's, by BIRD 1.6":         {p: new2.InBIRD1(), route: far, tells: true, path: []uint32{2, 3, 1, 1}},
		"own, by BIRD 1.6, internal":    {p: new2.InBIRD1(), route: own, internal: true},
		"peer's, by BIRD 1.6, internal": {p: new2.InBIRD1(), route: far, internal: true, tells: true, path: []uint32{2, 3, 1}},
	} {
		s := Session{LocalAS: 1, Internal: test.internal, Export: []FilterCall{{Filter: "f"}}}
		out := test.p.TraceExport(&s, test.route, nil)
		if out.Accepted != test.tells || test.tells && !slices.Equal(out.Route.Path, test.path) {
			t.Errorf("%s: told %t, path %v", name, out.Accepted, out.Route.Path)
		}
	}
}

func TestPoliciesThatAreClosed(t *testing.T) {
	type rules = []backends.FilterRule
	some := backends.FilterRule{CIDR: netip.MustParsePrefix("10.0.0.0/8"), Match: backends.MatchIn}
	accept := some
	accept.Accept = true
	external := backends.FilterRule{PeerType: backends.PeerExternal}
	for name, test := range map[string]struct {
		first, second    rules
		internal, closed bool
	}{
		"nothing":               {},
		"all":                   {first: rules{{}}, closed: true},
		"some":                  {first: rules{some}},
		"some, then all":        {first: rules{some, {}}, closed: true},
		"in the second":         {first: rules{some}, second: rules{{}}, closed: true},
		"some are taken":        {first: rules{accept, {}}},
		"taken by the first":    {first: rules{accept}, second: rules{{}}},
		"of the others":         {first: rules{external}, internal: true},
		"of these":              {first: rules{external}, closed: true},
		"what others take, too": {first: rules{{PeerType: backends.PeerExternal, Accept: true}, {}}, internal: true, closed: true},
	} {
		f := Family{Version: 6}
		c := &Config{IPv6: f, Filters: []*backends.BGPFilter{{Name: "a", ImportV6: test.first, ExportV6: test.first}, {Name: "b", ImportV6: test.second, ExportV6: test.second}}}
		calls := []FilterCall{{Filter: "a"}, {Filter: "b"}}
		s := Session{Internal: test.internal, Import: calls, Export: calls}
		p := PoliciesOf(c, &f)
		if in, out := p.TakesNothing(&s), p.TellsNothing(&s); in != test.closed || out != test.closed {
			t.Errorf("%s: takes nothing %t, tells nothing %t", name, in, out)
		}
	}
}
