package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/internal/report"
	"confd/internal/testenv"
)

// recovery is how long the program may take to be in step again: it tries what
// failed again after half a minute at most.
const recovery = 90 * time.Second

// What the program may need at most, over its whole life.
const (
	mostFiles      = 60
	mostGoroutines = 80
	mostMemory     = 300 << 20
)

// calm ends all faults, and takes away what nobody can make a configuration of.
func (s *soak) calm() {
	s.note("calm")
	later := s.later
	s.later = nil
	for _, e := range later {
		if e.isDeadline {
			s.later = append(s.later, e)
		} else {
			e.do()
		}
	}
	// The first may find etcd not ready.
	s.put(object{kind: "BGPPeer", name: "refused", spec: `{}`})
	s.remove(object{kind: "BGPPeer", name: "refused"})
	s.removeTunnels()
	own := s.store.Own()
	s.putRaw(own.Key, own.Value)
}

// removeTunnels removes the pools with IPIP, whose routes may need a BIRD that is
// not here.
func (s *soak) removeTunnels() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pools, err := s.kv.Get(ctx, resources+"ippools/", clientv3.WithPrefix())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, kv := range pools.Kvs {
		if text := string(kv.Value); strings.Contains(text, `"ipipMode":"Always"`) || strings.Contains(text, `"ipipMode":"CrossSubnet"`) {
			if _, err := s.kv.Delete(ctx, string(kv.Key)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// reportLag is more than the report's file is behind.
const reportLag = 2 * time.Second

// check waits until all is as it should be, and looks at what is left over.
func (s *soak) check() {
	s.t.Helper()
	s.wait(reportLag)
	began := time.Now()
	want := filepath.Join(s.dir, "want")
	if got := s.once("render", "--output", want, "--bird", s.version); got.code != 0 {
		s.t.Fatalf("render: %s", got.stderr)
	}
	wrong := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the last thing that was wrong: %s", wrong)
		}
	}()
	approved, again := "", ""
	for end := began.Add(recovery); ; s.wait(50 * time.Millisecond) {
		r := s.report()
		if r != nil && r.Held != nil && r.Held.Hash != approved {
			approved = r.Held.Hash
			s.note("approve", approved)
			s.once("approve").want(s.t, 0)
		}
		if r != nil && strings.Contains(r.Templates, "was undone") && r.Templates != again {
			again = r.Templates
			s.note("try templates again", again)
			s.program.signal(syscall.SIGHUP)
		}
		if s.removeStale(r) { // of these a fresh start does not know what they were
			s.once("render", "--output", want, "--bird", s.version).want(s.t, 0)
		}
		if wrong = s.wrong(r, want); wrong == "" {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("%v after the last fault it is still not as it should be: %s", recovery, wrong)
		}
	}
	took := time.Since(began)
	s.tampered = false
	before := s.configuredAt()
	s.wait(3 * time.Second) // some looks at whether all is as it was left
	if wrong = s.wrong(s.report(), want); wrong != "" {
		s.t.Fatalf("it does not stay as it should be: %s", wrong)
	}
	if after := s.configuredAt(); !sameTimes(before, after) {
		s.t.Fatalf("BIRD was reconfigured for no reason: at %v, then at %v", before, after)
	}
	s.checkLeftovers()
	s.checkProcess(took)
}

// removeStale removes objects that cannot be used, and of which the last good version
// stays. It says whether there were any.
func (s *soak) removeStale(r *report.Report) bool {
	if r == nil {
		return false
	}
	any := false
	for _, p := range r.Problems {
		kind, name, _ := strings.Cut(p.Object, " ")
		if !p.Stale {
			continue
		}
		any = true
		key := resources + strings.ToLower(kind) + "s/" + name
		if node, block, ok := strings.Cut(name, "/"); ok && kind == "BlockAffinity" {
			key = "/calico/ipam/v2/host/" + node + "/ipv4/block/" + block
		}
		s.note("remove stale", key)
		if _, err := s.kv.Delete(s.t.Context(), key); err != nil {
			s.t.Fatal(err)
		}
	}
	return any
}

func (s *soak) report() *report.Report {
	r, err := report.Read(s.env["CONFD_BIRD_DIR"])
	if err != nil {
		s.t.Errorf("the report: %v", err) // it is written at once, or not at all
	}
	return r
}

// wrong says what is not as it should be; empty: nothing.
func (s *soak) wrong(r *report.Report, want string) string {
	switch {
	case s.program == nil || !s.program.running() || s.program.ended:
		return "the program does not run"
	case r == nil || r.PID != s.program.cmd.Process.Pid:
		return "the program has written no report"
	case !r.Ready:
		return fmt.Sprintf("not ready: %q", r.NotReady)
	case r.Held != nil || r.Failure != "" || r.Waiting != "" || r.Stale != nil || r.Templates != "" || len(r.Quarantined) > 0:
		return fmt.Sprintf("ready, but held %v, failure %q, waiting %q, stale %v, templates %q, quarantined %v",
			r.Held, r.Failure, r.Waiting, r.Stale, r.Templates, r.Quarantined)
	case len(r.Sets) != len(s.daemons()):
		return fmt.Sprintf("the report has %d sets", len(r.Sets))
	}
	for i, d := range s.daemons() {
		if set := r.Sets[i]; set.Rendered != set.Installed || set.Rendered != set.Confirmed || set.State != "up" || set.Error != "" || !set.TrialEnds.IsZero() {
			return fmt.Sprintf("set %+v", set)
		}
		if text := s.wrongDaemon(d, want); text != "" {
			return d.conf + ": " + text
		}
	}
	return ""
}

// wrongDaemon compares one BIRD and its file with what they should be.
func (s *soak) wrongDaemon(d daemonFiles, want string) string {
	should, err := os.ReadFile(filepath.Join(want, d.conf))
	if err != nil {
		return err.Error()
	}
	info, err := os.Stat(s.file(d.conf))
	if err != nil {
		return err.Error()
	}
	is, err := os.ReadFile(s.file(d.conf))
	switch {
	case err != nil:
		return err.Error()
	case string(is) != string(should):
		return "it is not what the datastore says"
	case info.Mode().Perm() != 0o640:
		return fmt.Sprintf("mode %v", info.Mode())
	}
	socket := filepath.Join(s.dir, d.socket)
	if pids := processesWith(socket); len(pids) != 1 {
		return fmt.Sprintf("%d BIRDs run: %v", len(pids), pids)
	}
	status, err := birdc(socket, "show status", patience)
	if err != nil {
		return err.Error()
	}
	age, known := ageOf(status)
	if fileAge := time.Since(info.ModTime()); !known || age > fileAge+2*time.Second {
		return fmt.Sprintf("BIRD's configuration is %v old (%v), the file %v", age, known, fileAge)
	}
	protocols, err := birdc(socket, "show protocols", patience)
	if err != nil {
		return err.Error()
	}
	if is, should := runningProtocols(protocols), writtenProtocols(string(should)); !slices.Equal(is, should) {
		return fmt.Sprintf("BIRD has the protocols %v, not %v", is, should)
	}
	return ""
}

var (
	reconfiguredAt = regexp.MustCompile(`Last reconfiguration on (\S+ \S+)`)
	writtenName    = regexp.MustCompile(`(?m)^protocol \w+ (\w+)`)
	// A row's name, and the kind of protocol; what has no name of its own in the
	// file is a device.
	runningName = regexp.MustCompile(`(?m)^(?:1002-| )(\w+) +(?:BGP|Direct|Kernel|Static|BFD|Pipe) `)
)

// ageOf is the age of BIRD's configuration.
func ageOf(status string) (time.Duration, bool) {
	m := reconfiguredAt.FindStringSubmatch(status)
	if m == nil {
		return 0, false
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", m[1], time.Local) // takes fractions, too
	return time.Since(at), err == nil
}

func writtenProtocols(conf string) []string { return names(writtenName, conf) }
func runningProtocols(text string) []string { return names(runningName, text) }

func names(pattern *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

// configuredAt is when the BIRDs took their configurations.
func (s *soak) configuredAt() []time.Time {
	var all []time.Time
	for _, d := range s.daemons() {
		age, _ := ageAt(filepath.Join(s.dir, d.socket))
		all = append(all, time.Now().Add(-age))
	}
	return all
}

// sameTimes says whether the times are the same, as far as BIRD 1 can tell.
func sameTimes(a, b []time.Time) bool {
	return slices.EqualFunc(a, b, func(a, b time.Time) bool { return b.Sub(a).Abs() < 2*time.Second })
}

// checkLeftovers looks for what nobody needs in BIRD's folder.
func (s *soak) checkLeftovers() {
	s.t.Helper()
	expected := map[string]bool{report.File: true, report.SessionsFile: true, ".confd-lock": true, ".confd-memory.json": true, ".confd-memory-changes.json": true}
	for _, d := range s.daemons() {
		expected[d.conf], expected[".confd-"+d.program], expected[".confd-record-"+d.program+".json"] = true, true, true
		expected[d.conf+".orig"] = true // where it was edited while the program was away
		store := s.file(".confd-" + d.program)
		entries, err := os.ReadDir(store) // a set of one file has none
		if err == nil && len(entries) != 2 {
			s.t.Errorf("the folder %s has %v: want one generation and the link to it", store, entries)
		}
	}
	entries, err := os.ReadDir(s.env["CONFD_BIRD_DIR"])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if !expected[e.Name()] && !s.ofKilled(e.Name()) {
			s.t.Errorf("left over in BIRD's folder: %v", e)
		}
	}
}

// ofKilled says whether a file was being written by a program that was killed. Such files
// stay for an hour, so it is made older: it must be gone the next time.
func (s *soak) ofKilled(name string) bool {
	if !strings.HasPrefix(name, ".confd-new-") || s.aged[name] {
		return false
	}
	s.aged[name] = true
	old := time.Now().Add(-2 * time.Hour)
	return os.Chtimes(s.file(name), old, old) == nil
}

// checkProcess looks at what the program needs, and at its children.
func (s *soak) checkProcess(took time.Duration) {
	s.t.Helper()
	pid := s.program.cmd.Process.Pid
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	memory := memoryOf(pid)
	goroutines := s.goroutines()
	established := strings.Count(s.allProtocols(), "Established")
	s.t.Logf("after %v: in step %v after the last fault; program up with %v: %d open files, %d goroutines, %d MB; %d sessions established",
		time.Since(s.began).Round(time.Second), took.Round(10*time.Millisecond), s.args, len(files), goroutines, memory>>20, established)
	if len(files) > mostFiles || goroutines > mostGoroutines || memory > mostMemory {
		s.t.Errorf("too much: %d open files (at most %d), %d goroutines (%d), %d bytes of memory (%d)",
			len(files), mostFiles, goroutines, mostGoroutines, memory, mostMemory)
	}
	for _, child := range childrenOf(pid) {
		if state, args := stateOf(child); state == "Z" || !strings.Contains(args, s.dir) {
			s.t.Errorf("the program has a child in state %s: %s", state, args)
		}
	}
	text := readFile(s.t, filepath.Join(s.logs, "program.log"))
	for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if strings.Contains(text, bad) {
			s.t.Errorf("the program said %q", bad)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "ready")); err != nil {
		s.t.Errorf("the file that says that the program is ready: %v", err)
	}
}

func (s *soak) allProtocols() string {
	var all string
	for _, d := range s.daemons() {
		text, _ := testenv.Birdc(filepath.Join(s.dir, d.socket), "show protocols")
		all += text
	}
	return all
}

// memoryOf is what a process has in memory now, in bytes.
func memoryOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	words := strings.Fields(string(text))
	if len(words) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(words[1])
	return pages * os.Getpagesize()
}

// goroutines are those of the program, as its metrics say.
func (s *soak) goroutines() int {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.dir, "http"))
		}}}
	resp, err := client.Get("http://confd/metrics")
	if err != nil {
		s.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	s.t.Error("no go_goroutines among the metrics")
	return 0
}

// childrenOf are the processes whose parent is pid.
func childrenOf(pid int) []int {
	var children []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		text, _ := os.ReadFile(t)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// stateOf is the letter for a process's state, and its command.
func stateOf(pid int) (state, args string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return "gone", ""
	}
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Fields(rest + " ?")[0], strings.ReplaceAll(string(command), "\x00", " ")
}
