package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/internal/testenv"
)

// The network of the faults: a node with the program and its BIRD, neighbors
// that answer, and the datastore, each on a host of its own.
const (
	faultNodes = 100
	faultNode  = plainNode
	neighbors  = 10 // the first nodes of the mesh have a BIRD that answers
	etcdHost   = "10.127.0.2"
	benchHost  = "10.127.0.3" // this program's address
)

// faultCase is a fault, and how it is made: measure makes it once, and says how
// long each of the steps took.
type faultCase struct {
	name    string
	steps   []string
	measure func(*faultRig) ([]time.Duration, error)
	// args are the program's, besides the usual ones. exec has it run BIRD.
	args []string
	exec bool
	old  bool // also measured with BIRD 1.6
}

// faultResult has the times of all runs, by step.
type faultResult struct {
	faultCase
	bird  string
	times [][]time.Duration
}

// measureFaults measures the cases whose names match.
func measureFaults(o options) error {
	t := &tb{work: o.work}
	var results []faultResult
	err := t.run(func() error {
		lab, err := newFaultLab(t)
		if err != nil {
			return err
		}
		for _, version := range []string{"2.0.12", "1.6.8"} {
			for _, c := range faultCases() {
				if !o.only.MatchString(c.name) || version == "1.6.8" && !c.old {
					continue
				}
				r := faultResult{faultCase: c, bird: version}
				for i := range o.runs {
					fmt.Fprintf(os.Stderr, "bench: %s, BIRD %s, run %d\n", c.name, version, i+1)
					times, err := lab.run(o, c, version)
					if err != nil {
						return fmt.Errorf("%s, BIRD %s: %w", c.name, version, err)
					}
					r.times = append(r.times, times)
				}
				results = append(results, r)
			}
		}
		return nil
	})
	printFaults(os.Stdout, o, results)
	return err
}

// faultLab is the network, and the datastore in it.
type faultLab struct {
	tb   *tb
	lab  *testenv.Lab
	etcd *etcdServer
	dir  string // etcd's
	// neighbors is the BIRD of all neighbors.
	neighbors *testenv.BirdDaemon
}

func newFaultLab(t *tb) (*faultLab, error) {
	host := func(name string, addresses ...string) testenv.Host {
		h := testenv.Host{Name: name}
		for _, a := range addresses {
			h.Addrs = append(h.Addrs, prefix(a))
		}
		return h
	}
	var others []string
	for i := range neighbors {
		others = append(others, testenv.NodeAddress(i).String())
	}
	l := &faultLab{tb: t, dir: t.TempDir(),
		lab: testenv.NewLab(t, host("node", testenv.NodeAddress(faultNode).String()), host("neighbors", others...), host("etcd", etcdHost))}
	// This program takes part in the network, too.
	hub := l.lab.NS("hub")
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"-n", hub, "link", "add", "bench", "type", "veth", "peer", "name", "bench0", "netns", fmt.Sprint(os.Getpid())},
		{"-n", hub, "link", "set", "bench", "master", "br0", "up"},
		{"addr", "add", benchHost + "/9", "dev", "bench0"},
		{"link", "set", "bench0", "up"},
	} {
		if err := run("ip", args...); err != nil {
			return nil, err
		}
	}
	// A node that knows where the datastore is does not notice that nobody answers
	// to ARP.
	mac := strings.TrimSpace(l.lab.Exec("etcd", "cat", "/sys/class/net/eth0/address"))
	l.lab.Exec("node", "ip", "neigh", "replace", etcdHost, "lladdr", mac, "dev", "eth0", "nud", "permanent")
	if err := l.startEtcd(); err != nil {
		return nil, err
	}
	t.Cleanup(l.etcd.stop)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{l.etcd.url}, DialTimeout: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	l.etcd.client = client
	return l, l.startNeighbors(t)
}

// startEtcd starts etcd, on the data that there is.
func (l *faultLab) startEtcd() error {
	if l.etcd == nil {
		l.etcd = &etcdServer{url: "http://" + etcdHost + ":2379"}
	}
	l.etcd.cmd = l.lab.Command("etcd", "etcd", "--data-dir", filepath.Join(l.dir, "data"), "--log-level", "fatal", "--logger", "zap",
		"--listen-client-urls", l.etcd.url, "--advertise-client-urls", l.etcd.url, "--heartbeat-interval=10", "--election-timeout=100")
	l.etcd.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return l.etcd.cmd.Start()
}

func (l *faultLab) killEtcd() {
	_ = l.etcd.cmd.Process.Kill() // fails only where it is gone
	_ = l.etcd.cmd.Wait()
}

// startNeighbors starts a BIRD that is the first nodes for the one that is
// measured.
func (l *faultLab) startNeighbors(t *tb) error {
	text := "router id 10.0.0.1;\nprotocol device {}\n"
	for i := range neighbors {
		text += fmt.Sprintf("protocol bgp n%d { local %s as 64512; neighbor %s as 64512; connect retry time 1; connect delay time 1; error wait time 1,2; ipv4 { import all; export none; }; }\n",
			i, testenv.NodeAddress(i), testenv.NodeAddress(faultNode))
	}
	conf := filepath.Join(l.dir, "neighbors.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	l.neighbors = testenv.StartBird(t, "2.17.6", conf, testenv.InNetns(l.lab.NS("neighbors")))
	return nil
}

// faultRig is the program and its BIRD, on their host.
type faultRig struct {
	*faultLab
	o        options
	c        faultCase
	dir      string // config folder; sockets are beside it
	birdPath string
	confName string
	version  string
	program  *exec.Cmd
	bird     *exec.Cmd
	tmpfs    bool
}

// run makes one fault on a new cluster, with a new program and BIRD.
func (l *faultLab) run(o options, c faultCase, version string) (times []time.Duration, err error) {
	r := &faultRig{faultLab: l, o: o, c: c, version: version, confName: "bird.conf", birdPath: testenv.Bird(l.tb, version)}
	if version[0] == '1' {
		r.confName = "bird.cfg"
	}
	parent, err := os.MkdirTemp("/tmp", "cb") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parent)
	r.dir = filepath.Join(parent, "etc")
	defer func() { err = cmp.Or(err, r.end()) }()
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	if err := run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", r.dir); err != nil {
		return nil, err
	}
	r.tmpfs = true
	if err := l.etcd.replace(testenv.Mesh(faultNodes).EtcdKeys()); err != nil {
		return nil, err
	}
	if err := r.exportTemplates(); err != nil {
		return nil, err
	}
	if err = r.begin(); err == nil {
		times, err = c.measure(r)
	}
	if err != nil {
		text, _ := os.ReadFile(r.logPath())
		err = fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4000):])
	}
	return times, err
}

// begin has all run, with sessions that are up.
func (r *faultRig) begin() error {
	if err := r.startProgram(); err != nil {
		return err
	}
	if !r.c.exec {
		if err := await("the first configuration", func() bool { _, err := os.Stat(r.conf()); return err == nil }); err != nil {
			return err
		}
		if err := r.startBird(); err != nil {
			return err
		}
	}
	return r.settle()
}

// settle waits until the sessions with all neighbors are up, and nothing is under
// way.
func (r *faultRig) settle() error {
	if err := await("the sessions", func() bool { return r.established() == neighbors }); err != nil {
		return err
	}
	if err := await("the program to be ready", func() bool { _, err := os.Stat(r.readyFile()); return err == nil }); err != nil {
		return err
	}
	// A fault right after a change is another one; and what is looked at every few
	// seconds is not to be met at one and the same moment.
	time.Sleep(4*time.Second + rand.N(5*time.Second))
	return nil
}

// end stops what was started.
func (r *faultRig) end() error {
	for _, cmd := range []*exec.Cmd{r.program, r.bird} {
		if cmd != nil {
			_ = cmd.Process.Kill() // fails only where it is gone
			_ = cmd.Wait()
		}
	}
	r.killBird()
	if r.tmpfs {
		return run("umount", "-l", r.dir)
	}
	return nil
}

func (r *faultRig) conf() string      { return filepath.Join(r.dir, r.confName) }
func (r *faultRig) socket() string    { return filepath.Join(filepath.Dir(r.dir), "bird.ctl") }
func (r *faultRig) logPath() string   { return filepath.Join(filepath.Dir(r.dir), "log") }
func (r *faultRig) readyFile() string { return filepath.Join(filepath.Dir(r.dir), "ready") }
func (r *faultRig) confdir() string   { return filepath.Join(filepath.Dir(r.dir), "confd") }

// printFaults prints the table.
func printFaults(w io.Writer, o options, results []faultResult) {
	fmt.Fprintf(w, "Medians of %d runs (least to most), in seconds. A mesh of %d nodes, of which %d answer.\n\n", o.runs, faultNodes, neighbors)
	fmt.Fprintf(w, "| fault | BIRD | until | s | least to most |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		for i, step := range r.steps {
			var all []time.Duration
			for _, times := range r.times {
				all = append(all, times[i])
			}
			slices.Sort(all)
			fmt.Fprintf(w, "| %s | %s | %s | %.2f | %.2f to %.2f |\n", r.name, r.bird, step,
				all[len(all)/2].Seconds(), all[0].Seconds(), all[len(all)-1].Seconds())
		}
	}
}
