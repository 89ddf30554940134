package main_test

import (
	"fmt"
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

	c.kill()
	c = r.start()
	c.awaitOutput("level=ERROR", "quarantined", `object="BGPPeer router-2"`)
	r.awaitQuarantine("BGPPeer", "router-2")

	r.put(routerPeer(2, 65000))
	c.awaitOutput("no longer quarantined", "router-2")
	r.awaitConfigured("Mesh_10_0_0_2", "Node_10_0_9_1", "Node_10_0_9_2", "Node_10_0_9_3")
	r.awaitQuarantine("BGPPeer")
	r.awaitReady()
	if n := r.birds[0].count("Mesh_10_0_0_2: State changed") - moved; n > 0 {
		t.Errorf("the session with another node changed its state %d times", n)
	}
}
