package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

// passed is what confd says of a change that has passed its trial.
const passed = "confirmed: the sessions stayed up"

// ownTemplates are templates of a user's, for one version of BIRD. A node of the
// AS 65077 makes the password of the IPv4 session with node 2 a wrong one.
func ownTemplates(version string) map[string]string {
	const bird1, other = "import all; export none;", "ipv{{$v}} { import all; export none; };"
	channel := other
	files := map[string]string{"conf.d/bird.toml": "[template]\nsrc = \"main\"\ndest = \"bird.conf\"\ndaemon = \"bird\"\n"}
	if strings.HasPrefix(version, "1.") {
		channel = bird1
		for family, daemon := range map[int]string{4: "bird", 6: "bird6"} {
			files["conf.d/"+daemon+".toml"] = fmt.Sprintf("[template]\nsrc = \"main\"\ndest = \"%[1]s.cfg\"\ndaemon = \"%[1]s\"\nfamily = %[2]d\n", daemon, family)
		}
	}
	files["templates/main"] = `# A user's own, for {{range .Families}}{{range .Export.Blocks}}{{.}} {{end}}{{end}}
{{$bad := false}}{{range .Families}}{{range .Sessions}}{{if eq .AS 65077}}{{$bad = true}}{{end}}{{end}}{{end -}}
router id {{.RouterID}};
protocol device {}
{{range .Families}}{{$v := .Version}}{{range .Sessions}}
protocol bgp {{.Name}} {
  debug { states };
  local {{.Source}} as {{.LocalAS}};
  neighbor {{.Neighbor}} as {{.AS}};
  multihop;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 1;
{{- if and $bad (eq .PeerNode "node-2") (eq $v 4)}}
  password "wrong";
{{- end}}
  ` + channel + `
}
{{end}}{{end}}`
	return files
}

// useTemplates has confd use templates.
func (r *rig) useTemplates(files map[string]string) {
	r.t.Helper()
	r.env["CONFD_CONFDIR"] = filepath.Join(r.dir, "confd")
	writeTree(r.t, r.env["CONFD_CONFDIR"], files)
}

// filtered are three peers with a filter whose rules are given.
func filtered(rules string) []object {
	objects := []object{pool("Never"), meshIs(false), lone(1), lone(2), lone(3), lone(4), filterObject(rules)}
	for n := 2; n <= 4; n++ {
		objects = append(objects, filteredPeer(n, ""))
	}
	return objects
}

func filterObject(rules string) object {
	return object{kind: "BGPFilter", name: "rules", spec: `{"exportV4":[` + rules + `]}`}
}

// filteredPeer is the BGPPeer that leads to node n; more is the end of its spec.
func filteredPeer(n int, more string) object {
	return peer(fmt.Sprintf("peer-%d", n), fmt.Sprintf(`{"node":%q,"peerIP":"10.0.0.%d","asNumber":64512,"filters":["rules"]%s}`, self, n, more))
}

func reject(cidr string) string {
	return fmt.Sprintf(`{"action":"Reject","matchOperator":"In","cidr":%q}`, cidr)
}

// testGuardPasses has changes pass their trial, which do by intent what they do.
func testGuardPasses(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, filtered(reject("10.128.1.0/24"))...)
	c := r.startEstablished([]string{"Node_10_0_0_2", "Node_10_0_0_3", "Node_10_0_0_4"}, "--guard", "2s", "--min-interval", "100ms")
	trials := 0
	passes := func(put func()) {
		t.Helper()
		trials++
		put()
		c.awaitOutputs(trials, "msg=applied", "state=\"on trial\"")
	}
	passes(func() { r.put(filterObject(reject("10.128.2.0/24"))) })
	r.awaitMetric(`confd_config_on_trial{set="bird"}`, 1)
	began, cpu := time.Now(), cpuTime(t, c)
	passes(func() { r.put(filterObject(reject("10.128.3.0/24"))) }) // waits for the end of the first
	if busy, took := cpuTime(t, c)-cpu, time.Since(began); busy > took/2 {
		t.Errorf("it worked for %s of the %s that it waited", busy, took)
	}
	if n := c.count(passed); n < 1 {
		t.Error("the second change did not wait for the first one's end")
	}
	c.awaitOutputs(2, passed)
	passes(func() { r.put(filteredPeer(3, `,"keepaliveTime":"7s"`)) })
	c.awaitOutputs(3, passed)
	passes(func() { r.remove(filteredPeer(4, "")) })
	c.awaitOutputs(4, passed)
	r.awaitEstablished("Node_10_0_0_2", "Node_10_0_0_3")
	c.awaitOutput("msg=applied", `restarted="1 [Node_10_0_0_3]"`)
	c.awaitOutput("msg=applied", `removed="1 [Node_10_0_0_4]"`)
	r.awaitReady()
	if n := r.metric(`confd_reloads_total{result="confirmed",set="bird"}`); n < 4 {
		t.Errorf("%v reloads were counted as confirmed", n)
	}
	if n := c.count("level=ERROR"); n > 0 {
		t.Error("there are errors in the log")
	}
}

// cpuTime is how long a process has worked.
func cpuTime(t *testing.T, p *process) time.Duration {
	t.Helper()
	stat := readFile(t, fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	fields := strings.Fields(stat[strings.LastIndex(stat, ")"):])
	var ticks int
	for _, i := range []int{12, 13} { // user and system, in hundredths of a second
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// testGuardUndoes has the change of one node break the session with another one.
func testGuardUndoes(t *testing.T, confd string) {
	for _, version := range []string{oldBIRD, "1.6.8"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newPeeredRig(t, confd, version, 3, mesh(3)...)
			r.useTemplates(ownTemplates(version))
			sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
			c := r.startEstablished(sessions, "--guard", "2s", "--min-interval", "100ms")
			guardUndoes(r, c, sessions)
		})
	}
}

func guardUndoes(r *rig, c *process, sessions []string) {
	r.t.Helper()
	text := readFile(r.t, r.conf())
	const why = "have not come up again"
	bad := node(3, 65077)
	r.put(bad)
	c.awaitOutput("msg=applied", `state="on trial"`, "set=bird ")
	c.awaitOutput("level=ERROR", "held back", why, "Node node-3")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", "undone", why, "Node node-3")
	r.awaitMetric("confd_held", 1)
	r.awaitMetric(`confd_reloads_total{result="undone",set="bird"}`, 1)
	r.awaitEstablished(sessions...)
	r.awaitFile(text)
	if strings.Contains(r.allConfs(), "65077") {
		r.t.Error("the change that failed is still on disk")
	}

	r.putBlock("10.128.1.0-26") // what has nothing to do with it does not wait
	r.awaitBlock("10.128.1.0/26")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", "undone", why, "Node node-3")
	if strings.Contains(r.allConfs(), "65077") || c.count("a change is held back") != 1 {
		r.t.Error("the change that failed was tried again")
	}
	r.put(node(3, 0)) // it heals
	c.awaitOutput("what failed its trial has changed")
	r.awaitReady()
	r.put(node(4, 0)) // another change is tried, and passes
	c.awaitOutput("msg=applied", `added="2 [Mesh_10_0_0_4 Mesh_fd00__4]"`)
	r.awaitReady()
	for _, d := range r.daemons() {
		if text := readFile(r.t, r.file(d.conf)); !strings.Contains(text, "node-4") && !strings.Contains(text, "_4 {") {
			r.t.Errorf("%s has no session with node 4", d.conf)
		}
	}
	if n := c.count("on trial: "); n > 0 || c.count("not put right") > 0 {
		r.t.Error("a trial was forgotten")
	}
}

// awaitFile waits until BIRD's file is this text.
func (r *rig) awaitFile(text string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "the file from before", func() bool {
		now, err := os.ReadFile(r.conf())
		return err == nil && string(now) == text
	})
}

// allConfs is the text of all BIRDs' files.
func (r *rig) allConfs() string {
	r.t.Helper()
	var text strings.Builder
	for _, d := range r.daemons() {
		text.WriteString(readFile(r.t, r.file(d.conf)))
	}
	return text.String()
}

// testGuardApproved has somebody want a change that has failed its trial, and
// restarts confd before.
func testGuardApproved(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh(3)...)
	r.useTemplates(ownTemplates(oldBIRD))
	guarded := []string{"--guard", "2s", "--min-interval", "100ms"}
	sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
	c := r.startEstablished(sessions, guarded...)
	r.put(node(3, 65077))
	const why = "have not come up again"
	c.awaitOutput("level=ERROR", "held back", why)
	r.awaitEstablished(sessions...)
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, why)
	r.stays("restarted", func() {
		c.stop()
		c = r.start(guarded...)
		c.awaitOutput("level=ERROR", "held back", why)
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, why)
	})
	if got := r.once("approve"); got.code != 0 || len(linesWith(got.stdout, "approved", why)) == 0 {
		t.Errorf("approve says %+v", got)
	}
	r.awaitEstablished("Mesh_fd00__2")
	r.awaitReady()
}

// testGuardAndHold has a change wait that takes all sessions away, while another
// one is held since it has failed its trial.
func testGuardAndHold(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh(3)...)
	r.useTemplates(ownTemplates(oldBIRD))
	sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
	c := r.startEstablished(sessions, "--guard", "2s", "--min-interval", "100ms")
	const failed = "went down: Mesh_10_0_0_2"
	const lost = "it would take away 4 of 4 established sessions"
	r.put(node(3, 65077))
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", failed)
	r.awaitEstablished(sessions...)
	r.still("held, too", func() {
		r.put(meshIs(false))
		r.isHeld(c, 1, lost, "BGPConfiguration default")
		r.put(meshIs(true))
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", failed, "Node node-3")
	})
	r.put(meshIs(false))
	r.isHeld(c, 2, lost, "BGPConfiguration default")
	if got := r.once("approve"); got.code != 0 || !strings.Contains(got.stdout, lost) {
		t.Errorf("approve says %+v", got)
	}
	r.awaitEstablished()
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", failed) // nobody has approved that
	r.put(node(3, 0))
	r.awaitReady()
}

// testGuardHealed heals a change while it is still on trial.
func testGuardHealed(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh(3)...)
	r.useTemplates(ownTemplates(oldBIRD))
	sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
	c := r.startEstablished(sessions, "--guard", "4s", "--min-interval", "100ms")
	r.put(node(4, 0))
	c.awaitOutput("msg=applied", `state="on trial"`)
	peer2 := filepath.Join(r.dir, "peer2.ctl")
	if _, err := testenv.Birdc(peer2, "disable one4"); err != nil { // what kills it has nothing to do with us
		t.Fatal(err)
	}
	r.remove(node(4, 0))
	r.put(node(5, 0))
	c.awaitOutput("level=ERROR", "held back", "went down: Mesh_10_0_0_2", "Node node-4")
	c.awaitOutput("what failed its trial has changed", "Node node-4")
	r.awaitMesh(2, 3, 5)
	if _, err := testenv.Birdc(peer2, "enable one4"); err != nil {
		t.Fatal(err)
	}
	r.awaitEstablished(sessions...)
	r.awaitReady()
}

// testGuardKilled kills confd in the middle of a trial: the next one goes on with it,
// or, where BIRD has gone back meanwhile, tries the change again.
func testGuardKilled(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	guarded := []string{"--guard", "2s"}
	c := r.startEstablished(mesh4Sessions(2, 3), guarded...)
	tryAndKill := func(block string) {
		t.Helper()
		r.putBlock(strings.ReplaceAll(block, "/", "-"))
		c.awaitOutput("msg=applied", `state="on trial"`)
		c.kill()
		if !strings.Contains(readFile(t, r.conf()), block) {
			t.Errorf("block %s is not on disk", block)
		}
	}
	tryAndKill("10.128.1.0/26")
	c = r.start(guarded...)
	c.awaitOutput("going on with a trial from before the start")
	c.awaitOutput(passed)
	r.awaitReady()
	if text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "configure confirm"); err != nil || !strings.Contains(text, "Nothing") {
		t.Errorf("BIRD still waits for a word: %q, %v", text, err)
	}
	tryAndKill("10.128.2.0/26")
	testenv.Eventually(t, patience, "BIRD to go back by itself", func() bool { return r.birds[0].count("Config timeout expired") > 0 })
	c = r.start(guarded...)
	c.awaitOutput("a trial from before the start is over")
	c.awaitOutput("msg=applied", `state="on trial"`)
	c.awaitOutput(passed)
	r.awaitBlock("10.128.2.0/26")
	r.awaitReady()
	r.awaitEstablished(mesh4Sessions(2, 3)...)
}

// awaitConfigured waits until BIRD has these sessions, up or not.
func (r *rig) awaitConfigured(want ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("the sessions %v", want), func() bool {
		return strings.Join(r.sessions(), " ") == strings.Join(want, " ")
	})
}

// testGuardTemplates changes templates while a change is on trial.
func testGuardTemplates(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	files := ownTemplates(oldBIRD)
	r.useTemplates(files)
	c := r.startEstablished(mesh4Sessions(2, 3), "--guard", "2s")
	r.put(lone(4))
	c.awaitOutput("msg=applied", `state="on trial"`)
	files["templates/main"] += "# And more.\n"
	writeTree(t, r.env["CONFD_CONFDIR"], files)
	c.awaitOutput("templates changed")
	if c.count(passed) > 0 {
		t.Skip("the machine is too slow: the trial was over before")
	}
	testenv.Eventually(t, patience, "what the changed templates write", func() bool { return strings.Contains(readFile(t, r.conf()), "# And more.") })
	r.awaitEstablished(mesh4Sessions(2, 3)...)
}
