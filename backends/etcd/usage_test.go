package etcd

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
)

func TestUsage(t *testing.T) {
	server, s := startStore(t)
	block := func(cidr, node, of string) clientv3.Op {
		p := netip.MustParsePrefix(cidr)
		value := fmt.Sprintf(`{"cidr":%q,"affinity":"host:%s","allocations":[null,0,0],"attributes":[{"handle_id":"h","secondary":{"node":%q}}]}`, cidr, node, of)
		return clientv3.OpPut(fmt.Sprintf("%sipv%d/block/%s-%d", blockRoot, map[bool]int{true: 4, false: 6}[p.Addr().Is4()], p.Addr(), p.Bits()), value)
	}
	s.do(pool("p", "10.0.0.0/8"), pool("q", "fd00::/112"), pool("bad", "x"),
		block("10.0.0.0/26", "node-1", "node-1"), block("10.0.0.64/26", "node-2", "node-1"),
		block("10.0.0.128/26", "node-1", "node-2"), block("fd00::/122", "node-1", "node-1"),
		clientv3.OpPut(blockRoot+"ipv4/block/10.0.0.192-26", `{`))
	b := newBackend(t, Config{Endpoints: server.Endpoints(), PageSize: 2})
	want := backends.Usage{
		Pools: []backends.PoolUsage{
			{Name: "p", CIDR: netip.MustParsePrefix("10.0.0.0/8"), BlockSize: 26, BlocksUsed: 3, BlocksTotal: 1 << 18, AddressesUsed: 6, AddressesTotal: 1 << 24},
			{Name: "q", CIDR: netip.MustParsePrefix("fd00::/112"), BlockSize: 122, BlocksUsed: 1, BlocksTotal: 1 << 10, AddressesUsed: 2, AddressesTotal: 1 << 16},
		},
		Blocks: 5, Unreadable: 1, Addresses: true, Borrowed: 2, Lent: 2,
	}
	got, err := b.Usage(t.Context(), "node-1")
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Error(diff, err)
	}

	// Of many blocks only the keys are read.
	u := usageReading{listing{run: newRun(b, nil), kv: s, pageSize: 2}}
	got, err = u.read(t.Context(), "node-1", 4)
	want.Addresses, want.Borrowed, want.Lent, want.Unreadable = false, 0, 0, 0
	want.Pools[0].BlocksUsed, want.Pools[0].AddressesUsed, want.Pools[1].AddressesUsed = 4, 0, 0
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Error(diff, err)
	}

	s.refuseBlocks()
	b = newBackend(t, Config{Endpoints: server.Endpoints(), Username: "calico", Password: "pass"})
	if got, err = b.Usage(t.Context(), "node-1"); !errors.Is(err, backends.ErrNotReadable) {
		t.Errorf("without the right to read the blocks: %+v, %v", got, err)
	}
	server.Kill()
	if got, err = b.Usage(t.Context(), "node-1"); err == nil || errors.Is(err, backends.ErrNotReadable) {
		t.Errorf("without the server: %+v, %v", got, err)
	}
}

// refuseBlocks gives the user "calico" the right to read resources only.
func (s store) refuseBlocks() {
	s.tb.Helper()
	ctx := s.tb.Context()
	_, err0 := s.UserAdd(ctx, "root", "secret")
	_, err1 := s.UserGrantRole(ctx, "root", "root")
	_, err2 := s.RoleAdd(ctx, "reader")
	_, err3 := s.RoleGrantPermission(ctx, "reader", resourceRoot, clientv3.GetPrefixRangeEnd(resourceRoot), clientv3.PermissionType(clientv3.PermRead))
	_, err4 := s.UserAdd(ctx, "calico", "pass")
	_, err5 := s.UserGrantRole(ctx, "calico", "reader")
	_, err6 := s.AuthEnable(ctx)
	if err := errors.Join(err0, err1, err2, err3, err4, err5, err6); err != nil {
		s.tb.Fatal(err)
	}
}
