package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/internal/testenv"
)

const (
	// patience is how long a test waits for what must come.
	patience = time.Minute
	self     = "node-1"
	oldBIRD  = "2.0.12" // for tests that are not about versions
)

// build makes the program as users have it, once. GOFLAGS=-race makes it one with the
// race detector.
func build(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "confd-test-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	program := filepath.Join(dir, "confd")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// builtIn is the folder of the program that was built.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn) // a folder of temporary files
	}
	os.Exit(code)
}

// scenario is one end-to-end test, with the program that it drives.
type scenario struct {
	name string
	run  func(t *testing.T, confd string)
}

// runScenarios runs scenarios side by side, in their order: what waits longest should
// come first.
func runScenarios(t *testing.T, scenarios ...scenario) {
	t.Helper()
	if testing.Short() {
		t.Skip("the end-to-end tests take long: left out with -short")
	}
	confd := build(t)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, confd)
		})
	}
}

// process is a child whose output goes to a file.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	path   string
	exited chan struct{}
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "output")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	// A test that is killed takes its children with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, path: out.Name(), exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.output()
			t.Logf("%s printed:\n%s", strings.Join(cmd.Args, " "), text[max(0, len(text)-8000):])
		}
	})
	return p
}

func (p *process) output() string {
	text, err := os.ReadFile(p.path)
	if err != nil {
		p.t.Error(err)
	}
	return string(text)
}

func (p *process) count(text string) int { return strings.Count(p.output(), text) }

// awaitOutput waits until all of the texts are on one line of the output.
func (p *process) awaitOutput(texts ...string) {
	p.t.Helper()
	p.awaitOutputs(1, texts...)
}

// awaitOutputs waits for n such lines.
func (p *process) awaitOutputs(n int, texts ...string) {
	p.t.Helper()
	testenv.Eventually(p.t, patience, fmt.Sprintf("%d lines of output with %q", n, texts), func() bool {
		return len(linesWith(p.output(), texts...)) >= n
	})
}

func linesWith(output string, texts ...string) []string {
	var found []string
	for line := range strings.Lines(output) {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
			found = append(found, line)
		}
	}
	return found
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // fails only where it is gone

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop sends SIGTERM, which confd must end well after.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Errorf("ended with %d after SIGTERM", code)
	}
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.cmd.Args[0])
	}
	return p.cmd.ProcessState.ExitCode()
}

// rig is one node of a cluster: confd, its environment, and the BIRDs that it
// writes for.
type rig struct {
	t       *testing.T
	confd   string
	version string
	dir     string            // for sockets and files; its path is short
	env     map[string]string // of confd
	etcd    *testenv.Etcd
	kv      *clientv3.Client
	lab     *testenv.Lab
	birds   []*process
	inside  bool // confd runs where node 1's BIRD does, and reaches nothing else
}

// newRig makes a rig without servers.
func newRig(t *testing.T, confd, version string) *rig {
	t.Helper()
	r := &rig{t: t, confd: confd, version: version, dir: testenv.SocketDir(t)}
	r.env = map[string]string{
		"PATH":                               os.Getenv("PATH"),
		"NODENAME":                           self,
		"CONFD_BIRD_BINARY":                  testenv.Bird(t, version),
		"CONFD_BIRD_DIR":                     filepath.Join(r.dir, "etc"),
		"CONFD_SOCKET":                       filepath.Join(r.dir, "bird.ctl"),
		"CONFD_CONFDIR":                      filepath.Join(r.dir, "none"),
		"CALICO_ENDPOINT_STATUS_PATH_PREFIX": r.dir,
	}
	if err := os.Mkdir(r.env["CONFD_BIRD_DIR"], 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// newEtcdRig makes a rig with an etcd that holds the objects, and a namespace
// for the BIRDs with the addresses of node 1.
func newEtcdRig(t *testing.T, confd, version string, objects ...object) *rig {
	t.Helper()
	r := newRig(t, confd, version)
	r.lab = testenv.NewLab(t, host("a", 1))
	r.addEtcd()
	r.put(objects...)
	return r
}

func host(name string, n int) testenv.Host {
	return testenv.Host{Name: name, Addrs: []netip.Prefix{
		netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", n)),
		netip.MustParsePrefix(fmt.Sprintf("fd00::%x/64", n)),
	}}
}

func (r *rig) addEtcd(opts ...testenv.EtcdOption) {
	r.t.Helper()
	r.etcd = testenv.StartEtcd(r.t, opts...)
	kv, err := clientv3.New(clientv3.Config{Endpoints: r.etcd.Endpoints(), Logger: zap.NewNop(), MaxCallSendMsgSize: 128 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { kv.Close() })
	r.kv = kv
	r.env["ETCD_ENDPOINTS"] = r.etcd.Endpoint()
}

// command prepares confd with the rig's environment.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.confd, args...)
	if r.inside {
		cmd = r.lab.Command("a", append([]string{r.confd}, args...)...)
	}
	cmd.Env = []string{} // nil would be this process's
	for _, k := range slices.Sorted(maps.Keys(r.env)) {
		cmd.Env = append(cmd.Env, k+"="+r.env[k])
	}
	return cmd
}

// start runs confd in the background.
func (r *rig) start(args ...string) *process {
	r.t.Helper()
	return startProcess(r.t, r.command(args...))
}

// result is what a confd that ended has left.
type result struct {
	code           int
	stdout, stderr string
}

// once runs confd until it ends by itself.
func (r *rig) once(args ...string) result {
	r.t.Helper()
	return r.finish(r.command(args...))
}

func (r *rig) finish(cmd *exec.Cmd) result {
	r.t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want checks a result: its code, and texts that must be on one line of stderr.
func (got result) want(t *testing.T, code int, stderr ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit code %d, want %d", got.code, code)
	}
	if len(stderr) > 0 && len(linesWith(got.stderr, stderr...)) == 0 {
		t.Errorf("stderr has no line with %q", stderr)
	}
	if t.Failed() {
		t.Logf("stdout:\n%.2000s\nstderr:\n%.4000s", got.stdout, got.stderr)
	}
}

// file is where a file for BIRD is written.
func (r *rig) file(name string) string { return filepath.Join(r.env["CONFD_BIRD_DIR"], name) }

// conf is the file that bird is started with.
func (r *rig) conf() string { return r.file(r.daemons()[0].conf) }

// daemonFiles are the names that go with one BIRD daemon.
type daemonFiles struct{ program, conf, socket string }

func (r *rig) daemons() []daemonFiles {
	if strings.HasPrefix(r.version, "1.") {
		return []daemonFiles{{"bird", "bird.cfg", "bird.ctl"}, {"bird6", "bird6.cfg", "bird6.ctl"}}
	}
	return []daemonFiles{{"bird", "bird.conf", "bird.ctl"}}
}

// awaitFiles waits until all files are there.
func (r *rig) awaitFiles() {
	r.t.Helper()
	for _, d := range r.daemons() {
		testenv.Eventually(r.t, patience, d.conf, func() bool {
			_, err := os.Stat(r.file(d.conf))
			return err == nil
		})
	}
}

// startBirds starts the BIRDs of the rig's version, and waits until they answer.
func (r *rig) startBirds() {
	r.t.Helper()
	r.birds = nil
	for _, d := range r.daemons() {
		program := testenv.Bird(r.t, r.version)
		if d.program == "bird6" {
			program = testenv.Bird6(r.t, r.version)
		}
		r.birds = append(r.birds, r.startBird("a", program, r.file(d.conf), filepath.Join(r.dir, d.socket)))
	}
}

// startBird starts one BIRD on a host of the lab. With -d it logs to stderr.
func (r *rig) startBird(host, program, conf, socket string) *process {
	r.t.Helper()
	p := startProcess(r.t, r.lab.Command(host, program, "-d", "-c", conf, "-s", socket, "-P", socket+".pid"))
	testenv.Eventually(r.t, patience, "BIRD on "+socket, func() bool {
		if !p.running() {
			r.t.Fatalf("%s -c %s ended at once", program, conf)
		}
		_, err := testenv.Birdc(socket, "show status")
		return err == nil
	})
	return p
}

func (r *rig) killBirds() {
	for _, b := range r.birds {
		b.kill()
	}
}

// reconfigured counts how often the BIRDs have read their files again.
func (r *rig) reconfigured() int {
	n := 0
	for _, b := range r.birds {
		n += b.count("Reconfiguring\n")
	}
	return n
}

// sessions are the BGP sessions that the BIRDs have, by name.
func (r *rig) sessions() []string {
	var names []string
	for _, d := range r.daemons() {
		text, err := testenv.Birdc(filepath.Join(r.dir, d.socket), "show protocols")
		if err != nil {
			return []string{err.Error()}
		}
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) > 1 && words[1] == "BGP" {
				names = append(names, words[0])
			}
		}
	}
	slices.Sort(names)
	return names
}

// awaitMesh waits until the BIRDs have the mesh sessions with these nodes, and
// no other session.
func (r *rig) awaitMesh(nodes ...int) {
	r.t.Helper()
	var want []string
	for _, n := range nodes {
		want = append(want, fmt.Sprintf("Mesh_10_0_0_%d", n), fmt.Sprintf("Mesh_fd00__%x", n))
	}
	slices.Sort(want)
	var got []string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("sessions: %v", got)
		}
	}()
	testenv.Eventually(r.t, patience, fmt.Sprintf("the sessions %v", want), func() bool {
		got = r.sessions()
		return slices.Equal(got, want)
	})
}

// put writes objects to etcd.
func (r *rig) put(objects ...object) {
	r.t.Helper()
	for _, o := range objects {
		r.putRaw(o.key(), o.json())
	}
}

func (r *rig) putRaw(key, value string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := r.kv.Put(ctx, key, value); err != nil {
		r.t.Fatalf("write %.80q to etcd: %v", key, err)
	}
}

func (r *rig) remove(o object) {
	r.t.Helper()
	r.removeRaw(o.key())
}

func (r *rig) removeRaw(key string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := r.kv.Delete(ctx, key); err != nil {
		r.t.Fatalf("delete from etcd: %v", err)
	}
}

// useFiles makes confd read the objects from a file, with more behind them.
func (r *rig) useFiles(objects []object, more ...string) {
	r.t.Helper()
	path := filepath.Join(r.dir, "cluster.yaml")
	if err := os.WriteFile(path, []byte(documents(objects)+strings.Join(more, "")), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.env["CONFD_DATA"] = path
}

func documents(objects []object) string {
	var b strings.Builder
	for _, o := range objects {
		b.WriteString("---\n" + o.json() + "\n")
	}
	return b.String()
}

// object is a resource; spec is JSON.
type object struct {
	kind, name, spec    string
	labels, annotations map[string]string
}

func (o object) key() string {
	return "/calico/resources/v3/projectcalico.org/" + strings.ToLower(o.kind) + "s/" + o.name
}

func (o object) json() string {
	meta, err := json.Marshal(map[string]any{"name": o.name, "labels": o.labels, "annotations": o.annotations})
	if err != nil {
		panic(err) // texts have JSON
	}
	return fmt.Sprintf(`{"apiVersion":"projectcalico.org/v3","kind":%q,"metadata":%s,"spec":%s}`, o.kind, meta, o.spec)
}

// node is node n of the cluster, with an AS number of its own where as is not 0.
func node(n, as int) object {
	return object{kind: "Node", name: fmt.Sprintf("node-%d", n),
		spec: fmt.Sprintf(`{"bgp":{"ipv4Address":"10.0.0.%d/24","ipv6Address":"fd00::%x/64","asNumber":%d}}`, n, n, as)}
}

// mesh is a cluster of the nodes 1 to n.
func mesh(n int) []object {
	objects := []object{pool("Never")}
	for i := 1; i <= n; i++ {
		objects = append(objects, node(i, 0))
	}
	return objects
}

func pool(ipip string) object {
	return object{kind: "IPPool", name: "workloads", spec: fmt.Sprintf(`{"cidr":"10.128.0.0/9","ipipMode":%q}`, ipip)}
}

// writeTree writes files below dir.
func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
