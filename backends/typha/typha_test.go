package typha

import (
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/backends/typha/typhatest"
)

// TestStream: the whole state once, then each change, in both forms of the stream.
func TestStream(t *testing.T) {
	for name, o := range map[string]typhatest.Options{"compressed": {Version: "v3.33"}, "plain": {Plain: true, Version: "v3.33"}} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, o, "a", "b")
			for i := range 250 { // several messages where nothing is compressed
				s.Set(resourceRoot+"bgppeers/p"+string(rune('a'+i%26))+string(rune('a'+i/26)), `{"spec":{"peerIP":"192.0.2.1","asNumber":1}}`)
			}
			s.Set("/calico/ipam/v2/host/node-1/ipv4/block/10.1.0.0-26", `{"state":"confirmed","deleted":false}`)
			s.Set("/calico/ipam/v2/host/node-10/ipv4/block/10.1.0.64-26", `{"state":"confirmed","deleted":false}`)
			s.Set("/calico/something/else", `x`)
			f := follow(t, Config{}, s.Address())
			u := f.Next("the state")
			if !u.InSync || u.Revision != "255" || u.Server == nil || u.Server.Address != s.Address() || u.Server.Version != "v3.33" || u.Server.Since.IsZero() {
				t.Errorf("the first update is %+v of %+v", u, u.Server)
			}
			f.WantNodes("map[a:1 b:2]")
			if want := "2 nodes, 250 peers, 0 filters, 0 pools, 1 affinities, 0 configurations; invalid: []"; kinds(f.State) != want {
				t.Errorf("there are %s, want %s", kinds(f.State), want)
			}
			s.Set(nodeKey("a"), node("a", 7))
			f.Next("a change")
			f.WantNodes("map[a:7 b:2]")
			s.Delete(nodeKey("b"))
			if u := f.Next("a deletion"); u.Revision != "256" {
				t.Errorf("after a deletion the newest revision is %s", u.Revision)
			}
			f.WantNodes("map[a:7]")
		})
	}
}

// TestAllNodes: where asked for, all nodes' blocks are read.
func TestAllNodes(t *testing.T) {
	s := startServer(t, typhatest.Options{})
	for _, n := range []string{"node-1", "node-2"} {
		s.Set("/calico/ipam/v2/host/"+n+"/ipv4/block/10.1.0.0-26", `{"state":"confirmed","deleted":false}`)
	}
	f := follow(t, Config{AllNodes: true}, s.Address())
	f.UntilInSync()
	if n := len(f.State.BlockAffinities); n != 2 {
		t.Errorf("there are %d affinities", n)
	}
}

// TestReconnect: after a reconnect the difference is told at once, what vanished
// included, and nothing is told while a server sends its state.
func TestReconnect(t *testing.T) {
	s := startServer(t, typhatest.Options{}, "a", "b", "c")
	f := follow(t, Config{}, s.Address())
	f.UntilInSync()
	s.Stop()
	s.Forget(nodeKey("b"))
	s.Set(nodeKey("c"), node("c", 9))
	s.Set(nodeKey("d"), node("d", 4))
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	u := f.Next("the difference")
	if !u.InSync || len(u.Events) != 3 {
		t.Errorf("the difference is in step: %v, %v", u.InSync, u.Events)
	}
	f.WantNodes("map[a:1 c:9 d:4]")
}

// TestRollingUpdate: servers that go one by one, and come back, cost nothing, and
// are nothing to tell but which one is in use.
func TestRollingUpdate(t *testing.T) {
	one, two := startServer(t, typhatest.Options{}, "a"), startServer(t, typhatest.Options{}, "a")
	f := follow(t, Config{}, one.Address(), two.Address())
	u := f.UntilInSync()
	for range 6 {
		used, other := one, two
		if u.Server.Address == two.Address() {
			used, other = two, one
		}
		used.Stop()
		u = f.Next("the other server")
		if !u.InSync || u.Err != nil || len(u.Events) > 0 || u.Server.Address != other.Address() {
			t.Fatalf("after one server went: %+v by %+v", u, u.Server)
		}
		if err := used.Resume(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAllAway: where no server is left that is told after a while, and no more
// often than there is news.
func TestAllAway(t *testing.T) {
	s := startServer(t, typhatest.Options{}, "a")
	f := follow(t, Config{Grace: 300 * time.Millisecond}, s.Address())
	f.UntilInSync()
	s.Stop()
	u := f.Next("being told")
	if u.InSync || u.Err == nil || u.Server != nil || len(u.Events) > 0 {
		t.Errorf("told was %+v", u)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if u := f.Until("being in step", func(u backends.Update) bool { return u.InSync }); len(u.Events) != 0 || u.Server == nil {
		t.Errorf("the way back is %+v", u)
	}
	f.WantNodes("map[a:1]")
}

// TestServersDatastoreAway: what comes while the server is not in step itself waits
// until it is.
func TestServersDatastoreAway(t *testing.T) {
	s := startServer(t, typhatest.Options{NotReady: true}, "a")
	f := follow(t, Config{}, s.Address())
	if u := f.Next("the server's state"); u.InSync || u.Err == nil || !strings.Contains(u.Err.Error(), "waits for its datastore") || len(u.Events) > 0 {
		t.Errorf("a server without its datastore is told as %+v", u)
	}
	s.Stand(1)
	if u := f.Next("the server's state"); u.InSync || !strings.Contains(u.Err.Error(), "is reading its datastore") {
		t.Errorf("a server that reads is told as %+v", u)
	}
	s.Stand(2)
	f.UntilInSync()
	f.WantNodes("map[a:1]")
	s.Stand(1)
	if u := f.UntilOutOfStep(); u.InSync || u.Server == nil {
		t.Errorf("a server that reads anew is told as %+v", u)
	}
	s.Set(nodeKey("b"), node("b", 2))
	s.Delete(nodeKey("b"))
	s.Set(nodeKey("c"), node("c", 3))
	s.Delete(nodeKey("a"))
	s.Set(nodeKey("a"), node("a", 5))
	s.Stand(2)
	if u := f.Next("all of it"); !u.InSync || u.Err != nil {
		t.Errorf("what was held is told as %+v", u)
	}
	f.WantNodes("map[a:5 c:3]")
}

// TestInvalid: what the server has found invalid is there, and cannot be used.
func TestInvalid(t *testing.T) {
	s := startServer(t, typhatest.Options{})
	for _, key := range []string{
		resourceRoot + "bgppeers/p", resourceRoot + "bgpfilters/f", resourceRoot + "nodes/n", resourceRoot + "bgpconfigurations/default",
		"/calico/v1/ipam/v4/pool/10.0.0.0-9", "/calico/ipam/v2/host/node-1/ipv4/block/10.1.0.0-26",
	} {
		s.Set(key, "")
	}
	s.Set(resourceRoot+"bgpconfigurations/nothing", "") // has no effect anyway
	f := follow(t, Config{}, s.Address())
	f.UntilInSync()
	want := "0 nodes, 0 peers, 1 filters, 1 pools, 0 affinities, 0 configurations; invalid: " +
		"[BGPConfiguration default BGPFilter f BGPPeer p BlockAffinity node-1/10.1.0.0-26 IPPool 10.0.0.0-9 Node n]"
	if got := kinds(f.State); got != want {
		t.Errorf("there are %s\nwant %s", got, want)
	}
	if p := f.State.IPPools["10.0.0.0-9"]; p == nil || p.VXLAN != backends.EncapAlways {
		t.Errorf("the pool is %+v, and should keep BIRD from its routes", p)
	}
	s.Set(resourceRoot+"bgppeers/p", `{"spec":{"peerIP":"192.0.2.1","asNumber":1}}`)
	f.Next("it to heal")
	if len(f.State.BGPPeers) != 1 || strings.Contains(kinds(f.State), "BGPPeer p") {
		t.Errorf("after it healed there are %s", kinds(f.State))
	}
}

// TestSilence: a server that says nothing any more is left for another.
func TestSilence(t *testing.T) {
	s := startServer(t, typhatest.Options{Ping: time.Hour}, "a")
	f := follow(t, Config{ReadTimeout: 200 * time.Millisecond, Grace: time.Hour}, s.Address())
	f.UntilInSync()
	f.UntilInSync() // by a second connection
	if n := s.Hellos(); n < 2 {
		t.Errorf("there were %d connections", n)
	}
}

// TestPings: pings keep a connection up, and are answered.
func TestPings(t *testing.T) {
	s := startServer(t, typhatest.Options{Ping: 50 * time.Millisecond}, "a")
	f := follow(t, Config{ReadTimeout: 5 * time.Second}, s.Address())
	f.UntilInSync()
	for s.Pongs() < 5 {
		select {
		case <-f.Updates: // how late a ping is, on a busy machine; nothing is answered until somebody has it
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := s.Hellos(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}
