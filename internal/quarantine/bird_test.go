package quarantine

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/etc"
	"confd/internal/testenv"
	"confd/reload"
	"confd/templates"
)

// birdTry renders with an engine and has BIRD's own parser check each set.
type birdTry struct {
	t       *testing.T
	state   *backends.State
	engine  *templates.Engine
	version templates.Version
	applier *reload.Applier
	dir     string
}

// patience is how long a check may take on a machine that is busy with other things.
const patience = 4 * time.Minute

// folder is a configuration folder; nil: the one inside the program.
func newBirdTry(t *testing.T, state *backends.State, version string, folder fs.FS) *birdTry {
	t.Helper()
	testenv.Bird(t, version)
	if folder == nil {
		var err error
		if folder, err = fs.Sub(etc.Confd, "confd"); err != nil {
			t.Fatal(err)
		}
	}
	engine, err := templates.Load(folder, templates.Options{Node: "n0"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := templates.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	return &birdTry{t: t, state: state, engine: engine, version: v, applier: reload.New(reload.Options{CheckTimeout: patience}), dir: t.TempDir()}
}

func (b *birdTry) try(ctx context.Context, without map[backends.Key]string) (Attempt, error) {
	state := b.state.Without(without)
	cfg, err := bgp.Compute(state, bgp.Options{Node: "n0"})
	if err != nil {
		return Attempt{}, err
	}
	files, err := b.engine.Render(ctx, templates.Input{
		Config: cfg, State: state, Version: b.version, Env: func(name string) string { return map[string]string{"NODENAME": "n0"}[name] },
	})
	if err != nil {
		return Attempt{}, err
	}
	a := Attempt{Config: cfg}
	var included []reload.File
	for _, f := range files {
		file := reload.File{Dest: filepath.Join(b.dir, filepath.Base(f.Dest)), Data: f.Data, UID: -1, GID: -1}
		if name, main := strings.CutSuffix(filepath.Base(f.Dest), ".cfg"); main && (name == "bird" || name == "bird6") {
			f.Daemon = name // Calico's templates name commands instead
		}
		if f.Daemon == "" {
			included = append(included, file)
			continue
		}
		binary := filepath.Join(testenv.Root(b.t), ".testenv", "bird", b.version.String(), f.Daemon)
		a.Sets = append(a.Sets, reload.Set{Name: f.Daemon, Files: []reload.File{file}, Daemon: &reload.Daemon{Main: file.Dest, Binary: binary}})
	}
	var refused []error
	for i := range a.Sets {
		a.Sets[i].Files = append(a.Sets[i].Files, included...)
		refused = append(refused, b.applier.Check(ctx, a.Sets[i]))
	}
	return a, errors.Join(refused...)
}

// cluster is n0 with two mesh nodes, two healthy peers, a filter and a service
// range.
func cluster() *backends.State {
	s := mesh(3)
	for name, n := range s.Nodes {
		n.IPv6 = backends.NodeAddress{Addr: netip.MustParseAddr("fd00::1" + name[1:]), Subnet: netip.MustParsePrefix("fd00::/64")}
	}
	s.BGPConfigurations["default"] = &backends.BGPConfiguration{
		Name: "default", ProgramClusterRoutes: backends.RoutesEnabled, ServiceClusterIPs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")},
	}
	s.BGPFilters["good"] = filter("good", "eth0")
	s.IPPools["plain"] = &backends.IPPool{Name: "plain", CIDR: netip.MustParsePrefix("10.8.0.0/16")}
	s.BlockAffinities["b"] = &backends.BlockAffinity{Name: "b", Node: "n0", CIDR: netip.MustParsePrefix("10.8.1.0/26"), State: "confirmed"}
	addPeer(s, "rack-1", "10.9.0.1", "good")
	addPeer(s, "rack-2", "fd09::2", "good")
	return s
}

func addPeer(s *backends.State, name, ip string, filters ...string) {
	s.BGPPeers[name] = &backends.BGPPeer{Name: name, PeerIP: netip.MustParseAddr(ip), ASNumber: 65001, Filters: filters}
}

// filter has rules for both families, which reject what comes over an interface.
func filter(name, iface string) *backends.BGPFilter {
	rules := []backends.FilterRule{{Interface: iface}, {Accept: true}}
	return &backends.BGPFilter{Name: name, ImportV4: rules, ExportV4: rules, ImportV6: rules}
}

// What a decoder refuses, were it to know less of BIRD than it does.
func linkLocal(s *backends.State, name, ip string) { addPeer(s, name, ip, "good") }
func quoted(s *backends.State) {
	s.BGPFilters["broken"] = filter("broken", `eth"`)
	addPeer(s, "uses-it", "10.9.0.7", "broken", "good")
	addPeer(s, "uses-it-too", "fd09::7", "broken")
}

// ownTemplates is a configuration folder of somebody's: a list that is included,
// and sessions under other names than ours. Peers of AS 65013 do not get on with
// it where the texts are not empty: in their own protocols, behind all of them,
// and in the list.
func ownTemplates(inProtocol, atEnd, inList string) fs.FS {
	unlucky := func(text string) string {
		return "{{range .Families}}{{range .Sessions}}{{if eq .AS 65013}}" + text + "{{end}}{{end}}{{end}}\n"
	}
	return fstest.MapFS{
		"conf.d/bird.toml":        {Data: []byte("[template]\nsrc = \"bird.template\"\ndest = \"bird.conf\"\ndaemon = \"bird\"\n")},
		"conf.d/list.toml":        {Data: []byte("[template]\nsrc = \"list.template\"\ndest = \"list.conf\"\n")},
		"templates/list.template": {Data: []byte(unlucky(inList))},
		"templates/bird.template": {Data: []byte(`router id {{.RouterID}};
protocol device { }
include "list.conf";
{{range .Families}}{{$v := .Version}}{{range $i, $s := .Sessions}}{{with .Session}}
protocol bgp p{{$v}}_{{$i}}
{
  local {{.Source}} as {{.LocalAS}};
  neighbor {{.Neighbor}} as {{.AS}};
  multihop;
{{- if eq .AS 65013}}
  ` + inProtocol + `
{{- end}}
  ipv{{$v}} { import all; export none; };
}
{{end}}{{end}}{{end}}` + unlucky(atEnd))},
	}
}

func unlucky(s *backends.State) {
	for i := range 20 {
		addPeer(s, "peer-"+strconv.Itoa(i), "10.10.0."+strconv.Itoa(i+1))
	}
	s.BGPPeers["peer-3"].ASNumber = 65013
	s.BGPPeers["peer-17"].ASNumber = 65013
}

func TestBIRD(t *testing.T) {
	both := []string{"BGPPeer peer-17", "BGPPeer peer-3"}
	for name, c := range map[string]struct {
		bird   string
		folder fs.FS
		change func(*backends.State)
		want   []string
		checks int
		see    func(*testing.T, Attempt)
	}{
		"two peers whose refusals look the same": {bird: "2.0.12", change: func(s *backends.State) {
			linkLocal(s, "bad-1", "fe80::1")
			linkLocal(s, "bad-2", "fe80::2")
		}, want: []string{"BGPPeer bad-1", "BGPPeer bad-2"}, checks: 4},
		"a filter": {bird: "2.0.12", change: quoted, want: []string{"BGPFilter broken"}, see: closed},
		"a filter and a peer, in two daemons": {bird: "1.6.8", change: func(s *backends.State) {
			s.BGPFilters["broken"] = &backends.BGPFilter{Name: "broken", ImportV4: []backends.FilterRule{{Interface: `eth"`}}}
			addPeer(s, "uses-it", "10.9.0.7", "broken")
			linkLocal(s, "bad", "fe80::1")
		}, want: []string{"BGPFilter broken", "BGPPeer bad"}, checks: 4},
		"tunnels that this BIRD has not": {bird: "1.6.8", change: func(s *backends.State) {
			s.IPPools["a"] = &backends.IPPool{Name: "a", CIDR: netip.MustParsePrefix("10.5.0.0/16"), IPIP: backends.EncapAlways}
			s.IPPools["b"] = &backends.IPPool{Name: "b", CIDR: netip.MustParsePrefix("10.6.0.0/16"), IPIP: backends.EncapCrossSubnet}
		}, want: []string{"IPPool a", "IPPool b"}, checks: 4, see: keptOut},
		"own templates, by the line":      {bird: "2.0.12", folder: ownTemplates("unlucky", "", ""), change: unlucky, want: both, checks: 4},
		"own templates, the end":          {bird: "2.0.12", folder: ownTemplates("", "unlucky", ""), change: unlucky, want: both, checks: 4 + halving(25, 2)},
		"own templates, the list":         {bird: "2.0.12", folder: ownTemplates("", "", "unlucky"), change: unlucky, want: both, checks: halving(25, 2)},
		"own templates, whoever is there": {bird: "2.0.12", folder: ownTemplates("", "", "{{end}}{{if true}}unlucky"), change: unlucky, want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			state := cluster()
			c.change(state)
			b := newBirdTry(t, state, c.bird, c.folder)
			first, refused := b.try(ctx, nil)
			if len(refusals(refused)) == 0 {
				t.Fatalf("BIRD %s takes it: %v", c.bird, refused)
			}
			r, err := Find(ctx, first, refused, Options{Try: b.try})
			t.Logf("%d checks: %v", r.Checks, r.Culprits)
			if got := named(r.Culprits); !slices.Equal(got, c.want) {
				t.Errorf("culprits %v, want %v (%v)", got, c.want, err)
			}
			if c.checks > 0 && r.Checks > c.checks {
				t.Errorf("%d checks, want at most %d", r.Checks, c.checks)
			}
			if c.see != nil && err == nil {
				c.see(t, r.Attempt)
			}
		})
	}
}

// mainFile is what the set's BIRD is started with, without its comments.
func mainFile(a Attempt, set string) string {
	i := slices.IndexFunc(a.Sets, func(s reload.Set) bool { return s.Name == set })
	return regexp.MustCompile(`(?m)  # .*$`).ReplaceAllString(string(a.Sets[i].Files[0].Data), "")
}

// closed: the sessions of a filter that BIRD refuses are there, and nothing gets
// through it.
func closed(t *testing.T, a Attempt) {
	text := mainFile(a, "bird")
	for _, want := range []string{
		"function 'bgp_broken_importFilterV4'() {\n  reject;\n}", "function 'bgp_broken_exportFilterV4'() {\n  reject;\n}",
		"protocol bgp Global_10_9_0_7 ", "import filter { 'bgp_broken_importFilterV4'(); 'bgp_good_importFilterV4'(); ",
		"import filter { 'bgp_broken_importFilterV6'(); ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not there: %s", want)
		}
	}
}

// keptOut: pools whose tunnels BIRD has not are exported as before, and none of
// their routes gets into the kernel past the tunnel.
func keptOut(t *testing.T, a Attempt) {
	text := mainFile(a, "bird")
	for _, want := range []string{"if net ~ 10.5.0.0/16 then accept;", "if net ~ 10.5.0.0/16 then reject;", "if net ~ 10.6.0.0/16 then reject;"} {
		if !strings.Contains(text, want) {
			t.Errorf("not there: %s", want)
		}
	}
}

// TestClosedForCalicosTemplates: what is left of a filter comes through the key
// tree, too, and the session that uses it stays closed.
func TestClosedForCalicosTemplates(t *testing.T) {
	state := cluster()
	b := newBirdTry(t, state, "1.6.8", os.DirFS("../../templates/testdata/calico-style/2021"))
	a, err := b.try(context.Background(), map[backends.Key]string{key(backends.KindBGPFilter, "good"): "no"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"function 'bgp_good_importFilterV4'() {\n  reject;\n}", "    'bgp_good_importFilterV4'();\n    accept;"} {
		if !strings.Contains(mainFile(a, "bird"), want) {
			t.Errorf("not there: %s\n%s", want, mainFile(a, "bird"))
		}
	}
}
