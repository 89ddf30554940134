package kubernetes

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/internal/testenv"
)

// usage runs on TestServer's API server.
func usage(t *testing.T, k *testenv.Kube, group string) {
	block := func(cidr, node, of string) string {
		name := strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(cidr)
		return calico(group, "IPAMBlock", name, fmt.Sprintf(
			`cidr: "%s", affinity: "host:%s", allocations: [null, 0, 0], attributes: [{handle_id: h, secondary: {node: %s}}], unallocated: [0], strictAffinity: false`, cidr, node, of))
	}
	apply(t, k,
		calico(group, "IPPool", "p", "cidr: 10.0.0.0/8"), calico(group, "IPPool", "q", `cidr: "fd00::/112", blockSize: 120`), calico(group, "IPPool", "bad", "cidr: x"),
		block("10.0.0.0/26", "node-1", "node-1"), block("10.0.0.64/26", "node-2", "node-1"), block("10.0.0.128/26", "node-1", "node-2"), block("fd00::/120", "node-1", "node-1"))
	reader := func(user string) *Backend {
		b, err := New(Config{CalicoResources: true, APIGroup: group, Node: "node-1", Kubeconfig: k.Kubeconfig(t, user)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.client.close)
		return b
	}
	b := reader("admin")
	want := backends.Usage{
		Pools: []backends.PoolUsage{
			{Name: "p", CIDR: netip.MustParsePrefix("10.0.0.0/8"), BlockSize: 26, BlocksUsed: 3, BlocksTotal: 1 << 18, AddressesUsed: 6, AddressesTotal: 1 << 24},
			{Name: "q", CIDR: netip.MustParsePrefix("fd00::/112"), BlockSize: 120, BlocksUsed: 1, BlocksTotal: 1 << 8, AddressesUsed: 2, AddressesTotal: 1 << 16},
		},
		Blocks: 4, Addresses: true, Borrowed: 2, Lent: 2,
	}
	got, err := b.Usage(t.Context(), "node-1")
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Error(diff, err)
	}

	// Of many blocks only the names are read.
	g, err := discover(t.Context(), b.client, b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err = readUsage(t.Context(), b.client, g, "node-1", 3)
	want.Addresses, want.Borrowed, want.Lent = false, 0, 0
	want.Pools[0].AddressesUsed, want.Pools[1].AddressesUsed = 0, 0
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Error(diff, err)
	}

	if got, err = reader("nobody").Usage(t.Context(), "node-1"); !errors.Is(err, backends.ErrNotReadable) || !strings.Contains(err.Error(), "give the program's user that right") {
		t.Errorf("without rights: %+v, %v", got, err)
	}
}

func TestNamesOfBlocks(t *testing.T) {
	for name, want := range map[string]string{
		"10-0-0-64-26": "10.0.0.64/26", "fd00---122": "fd00::/122", "fd00-1--40-122": "fd00:1::40/122",
		"fd00-1-2-3-4-5-6-40-122": "fd00:1:2:3:4:5:6:40/122", "--40-122": "::40/122",
		"10-0-0-26": "", "pool": "", "10-0-0-0-99": "", "": "",
	} {
		cidr, ok := cidrOfName(name)
		if got := cidr.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s, %t; want %q", name, got, ok, want)
		}
	}
}
