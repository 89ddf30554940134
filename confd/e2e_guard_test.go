package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// testGuardKilled kills confd in the middle of a trial: the next one goes on with it.
func testGuardKilled(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	guarded := []string{"--guard", "3s"}
	c := r.startEstablished(mesh4Sessions(2, 3), guarded...)
	r.putBlock("10.128.1.0-26")
	c.awaitOutput("msg=applied", `state="on trial"`)
	c.kill()
	r.awaitBlock("10.128.1.0/26")
	c = r.start(guarded...)
	c.awaitOutput("going on with a trial from before the start")
	c.awaitOutput(passed)
	r.awaitReady()
	if text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "configure confirm"); err != nil || !strings.Contains(text, "Nothing") {
		t.Errorf("BIRD still waits for a word: %q, %v", text, err)
	}
	r.awaitBlock("10.128.1.0/26")
	r.awaitEstablished(mesh4Sessions(2, 3)...)
}

// awaitConfigured waits until BIRD has these sessions, up or not.
func (r *rig) awaitConfigured(want ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("the sessions %v", want), func() bool {
		return strings.Join(r.sessions(), " ") == strings.Join(want, " ")
	})
}
