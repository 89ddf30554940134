package main_test

import (
	"fmt"
	"net/http"
	"testing"
)

const (
	fourRemade = "it would remake 4 of 4 established sessions"
	fourTaken  = "it would take away 4 of 4 established sessions"
)

// testKubernetesOutages has things happen to a cluster whose mesh has a password that
// have been outages.
func testKubernetesOutages(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 3)
	r.listen()
	r.startPeers(3, otherAS, `password "hunter2";`)
	const password = `"nodeMeshPassword":{"secretKeyRef":{"name":"bgp","key":"password"}}`
	settings := func(as int, more string) object {
		return configuration(fmt.Sprintf(`"asNumber":%d,%s%s`, as, password, more))
	}
	good := settings(otherAS, "")
	r.apply(kubeSecret("hunter2"), r.calico(good))
	sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
	c := r.startEstablished(sessions)
	r.awaitMemory("sessions", seen(sessions...))
	heals := func(n int, objects ...string) {
		t.Helper()
		r.apply(objects...)
		c.awaitOutputs(n, "nothing is held back any more")
		r.awaitReady()
	}
	r.still("an AS number mistyped", func() {
		r.apply(r.calico(settings(6460, "")))
		r.isHeld(c, 1, fourRemade, "BGPConfiguration default: asNumber was")
		heals(1, r.calico(good))
	})
	r.still("the configuration deleted", func() {
		r.delete(r.calico(good))
		r.isHeld(c, 1, fourRemade, "BGPConfiguration default is gone")
		heals(2, r.calico(good))
	})
	r.still("no addresses", func() {
		r.apply(bareNode(2), bareNode(3))
		r.isHeld(c, 1, fourTaken, "Node node-3")
		heals(3, kubeNode(2), kubeNode(3))
	})
	r.still("another password", func() {
		r.apply(kubeSecret("hunter3"))
		r.isHeld(c, 1, fourRemade, "Secret kube-system/bgp changed")
		heals(4, kubeSecret("hunter2"))
	})
	c = r.outageOfSecret(c)

	off := settings(otherAS, `,"nodeToNodeMeshEnabled":false`)
	r.still("the mesh switched off", func() {
		r.apply(r.calico(off))
		r.isHeld(c, 1, fourTaken, switchedOff)
	})
	r.apply(r.calico(off.annotated("approved", r.report().Held.Hash)))
	r.awaitEstablished()
	r.awaitReady()
	r.apply(r.calico(good.annotated("approved", "nothing")))
	r.awaitEstablished(sessions...)
	r.apply(r.calico(off.announced()))
	c.awaitOutput("level=WARN", "it is announced", "BGPConfiguration default")
	r.awaitEstablished()
	c.stop()
}

// bareNode is a node without addresses.
func bareNode(n int) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: node-%d}}`, n)
}

// outageOfSecret has the Secret of the mesh's password deleted, and unreadable after a
// start. It returns the confd that runs in the end.
func (r *kubeRig) outageOfSecret(c *process) *process {
	r.t.Helper()
	r.stays("the Secret deleted", func() {
		r.delete(kubeSecret(""))
		r.isHeld(c, 1, fourRemade, "Secret kube-system/bgp is gone")
		c.stop()
		c = r.start()
		r.isHeld(c, 1, fourRemade, "Secret kube-system/bgp is gone")
		r.apply(kubeSecret("hunter2"))
		c.awaitOutput("nothing is held back any more")
		r.awaitReady()
	})
	r.stays("the Secret not readable after a start", func() {
		c.stop()
		r.delete(readSecrets)
		c = r.start()
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "Secret kube-system/bgp")
		r.kube.InstallRBAC(r.t, kubeUser)
		r.awaitReady()
	})
	return c
}
