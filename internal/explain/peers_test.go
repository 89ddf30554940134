package explain

import (
	"fmt"
	"testing"

	"confd/bgp"
)

func TestPeers(t *testing.T) {
	a := New(stateOf(t, "testdata/sessions.yaml"), bgp.Options{Node: "node-1"})
	const want = "[{Node_10_0_0_250 10.0.0.250 65000 } {Node_10_0_0_3 10.0.0.3 64512 node-3}]"
	if got := fmt.Sprint(a.Peers("node-1")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := a.Peers("nobody"); got != nil {
		t.Errorf("a node that is not there has %v", got)
	}
}
