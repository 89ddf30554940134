package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"confd/bgp"
	"confd/internal/agent"
	"confd/internal/host"
	"confd/internal/routes"
	"confd/internal/testenv"
)

// The cluster in which looking at routes is measured: a mesh, of which one peer is up
// and tells so many routes, and the node that runs confd. Its address comes first, so
// that the others open the sessions: its BIRD is quiet by itself.
const (
	routesNodes  = 5001
	routesCount  = 50_000
	routesNode   = 0
	routesPeer   = 1
	routesBehind = 7 // the next hop
	routesFor    = time.Minute
)

// lookCost is what a minute cost BIRD and the program.
type lookCost struct {
	name        string
	bird, confd time.Duration
	memory      int64
}

// measureRoutes measures what it costs that routes are looked at: while all is quiet,
// and while the kernel's routes change all the time.
func measureRoutes(w io.Writer, o options) error {
	if err := run("ip", "addr", "add", testenv.NodeAddress(routesPeer).String(), "dev", "lo"); err != nil {
		return err
	}
	data := filepath.Join(o.work, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	if err := testenv.Mesh(routesNodes).WriteYAML(data); err != nil {
		return err
	}
	var list []lookCost
	var looks [2]oneLook
	for _, m := range []struct {
		name, interval string
		churn          bool
	}{
		{"not looked at, quiet", "0s", false},
		{"looked at, quiet", "10s", false},
		{"not looked at, a kernel route changes each 100 ms", "0s", true},
		{"looked at, a kernel route changes each 100 ms", "10s", true},
	} {
		fmt.Fprintf(os.Stderr, "bench: routes: %s\n", m.name)
		cost, one, err := measureLooks(o, data, m.interval, m.churn)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if one != nil {
			looks = *one
		}
		cost.name = m.name
		list = append(list, cost)
	}
	return printLooks(w, o, list, looks)
}

func printLooks(w io.Writer, o options, list []lookCost, looks [2]oneLook) error {
	version, err := exec.Command(o.bird, "--version").CombinedOutput()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nRoutes: BIRD %s, %d sessions of which one is up, %d routes; CPU time in %s\n\n| routes are | BIRD | confd | confd's memory |\n| --- | --- | --- | --- |\n",
		strings.TrimPrefix(strings.TrimSpace(string(version)), "BIRD version "), routesNodes-1, routesCount, routesFor)
	for _, c := range list {
		fmt.Fprintf(w, "| %s | %.0f ms | %.0f ms | %d MB |\n", c.name, ms(c.bird), ms(c.confd), c.memory>>20)
	}
	fmt.Fprintf(w, "\n| one look | CPU time of BIRD | took |\n| --- | --- | --- |\n")
	for i, name := range []string{"at counts", "at whole lists"} {
		fmt.Fprintf(w, "| %s | %.0f ms | %.0f ms |\n", name, ms(looks[i].bird), ms(looks[i].took))
	}
	return nil
}

// measureLooks measures a minute with a fresh program and BIRD; where nothing else
// happens also what one look costs.
func measureLooks(o options, data, interval string, churn bool) (lookCost, *[2]oneLook, error) {
	c := benchCase{node: testenv.NodeName(routesNode)}
	s := store{args: []string{"--datastore", "file", "--data", data, "--routes-interval", interval}}
	d, err := startDaemon(o, c, s, &result{})
	defer d.stop()
	if err != nil {
		return lookCost{}, nil, err
	}
	peer, err := startPeer(o, d)
	if err != nil {
		return lookCost{}, nil, err
	}
	defer func() {
		_ = peer.Process.Kill() // fails only where it is gone
		_ = peer.Wait()
		_ = run("ip", "route", "flush", "proto", "bird") // what is left is of no use
	}()
	if err := await("the routes in the kernel", func() bool { return kernelHas(d) >= routesCount }); err != nil {
		return lookCost{}, nil, err
	}
	time.Sleep(30 * time.Second) // what the routes have caused, with the first looks, is over
	stop := make(chan struct{})
	defer close(stop)
	if churn {
		go changeKernel(stop)
	}
	cost, err := minuteOf(d)
	if err != nil || churn || interval != "0s" {
		return cost, nil, err
	}
	looks, err := oneByOne(d, cost.bird.Seconds()/routesFor.Seconds())
	return cost, &looks, err
}

// oneLook is what one look costs BIRD, and how long it takes.
type oneLook struct{ bird, took time.Duration }

// lookRuns is how often BIRD is looked at, one look after the other.
const lookRuns = 20

// oneByOne measures looks at counts alone, and at whole lists, of a BIRD that by itself
// takes that share of a CPU.
func oneByOne(d *daemon, share float64) (looks [2]oneLook, err error) {
	peer := testenv.NodeAddress(routesPeer)
	family := &bgp.Family{Version: 4, Address: testenv.NodeAddress(routesNode), NormalPriority: 1024,
		Statics:  []bgp.StaticRoute{{Net: testenv.NodeBlock(routesNode)}},
		Export:   bgp.ExportPolicy{Blocks: []netip.Prefix{testenv.NodeBlock(routesNode)}},
		Sessions: []*bgp.Session{{Name: "Mesh_" + strings.ReplaceAll(peer.String(), ".", "_"), Neighbor: peer, Internal: true}},
	}
	want := routes.Want{Config: &bgp.Config{IPv4: *family}, Families: []*bgp.Family{family}, BuiltIn: true}
	h := &host.Host{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go h.Changes.Run(ctx)
	if err := await("the kernel's changes", func() bool { _, heard := h.Changes.Count(); return heard }); err != nil {
		return looks, err
	}
	q := agent.RoutesQuestion{Socket: d.socket(), Want: want}
	for i := range looks {
		q.Whole = i == 1
		began := time.Now()
		bird, _, err := cpuTime(d.bird.Process.Pid)
		if err != nil {
			return looks, err
		}
		for range lookRuns {
			l := h.Routes(ctx, q)
			if l.Err != nil {
				return looks, fmt.Errorf("looking at routes: %w", l.Err)
			}
			if l.Lists != nil && l.Lists.KernelErr != nil {
				return looks, fmt.Errorf("looking at the kernel's routes: %w", l.Lists.KernelErr)
			}
			q.Before = l.Signature
		}
		after, _, err := cpuTime(d.bird.Process.Pid)
		if err != nil {
			return looks, err
		}
		took := time.Since(began)
		looks[i] = oneLook{(after - bird - time.Duration(share*float64(took))) / lookRuns, took / lookRuns}
	}
	return looks, nil
}

// minuteOf is what the next minute costs.
func minuteOf(d *daemon) (cost lookCost, err error) {
	bird, _, err := cpuTime(d.bird.Process.Pid)
	if err != nil {
		return cost, err
	}
	confd, _, err := cpuTime(d.confd.Process.Pid)
	if err != nil {
		return cost, err
	}
	time.Sleep(routesFor)
	if cost.bird, _, err = cpuTime(d.bird.Process.Pid); err != nil {
		return cost, err
	}
	if cost.confd, _, err = cpuTime(d.confd.Process.Pid); err != nil {
		return cost, err
	}
	cost.bird, cost.confd = cost.bird-bird, cost.confd-confd
	cost.memory, err = memoryOf(d.confd.Process.Pid, "VmRSS:")
	return cost, err
}

// changeKernel has the kernel's routes change, as workloads that come and go do.
func changeKernel(stop <-chan struct{}) {
	for {
		for _, verb := range []string{"add", "del"} {
			_ = run("ip", "route", verb, "203.0.113.1/32", "dev", "sink") // the next one tells
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// kernelHas is how many routes BIRD has put into the kernel, as it counts them.
func kernelHas(d *daemon) int {
	time.Sleep(500 * time.Millisecond)
	reply, err := testenv.Birdc(d.socket(), "show protocols all calico_kernel4")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(reply) {
		var imported, exported int
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "Routes: %d imported, %d exported", &imported, &exported); n == 2 {
			return exported
		}
	}
	return 0
}

// startPeer starts the BIRD of a peer, which tells all routes.
func startPeer(o options, d *daemon) (*exec.Cmd, error) {
	var list strings.Builder
	fmt.Fprintf(&list, "  route %s blackhole;\n", testenv.NodeBlock(routesPeer))
	for i, a := 0, netip.MustParseAddr("10.192.0.0"); i < routesCount; i++ {
		fmt.Fprintf(&list, "  route %s/26 blackhole;\n", a)
		b := a.As4()
		n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		n += 64
		a = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	here, there := testenv.NodeAddress(routesPeer), testenv.NodeAddress(routesNode)
	conf := filepath.Join(d.dir, "peer.conf")
	text := fmt.Sprintf(`router id %s;
protocol device {}
protocol static {
  ipv4;
%s}
protocol bgp everybody {
  local %s port 1790 as 64512;
  strict bind on;
  neighbor %s as 64512;
  multihop;
  ipv4 { import all; next hop keep; export filter { bgp_next_hop = %s; accept; }; };
}
`, here, &list, here, there, testenv.NodeAddress(routesBehind))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	cmd := d.command(o.bird, "-d", "-c", conf, "-s", filepath.Join(d.dir, "peer.ctl"), "-P", filepath.Join(d.dir, "peer.pid"))
	return cmd, cmd.Start()
}
