package lab_test

import (
	"fmt"
	"testing"

	"confd/internal/lab"
)

const v6Pool = "kind: IPPool\nmetadata: {name: workloads6}\nspec: {cidr: 'fd00:244::/48', blockSize: 122}"

// dual gives a host an IPv6 address and block besides.
func dual(c lab.HostConfig, n int) lab.HostConfig {
	c.Addresses = append(c.Addresses, fmt.Sprintf("fd00:2::14%d/64", n))
	c.Blocks = append(c.Blocks, fmt.Sprintf("fd00:244:0:%d::/122", n))
	return c
}

// TestDualStack: sessions and routes of both families, with BIRDs of each version; then
// a node loses its IPv6 address, and no IPv4 session notices.
func TestDualStack(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	configs := []lab.HostConfig{dual(m1(), 1), dual(m2(), 2), dual(m3(), 3), dual(m4(), 4)}
	for i, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		configs[i].BIRD = version
	}
	hosts, pods := build(l, configs...)
	l.Store.Apply(v6Pool)
	l.Start()
	awaitWhole(l, hosts, pods)
	awaitHealthy(l, hosts...)
	before := l.Moment()

	hosts[2].RemoveBlock("fd00:244:0:3::/122")
	hosts[2].ForgetIPv6()
	l.AwaitMesh(hosts...)
	hosts[0].AwaitNoRoute("fd00:244:0:3::/122")
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods[0], pods[1], pods[3])
	six := lab.SessionName("Mesh", "fd00:2::143")
	before.NoFlap(func(h *lab.Host, session string) bool {
		return session == six || h == hosts[2] && session[:7] == "Mesh_fd"
	})
}

// TestIPv6Only: nodes without any IPv4 address have a router ID made from their names.
func TestIPv6Only(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			var configs []lab.HostConfig
			for n := 1; n <= 3; n++ {
				c := dual(lab.HostConfig{Name: fmt.Sprintf("k8s-m%d", n)}, n)
				c.BIRD, c.Env = version, []string{"CALICO_ROUTER_ID=hash"}
				configs = append(configs, c)
			}
			hosts, pods := build(l, configs...)
			l.Store.Apply(v6Pool)
			l.Start()
			awaitWhole(l, hosts, pods)
			awaitHealthy(l, hosts...)
		})
	}
}
