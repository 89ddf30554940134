package lab_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"confd/internal/lab"
	"confd/reload/control"
)

const (
	reflectorLabel = "calico-route-reflector"
	clusterID      = "224.0.0.1"
	peersOfRRs     = `
kind: BGPPeer
metadata: {name: peer-to-rrs}
spec: {nodeSelector: "!has(calico-route-reflector)", peerSelector: has(calico-route-reflector)}
---
kind: BGPPeer
metadata: {name: rrs-to-rrs}
spec: {nodeSelector: has(calico-route-reflector), peerSelector: has(calico-route-reflector)}`
)

// reflect makes a host a route reflector, or an ordinary node again.
func reflect(h *lab.Host, on bool) {
	h.Node.Labels, h.Node.ClusterID = nil, ""
	if on {
		h.Node.Labels, h.Node.ClusterID = map[string]string{reflectorLabel: ""}, clusterID
	}
	h.Node = lab.AnnouncedNode(h.Node)
	h.Publish()
}

// TestReflector: the mesh gives way to one route reflector. The label that makes it
// one is the Kubernetes Node's, or stands where calicoctl stores it.
func TestReflector(t *testing.T) {
	t.Parallel()
	for name, ofCalicoctl := range map[string]bool{"label of the Kubernetes Node": false, "label of calicoctl": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.NewKubernetes(t)
			hosts, pods := build(l, m1(), m2(), m3())
			hosts[0].Node.LabelsOfCalicoctl = ofCalicoctl
			l.Start()
			awaitWhole(l, hosts, pods)
			mesh := l.Moment()

			l.Store.Apply(peersOfRRs)
			reflect(hosts[0], true)
			for _, h := range hosts[1:] {
				h.AwaitSessions(append(h.SessionsWith("Node", hosts[0]), h.SessionsWith("Mesh", hosts[1:]...)...)...)
			}
			mesh.NoFlap(with(hosts[0]))
			reflector := l.Moment()
			l.Store.Apply(lab.Announced(meshOff))
			l.AwaitReflectors(hosts[:1], hosts[1:])
			l.AwaitBlocks(hosts...)
			l.AwaitPings(pods...)
			reflector.NoFlap(func(h *lab.Host, session string) bool { return session[:4] == "Mesh" })
		})
	}
}

// awaitReflected waits until clients have each other's blocks from each reflector: that
// their sessions are up does not say it yet.
func awaitReflected(l *lab.Lab, reflectors, clients []*lab.Host) {
	for _, c := range clients {
		l.Await("the reflectors' routes on "+c.Name, func() error {
			routes, err := c.BirdRoutes()
			if err != nil {
				return err
			}
			for _, o := range clients {
				for _, r := range reflectors {
					session := lab.SessionName("Node", r.IPv4().String())
					has := func(route control.Route) bool { return route.Net == o.Blocks[0] && route.Protocol == session }
					if o != c && !slices.ContainsFunc(routes, has) {
						return fmt.Errorf("%s has not brought %s", session, o.Blocks[0])
					}
				}
			}
			return nil
		})
	}
}

// TestReflectorDies: of two reflectors one dies, and no ping is lost; it comes back,
// and again none is.
func TestReflectorDies(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3(), m4())
	l.Store.Apply(peersOfRRs + "\n---" + meshOff)
	reflect(hosts[0], true)
	reflect(hosts[1], true)
	l.Start()
	l.AwaitReflectors(hosts[:2], hosts[2:])
	awaitReflected(l, hosts[:2], hosts[2:])
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods...)
	before := l.Moment()

	there, back := follow(l, hosts[2], m4().Blocks[0]), follow(l, hosts[3], m3().Blocks[0])
	pings := pods[2].StartPings(pods[3], 20*time.Millisecond)
	pings.AwaitAnswers(1)
	hosts[0].StopBIRD() // in order: its clients are told to forget its routes
	for _, h := range hosts[1:] {
		h.AwaitDown(h.SessionsWith("Node", hosts[0])...)
	}
	l.AwaitBlocks(hosts[1:]...)
	pings.AwaitAnswers(10)
	hosts[0].StartBIRD()
	l.AwaitReflectors(hosts[:2], hosts[2:])
	l.AwaitBlocks(hosts...)
	pings.AwaitAnswers(10)
	noneLost(t, pings, there, back)
	before.NoFlap(with(hosts[0]))
}

// TestMeshToReflectorsAndBack: routes are lost for no longer than the sessions
// need, and those that stay keep theirs.
func TestMeshToReflectorsAndBack(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3(), m4())
	l.Start()
	awaitWhole(l, hosts, pods)

	// Clients keep their mesh until both reflectors serve them, so that nothing
	// between them is lost.
	there, back := follow(l, hosts[2], m4().Blocks[0]), follow(l, hosts[3], m3().Blocks[0])
	pings := pods[2].StartPings(pods[3], 20*time.Millisecond)
	mesh := l.Moment()
	l.Store.Apply(peersOfRRs)
	reflect(hosts[0], true)
	reflect(hosts[1], true)
	for _, h := range hosts[2:] {
		h.AwaitSessions(append(h.SessionsWith("Node", hosts[:2]...), h.SessionsWith("Mesh", hosts[2:]...)...)...)
	}
	mesh.NoFlap(func(h *lab.Host, session string) bool {
		return with(hosts[0])(h, session) || with(hosts[1])(h, session)
	})
	awaitReflected(l, hosts[:2], hosts[2:])
	l.AwaitBlocks(hosts...)
	l.Store.Apply(lab.Announced(meshOff))
	l.AwaitReflectors(hosts[:2], hosts[2:])
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods...)

	l.Store.Apply(lab.Announced(meshOn))
	for _, h := range hosts[2:] {
		h.AwaitSessions(append(h.SessionsWith("Node", hosts[:2]...), h.SessionsWith("Mesh", hosts[2:]...)...)...)
	}
	pings.AwaitAnswers(1)
	noneLost(t, pings, there, back)
	reflect(hosts[0], false)
	reflect(hosts[1], false)
	l.Store.Delete(peersOfRRs)
	awaitWhole(l, hosts, pods)
}
