// Command bench measures confd on generated clusters, with a real etcd, a real
// Kubernetes API server and a real BIRD 2: one-shot runs, what one change costs a running confd, and
// golden checks; with -summary, what large clusters cost, also beside another build of confd; with -faults, how long it takes until a fault is over. It prints Markdown tables of
// medians.
//
// Everything runs in a network namespace of its own, in which no peer answers:
// the sessions of 5,000 nodes stay down, and the machine's network is left
// alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"confd/internal/testenv"
)

// inside is set in the environment of the copy that runs in the namespace.
const inside = "CONFD_BENCH_INSIDE"

// options are the command line's.
type options struct {
	confd string         // path of the program
	bird  string         // path of BIRD 2
	sizes []int          // nodes
	runs  int            // of each measurement, of which the median counts
	only  *regexp.Regexp // what the names of the cases to measure match
	work  string         // folder for everything that is written
	// faults has what faults cost measured, and nothing else; golden has golden
	// checks measured, and nothing else.
	faults, golden bool
	// questions has only those about a cluster measured.
	questions bool
	// routes has measured what looking at routes costs, and nothing else.
	routes bool
	// fleet has measured what asking all nodes costs, and nothing else.
	fleet bool
	// summary has one table measured of what large clusters cost, and nothing else.
	summary bool
	// against is another build of the program, whose golden checks are measured too, and
	// what it takes in large clusters; empty: none.
	against string
	// update is the folder of the documentation that the one table is written to; empty:
	// none.
	update string
	// within is the command that runs others where the program is measured; empty: here.
	within []string
}

func main() {
	if os.Getenv(inside) == "" {
		os.Exit(runInNamespace())
	}
	run := mainInside
	if os.Getenv(speaks) != "" {
		run = speak
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainInside() error {
	o, err := parseOptions()
	if err != nil {
		return err
	}
	return bench(o)
}

// runInNamespace runs this program again in a network namespace of its own, and
// returns its exit status. Without root it takes a user namespace too.
func runInNamespace() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: no network namespace of its own (as root there is one): %v\n", err)
		return 1
	}
	// What is inside ends what it has made when it is told to end, which needs us until then.
	// An interrupt from the terminal it hears of by itself.
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range told {
			if s == syscall.SIGTERM {
				_ = cmd.Process.Signal(s) // fails only where it is gone
			}
		}
	}()
	_ = cmd.Wait() // the status says it
	return cmd.ProcessState.ExitCode()
}

func parseOptions() (options, error) {
	o := options{}
	sizes := flag.String("sizes", "100,1000,5000", "numbers of nodes")
	flag.StringVar(&o.confd, "confd", "bin/confd", "the program to measure")
	flag.StringVar(&o.bird, "bird", "bird", "BIRD 2")
	flag.IntVar(&o.runs, "runs", 5, "runs of each measurement; the median counts")
	only := flag.String("only", "", "a regular expression: measure only the cases, or parts of the one table, whose names match")
	flag.BoolVar(&o.faults, "faults", false, "measure how long faults last, and nothing else (as root)")
	flag.BoolVar(&o.golden, "golden", false, "measure golden checks, and nothing else")
	flag.BoolVar(&o.questions, "questions", false, "measure questions about a cluster, and nothing else")
	flag.BoolVar(&o.routes, "routes", false, "measure what looking at routes costs BIRD, and nothing else")
	flag.BoolVar(&o.fleet, "fleet", false, "measure what asking all nodes costs, and nothing else")
	flag.BoolVar(&o.summary, "summary", false, "measure one table of what large clusters cost, and nothing else")
	flag.StringVar(&o.update, "update", "", "write the one table to README.md and docs/scale.md in this folder, too")
	flag.StringVar(&o.against, "against", "", "another build of the program to compare with: one table of what large clusters cost, golden checks")
	flag.Parse()
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 100 {
			return o, fmt.Errorf("-sizes: %q is not a number of nodes, 100 or more", s)
		}
		o.sizes = append(o.sizes, n)
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	if o.confd, err = filepath.Abs(o.confd); err != nil {
		return o, err
	}
	if o.against != "" {
		if o.against, err = filepath.Abs(o.against); err != nil {
			return o, err
		}
	}
	if o.bird, err = exec.LookPath(o.bird); err != nil && !o.golden && !o.questions {
		return o, fmt.Errorf("BIRD 2: %w (make deps installs it)", err)
	}
	return o, nil
}

// bench measures everything and prints it.
func bench(o options) (err error) {
	o.work, err = os.MkdirTemp("", "confd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(o.work)
	if o.faults {
		return measureFaults(o)
	}
	if o.golden {
		return measureGolden(os.Stdout, o)
	}
	if o.questions {
		return measureQuestions(os.Stdout, o)
	}
	if err := silentNetwork(); err != nil {
		return err
	}
	if o.routes {
		return measureRoutes(os.Stdout, o)
	}
	etcd, err := startEtcd(filepath.Join(o.work, "etcd"))
	if err != nil {
		return err
	}
	defer etcd.stop()
	if o.fleet {
		return measureFleet(os.Stdout, o, etcd)
	}
	if o.summary {
		return measureSummary(os.Stdout, o, etcd)
	}

	var results []result
	for _, c := range cases(o.sizes) {
		if !o.only.MatchString(c.name) {
			continue
		}
		got, err := measureCase(o, etcd, c)
		if err != nil {
			return fmt.Errorf("%s, %d nodes: %w", c.name, c.nodes, err)
		}
		results = append(results, got...)
	}
	got, err := measureKubernetes(o)
	if err != nil {
		return fmt.Errorf("cluster in Kubernetes: %w", err)
	}
	results = append(results, got...)
	printTables(os.Stdout, o, results)
	if o.only.String() != "" { // they are no cases
		return nil
	}
	if err := measureSummary(os.Stdout, o, etcd); err != nil {
		return err
	}
	if err := measureQuestions(os.Stdout, o); err != nil {
		return err
	}
	return measureGolden(os.Stdout, o)
}

// silentNetwork makes every peer look like one that does not answer, which
// keeps BIRD about as busy as sessions that are up: a connection that fails at
// once would be tried again and again.
func silentNetwork() error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "sink", "type", "veth", "peer", "name", "drain"},
		{"link", "set", "sink", "arp", "off", "up"},
		{"link", "set", "drain", "up"},
		{"route", "add", "10.0.0.0/8", "dev", "sink"},
		{"addr", "add", testenv.NodeAddress(plainNode).String(), "dev", "lo"},
		{"addr", "add", testenv.NodeAddress(reflectorNode).String(), "dev", "lo"},
		{"addr", "add", testenv.NodeAddressV6(quietNode).String(), "dev", "lo"},
	} {
		if err := run("ip", args...); err != nil {
			return err
		}
	}
	return nil
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
