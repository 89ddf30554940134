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

// startRack starts a router on a machine, with a session to each host in each family
// that both have an address of. The hosts have that AS number.
func startRack(t *testing.T, kind routers.Kind, m *lab.Machine, as, nodes uint32, hosts []*lab.Host, change func(*routers.Neighbor)) rack {
	t.Helper()
	c := routers.Config{AS: as, ID: m.IPv4()}
	for _, h := range hosts {
		for _, n := range []routers.Neighbor{{Address: h.IPv4(), Local: m.IPv4(), AS: nodes}, {Address: h.IPv6(), Local: m.IPv6(), AS: nodes}} {
			if !n.Address.IsValid() || !n.Local.IsValid() {
				continue
			}
			if change != nil {
				change(&n)
			}
			c.Neighbors = append(c.Neighbors, n)
		}
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

// linkLocal is the link-local address of a machine's interface. A router that is in a
// node's subnet may say it beside the global one (RFC 2545), and BIRD takes it then.
func linkLocal(t *testing.T, m *lab.Machine, device string) string {
	t.Helper()
	fields := strings.Fields(m.IP("-6 -brief address show dev", device, "scope link"))
	if len(fields) < 3 {
		t.Fatalf("%s of %s has no link-local address: %q", device, m.Name, fields)
	}
	return netip.MustParsePrefix(fields[2]).Addr().String()
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
// one of those gateways; "": until it has none.
func awaitRoute(l *lab.Lab, m *lab.Machine, prefix string, gateways ...string) {
	l.Await("the route to "+prefix+" on "+m.Name, func() error {
		found, err := m.RoutesTo(prefix)
		if err != nil {
			return err
		}
		var got []string
		for _, r := range found {
			got = append(got, fmt.Sprint(r.Gateways))
		}
		for _, gateway := range gateways {
			var want []string
			if gateway != "" {
				want = []string{"[" + gateway + "]"}
			}
			if slices.Equal(got, want) {
				return nil
			}
		}
		return fmt.Errorf("by way of %v, want one of %q", got, gateways)
	})
}

const rackPool = `
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never}`

const rackPool6 = `
kind: IPPool
metadata: {name: pods6}
spec: {cidr: 'fd00:f4::/48', ipipMode: Never, vxlanMode: Never, blockSize: 122}`

// TestTopOfRack: two nodes of a mesh, and a router of each maker above them, over IPv4
// and over IPv6, with a password and TTL security. Each router hears each block from its
// own node, with its communities, and not what the filter keeps; the nodes take what the
// filter lets in.
func TestTopOfRack(t *testing.T) {
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "10.0.1.0/24", "fd00:1::/64")
	l.Store.Apply(rackPool + "\n---" + rackPool6 + `
---
kind: BGPConfiguration
metadata: {name: default}
spec:
  communities: [{name: pods, value: '64512:100'}]
  prefixAdvertisements:
  - {cidr: 10.244.0.0/16, communities: [pods, '64512:1:2']}
  - {cidr: 'fd00:f4::/48', communities: [pods, '64512:1:2']}
---
kind: BGPFilter
metadata: {name: internal}
spec:
  exportV4: [{cidr: 10.244.99.0/24, matchOperator: In, action: Reject}]
  importV4: [{cidr: 198.51.100.0/24, matchOperator: In, action: Accept}, {action: Reject}]
  exportV6: [{cidr: 'fd00:f4:0:99::/64', matchOperator: In, action: Reject}]
  importV6: [{cidr: '2001:db8:100::/64', matchOperator: In, action: Accept}, {action: Reject}]
---
` + documented(t, "neighbors.md", "Only its own routes"))
	hosts := []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24", "fd00:1::11/64"}, Blocks: []string{"10.244.1.0/26", "fd00:f4:0:1::/122"}}),
		l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24", "fd00:1::12/64"}, BIRD: "3.1.8",
			Blocks: []string{"10.244.2.0/26", "10.244.99.0/26", "fd00:f4:0:2::/122", "fd00:f4:0:99::/122"}}),
	}
	sessions := map[string][]string{"n1": {"Mesh_10_0_1_12", "Mesh_fd00_1__12"}, "n2": {"Mesh_10_0_1_11", "Mesh_fd00_1__11"}}
	var racks []rack
	for i, kind := range routers.Kinds() {
		addresses := []string{fmt.Sprintf("10.0.1.%d", 21+i), fmt.Sprintf("fd00:1::%d", 21+i)}
		as := uint32(65021 + i)
		l.Store.Apply(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: kube-system}\nstringData: {password: secret-%[1]s}", kind))
		for i, address := range addresses {
			l.Store.Apply(fmt.Sprintf(`
kind: BGPPeer
metadata: {name: %s-%d}
spec:
  peerIP: '%s'
  asNumber: %d
  ttlSecurity: 1
  password: {secretKeyRef: {name: %[1]s, key: password}}
  filters: [own-routes-only, internal]`, kind, i, address, as))
			for _, h := range hosts {
				sessions[h.Name] = append(sessions[h.Name], lab.SessionName("Global", address))
			}
		}
		r := startRack(t, kind, l.AddMachine(string(kind), "", addresses[0]+"/24", addresses[1]+"/64"), as, 64512, hosts, func(n *routers.Neighbor) {
			n.Password, n.TTLSecurity = "secret-"+string(kind), true
		})
		for _, net := range []string{"198.51.100.%d/32", "203.0.113.%d/32", "2001:db8:100::%d/128", "2001:db8:200::%d/128"} {
			r.announce(t, fmt.Sprintf(net, i))
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
			"10.244.2.0/26 via 10.0.1.12 path 64512 communities 64512:100 64512:1:2",
			"fd00:f4:0:1::/122 via fd00:1::11 path 64512 communities 64512:100 64512:1:2",
			"fd00:f4:0:2::/122 via fd00:1::12 path 64512 communities 64512:100 64512:1:2")
		for _, h := range hosts {
			awaitRoute(l, h.Machine, fmt.Sprintf("198.51.100.%d/32", i), r.machine.IPv4().String())
			awaitRoute(l, h.Machine, fmt.Sprintf("203.0.113.%d/32", i), "")
			awaitRoute(l, h.Machine, fmt.Sprintf("2001:db8:100::%d/128", i), r.machine.IPv6().String(), linkLocal(t, r.machine, "eth0"))
			awaitRoute(l, h.Machine, fmt.Sprintf("2001:db8:200::%d/128", i), "")
		}
	}
	for _, h := range hosts {
		awaitWrong(l, h) // nothing, with next hops of all kinds
	}
	// FRR is the one that forwards, so pods reach it.
	pod := hosts[0].AddWorkload("10.244.1.2", "fd00:f4:0:1::2")
	for _, address := range pod.Addresses {
		l.Await("a ping from the rack's router", func() error { return racks[0].machine.Ping(address) })
	}

	// A password of one router changes, at the nodes only.
	wrong := racks[0]
	before := l.Moment()
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: frr, namespace: kube-system}\nstringData: {password: %s}"
	l.Store.Apply(fmt.Sprintf(secret, "another"))
	names := []string{lab.SessionName("Global", wrong.machine.IPv4().String()), lab.SessionName("Global", wrong.machine.IPv6().String())}
	for _, name := range names {
		l.Await("the session with another password to be down", func() error { return down(hosts, name) })
	}
	concerned := func(_ *lab.Host, session string) bool { return slices.Contains(names, session) }
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
