package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
	"confd/internal/testenv"
)

// rack is a router of another maker in the hosts' subnet.
type rack struct {
	routers.Router
	kind    routers.Kind
	machine *lab.Machine
	as      uint32
}

// startRack starts a router on a machine, with a session to each host's IPv4
// address, which has that AS number.
func startRack(t *testing.T, kind routers.Kind, m *lab.Machine, as, nodes uint32, hosts []*lab.Host, change func(*routers.Neighbor)) rack {
	t.Helper()
	c := routers.Config{AS: as, ID: m.IPv4()}
	for _, h := range hosts {
		n := routers.Neighbor{Address: h.IPv4(), Local: m.IPv4(), AS: nodes}
		if change != nil {
			change(&n)
		}
		c.Neighbors = append(c.Neighbors, n)
	}
	return rack{routers.Start(t, kind, m.NS(), c), kind, m, as}
}

// announce has the router announce a prefix.
func (r rack) announce(t *testing.T, prefix string, communities ...string) {
	t.Helper()
	if err := r.Announce(routers.Route{Prefix: netip.MustParsePrefix(prefix), Communities: communities}); err != nil {
		t.Fatal(err)
	}
}

// documented are the resources that a page of the docs shows below a heading.
func documented(t *testing.T, page, heading string) string {
	t.Helper()
	// The store knows the version.
	return strings.ReplaceAll(fenced(t, page, heading, "yaml"), "apiVersion: projectcalico.org/v3\n", "")
}

// fenced is the first block of code in that language below a heading.
func fenced(t *testing.T, page, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, below, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	_, below, ok2 := strings.Cut(below, "\n```"+language+"\n")
	code, _, ok3 := strings.Cut(below, "\n```\n")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("docs/%s has no %s below %q", page, language, heading)
	}
	return code
}

// awaitRoute waits until the machine's kernel has one route to a prefix, by way of
// that gateway; "": until it has none.
func awaitRoute(l *lab.Lab, m *lab.Machine, prefix, gateway string) {
	l.Await("the route to "+prefix+" on "+m.Name, func() error {
		found, err := m.RoutesTo(prefix)
		if err != nil {
			return err
		}
		var got []string
		for _, r := range found {
			got = append(got, fmt.Sprint(r.Gateways))
		}
		var want []string
		if gateway != "" {
			want = []string{"[" + gateway + "]"}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("by way of %v, want %v", got, want)
		}
		return nil
	})
}

const rackPool = `
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never}`

// TestTopOfRack: two nodes of a mesh, and a router of each maker above them, with
// a password and TTL security. Each router hears each block from its own node, with
// its communities, and not what the filter keeps; the nodes take what the filter
// lets in.
func TestTopOfRack(t *testing.T) {
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply(rackPool + `
---
kind: BGPConfiguration
metadata: {name: default}
spec:
  communities: [{name: pods, value: '64512:100'}]
  prefixAdvertisements: [{cidr: 10.244.0.0/16, communities: [pods, '64512:1:2']}]
---
kind: BGPFilter
metadata: {name: internal}
spec:
  exportV4: [{cidr: 10.244.99.0/24, matchOperator: In, action: Reject}]
  importV4: [{cidr: 198.51.100.0/24, matchOperator: In, action: Accept}, {action: Reject}]
---
` + documented(t, "neighbors.md", "Only its own routes"))
	hosts := []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24"}, Blocks: []string{"10.244.1.0/26"}}),
		l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24"}, Blocks: []string{"10.244.2.0/26", "10.244.99.0/26"}, BIRD: "3.1.8"}),
	}
	sessions := map[string][]string{"n1": {"Mesh_10_0_1_12"}, "n2": {"Mesh_10_0_1_11"}}
	var racks []rack
	for i, kind := range routers.Kinds() {
		address := fmt.Sprintf("10.0.1.%d", 21+i)
		as := uint32(65021 + i)
		l.Store.Apply(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: kube-system}\nstringData: {password: secret-%[1]s}", kind))
		l.Store.Apply(fmt.Sprintf(`
kind: BGPPeer
metadata: {name: %s}
spec:
  peerIP: %s
  asNumber: %d
  ttlSecurity: 1
  password: {secretKeyRef: {name: %[1]s, key: password}}
  filters: [own-routes-only, internal]`, kind, address, as))
		r := startRack(t, kind, l.AddMachine(string(kind), "", address+"/24"), as, 64512, hosts, func(n *routers.Neighbor) {
			n.Password, n.TTLSecurity = "secret-"+string(kind), true
		})
		r.announce(t, fmt.Sprintf("198.51.100.%d/32", i))
		r.announce(t, fmt.Sprintf("203.0.113.%d/32", i))
		for _, h := range hosts {
			sessions[h.Name] = append(sessions[h.Name], lab.SessionName("Global", address))
		}
		racks = append(racks, r)
	}
	l.Start()

	for _, h := range hosts {
		h.AwaitSessions(sessions[h.Name]...)
	}
	for i, r := range racks {
		routers.Await(t, r,
			"10.244.1.0/26 via 10.0.1.11 path 64512 communities 64512:100 64512:1:2",
			"10.244.2.0/26 via 10.0.1.12 path 64512 communities 64512:100 64512:1:2")
		for _, h := range hosts {
			awaitRoute(l, h.Machine, fmt.Sprintf("198.51.100.%d/32", i), r.machine.IPv4().String())
			awaitRoute(l, h.Machine, fmt.Sprintf("203.0.113.%d/32", i), "")
		}
	}
	// FRR is the one that forwards, so pods reach it.
	pod := hosts[0].AddWorkload("10.244.1.2")
	l.Await("a ping from the rack's router", func() error { return racks[0].machine.Ping(pod.Addresses[0]) })

	// A password of one router changes, at the nodes only.
	wrong := racks[0]
	before := l.Moment()
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: frr, namespace: kube-system}\nstringData: {password: %s}"
	l.Store.Apply(fmt.Sprintf(secret, "another"))
	name := lab.SessionName("Global", wrong.machine.IPv4().String())
	l.Await("the session with another password to be down", func() error { return down(hosts, name) })
	concerned := func(_ *lab.Host, session string) bool { return session == name }
	before.NoFlap(concerned)
	l.Store.Apply(fmt.Sprintf(secret, "secret-frr"))
	for _, h := range hosts {
		h.AwaitSessions(sessions[h.Name]...)
	}
	before.NoFlap(concerned)
}

// down says which host has the session up.
func down(hosts []*lab.Host, session string) error {
	var up []error
	for _, h := range hosts {
		sessions, err := h.Sessions()
		if err != nil {
			return err
		}
		if sessions[session].Established() {
			up = append(up, fmt.Errorf("it is up on %s", h.Name))
		}
	}
	return errors.Join(up...)
}
