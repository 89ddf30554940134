package backends

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUsageCounter(t *testing.T) {
	net := netip.MustParsePrefix
	pools := []*IPPool{
		{Name: "inner", CIDR: net("10.1.2.0/24"), BlockSize: 28},
		{Name: "outer", CIDR: net("10.1.0.0/16")},
		{Name: "six", CIDR: net("fd00::/48")},
	}
	c := NewUsageCounter("me", pools, true)
	for _, text := range []string{
		// Ours: two addresses of ours, one that is lent, one whose owner is not known.
		`{"cidr":"10.1.0.0/26","affinity":"host:me","strictAffinity":false,"allocations":[0,null,0,1,2,null],"unallocated":[1,5],
		  "attributes":[{"handle_id":"a","secondary":{"node":"me","pod":"p"}},{"handle_id":"b","secondary":{"node":"other"}},{"handle_id":"c"}],"deleted":false}`,
		// Another node's: one that we have borrowed, one lent to a third.
		`{"cidr":"10.1.2.16/28","affinity":"host:other","allocations":[0,1],"attributes":[{"secondary":{"node":"me"}},{"secondary":{"node":"third"}}]}`,
		// Nobody's, with an address of ours and one that refers to nothing.
		`{"cidr":"10.1.0.64/26","affinity":null,"allocations":[0,7,-1],"attributes":[{"secondary":{"node":"me"}}]}`,
		`{"cidr":"10.1.0.128/26","affinity":"virtual:load-balancer","allocations":[0],"attributes":[{"secondary":{"node":"me"}}]}`,
		`{"cidr":"10.1.0.192/26","affinity":"host:me","allocations":[0],"attributes":[],"deleted":true}`,
		`{"cidr":"10.1.1.0/26","affinity":"host:me","allocations":[0],"attributes":[],"deleted":"true"}`,
		`{"cidr":"fd00::40/122","affinity":"host:me","allocations":[null]}`,
		`{"cidr":"192.0.2.0/26","affinity":"host:me","allocations":[0],"attributes":[{"secondary":{"node":"me"}}]}`,
		`{"cidr":"nothing"}`, `[]`, ``,
	} {
		c.AddJSON([]byte(text))
	}
	want := Usage{
		Pools: []PoolUsage{
			{Name: "inner", CIDR: net("10.1.2.0/24"), BlockSize: 28, BlocksUsed: 1, BlocksTotal: 16, AddressesUsed: 2, AddressesTotal: 256},
			{Name: "outer", CIDR: net("10.1.0.0/16"), BlockSize: 26, BlocksUsed: 3, BlocksTotal: 1024, AddressesUsed: 8, AddressesTotal: 65536},
			{Name: "six", CIDR: net("fd00::/48"), BlockSize: 122, BlocksUsed: 1, BlocksTotal: 1 << 74, AddressesTotal: 1 << 80},
		},
		Blocks: 9, Unreadable: 3, Addresses: true, Borrowed: 1, Lent: 1,
	}
	if diff := cmp.Diff(want, c.Usage(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	if free := c.Usage().Pools[0].BlocksFree(); free != 15 {
		t.Errorf("%v blocks free", free)
	}
}
