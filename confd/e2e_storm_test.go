package main_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"confd/internal/testenv"
)

// testManyChanges adds and deletes nodes, 1000 in ten seconds.
func testManyChanges(t *testing.T, confd string) {
	const changes, first, slots = 1000, 10, 20
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	reloads := r.reconfigured()
	began := time.Now()
	there := map[int]bool{2: true}
	for i := range changes {
		// At least ten seconds, however fast etcd is.
		time.Sleep(time.Until(began.Add(time.Duration(i+1) * 10 * time.Second / changes)))
		n := first + i%slots
		if there[n] {
			r.remove(node(n, 0))
		} else {
			r.put(node(n, 0))
		}
		there[n] = !there[n]
	}
	took := time.Since(began)
	r.put(node(first+slots, 0))
	last := time.Now()
	nodes := []int{2, first + slots}
	for n := first; n < first+slots; n++ {
		if there[n] {
			nodes = append(nodes, n)
		}
	}
	r.awaitMesh(nodes...)
	live := time.Since(last)
	r.awaitReady()
	n := r.reconfigured() - reloads
	t.Logf("%d reloads for %d changes in %s; the last change was live after %s", n, changes+1, took.Round(time.Millisecond), live.Round(time.Millisecond))
	// One a second, the first at once, until the last change is live.
	if most := int((took + live).Seconds()) + 1; n > most {
		t.Errorf("%d reloads in %s: want %d at most", n, took+live, most)
	}
	if n < 5 {
		t.Errorf("%d reloads: changes had to wait for the end of the storm", n)
	}
	c.stop()
}

// serviceObjects are a Service of this node's that is announced, and what says
// that it has an endpoint here.
func serviceObjects() (service, endpoint string) {
	service = `---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: ClusterIP, clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], externalIPs: [192.0.2.10], externalTrafficPolicy: Local, ports: [{port: 80}]}
`
	endpoint = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.128.0.1], nodeName: node-1, conditions: {ready: true}}]
ports: [{port: 80}]
`
	return service, endpoint
}

// testWithdrawals has a change that concerns all nodes put off for an hour, and
// routes of this node's going meanwhile.
func testWithdrawals(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD).listen()
	r.lab = testenv.NewLab(t, host("a", 1))
	objects := append(mesh(2), object{kind: "BGPConfiguration", name: "default", spec: `{"serviceExternalIPs":[{"cidr":"192.0.2.0/24"}]}`})
	block := object{kind: "BlockAffinity", name: "block", spec: `{"state":"confirmed","node":"node-1","cidr":"10.128.7.0/26","deleted":"false"}`}
	service, endpoint := serviceObjects()
	hasBlock, hasEndpoint := true, true
	write := func() {
		all, more := slices.Clone(objects), []string{service}
		if hasBlock {
			all = append(all, block)
		}
		if hasEndpoint {
			more = append(more, endpoint)
		}
		r.useFiles(all, more...)
	}
	write()
	c := r.start("--splay", "1h")
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	withdraw := func(route string, gone func()) {
		t.Helper()
		r.awaitConf(route, true)
		name, neighbor := "rack-"+route[:4], fmt.Sprintf("10.0.9.%d", len(objects))
		applied := c.count("msg=applied")
		objects = append(objects, peer(name, fmt.Sprintf(`{"peerIP":%q,"asNumber":64999}`, neighbor)))
		write()
		testenv.Eventually(t, patience, "the new peer to wait", func() bool { return r.metric("confd_pending_age_seconds") > 0 })
		if n := c.count("msg=applied") - applied; n > 0 {
			t.Errorf("%s was not put off", name)
		}
		gone()
		write()
		r.awaitConf(route, false)
		r.awaitConf(neighbor, true)
		r.awaitMetric("confd_pending_age_seconds", 0)
		c.awaitOutput("msg=applied", "BGPPeer "+name)
	}
	withdraw("192.0.2.10/32", func() { hasEndpoint = false })
	withdraw("10.128.7.0/26", func() { hasBlock = false })
	r.awaitReady()
	c.stop()
}
