package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/testenv"
)

// routerPeer is a BGPPeer that leads to a router that is not there. Templates of
// testQuarantine write what no BIRD takes for the AS 65099.
func routerPeer(n, as int) object {
	return peer(fmt.Sprintf("router-%d", n), fmt.Sprintf(`{"node":%q,"peerIP":"10.0.9.%d","asNumber":%d}`, self, n, as))
}

const badAS = 65099

// awaitQuarantine waits until confd says wherever it is asked that these objects
// of a kind are left out, and no others.
func (r *rig) awaitQuarantine(kind string, names ...string) {
	r.t.Helper()
	r.awaitMetric(fmt.Sprintf("confd_quarantined_objects{kind=%q}", kind), float64(len(names)))
	var got []string
	testenv.Eventually(r.t, patience, fmt.Sprintf("the report to name %v", names), func() bool {
		got = nil
		for _, p := range r.report().Quarantined {
			if p.LeftOut && p.Text != "" {
				got = append(got, p.Object)
			}
		}
		var want []string
		for _, n := range names {
			want = append(want, kind+" "+n)
		}
		return slices.Equal(got, want)
	})
}

// testQuarantine has a user's templates make what BIRD refuses of some objects.
func testQuarantine(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 2, mesh4(2)...)
	files := ownTemplates(oldBIRD)
	files["templates/main"] = strings.Replace(files["templates/main"], "  multihop;\n", fmt.Sprintf("  multihop;{{if eq .AS %d}} and what no BIRD takes{{end}}\n", badAS), 1)
	r.useTemplates(files)
	c := r.startEstablished(mesh4Sessions(2))
	moved := r.birds[0].count("Mesh_10_0_0_2: State changed")

	r.put(routerPeer(1, 65000), routerPeer(2, badAS), routerPeer(3, 65000))
	c.awaitOutput("level=ERROR", "quarantined", `object="BGPPeer router-2"`, r.conf()+":", "syntax error")
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_1", "Node_10_0_9_3")
	r.awaitQuarantine("BGPPeer", "router-2")
	r.awaitReady()

	r.put(routerPeer(4, 65000)) // another change goes live meanwhile
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_1", "Node_10_0_9_3", "Node_10_0_9_4")
	r.put(routerPeer(1, badAS)) // one that was good goes bad: two at once
	c.awaitOutput("level=ERROR", "quarantined", `object="BGPPeer router-1"`)
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_3", "Node_10_0_9_4")
	r.awaitQuarantine("BGPPeer", "router-1", "router-2")
	if n := len(linesWith(c.output(), "quarantined: ", "router-2")); n != 1 {
		t.Errorf("router-2 was named %d times", n)
	}

	c.kill()
	c = r.start()
	c.awaitOutput("level=ERROR", "quarantined", `object="BGPPeer router-1"`)
	c.awaitOutput("level=ERROR", "quarantined", `object="BGPPeer router-2"`)
	r.awaitQuarantine("BGPPeer", "router-1", "router-2")

	r.put(routerPeer(2, 65000))
	c.awaitOutput("no longer quarantined", "router-2")
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_2", "Node_10_0_9_3", "Node_10_0_9_4")
	r.awaitQuarantine("BGPPeer", "router-1")
	r.remove(routerPeer(1, badAS))
	c.awaitOutput("no longer quarantined", "router-1")
	r.awaitQuarantine("BGPPeer")
	r.awaitReady()
	if n := r.birds[0].count("Mesh_10_0_0_2: State changed") - moved; n > 0 {
		t.Errorf("the session with another node changed its state %d times", n)
	}
}

// testQuarantineTwo has two objects go bad at the same moment, before BIRD has
// anything of ours.
func testQuarantineTwo(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 2, mesh4(2)...)
	files := ownTemplates(oldBIRD)
	files["templates/main"] = strings.Replace(files["templates/main"], "  multihop;\n", fmt.Sprintf("  multihop;{{if eq .AS %d}} and what no BIRD takes{{end}}\n", badAS), 1)
	r.useTemplates(files)
	r.put(routerPeer(1, badAS), routerPeer(2, 65000), routerPeer(3, badAS))
	c := r.startEstablished(mesh4Sessions(2))
	r.awaitQuarantine("BGPPeer", "router-1", "router-3")
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_2")
	r.still("held besides", func() {
		r.put(meshIs(false))
		r.isHeld(c, 1, "it would take away 1 of 1 established sessions", switchedOff)
	})
	r.putBlock("10.128.1.0-26") // what has nothing to do with either does not wait
	r.awaitBlock("10.128.1.0/26")
	r.isHeld(c, 1, "it would take away 1 of 1 established sessions", switchedOff)
	r.awaitQuarantine("BGPPeer", "router-1", "router-3")
	r.put(meshIs(true))
	r.awaitReady()
	r.awaitQuarantine("BGPPeer", "router-1", "router-3")
	if n := c.count("no longer quarantined"); n > 0 {
		t.Errorf("an object was taken back %d times", n)
	}
}

// testQuarantinePool gives Debian's BIRD 1.6 a pool with IPIP, which only
// Calico's own knows.
func testQuarantinePool(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, "1.6.8", 2, append(mesh(2), configuration(`"programClusterRoutes":"Enabled"`))...)
	sessions := []string{"Mesh_10_0_0_2", "Mesh_fd00__2"}
	c := r.startEstablished(sessions)
	r.put(pool("Always"))
	c.awaitOutput("level=ERROR", "quarantined", `object="IPPool workloads"`, r.conf()+":")
	r.awaitQuarantine("IPPool", "workloads")
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
	r.put(pool("Never"))
	c.awaitOutput("no longer quarantined", "IPPool workloads")
	r.awaitQuarantine("IPPool")
	r.awaitEstablished(sessions...)
	r.awaitReady()
}

// testRestartNeeded changes what BIRD 1 takes only when it starts.
func testRestartNeeded(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, "1.6.8", 2, mesh(2)...)
	c := r.startEstablished([]string{"Mesh_10_0_0_2", "Mesh_fd00__2"})
	settings := []string{"IPv4 listening port: 1179 in place of 179", "IPv6 listening port: 1179 in place of 179"}
	needed := func(want int) {
		t.Helper()
		for i, set := range []string{"bird", "bird6"} {
			if want == 1 {
				c.awaitOutput("level=WARN", "must be restarted", "set="+set, settings[i])
			}
			r.awaitMetric(fmt.Sprintf("confd_config_restart_needed{set=%q}", set), float64(want))
		}
		testenv.Eventually(t, patience, "the report to say what BIRD must be restarted for", func() bool {
			var got []string
			for _, s := range r.report().Sets {
				got = append(got, s.RestartNeeded...)
			}
			return want == 0 && len(got) == 0 || want == 1 && slices.Equal(got, settings)
		})
	}
	needed(0)
	r.put(configuration(`"listenPort":1179`))
	needed(1)
	r.put(node(3, 0)) // another change makes it no better
	r.awaitMesh(2, 3)
	needed(1)
	if n := c.count("must be restarted"); n != 2 {
		t.Errorf("it was said %d times of two daemons", n)
	}
	c.stop()
	c = r.start()
	needed(1)
	r.killBirds()
	r.startBirds()
	needed(0)
	r.awaitMesh(2, 3)
	c.stop()
	c = r.start()
	r.awaitReady()
	needed(0)
	if n := c.count("must be restarted"); n > 0 {
		t.Error("a BIRD that was restarted is said to need it")
	}
	if text := readFile(t, filepath.Join(r.env["CONFD_BIRD_DIR"], "bird.cfg")); !strings.Contains(text, "1179") {
		t.Error("the file does not have the port")
	}
}
