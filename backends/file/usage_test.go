package file

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
)

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), `
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/8}}
---
{apiVersion: projectcalico.org/v3, kind: IPAMBlock, metadata: {name: 10-0-0-0-26}, spec: {cidr: 10.0.0.0/26, affinity: "host:node-9"}}
`)
	write(t, filepath.Join(dir, "b.yaml"), `
apiVersion: v1
kind: List
items:
- {apiVersion: crd.projectcalico.org/v1, kind: IPAMBlock, metadata: {name: 10-0-0-0-26}, spec: {cidr: 10.0.0.0/26, affinity: "host:node-2", allocations: [null, 0], attributes: [{secondary: {node: node-1}}]}}
- {apiVersion: crd.projectcalico.org/v1, kind: IPAMBlock, metadata: {name: bad}, spec: {cidr: x}}
- {apiVersion: example.org/v1, kind: IPAMBlock, metadata: {name: 10-0-0-64-26}, spec: {cidr: 10.0.0.64/26}}
`)
	b, err := New(Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Usage(t.Context(), "node-1")
	want := backends.Usage{
		Pools: []backends.PoolUsage{
			{Name: "p", CIDR: netip.MustParsePrefix("10.0.0.0/8"), BlockSize: 26, BlocksUsed: 1, BlocksTotal: 1 << 18, AddressesUsed: 1, AddressesTotal: 1 << 24},
		},
		Blocks: 1, Addresses: true, Borrowed: 1,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	b.cfg.Paths = []string{filepath.Join(dir, "missing")}
	if got, err = b.Usage(t.Context(), "node-1"); err == nil {
		t.Errorf("without the folder: %+v", got)
	}
}
