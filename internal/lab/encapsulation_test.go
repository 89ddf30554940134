package lab_test

import (
	"net/netip"
	"testing"

	"confd/internal/lab"
)

// The pools of the encapsulation tests, and the nth host's block in each.
const fourPools = `
kind: IPPool
metadata: {name: plain}
spec: {cidr: 10.244.0.0/16}
---
kind: IPPool
metadata: {name: ipip}
spec: {cidr: 10.245.0.0/16, ipipMode: Always}
---
kind: IPPool
metadata: {name: ipip-cross-subnet}
spec: {cidr: 10.246.0.0/16, ipipMode: CrossSubnet}
---
kind: IPPool
metadata: {name: vxlan}
spec: {cidr: 10.247.0.0/16, vxlanMode: Always}`

var blockOf = map[string][3]string{
	"plain": {"10.244.0.0/26", "10.244.0.64/26", "10.244.0.128/26"},
	"ipip":  {"10.245.0.0/26", "10.245.0.64/26", "10.245.0.128/26"},
	"cross": {"10.246.0.0/26", "10.246.0.64/26", "10.246.0.128/26"},
	"vxlan": {"10.247.0.0/26", "10.247.0.64/26", "10.247.0.128/26"},
}

// buildEncapsulated makes three hosts, two in one subnet, with a block of each pool;
// Felix has done its part for the pools with encapsulation.
func buildEncapsulated(l *lab.Lab, version string) []*lab.Host {
	l.AddSubnet("rack1", "10.0.1.0/24")
	l.AddSubnet("rack2", "10.0.2.0/24")
	l.Store.Apply(fourPools)
	vteps := map[*lab.Host]string{}
	for i, c := range []lab.HostConfig{
		{Name: "a", Subnet: "rack1", Addresses: []string{"10.0.1.10/24"}},
		{Name: "b", Subnet: "rack1", Addresses: []string{"10.0.1.11/24"}},
		{Name: "c", Subnet: "rack2", Addresses: []string{"10.0.2.12/24"}},
	} {
		c.BIRD = version
		for _, blocks := range blockOf {
			c.Blocks = append(c.Blocks, blocks[i])
		}
		h := l.AddHost(c)
		h.AddTunl0()
		vteps[h] = netip.MustParsePrefix(blockOf["vxlan"][i]).Addr().String()
		l.Router.IP("route add", blockOf["plain"][i], "via", h.IPv4().String())
	}
	l.AddVXLAN(vteps)
	for _, h := range l.Hosts {
		for i, o := range l.Hosts {
			if o == h {
				continue
			}
			h.FelixRoute(blockOf["ipip"][i], o.IPv4().String(), "tunl0")
			h.FelixRoute(blockOf["vxlan"][i], vteps[o], "vxlan.calico")
			device := "eth0"
			if h.Addresses[0].Masked() != o.Addresses[0].Masked() {
				device = "tunl0"
			}
			h.FelixRoute(blockOf["cross"][i], o.IPv4().String(), device)
		}
	}
	return l.Hosts
}

// TestWhoPrograms: for each pool, and each value of programClusterRoutes, the routes
// to other nodes' blocks are BIRD's or Felix's, and never both's.
func TestWhoPrograms(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts := buildEncapsulated(l, version)
			var plain, vxlan []*lab.Workload
			for i, h := range hosts {
				plain = append(plain, h.AddWorkload(netip.MustParsePrefix(blockOf["plain"][i]).Addr().Next().String()))
				vxlan = append(vxlan, h.AddWorkload(netip.MustParsePrefix(blockOf["vxlan"][i]).Addr().Next().String()))
			}
			l.Start()
			l.AwaitMesh(hosts...)
			start := l.Moment()
			for _, step := range []struct {
				value  string
				byBIRD bool // the pool without encapsulation
				tunnel bool // stock BIRD cannot make IPIP routes, and it is said
			}{
				{"EnabledNoEncapOnly", true, false}, {"Disabled", false, false}, {"Enabled", true, true}, {"EnabledIPIPOnly", false, true}, {"none of these", true, false},
			} {
				l.Store.Apply(lab.Announced("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {programClusterRoutes: " + step.value + "}"))
				if step.tunnel { // the pools are left out, and all else goes on
					hosts[0].Confd.AwaitLog("quarantined")
				}
				awaitProgrammers(l, hosts, step.byBIRD)
				if step.byBIRD {
					l.AwaitPings(plain...)
				}
				l.AwaitPings(vxlan...)
			}
			start.NoFlap(nil)
		})
	}
}

func awaitProgrammers(l *lab.Lab, hosts []*lab.Host, plainByBIRD bool) {
	for _, h := range hosts {
		for i, o := range hosts {
			if o == h {
				continue
			}
			for pool, blocks := range blockOf {
				block := netip.MustParsePrefix(blocks[i])
				h.AwaitLearned(block)
				switch {
				case pool != "plain":
					h.AwaitProgrammer(block, lab.ProtocolFelix)
				case plainByBIRD:
					h.AwaitProgrammer(block, lab.ProtocolBIRD)
				default:
					h.AwaitNoRoute(block.String()) // Felix's to make, which it has not yet
				}
			}
		}
	}
}
