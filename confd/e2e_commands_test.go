package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/report"
	"confd/internal/testenv"
)

// badPeer is an object that has to be left out.
func badPeer() object {
	return object{kind: "BGPPeer", name: "too-large", spec: `{"peerIP":"10.0.9.1","asNumber":8589934592}`}
}

func testExitCodes(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.useFiles(mesh(3))
	etcdAway := map[string]string{"CONFD_DATA": "", "ETCD_ENDPOINTS": "http://127.0.0.1:1"}
	for name, c := range map[string]struct {
		args   []string
		env    map[string]string
		nobody bool
		code   int
		stderr []string
	}{
		"good":              {args: []string{"--onetime"}},
		"version":           {args: []string{"version"}},
		"etcd away":         {args: []string{"--onetime", "--sync-timeout", "1s"}, env: etcdAway, code: 1, stderr: []string{"within 1s", "127.0.0.1:1"}},
		"etcd away, render": {args: []string{"render", "--sync-timeout", "1s"}, env: etcdAway, code: 1, stderr: []string{"within 1s", "127.0.0.1:1"}},
		"folder not ours":   {args: []string{"--onetime", "--bird-dir", locked(t)}, nobody: true, code: 1, stderr: []string{"confd: ", "permission denied"}},
		"folder missing":    {args: []string{"--onetime", "--bird-dir", "/nowhere/at/all"}, code: 1, stderr: []string{"/nowhere/at/all", "create the folder"}},
		"data missing":      {args: []string{"--onetime", "--sync-timeout", "1s", "--data", "/nowhere.yaml"}, code: 1, stderr: []string{"/nowhere.yaml"}},
		"unknown flag":      {args: []string{"--no-such-flag"}, code: 2, stderr: []string{"no-such-flag"}},
		"unknown command":   {args: []string{"frobnicate"}, code: 2, stderr: []string{"frobnicate"}},
		"bad value":         {args: []string{"--gather", "soon"}, code: 2, stderr: []string{"--gather", `"soon"`, "duration"}},
		"no etcd":           {args: nil, env: map[string]string{"CONFD_DATA": ""}, code: 2, stderr: []string{"ETCD_ENDPOINTS"}},
		"bad variable":      {args: nil, env: map[string]string{"NODENAME": "a b"}, code: 2, stderr: []string{"NODENAME", `"a b"`}},
		"no config file":    {args: []string{"--config-file", "/nowhere.toml"}, code: 2, stderr: []string{"/nowhere.toml"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := r.command(c.args...)
			for k, v := range c.env {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
			if c.nobody {
				cmd = asNobody(t, cmd, r)
			}
			r.finish(cmd).want(t, c.code, c.stderr...)
		})
	}
}

// locked is a folder that only root may write to.
func locked(t *testing.T) string {
	t.Helper()
	dir := testenv.SocketDir(t)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody has cmd run as a user who is not root, where we are.
func asNobody(t *testing.T, cmd *exec.Cmd, r *rig) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		return cmd
	}
	program := filepath.Join(r.dir, "confd")
	// Not by this process: what it starts at this moment would have the program
	// open for writing, and such a one cannot be run.
	if out, err := exec.Command("cp", r.confd, program).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	for path, mode := range map[string]os.FileMode{program: 0o755, r.dir: 0o755, r.env["CONFD_DATA"]: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Path = program
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

func testStrict(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.useFiles(append(mesh(3), badPeer()))
	out := filepath.Join(r.dir, "out")
	strict := r.once("render", "--strict", "-o", out)
	strict.want(t, 1, "level=WARN", "BGPPeer", "too-large", "8589934592", "code=unusable", "cluster.yaml:10:")
	strict.want(t, 1, `"asNumber":8589934592}}`)
	strict.want(t, 1, "    ^")
	strict.want(t, 1, "warnings that --strict makes errors: 1")
	testenv.CheckConfig(t, oldBIRD, filepath.Join(out, "bird.conf"))
	r.once("render", "-o", out).want(t, 0, "too-large")
	r.useFiles(mesh(3))
	good := r.once("render", "--strict")
	good.want(t, 0)
	if good.stdout != readFile(t, filepath.Join(out, "bird.conf")) {
		t.Error("a bad object changes what is rendered")
	}
}

// testCalicoFlags runs the program as Calico's manifests do.
func testCalicoFlags(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	dir := r.env["CONFD_BIRD_DIR"]
	r.env = map[string]string{
		"PATH": os.Getenv("PATH"), "NODENAME": self, "DATASTORE_TYPE": "kubernetes", "CALICO_ROUTER_ID": "hash",
		"BGP_LOGSEVERITYSCREEN": "warning", "CONFD_BIRD_DIR": dir, "CONFD_BIRD_BINARY": testenv.Bird(t, oldBIRD),
		"CALICO_ENDPOINT_STATUS_PATH_PREFIX": r.dir,
	}
	writeTree(t, r.dir, map[string]string{
		"calico.yaml": "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata:\nspec:\n" +
			"  datastoreType: etcdv3\n  etcdEndpoints: " + r.etcd.Endpoint() + "\n",
		"confd/conf.d/own.toml": "[template]\nsrc = \"own\"\ndest = \"" + dir + "/own.conf\"\nkeys = [\"/bgp/v1/host//NODENAME\"]\nprefix = \"/calico\"\n" +
			"check_cmd = \"test -s {{.src}}\"\nreload_cmd = \"echo told >>" + r.dir + "/told\"\n",
		"confd/templates/own": "as {{getv \"/bgp/v1/host/" + self + "/ip_addr_v4\"}}\n",
	})
	calico := []string{"-calicoconfig=" + filepath.Join(r.dir, "calico.yaml"), "-onetime", "-interval=5", "-config-file", "/dev/null"}

	r.once(append(calico, "-confdir", "/nowhere", "-prefix=/calico")...).want(t, 0, "applied")
	text := readFile(t, filepath.Join(dir, "bird.conf"))
	for _, want := range []string{"a hash of the node's name", "Mesh_10_0_0_2"} {
		if !strings.Contains(text, want) {
			t.Errorf("bird.conf has no %q", want)
		}
	}
	if strings.Contains(text, "debug {") {
		t.Error("bird.conf has debug though BGP_LOGSEVERITYSCREEN is warning")
	}

	own := append(calico, "-confdir="+filepath.Join(r.dir, "confd"))
	r.once(append(own, "-keep-stage-file")...).want(t, 0, "applied", "own.conf")
	if text, told := readFile(t, filepath.Join(dir, "own.conf")), readFile(t, filepath.Join(r.dir, "told")); text != "as 10.0.0.1\n" || told != "told\n" {
		t.Errorf("own.conf is %q, and was told %q", text, told)
	}
	staged, err := filepath.Glob(filepath.Join(dir, ".confd-stage-*", "own.conf"))
	if err != nil || len(staged) != 1 {
		t.Errorf("-keep-stage-file kept %q (%v)", staged, err)
	}
	if err := os.Remove(filepath.Join(dir, "own.conf")); err != nil {
		t.Fatal(err)
	}
	r.once(append(own, "-sync-only")...).want(t, 0, "applied")
	if told := readFile(t, filepath.Join(r.dir, "told")); told != "told\n" {
		t.Errorf("-sync-only ran the reload command: %q", told)
	}
}

func testNoop(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.useFiles(mesh(3))
	none := r.once("-noop")
	none.want(t, 0)
	if !strings.Contains(none.stdout, "+protocol bgp Mesh_10_0_0_2 ") {
		t.Errorf("the difference to nothing is\n%s", none.stdout)
	}
	if files := r.written(t); len(files) > 0 {
		t.Errorf("-noop has written %q", files)
	}
	r.once("-onetime").want(t, 0)
	before := readFile(t, r.conf())
	if same := r.once("-noop"); same.code != 0 || same.stdout != "" {
		t.Errorf("exit code %d; the difference to the same is\n%s", same.code, same.stdout)
	}
	r.useFiles(mesh(2))
	less := r.once("-noop")
	less.want(t, 0)
	if !strings.Contains(less.stdout, "-protocol bgp Mesh_10_0_0_3 ") || strings.Contains(less.stdout, "-protocol bgp Mesh_10_0_0_2 ") {
		t.Errorf("the difference to a smaller mesh is\n%s", less.stdout)
	}
	if readFile(t, r.conf()) != before {
		t.Error("-noop has changed the file")
	}
}

// written are the files in the folder of BIRD's files.
func (r *rig) written(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(r.env["CONFD_BIRD_DIR"])
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		// What the program says of itself, and that the folder is its own.
		if n := e.Name(); n != report.File && n != report.SessionsFile && n != ".confd-lock" {
			names = append(names, n)
		}
	}
	return names
}

// testSyncOnly has the daemon write for a BIRD that it must not ask.
func testSyncOnly(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
	r.env["CONFD_BIRD_BINARY"] = "/nowhere/bird"
	c := r.start("-sync-only", "--bird", "2")
	r.awaitFiles()
	r.startBirds()
	r.awaitMesh(2)
	r.put(node(3, 0))
	testenv.Eventually(t, patience, "the change", func() bool { return strings.Contains(readFile(t, r.conf()), "Mesh_10_0_0_3") })
	c.stop()
	r.awaitMesh(2)
	if n := r.reconfigured(); n != 0 {
		t.Errorf("%d reloads with -sync-only", n)
	}
}

// testSIGTERM ends the program while it waits for what never comes. All its own
// time limits are far off.
func testSIGTERM(t *testing.T, confd string) {
	far := []string{"--check-timeout", "1h", "--reload-timeout", "1h", "--sync-timeout", "1h"}
	t.Run("etcd does not answer", func(t *testing.T) {
		r := newRig(t, confd, oldBIRD)
		etcd := testenv.StartEtcd(t) // that nobody else is connected to
		r.env["ETCD_ENDPOINTS"] = etcd.Endpoint()
		etcd.Pause()
		defer etcd.Resume()
		for _, mode := range [][]string{nil, {"--onetime"}, {"render"}} {
			args := append(mode, far...)
			if len(mode) > 0 && mode[0] == "render" {
				args = []string{"render", "--sync-timeout", "1h"}
			}
			others := connections(t, etcd.Address()) // etcd has some to itself
			c := r.start(append(args, "--log-level", "debug")...)
			testenv.Eventually(t, patience, "a connection to etcd", func() bool { return connections(t, etcd.Address()) > others })
			began := time.Now()
			c.signal(syscall.SIGTERM)
			code := c.wait()
			t.Logf("confd %v ended with %d in %s", mode, code, time.Since(began))
			if len(mode) == 0 && code != 0 {
				t.Errorf("confd ended with %d", code)
			}
		}
	})
	t.Run("a check hangs", func(t *testing.T) {
		r := newRig(t, confd, oldBIRD)
		r.useFiles(mesh(2))
		pid := r.ownTemplate(t, "check_cmd")
		c := r.start(far...)
		child := awaitPid(t, pid)
		c.stop()
		if syscall.Kill(child, 0) == nil {
			t.Error("the check still runs")
		}
		if names := r.written(t); len(names) > 0 {
			t.Errorf("left behind: %q", names)
		}
	})
	t.Run("a reload hangs", func(t *testing.T) {
		r := newRig(t, confd, oldBIRD)
		r.useFiles(mesh(2))
		pid := r.ownTemplate(t, "reload_cmd")
		c := r.start(far...)
		child := awaitPid(t, pid)
		c.stop()
		if syscall.Kill(child, 0) == nil {
			t.Error("the reload still runs")
		}
	})
	t.Run("BIRD hangs", func(t *testing.T) {
		r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
		c := r.start(far...)
		r.awaitFiles()
		r.startBirds()
		c.awaitOutput("msg=applied", "state=confirmed")
		bird := birdPid(t, r)
		if err := syscall.Kill(bird, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		r.put(node(3, 0))
		testenv.Eventually(t, patience, "the new file", func() bool { return strings.Contains(readFile(t, r.conf()), "Mesh_10_0_0_3") })
		c.stop()
	})
}

// ownTemplate makes a template folder whose resource has a command that does
// not end, and returns the file that the command writes its process to.
func (r *rig) ownTemplate(t *testing.T, command string) (pid string) {
	t.Helper()
	pid = filepath.Join(r.dir, "pid")
	r.env["CONFD_CONFDIR"] = filepath.Join(r.dir, "confd")
	writeTree(t, r.env["CONFD_CONFDIR"], map[string]string{
		"conf.d/own.toml": "[template]\nsrc = \"own\"\ndest = \"own.conf\"\n" +
			command + " = \"echo $$ >" + pid + ".new; mv " + pid + ".new " + pid + "; exec sleep 1000\"\n",
		"templates/own": "text\n",
	})
	return pid
}

func awaitPid(t *testing.T, path string) int {
	t.Helper()
	testenv.Eventually(t, patience, "the command", func() bool { _, err := os.Stat(path); return err == nil })
	return atoi(t, readFile(t, path))
}

func birdPid(t *testing.T, r *rig) int {
	t.Helper()
	return atoi(t, readFile(t, r.env["CONFD_SOCKET"]+".pid"))
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// connections counts the TCP connections to an address on loopback.
func connections(t *testing.T, address string) int {
	t.Helper()
	_, port, _ := strings.Cut(address, ":")
	text := readFile(t, "/proc/net/tcp")
	return len(linesWith(text, fmt.Sprintf(" 0100007F:%04X 01 ", atoi(t, port))))
}
