package main_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	confd "confd/confd"
	"confd/internal/testenv"
)

// soakFor is how long faults are made, for each BIRD.
var soakFor = flag.Duration("soak", 15*time.Second, "how long TestSoak makes changes and faults")

// TestSoak changes the cluster at random, and kills, stops and disturbs all that
// takes part. From time to time everything is left alone: then BIRD must run
// exactly what the datastore says, and nothing of all that be left over.
func TestSoak(t *testing.T) {
	length := *soakFor
	if testing.Short() {
		length = min(length, 5*time.Second)
	}
	program := build(t)
	for i, version := range []string{oldBIRD, "1.6.8"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d: to be given as -seed", confd.Seed())
			s := newSoak(t, program, version, rand.NewPCG(confd.Seed(), uint64(i)))
			phases := max(1, int(length/(30*time.Second)))
			for i := 0; i < phases && !t.Failed(); i++ {
				s.disturb(length / time.Duration(phases))
				s.calm()
				s.check()
			}
			s.t.Logf("faults: %v", s.counts)
		})
	}
}

// soak is a node under fire. All is done by one goroutine.
type soak struct {
	*rig
	rng   *rand.Rand
	store *confd.RandomStore
	began time.Time

	logs    string // folder of what the programs print
	program *child
	args    []string          // of the program that runs, for the log
	exec    bool              // it runs BIRD
	away    bool              // it is not to run now
	keeper  map[string]*child // BIRDs that were started here, by socket
	absent  map[string]bool   // BIRDs that are not to run now, by socket
	peer    *child
	noEtcd  bool // etcd is killed or stopped
	mounted bool // BIRD's folder is small
	// tampered is set where BIRD may find a file that the program did not write.
	tampered bool
	broken   bool // the templates are not to be used

	later  []event
	counts map[string]int
	aged   map[string]bool // files of writers that were killed, made so old that they go
	wg     sync.WaitGroup
}

// event is something that ends a fault, or looks what came of it.
type event struct {
	at         time.Time
	do         func()
	isDeadline bool
}

// child is a process whose output goes to a file that several share.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
	ended  bool // it was told to
}

func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

func (c *child) signal(s syscall.Signal) {
	c.ended = c.ended || s == syscall.SIGKILL || s == syscall.SIGTERM
	_ = c.cmd.Process.Signal(s) // fails only where it is gone
}

const (
	smallFolder = "1m"
	peerConf    = "peer.conf"
	// neighborBIRD can have several sessions with one neighbor; oldBIRD cannot.
	neighborBIRD = "2.17.6"
)

func newSoak(t *testing.T, program, version string, source rand.Source) *soak {
	t.Helper()
	s := &soak{
		rig: newRig(t, program, version), rng: rand.New(source), store: confd.NewRandomStore(source), began: time.Now(),
		logs: t.ArtifactDir(), keeper: map[string]*child{}, absent: map[string]bool{}, counts: map[string]int{}, aged: map[string]bool{},
	}
	peers := host("b", 2)
	for n := 3; n <= 6; n++ {
		peers.Addrs = append(peers.Addrs, host("b", n).Addrs...)
	}
	s.lab = testenv.NewLab(t, host("a", 1), peers)
	s.addEtcd()
	s.mount()
	s.exportTemplates()
	t.Cleanup(s.end)
	writeTree(t, s.dir, map[string]string{peerConf: peersOf(1)})
	s.put(mesh(4)...)
	s.startPeer()
	s.startProgram()
	return s
}

// mount makes BIRD's folder one that can be filled, where that is allowed.
func (s *soak) mount() {
	folder := s.env["CONFD_BIRD_DIR"]
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+smallFolder, "tmpfs", folder).CombinedOutput()
	if err != nil {
		s.t.Logf("disks are not filled: %v: %s", err, out)
		return
	}
	s.mounted = true
	s.t.Cleanup(func() { _ = exec.Command("umount", "-l", folder).Run() })
}

// exportTemplates has the program use templates that BIRD refuses where a peer
// is of AS 65013.
func (s *soak) exportTemplates() {
	dir := s.env["CONFD_CONFDIR"]
	if got := s.once("templates", "export", dir); got.code != 0 {
		s.t.Fatal(got.stderr)
	}
	for _, path := range s.templates() {
		const start = " from calico_bgp{{$v}} {\n"
		text := readFile(s.t, path)
		if !strings.Contains(text, start) {
			s.t.Fatalf("%s has no %q", path, start)
		}
		text = strings.Replace(text, start, start+"{{if eq .AS 65013}}  not for BIRD;\n{{end}}", 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *soak) templates() []string {
	dir := filepath.Join(s.env["CONFD_CONFDIR"], "templates")
	return []string{filepath.Join(dir, "bird.conf.template"), filepath.Join(dir, "bird1.cfg.template")}
}

// peersOf is the configuration of a BIRD that is the nodes 2 to 6 for node n.
func peersOf(n int) string {
	text := "router id 10.0.0.2;\nprotocol device {}\n"
	for i := 2; i <= 6; i++ {
		text += fmt.Sprintf("protocol bgp four%d { local 10.0.0.%[1]d as 64512; neighbor 10.0.0.%d as 64512; connect retry time 1; connect delay time 1; error wait time 1,2; ipv4 { import all; export all; }; }\n", i, n)
		text += fmt.Sprintf("protocol bgp six%d { local fd00::%[1]x as 64512; neighbor fd00::%x as 64512; connect retry time 1; connect delay time 1; error wait time 1,2; ipv6 { import all; export all; }; }\n", i, n)
	}
	return text
}

// disturb makes changes and faults for a time.
func (s *soak) disturb(length time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end) && !s.t.Failed(); s.wait(s.random(250 * time.Millisecond)) {
		if s.rng.IntN(100) < 70 {
			s.change()
		} else {
			s.fault()
		}
	}
}

// wait keeps everything running for a time, and ends faults when their time has
// come.
func (s *soak) wait(d time.Duration) {
	for end := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		now := time.Now()
		for len(s.later) > 0 && !now.Before(s.later[0].at) {
			next := s.later[0]
			s.later = s.later[1:]
			next.do()
		}
		s.keep()
		if !now.Before(end) {
			return
		}
	}
}

// in has something done later.
func (s *soak) in(d time.Duration, do func()) {
	s.later = append(s.later, event{at: time.Now().Add(d), do: do})
	slices.SortStableFunc(s.later, func(a, b event) int { return a.at.Compare(b.at) })
}

func (s *soak) random(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most)))
}

// note counts what is done, and writes it between the lines of the program.
func (s *soak) note(what string, attributes ...any) {
	s.counts[what]++
	text := fmt.Sprintf("---- %s %s %v\n", time.Now().UTC().Format("15:04:05.000"), what, attributes)
	f, err := os.OpenFile(filepath.Join(s.logs, "program.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		s.t.Error(err)
	}
}

// keep starts what should run and does not, and notices what has ended by
// itself.
func (s *soak) keep() {
	if s.program != nil && !s.program.running() {
		if state := s.program.cmd.ProcessState; s.broken && state.ExitCode() == 1 {
			s.away = true // nothing starts with templates that are not any
			s.in(200*time.Millisecond, func() { s.away = false })
		} else if !s.program.ended {
			s.t.Errorf("the program ended by itself: %v", state)
		} else if code := state.ExitCode(); code > 0 {
			s.t.Errorf("the program ended with %d when it was told to end", code)
		}
		s.program = nil
	}
	if s.program == nil && !s.away {
		s.startProgram()
	}
	if !s.peer.running() {
		s.startPeer()
	}
	for _, d := range s.daemons() {
		socket := filepath.Join(s.dir, d.socket)
		if b := s.keeper[socket]; b != nil && !b.running() {
			if !b.ended && !s.tampered && !s.exec {
				s.t.Errorf("%s ended by itself: %v", d.program, b.cmd.ProcessState)
			}
			delete(s.keeper, socket)
		}
		// What one that was just started has for arguments may not be seen yet.
		if !s.exec && !s.absent[socket] && s.exists(d.conf) && s.keeper[socket] == nil && len(processesWith(socket)) == 0 {
			s.startBird(d)
		}
	}
}

func (s *soak) exists(conf string) bool {
	_, err := os.Stat(s.file(conf))
	return err == nil
}

func (s *soak) startBird(d daemonFiles) {
	socket := filepath.Join(s.dir, d.socket)
	s.note("start " + d.program)
	s.keeper[socket] = s.spawn("bird.log", s.lab.Command("a", s.birdCommand(d)...))
}

func (s *soak) birdCommand(d daemonFiles) []string {
	program, socket := testenv.Bird(s.t, s.version), filepath.Join(s.dir, d.socket)
	if d.program == "bird6" {
		program = testenv.Bird6(s.t, s.version)
	}
	return []string{program, "-d", "-c", s.file(d.conf), "-s", socket, "-P", socket + ".pid"}
}

func (s *soak) startPeer() {
	socket := filepath.Join(s.dir, "peer.ctl")
	s.peer = s.spawn("peer.log", s.lab.Command("b", testenv.Bird(s.t, neighborBIRD), "-d", "-c", filepath.Join(s.dir, peerConf), "-s", socket, "-P", socket+".pid"))
}

// startProgram starts the program with random settings.
func (s *soak) startProgram() {
	args := []string{"--log-level", "debug", "--verify-interval", "500ms", "--reload-timeout", "4s", "--min-interval", "200ms",
		"--listen", "unix:" + filepath.Join(s.dir, "http"), "--ready-file", filepath.Join(s.dir, "ready")}
	usual := len(args)
	chance := func(percent int, more ...string) bool {
		yes := s.rng.IntN(100) < percent
		if yes {
			args = append(args, more...)
		}
		return yes
	}
	if !chance(50, "--hold=false") {
		chance(50, "--hold-for", "3s")
	}
	chance(30, "--guard", "2s")
	chance(20, "--splay", "300ms")
	if s.exec = chance(40); s.exec {
		for _, d := range s.daemons() {
			s.settle(filepath.Join(s.dir, d.socket))
			args = append(args, "--exec", strings.Join(s.lab.Command("a", s.birdCommand(d)...).Args, " "))
		}
	}
	s.away, s.args = false, slices.DeleteFunc(slices.Clone(args[usual:]), func(a string) bool { return strings.Contains(a, " ") })
	s.note("start program", s.args)
	s.program = s.spawn("program.log", s.command(args...))
}

// settle waits for a BIRD that was just started here, so that nobody starts a
// second one beside it.
func (s *soak) settle(socket string) {
	if s.keeper[socket] == nil {
		return
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := birdc(socket, "show status", impatience); err == nil {
			return
		}
	}
	s.kill(socket)
}

// spawn starts a process that ends with the test.
func (s *soak) spawn(log string, cmd *exec.Cmd) *child {
	out, err := os.OpenFile(filepath.Join(s.logs, log), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	// In a group of its own; BIRDs that the program starts outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	s.wg.Go(func() {
		defer close(c.exited)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	})
	return c
}

// kill ends a BIRD, whoever started it.
func (s *soak) kill(socket string) {
	if b := s.keeper[socket]; b != nil {
		b.ended = true
	}
	for _, pid := range processesWith(socket) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// end stops everything, and shows what was printed last where the test failed.
func (s *soak) end() {
	for _, c := range []*child{s.program, s.peer} {
		if c.running() {
			c.signal(syscall.SIGKILL)
		}
	}
	for _, d := range s.daemons() {
		s.kill(filepath.Join(s.dir, d.socket))
	}
	s.wg.Wait()
	if !s.t.Failed() {
		return
	}
	s.t.Logf("program started last with %v; all that was printed is in %s (go test -artifacts keeps it)", s.args, s.logs)
	for _, name := range []string{"program.log", "bird.log"} {
		if text, err := os.ReadFile(filepath.Join(s.logs, name)); err == nil {
			s.t.Logf("the end of %s:\n%s", name, text[max(0, len(text)-6000):])
		}
	}
}

// write changes etcd, where that is there. What etcd does not take in time is of
// no interest: what it holds in the end counts.
func (s *soak) write(c confd.StoreChange) {
	if s.noEtcd || c.Key == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var err error
	if c.Value == "" {
		_, err = s.kv.Delete(ctx, c.Key)
	} else {
		_, err = s.kv.Put(ctx, c.Key, c.Value)
	}
	if err != nil {
		s.note("etcd takes no write")
	}
}

// change changes the cluster: often one object, sometimes all.
func (s *soak) change() {
	var changes []confd.StoreChange
	switch n := s.rng.IntN(100); {
	case n < 5:
		changes = s.store.All()
	case n < 30:
		changes = s.store.Some(8)
	default:
		changes = s.store.Some(1)
	}
	s.counts["change"] += len(changes)
	for _, c := range changes {
		s.write(c)
	}
}
