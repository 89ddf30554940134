package bgp

import (
	"errors"
	"testing"

	"confd/backends"
)

func TestUnknownNode(t *testing.T) {
	state := func(names ...string) *backends.State {
		s := backends.NewState()
		for _, n := range names {
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindNode, Name: n}, Resource: &backends.Node{Name: n}})
		}
		return s
	}
	unread := state("a")
	broken := &backends.Warning{Code: backends.Unreadable, Text: "is not an object", Place: "b.yaml:1:1"}
	unread.Apply(backends.Event{Key: backends.Key{Kind: backends.KindFile, Name: "b.yaml, document 1"}, Err: broken})
	unread.Apply(backends.Event{Key: backends.Key{Kind: backends.KindNode, Name: "b"}, Err: errors.New("spec.bgp.asNumber: no")})
	for _, tc := range []struct {
		state      *backends.State
		node, want string
	}{
		{state(), "a", `node "a": the datastore has no such node: it has no Node at all`},
		{state("b", "a"), "x", `node "x": the datastore has no such node: it has 2: "a", "b"`},
		{state("n1", "n2", "n3", "n4", "n5", "n6"), "n7", `node "n7": the datastore has no such node: it has 6: "n1", "n2", "n3", "n4", "n5", ...`},
		{state("node-1.example.com", "node-2"), "node-1", `node "node-1": the datastore has no such node: it has 2, and one that is called "node-1.example.com": names count letter by letter (--node, NODENAME)`},
		{state("node-1"), "NODE-1.lan", `node "NODE-1.lan": the datastore has no such node: it has 1, and one that is called "node-1": names count letter by letter (--node, NODENAME)`},
		{state("worker-1", "worker-2"), "wroker-2", `node "wroker-2": the datastore has no such node: it has 2, and one that is called "worker-2": names count letter by letter (--node, NODENAME)`},
		{unread, "c", `node "c": the datastore has no such node: it has 1: "a"; Nodes that cannot be used: 1; documents that cannot be read: 1, such as b.yaml:1:1: is not an object`},
		{unread, "b", `node "b": the datastore has no such node that can be used: spec.bgp.asNumber: no`},
	} {
		_, err := Compute(tc.state, Options{Node: tc.node})
		if !errors.Is(err, ErrUnknownNode) || err.Error() != tc.want {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}
