package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/lab"
)

// TestPoolRunsOut: of a pool's sixteen blocks one after the other is taken. It is said
// while there still is one, by confd doctor and by the metrics that the alert looks at;
// and when a pod has to borrow an address, on both sides.
func TestPoolRunsOut(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply("kind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/22, blockSize: 26, ipipMode: Never, vxlanMode: Never}")
	hosts := []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24"}, Env: []string{"CONFD_IPAM_METRICS=true"}}),
		l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24"}, Env: []string{"CONFD_IPAM_METRICS=true"}}),
	}
	for i := range 13 {
		takeBlock(l, i, hosts[i%2].Name, hosts[i%2].Name)
	}
	if text, _ := hosts[0].RunConfd("doctor"); strings.Contains(text, "BGP061") || strings.Contains(text, "BGP066") {
		t.Errorf("13 of 16 blocks are taken, and the doctor says:\n%s", text)
	}
	takeBlock(l, 13, "n1", "n1")
	takeBlock(l, 14, "n1", "n2") // an address of it is n2's
	if text, _ := hosts[1].RunConfd("doctor"); !strings.Contains(text, "BGP061") || !strings.Contains(text, "BGP066") {
		t.Errorf("15 of 16 blocks are taken, an address is borrowed, and the doctor says:\n%s", text)
	}

	l.Start()
	pool := `{family="4",pool="pods"} `
	awaitMetrics(l, hosts[0], "confd_ipam_pool_blocks_used"+pool+"15", "confd_ipam_pool_blocks_free"+pool+"1",
		"confd_ipam_lent_addresses 1", "confd_ipam_borrowed_addresses 0")
	awaitMetrics(l, hosts[1], "confd_ipam_lent_addresses 0", "confd_ipam_borrowed_addresses 1")
	l.Await("confd status to say it", func() error {
		text, _ := hosts[1].RunConfd("status")
		if !strings.Contains(text, "IPPool pods runs out: 15 of its 16 blocks are taken") || !strings.Contains(text, "a workload of this node has an address in a block of another node") {
			return errors.New(text)
		}
		return nil
	})
}

// takeBlock gives block i of the pool to a node, as IPAM does, with one address of it
// for a workload of another node, or its own.
func takeBlock(l *lab.Lab, i int, owner, user string) {
	block := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i / 4), byte(i % 4 * 64)}), 26)
	l.Store.ApplyAffinity(lab.Affinity{Node: owner, Block: block})
	l.Store.Apply(fmt.Sprintf(`
kind: IPAMBlock
metadata: {name: block-%d}
spec:
  cidr: %s
  affinity: host:%s
  allocations: [0, null, null]
  attributes: [{handle_id: k8s-pod-network.1, secondary: {node: %s}}]
  unallocated: [1, 2]
  strictAffinity: false`, i, block, owner, user))
}

// awaitMetrics waits until the host's confd exports these lines.
func awaitMetrics(l *lab.Lab, h *lab.Host, lines ...string) {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.Dir(), "http.sock"))
	}}}
	defer client.CloseIdleConnections()
	l.Await("metrics of "+h.Name, func() error {
		r, err := client.Get("http://" + h.Name + "/metrics")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		for _, line := range lines {
			if err == nil && !strings.Contains(string(text), "\n"+line+"\n") {
				err = fmt.Errorf("no %q", line)
			}
		}
		return err
	})
}
