package lab_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"confd/internal/lab"
)

var (
	reportTo  = flag.String("report", "", "measure, and write the convergence report to this file (-: to standard output)")
	reportRun = flag.Int("report-runs", 5, "how often to measure each change for -report")
)

// TestConvergenceReport measures and writes docs/convergence.md.
func TestConvergenceReport(t *testing.T) {
	if *reportTo == "" {
		t.Skip("the convergence report is made with -report FILE")
	}
	var report strings.Builder
	report.WriteString(readText(t, reportChanges) + "\n")
	fmt.Fprintf(&report, "The machine has %d cores, and had a load of %s when this began; %d runs; BIRD 2.0.12, etcd, settings as they are by default.\n\n", runtime.NumCPU(), load(t), *reportRun)
	report.WriteString("| hosts | change | the program: from the write, s | BIRD alone: from `configure`, s |\n| --- | --- | --- | --- |\n")
	for _, n := range []int{3, 50} {
		convergence(t, &report, n)
	}
	report.WriteString("\n" + readText(t, reportFailures) + "\n| failure |")
	for _, version := range lossyBIRDs {
		fmt.Fprintf(&report, " BIRD %s: lost pings | longest gap |", version)
	}
	report.WriteString("\n| --- |" + strings.Repeat(" --- | --- |", len(lossyBIRDs)) + "\n")
	for _, f := range failures() {
		fmt.Fprintf(&report, "| %s |", f.name)
		for _, version := range lossyBIRDs {
			report.WriteString(loss(t, f, version))
		}
		report.WriteString("\n")
	}
	if *reportTo == "-" {
		fmt.Print(report.String())
	} else if err := os.WriteFile(*reportTo, []byte(report.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the report says before its two tables.
const (
	reportChanges  = "testdata/convergence-changes.md"
	reportFailures = "testdata/convergence-failures.md"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReportExplainsItself: the report in docs has been made with the texts as they are.
func TestReportExplainsItself(t *testing.T) {
	page := readText(t, "../../docs/convergence.md")
	for _, path := range []string{reportChanges, reportFailures} {
		if !strings.Contains(page, readText(t, path)) {
			t.Errorf("docs/convergence.md does not have %s: change it there, too, or make lab REPORT=docs/convergence.md", path)
		}
	}
}

// load is the machine's load of the last minute.
func load(t *testing.T) string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// change is what is measured: it is made and undone in turn.
type change struct {
	name     string
	do, undo func()
	// done and undone wait until all kernels show it.
	done, undone func()
}

// rest is the time between two changes: the program's --min-interval, and some more.
const rest = 1500 * time.Millisecond

// convergence measures the changes on a mesh of n hosts.
func convergence(t *testing.T, report *strings.Builder, n int) {
	l := lab.New(t)
	l.AddSubnet("rack", "10.0.0.0/16")
	l.Store.Apply(poolObject)
	for i := range n {
		l.AddHost(lab.HostConfig{Name: fmt.Sprintf("n%d", i), Addresses: []string{fmt.Sprintf("10.0.1.%d/16", i+10)},
			Blocks: []string{fmt.Sprintf("10.244.%d.0/26", i)}, Env: []string{"CONFD_VERIFY_INTERVAL=5s"}})
	}
	l.KnowNeighbors()
	l.Start()
	l.AwaitMesh(l.Hosts...)
	l.AwaitBlocks(l.Hosts...)
	for _, c := range changes(l) {
		var ours, alone []time.Duration
		var before, after map[*lab.Host]string
		c.undo()
		c.undone()
		for range *reportRun {
			time.Sleep(rest)
			before = confs(l)
			ours = append(ours, timed(l, c.do, c.done))
			after = confs(l)
			c.undo()
			c.undone()
		}
		for _, h := range l.Hosts {
			h.Confd.Kill()
		}
		for range *reportRun {
			time.Sleep(rest)
			alone = append(alone, timed(l, func() { reconfigure(t, l, before, after) }, c.done))
			reconfigure(t, l, after, before)
			c.undone()
		}
		for _, h := range l.Hosts {
			h.StartConfd()
			h.Confd.AwaitLog("state=confirmed")
		}
		fmt.Fprintf(report, "| %d | %s | %s | %s |\n", n, c.name, figures(ours), figures(alone))
	}
	for _, h := range l.Hosts {
		h.Confd.Kill()
		h.KillBIRD()
	}
}

func changes(l *lab.Lab) []change {
	const block = "10.244.250.0/26"
	last := l.Hosts[len(l.Hosts)-1]
	blocks := func() { l.AwaitBlocks(l.Hosts...) }
	set := func(value string) func() {
		return func() {
			l.Store.Apply("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {programClusterRoutes: " + value + "}")
		}
	}
	as := func(number uint32) (set, is func()) {
		return func() {
				l.Store.Apply(lab.Announced(fmt.Sprintf("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {asNumber: %d}", number)))
			}, func() {
				for _, h := range l.Hosts {
					h.AwaitPeerAS(number)
				}
				blocks()
			}
	}
	newAS, newASIs := as(64600)
	oldAS, oldASIs := as(64512)
	return []change{
		{"a node gets a block: one route more on all others",
			func() { last.AddBlock(block) }, func() { last.RemoveBlock(block) },
			blocks, func() {
				for _, h := range l.Hosts {
					h.AwaitNoRoute(block)
				}
			}},
		{"the cluster gets another AS: all sessions are remade", newAS, oldAS, newASIs, oldASIs},
		{"`programClusterRoutes: Enabled` after `Disabled`: all blocks into all kernels",
			set("Enabled"), set("Disabled"), blocks, func() {
				for _, h := range l.Hosts {
					for _, o := range l.Hosts {
						if o != h {
							h.AwaitNoRoute(o.Blocks[0].String())
						}
					}
				}
			}},
	}
}

// settled is for how long no route changes once a change is done: longer than
// sessions take to come up.
const settled = 6 * time.Second

// timed is the time from the beginning of do to the last kernel route of what done
// waits for. Nothing is asked meanwhile, which would take the hosts' time.
func timed(l *lab.Lab, do, done func()) time.Duration {
	w := l.WatchRoutes()
	defer w.Stop()
	start := time.Now()
	do()
	w.AwaitQuiet(settled)
	done()
	return w.Last().Sub(start)
}

// confs are the hosts' configurations as they are in place.
func confs(l *lab.Lab) map[*lab.Host]string {
	texts := map[*lab.Host]string{}
	for _, h := range l.Hosts {
		texts[h] = h.ReadConf()
	}
	return texts
}

// reconfigure puts the new texts in place and has BIRD read them, on all hosts where
// they differ from the old ones, at once.
func reconfigure(t *testing.T, l *lab.Lab, old, new map[*lab.Host]string) {
	var wg sync.WaitGroup
	for _, h := range l.Hosts {
		if old[h] != new[h] {
			wg.Go(func() {
				if err := h.Configure(new[h]); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

func figures(times []time.Duration) string {
	slices.Sort(times)
	return fmt.Sprintf("%.2f (%.2f)", times[len(times)/2].Seconds(), times[len(times)-1].Seconds())
}

// failure is something that breaks, and is mended, in a cluster of three hosts.
type failure struct {
	name      string
	reflector bool // k8s-m3 reflects; else it is a mesh
	flags     []string
	breaks    func(l *lab.Lab, hosts []*lab.Host)
	mends     func(l *lab.Lab, hosts []*lab.Host)
}

// outage is how long things stay broken.
const outage = 3 * time.Second

func failures() []failure {
	killBIRD := func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].KillBIRD() }
	startBIRD := func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].StartBIRD() }
	stopBIRD := func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].StopBIRD() }
	reflector := func(do func(h *lab.Host)) func(*lab.Lab, []*lab.Host) {
		return func(_ *lab.Lab, hosts []*lab.Host) { do(hosts[2]) }
	}
	return []failure{
		{"BIRD killed, started again with `-R`", false, nil, killBIRD, startBIRD},
		{"BIRD killed, started again without `-R`", false, []string{}, killBIRD, startBIRD},
		{"BIRD told to end (SIGTERM), started again with `-R`", false, nil, stopBIRD, startBIRD},
		{"BIRD told `graceful restart`, started again with `-R`", false, nil, func(_ *lab.Lab, hosts []*lab.Host) {
			hosts[0].Birdc("graceful restart")
			hosts[0].Birds[0].AwaitEnd()
		}, startBIRD},
		{"BIRD frozen", false, nil, func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].Birds[0].Freeze() },
			func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].Birds[0].Thaw() }},
		{"confd killed on all hosts, started again", false, nil, func(_ *lab.Lab, hosts []*lab.Host) {
			for _, h := range hosts {
				h.Confd.Kill()
			}
		}, func(_ *lab.Lab, hosts []*lab.Host) {
			for _, h := range hosts {
				h.StartConfd()
			}
		}},
		{"etcd killed, started again", false, nil, func(l *lab.Lab, _ []*lab.Host) { l.Store.Break() }, func(l *lab.Lab, _ []*lab.Host) { l.Store.Mend() }},
		{"the cable of a host pulled, put back", false, nil, func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].CutCable() },
			func(_ *lab.Lab, hosts []*lab.Host) { hosts[0].MendCable() }},
		{"a host cut off without a word, let back", false, nil, func(l *lab.Lab, hosts []*lab.Host) { l.Partition(hosts[0].Machine) },
			func(l *lab.Lab, hosts []*lab.Host) { l.Heal(hosts[0].Machine) }},
		{"the only reflector's BIRD killed, started again with `-R`", true, nil, reflector((*lab.Host).KillBIRD), reflector((*lab.Host).StartBIRD)},
		{"the only reflector's BIRD told to end (SIGTERM), started again with `-R`", true, nil, reflector((*lab.Host).StopBIRD), reflector((*lab.Host).StartBIRD)},
	}
}

// lossyBIRDs are those that failures are measured with: 3.1.8 puts routes that come back
// into the kernel later than the others.
var lossyBIRDs = []string{"2.0.12", "3.1.8"}

// loss is what a failure costs of the pings between the pods of k8s-m1 and k8s-m2, from
// before until all sessions are up and all routes there: two columns of the table.
func loss(t *testing.T, f failure, version string) string {
	l := lab.New(t)
	configs := []lab.HostConfig{m1(), m2(), m3()}
	for i := range configs {
		configs[i].BIRD, configs[i].BirdFlags = version, f.flags
	}
	hosts, pods := build(l, configs...)
	whole := func() { awaitWhole(l, hosts, pods) }
	if f.reflector {
		l.Store.Apply(peersOfRRs + "\n---" + meshOff)
		reflect(hosts[2], true)
		whole = func() {
			l.AwaitReflectors(hosts[2:], hosts[:2])
			l.AwaitBlocks(hosts...)
			l.AwaitPings(pods...)
		}
	}
	l.Start()
	whole()
	pings := pods[0].StartPings(pods[1], 10*time.Millisecond)
	pings.AwaitAnswers(20)
	f.breaks(l, hosts)
	time.Sleep(outage)
	f.mends(l, hosts)
	time.Sleep(outage) // what comes of it comes late, where it does
	whole()
	pings.AwaitAnswers(20)
	count := pings.Stop()
	for _, h := range hosts {
		h.Confd.Kill()
		h.KillBIRD()
	}
	return fmt.Sprintf(" %d of %d | %.2f s |", count.Lost, count.Sent, count.Longest.Seconds())
}
