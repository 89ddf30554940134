package bgp

import (
	"net/netip"
	"slices"
	"testing"

	"confd/backends"
)

// TestSharedNeighbors: of sessions with one neighbor, on several ports, those are
// reported that may wait in vain for it to connect.
func TestSharedNeighbors(t *testing.T) {
	peer := func(name, node string, port uint16) *backends.BGPPeer {
		return &backends.BGPPeer{Name: name, Node: node, PeerIP: netip.MustParseAddr("10.0.0.2"), Port: port, NoReversePeering: true}
	}
	outside := func(name string, port uint16) *backends.BGPPeer {
		return &backends.BGPPeer{Name: name, PeerIP: netip.MustParseAddr("10.0.0.9"), Port: port, ASNumber: 65000}
	}
	mesh := &backends.BGPConfiguration{Name: "default"}
	const onlyOne = " on another port: BIRD gives all its connections to one of them, so only one can be up"
	tests := []struct {
		name  string
		peers []backends.Resource
		want  []string
	}{
		{"one", []backends.Resource{meshOff(), peer("a", "", 1790)}, nil},
		{"two that wait", []backends.Resource{meshOff(), peer("b", "", 1790), peer("a", "", 1791)}, []string{
			"BGPPeer a: session Global_10_0_0_2_port_1791 waits for 10.0.0.2 to connect, as session Global_10_0_0_2_port_1790 (BGPPeer b) does" + onlyOne,
		}},
		{"three", []backends.Resource{meshOff(), peer("a", "", 1790), peer("b", "", 1791), peer("c", "", 1792)}, []string{
			"BGPPeer b: session Global_10_0_0_2_port_1791 waits for 10.0.0.2 to connect, as session Global_10_0_0_2_port_1790 (BGPPeer a) does" + onlyOne,
			"BGPPeer c: session Global_10_0_0_2_port_1792 waits for 10.0.0.2 to connect, as session Global_10_0_0_2_port_1790 (BGPPeer a) does" + onlyOne,
		}},
		{"one that waits, and one that connects", []backends.Resource{meshOff(), peer("a", "", 1790), peer("b", "n1", 1791)}, []string{
			"BGPPeer a: session Global_10_0_0_2_port_1790 waits for 10.0.0.2 to connect, and BIRD may take its connections for those of session Node_10_0_0_2_port_1791 (BGPPeer b), on another port: then it cannot come up",
		}},
		{"beside the mesh", []backends.Resource{mesh, peer("a", "", 1790)}, []string{
			"BGPPeer a: session Global_10_0_0_2_port_1790 waits for 10.0.0.2 to connect, as session Mesh_10_0_0_2 (BGPConfiguration default) does" + onlyOne,
		}},
		{"that connects, beside the mesh", []backends.Resource{mesh, peer("a", "n1", 1790)}, []string{
			"BGPPeer a: session Mesh_10_0_0_2 waits for 10.0.0.2 to connect, and BIRD may take its connections for those of session Node_10_0_0_2_port_1790 (BGPPeer a), on another port: then it cannot come up",
		}},
		{"two that connect", []backends.Resource{meshOff(), peer("a", "n1", 1790), peer("b", "n1", 1791)}, nil},
		{"two that connect to a router", []backends.Resource{mesh, outside("a", 1790), outside("b", 1791)}, nil},
		{"a mesh", []backends.Resource{mesh, node("n3", "10.0.0.3/24", ""), outside("a", 0)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(append(tt.peers, node("n1", "10.0.0.1/24", ""), node("n2", "10.0.0.2/24", ""))...)
			var got []string
			for _, p := range compute(t, s, "n1").Problems {
				if p.Code == CodeSharedNeighbor {
					got = append(got, p.Object.String()+": "+p.Text)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
