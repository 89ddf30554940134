package status

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/report"
	"confd/internal/testenv"
)

const patience = 60 * time.Second

// fault is a peer of the node under test, what is wrong with it, and what BIRD
// and we say to that.
type fault struct {
	name      string
	mine      string // options of this node's session with it
	as        uint32 // of the peer; 0: no BIRD runs there
	theirs    string // options of the peer's session; empty: it has none
	address   string // of the peer where it is no host of the lab
	lastError []string
	meaning   string // part of it
}

func faults() []fault {
	return []fault{
		{name: "ok", as: 64513, theirs: "passive;"},
		{name: "wrongas", as: 64999, theirs: "passive;", lastError: []string{"BGP Error: Bad peer AS"}, meaning: "is not 64513"},
		{name: "password", mine: `password "mine";`, as: 64513, theirs: `passive; password "other";`,
			lastError: []string{"Socket: Connection timed out"}, meaning: "passwords differ"},
		{name: "nobody", lastError: []string{"Socket: Connection refused"}, meaning: "nobody listens at 10.9.0."},
		{name: "stranger", as: 64513, lastError: []string{"Socket: Connection refused", "Socket: Connection closed", "Socket: Connection reset by peer"}, meaning: "session"},
		{name: "nowhere", address: "10.77.0.1", lastError: []string{"Socket: Network is unreachable"}, meaning: "no route to 10.77.0.1"},
		{name: "empty", address: "10.9.0.99", lastError: []string{"Socket: No route to host", "Socket: Connection timed out"}, meaning: "10.9.0.99"},
		{name: "shut", mine: "passive;", as: 64513, theirs: "connect delay time 1;",
			lastError: []string{"Received: Administrative shutdown"}, meaning: "switched off at the peer"},
		{name: "frozen", mine: "hold time 3;", as: 64513, theirs: "passive; hold time 3;", lastError: []string{"BGP Error: Hold timer expired"}, meaning: "hold time"},
		{name: "flood", mine: "LIMIT", as: 64513, theirs: "passive;", lastError: []string{"Automatic shutdown: Route limit exceeded"}, meaning: "birdc enable"},
		{name: "off", mine: "disabled;", address: "10.9.0.98", lastError: []string{""}, meaning: "switched off"},
	}
}

// rig is the lab of one version of BIRD.
type rig struct {
	t       *testing.T
	version string
	lab     *testenv.Lab
	address map[string]string
	folder  string
	birds   map[string]*testenv.BirdDaemon
}

func newRig(t *testing.T, version string) *rig {
	testenv.Bird(t, version)
	r := &rig{t: t, version: version, address: map[string]string{}, folder: t.TempDir(), birds: map[string]*testenv.BirdDaemon{}}
	hosts := []testenv.Host{r.host("me", 1)}
	for i, f := range faults() {
		if f.address != "" {
			r.address[f.name] = f.address
			continue
		}
		hosts = append(hosts, r.host(f.name, i+2))
	}
	r.lab = testenv.NewLab(t, hosts...)
	r.lab.Exec("me", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_syn_retries") // gives up after some seconds
	return r
}

func (r *rig) host(name string, n int) testenv.Host {
	a := netip.AddrFrom4([4]byte{10, 9, 0, byte(n)})
	r.address[name] = a.String()
	return testenv.Host{Name: name, Addrs: []netip.Prefix{netip.PrefixFrom(a, 24)}}
}

func (r *rig) channel(options string) string {
	options += " import all; export all;"
	if strings.HasPrefix(r.version, "1.") {
		return options
	}
	return "ipv4 {" + options + "};"
}

// start runs BIRD on a host, with some routes to tell.
func (r *rig) start(host, sessions string) {
	routes := "route 192.168.1.0/24 blackhole; route 192.168.2.0/24 blackhole;"
	if !strings.HasPrefix(r.version, "1.") {
		routes = "ipv4; " + routes
	}
	path := filepath.Join(r.folder, host+".conf")
	text := fmt.Sprintf("router id %s;\nlog stderr all;\nprotocol device {}\nprotocol static { %s }\n%s", r.address[host], routes, sessions)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.birds[host] = testenv.StartBird(r.t, r.version, path, testenv.InNetns(r.lab.NS(host)))
}

func (r *rig) startAll() {
	var mine strings.Builder
	for _, f := range faults() {
		options, limit := f.mine, ""
		if options == "LIMIT" {
			options, limit = "", "import limit 1 action disable;"
		}
		fmt.Fprintf(&mine, "protocol bgp Node_%s { local %s as 64512; neighbor %s as 64513; multihop; connect delay time 1; %s %s }\n",
			f.name, r.address["me"], r.address[f.name], options, r.channel(limit))
		if f.as == 0 {
			continue
		}
		theirs := ""
		if f.theirs != "" {
			theirs = fmt.Sprintf("protocol bgp me { local %s as %d; neighbor %s as 64512; multihop; %s %s }\n",
				r.address[f.name], f.as, r.address["me"], f.theirs, r.channel(""))
		}
		r.start(f.name, theirs)
	}
	r.start("me", mine.String())
}

// report is what the program would say, if it had made these sessions.
func (r *rig) report(sessions ...string) {
	rep := report.Report{
		Node: "me", PID: os.Getpid(), Started: time.Now(), At: time.Now(), Ready: true,
		Sets: []report.Set{{Name: "bird", Socket: r.birds["me"].Socket, Rendered: "x", Installed: "x", Confirmed: "x", ConfirmedAt: time.Now()}},
	}
	for _, name := range sessions {
		rep.Sessions = append(rep.Sessions, report.Session{Name: "Node_" + name, Family: 4, Kind: "Node", Neighbor: r.address[name], AS: 64513, Why: "a test"})
	}
	if err := rep.Write(r.folder, -1); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) session(name string) Session {
	v := Look(r.t.Context(), Options{Folder: r.folder, Sockets: []string{r.birds["me"].Socket}, Timeout: patience})
	i := slices.IndexFunc(v.Sessions, func(s Session) bool { return s.Name == "Node_"+name })
	if i < 0 {
		r.t.Fatalf("BIRD does not have Node_%s: %+v", name, v)
	}
	return v.Sessions[i]
}

func (r *rig) await(what string, cond func() bool) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, what, cond)
}

// Sessions go wrong in many ways, and it shows which is which.
func TestLive(t *testing.T) {
	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel() // it waits for BIRD's timers most of the time
			r := newRig(t, version)
			r.startAll()
			for _, name := range []string{"ok", "shut", "frozen"} {
				r.await("Node_"+name+" to come up", func() bool { return r.session(name).Up })
			}
			if err := syscall.Kill(r.birds["frozen"].Pid(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if _, err := r.birds["shut"].Birdc("disable me"); err != nil {
				t.Fatal(err)
			}
			for _, f := range faults() {
				r.wantFault(f)
			}
			r.wantShown()
			r.wantHungAndGone()
		})
	}
}

func (r *rig) wantFault(f fault) {
	var s Session
	r.await("Node_"+f.name+" to show what is wrong", func() bool {
		s = r.session(f.name)
		if f.lastError == nil { // its routes come a moment after the session
			return len(s.Routes) == 1 && s.Routes[0].Imported == 2
		}
		return slices.Contains(f.lastError, s.LastError)
	})
	if !strings.Contains(s.Meaning, f.meaning) || s.Up != (f.lastError == nil) || s.Peer != r.address[f.name] || s.AS != 64513 {
		r.t.Errorf("%s: %+v", f.name, s)
	}
	if f.name == "ok" && (s.HoldTime != 240 || s.Source != r.address["me"]) {
		r.t.Errorf("%+v", s)
	}
}

// wantShown asks as a user would.
func (r *rig) wantShown() {
	o := Options{Folder: r.folder, Sockets: []string{r.birds["me"].Socket}, Format: Wide}
	show := func(wantUp bool, texts ...string) {
		r.t.Helper()
		var out bytes.Buffer
		allUp, err := Show(r.t.Context(), &out, o)
		if err != nil || allUp != wantUp {
			r.t.Errorf("all up %t, %v:\n%s", allUp, err, &out)
		}
		for _, text := range texts {
			if !strings.Contains(out.String(), text) {
				r.t.Errorf("no %q in\n%s", text, &out)
			}
		}
	}
	show(false, "no report in BIRD's folder", "node specific", "Node_wrongas")
	r.report("ok")
	show(true, "(not from here)", "and what should run", "a test")
	r.report("ok", "wrongas", "removed")
	show(false, "BIRD does not have it", "is not 64513", "2 of 3 sessions are not up")
}

func (r *rig) wantHungAndGone() {
	me := r.birds["me"]
	o := Options{Folder: r.folder, Timeout: time.Second}
	if err := syscall.Kill(me.Pid(), syscall.SIGSTOP); err != nil {
		r.t.Fatal(err)
	}
	if v := Look(r.t.Context(), o); v.AllUp || len(v.BIRDs) != 1 || v.BIRDs[0].State != "hung" || v.Sessions[0].State != unknown {
		r.t.Errorf("a stopped BIRD: %+v", v)
	}
	me.Kill()
	if v := Look(r.t.Context(), o); v.AllUp || len(v.BIRDs) != 1 || v.BIRDs[0].State != "absent" {
		r.t.Errorf("a dead BIRD: %+v", v)
	}
}
