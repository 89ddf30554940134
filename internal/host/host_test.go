package host

import (
	"net/netip"
	"reflect"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/reload/control"
)

// Of a route that came by no session the protocol is nobody's business.
func TestRoutes(t *testing.T) {
	metric, preference := uint32(512), uint32(100)
	net := netip.MustParsePrefix("10.2.0.0/24")
	got := Routes([]control.Route{
		{Net: net, Protocol: "kernel1", Best: true, Interface: "cali1", Metric: &metric},
		{Net: net, Protocol: "Mesh_10_0_0_2", BGP: true, Interface: "eth0", LocalPref: &preference, Path: []uint32{65000},
			Communities: [][2]uint32{{1, 2}}, LargeCommunities: [][3]uint32{{1, 2, 3}}},
	})
	want := []bgp.Route{
		{Net: net, Interface: "cali1", Metric: &metric},
		{Net: net, Spare: true, Session: "Mesh_10_0_0_2", Interface: "eth0", LocalPref: &preference, Path: []uint32{65000},
			Communities: []backends.Community{{A: 1, B: 2}, {Large: true, A: 1, B: 2, C: 3}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}
