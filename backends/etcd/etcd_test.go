package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/internal/testenv"
)

func TestFollowsTheStore(t *testing.T) {
	server, s := startStore(t)
	s.do(
		node("node-1", 65001), node("node-10", 65010), pool("p", "10.0.0.0/8"),
		clientv3.OpPut(resourceRoot+"bgpconfigurations/default", resource("BGPConfiguration", "default", `"asNumber":64999`)),
		clientv3.OpPut(resourceRoot+"bgpconfigurations/node.node-1", resource("BGPConfiguration", "node.node-1", `"logSeverityScreen":"Debug"`)),
		clientv3.OpPut(resourceRoot+"bgpconfigurations/other", resource("BGPConfiguration", "other", "")),
		clientv3.OpPut(resourceRoot+"bgppeers/peer", resource("BGPPeer", "peer", `"peerIP":"192.0.2.1","asNumber":65100,"asNumbr":1`)),
		clientv3.OpPut(resourceRoot+"bgpfilters/filter", resource("BGPFilter", "filter", `"exportV4":[{"action":"Reject"}]`)),
		clientv3.OpPut(resourceRoot+"felixconfigurations/default", resource("FelixConfiguration", "default", "")),
		clientv3.OpPut(resourceRoot+"felixconfigurations/node.node-1", resource("FelixConfiguration", "node.node-1", "")),
		clientv3.OpPut(resourceRoot+"felixconfigurations/node.node-10", resource("FelixConfiguration", "node.node-10", "")),
		clientv3.OpPut(resourceRoot+"workloadendpoints/x", "{}"),
		clientv3.OpPut("/calico/ipam/v2/host/node-1/ipv4/block/10.0.0.0-26", `{"state":"confirmed","deleted":false}`),
		clientv3.OpPut("/calico/ipam/v2/host/node-1/ipv6/block/fd00:1::-122", ""),
		clientv3.OpPut("/calico/ipam/v2/host/node-10/ipv4/block/10.0.10.0-26", `{"state":"confirmed"}`),
		clientv3.OpPut("/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.9.0.0-26", `{"state":"confirmed"}`),
	)
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	u := f.UntilInSync()

	st := f.State
	got := []string{
		keys(st.Nodes), keys(st.BGPConfigurations), keys(st.BGPPeers), keys(st.BGPFilters), keys(st.IPPools),
		keys(st.FelixConfigurations), keys(st.BlockAffinities), fmt.Sprint(st.Invalid),
	}
	want := []string{
		"node-1 node-10", "default node.node-1", "peer", "filter", "p",
		"default node.node-1", "node-1/10.0.0.0-26 node-1/fd00:1::-122", "map[]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("initial state\n got %q\nwant %q", got, want)
	}
	warned := map[string]string{}
	for key, list := range st.Warnings {
		for _, w := range list {
			warned[key.String()] += string(w.Code) + " " + w.Place + w.Excerpt
		}
	}
	if want := map[string]string{"BGPPeer peer": "unknown-field ", "BGPConfiguration other": "no-effect "}; !maps.Equal(warned, want) {
		t.Errorf("warnings are %q", warned)
	}
	if a := st.BlockAffinities["node-1/10.0.0.0-26"]; a == nil || a.Node != "node-1" || a.State != "confirmed" || a.CIDR.String() != "10.0.0.0/26" {
		t.Errorf("affinity %+v", a)
	}
	if u.Source != "etcd" || u.Revision != "2" || u.At.IsZero() {
		t.Errorf("update says source %q, revision %q, at %v", u.Source, u.Revision, u.At)
	}

	s.do(node("node-1", 65002), pool("p", "10.128.0.0/9"),
		clientv3.OpDelete(resourceRoot+"nodes/node-10"),
		clientv3.OpDelete("/calico/ipam/v2/host/node-1/ipv4/block/10.0.0.0-26"),
		clientv3.OpPut("/calico/ipam/v2/host/node-11/ipv4/block/10.0.11.0-26", ""))
	f.UntilState("the transaction", func(st *backends.State) bool {
		return f.Nodes() == "map[node-1:65002]" && st.IPPools["p"].CIDR.String() == "10.128.0.0/9" &&
			keys(st.BlockAffinities) == "node-1/fd00:1::-122"
	})
}

func keys[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

func TestPagesShowOneRevision(t *testing.T) {
	server, s := startStore(t)
	const count = 205
	for i := 0; i < count; i += 100 {
		var ops []clientv3.Op
		for n := i; n < min(count, i+100); n++ {
			ops = append(ops, node(fmt.Sprintf("n%03d", n), 1000+n))
		}
		s.do(ops...)
	}
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints(), PageSize: 10}))
	first := f.Next("the first page")
	if len(first.Events) != 10 || first.InSync {
		t.Fatalf("first page has %d events, InSync %v", len(first.Events), first.InSync)
	}
	// The list is under way now: none of this may show in it.
	s.do(clientv3.OpDelete(resourceRoot+"nodes/n1", clientv3.WithPrefix()))
	s.do(node("n000", 1), node("n204", 2), node("n204x", 3))

	u := f.UntilInSync()
	if u.Revision != first.Revision || len(f.State.Nodes) != count || f.State.Nodes["n204"].ASNumber != 1204 {
		t.Errorf("in step at revision %s with %d nodes, n204 %+v; first page was of revision %s",
			u.Revision, len(f.State.Nodes), f.State.Nodes["n204"], first.Revision)
	}
	f.UntilState("the writes made meanwhile", func(st *backends.State) bool {
		return len(st.Nodes) == count-100+1 && st.Nodes["n000"].ASNumber == 1 && st.Nodes["n204"].ASNumber == 2
	})
}

func TestPagesThatAreTooLargeBecomeSmaller(t *testing.T) {
	server, s := startStore(t)
	for i := range 20 {
		s.put(resourceRoot+"nodes/n"+strconv.Itoa(i), resource("Node", "n"+strconv.Itoa(i), `"filler":"`+strings.Repeat("x", 20<<10)+`"`))
	}
	b := newBackend(t, Config{Endpoints: server.Endpoints()})
	b.maxMessage = 64 << 10
	f := backendstest.Follow(t, b)
	if f.UntilInSync(); len(f.State.Nodes) != 20 {
		t.Errorf("%d nodes of 20", len(f.State.Nodes))
	}
}

// A list after an outage brings the difference only, at once, whether or not
// the revisions between are still there.
func TestDifferenceAfterAnOutage(t *testing.T) {
	server, s := startStore(t)
	s.do(node("same", 1), node("changed", 2), node("deleted", 3))
	p := startProxy(t, server.Address())
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: []string{p.endpoint()}, PageSize: 2}))
	f.UntilInSync()

	p.set(func() { p.down = true })
	if u := f.Next("the outage"); u.InSync || u.Err == nil || len(u.Events) != 0 {
		t.Fatalf("first update of the outage: %+v", u)
	}
	s.do(node("changed", 20), node("new", 4), clientv3.OpDelete(resourceRoot+"nodes/deleted"))
	s.do(node("new", 5))
	rev := compact(t, s)
	p.set(func() { p.down = false })

	u := f.UntilInSync()
	var changed []string
	for _, e := range u.Events {
		changed = append(changed, fmt.Sprintf("%s %v", e.Key.Name, e.Resource != nil))
	}
	slices.Sort(changed)
	if want := []string{"changed true", "deleted false", "new true"}; !slices.Equal(changed, want) {
		t.Errorf("difference %q, want %q", changed, want)
	}
	if u.Revision != strconv.FormatInt(rev, 10) || f.Nodes() != "map[changed:20 new:5 same:1]" {
		t.Errorf("revision %s (want %d), nodes %s", u.Revision, rev, f.Nodes())
	}
}

func compact(t *testing.T, s store) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), backendstest.Patience)
	defer cancel()
	resp, err := s.Get(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compact(ctx, resp.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

// listed is a run that has listed the store, which was at revision then.
func listed(t *testing.T, server *testenv.Etcd) (r *run, client *clientv3.Client, revision int64, out <-chan backends.Update) {
	t.Helper()
	b := newBackend(t, Config{Endpoints: server.Endpoints()})
	updates := make(chan backends.Update, 10)
	r = newRun(b, updates)
	client, err := b.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if revision, err = r.list(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return r, client, revision, updates
}

// A watch from a compacted revision says so, and nothing is delivered.
func TestWatchOfACompactedRevision(t *testing.T) {
	server, s := startStore(t)
	for i := range 5 {
		s.do(node("n", 1+i))
	}
	compact(t, s)
	r, client, _, _ := listed(t, server)
	err := r.watch(t.Context(), client, 2)
	if err == nil || !strings.Contains(err.Error(), "compacted") {
		t.Errorf("watch of a compacted revision: %v", err)
	}
}

// A deletion between the list and its watch, up to which the store is compacted: the
// watch brings it, or says that it cannot.
func TestDeletionAtTheCompactedRevision(t *testing.T) {
	server, s := startStore(t)
	s.do(node("n", 1))
	r, client, revision, out := listed(t, server)
	s.do(clientv3.OpDelete(resourceRoot + "nodes/n"))
	compact(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), backendstest.Patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.watch(ctx, client, revision) }()
	for {
		select {
		case u := <-out:
			for _, e := range u.Events {
				if e.Key.Name == "n" && e.Resource == nil {
					cancel()
					<-ended
					return
				}
			}
		case err := <-ended:
			if !strings.Contains(err.Error(), "compacted") {
				t.Errorf("the watch ended without the deletion: %v", err)
			}
			return
		}
	}
}

func TestRestartDeliversNothingTwice(t *testing.T) {
	server, s := startStore(t)
	s.do(node("a", 1))
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	f.UntilInSync()
	server.Kill()
	if u := f.Next("the outage"); u.InSync || u.Err == nil {
		t.Fatalf("killed server: %+v", u)
	}
	server.Restart()
	if u := f.UntilInSync(); len(u.Events) != 0 {
		t.Errorf("%d events after a restart without changes", len(u.Events))
	}
	s.do(node("b", 2))
	f.UntilState("a node written after the restart", func(*backends.State) bool { return f.Nodes() == "map[a:1 b:2]" })
}

// A store that was put back to an older state uses revisions again: the same
// key may have the same revision and another value.
func TestStoreThatStartsAnew(t *testing.T) {
	server, s := startStore(t)
	s.do(node("a", 1))
	s.do(node("b", 2))
	s.do(node("c", 3))
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	f.UntilInSync()
	server.Reset()
	s.do(node("a", 10))
	f.UntilState("the new store's state", func(*backends.State) bool { return f.Nodes() == "map[a:10]" })
	s.do(node("d", 4))
	f.UntilState("a change of the new store", func(*backends.State) bool { return f.Nodes() == "map[a:10 d:4]" })
}

func TestHostileValues(t *testing.T) {
	server, s := startStore(t, testenv.EtcdArgs("--max-request-bytes=10485760"))
	big := openStore(t, clientv3.Config{Endpoints: server.Endpoints(), MaxCallSendMsgSize: 10 << 20})
	affinities := "/calico/ipam/v2/host/node-1/"
	bad := map[backends.Key]string{
		{Kind: backends.KindNode, Name: "no json"}:                                    resourceRoot + "nodes/no json",
		{Kind: backends.KindNode, Name: "a/b\n\xff;"}:                                 resourceRoot + "nodes/a/b\n\xff;",
		{Kind: backends.KindNode}:                                                     resourceRoot + "nodes/",
		{Kind: backends.KindBlockAffinity, Name: "node-1/10.1.0.0-26"}:                affinities + "ipv4/block/10.1.0.0-26",
		{Kind: backends.KindBlockAffinity, Name: "node-1/ipv4/block/10.1.0.0-33"}:     affinities + "ipv4/block/10.1.0.0-33",
		{Kind: backends.KindBlockAffinity, Name: "node-1/ipv6/block/10.2.0.0-26"}:     affinities + "ipv6/block/10.2.0.0-26",
		{Kind: backends.KindBlockAffinity, Name: "node-1/ipv4/block/x/block/y"}:       affinities + "ipv4/block/x/block/y",
		{Kind: backends.KindBlockAffinity, Name: "node-1/ipv6/block/::ffff:1.2.3.4-"}: affinities + "ipv6/block/::ffff:1.2.3.4-",
	}
	write := func() {
		for _, key := range bad {
			s.put(key, "{[")
		}
		s.put(affinities+"ipv4/something", "else")
		s.put(affinities+"ipv4/block/10.2.0.0-26", "")
		big.put(resourceRoot+"ippools/huge", strings.Repeat(" ", backends.MaxObjectBytes+1))
		s.do(node("good", 7))
	}
	check := func(f *backendstest.Follower) {
		t.Helper()
		f.UntilState("the last write", func(*backends.State) bool { return f.Nodes() == "map[good:7]" })
		for key := range bad {
			if f.State.Invalid[key] == nil {
				t.Errorf("no error for %v", key)
			}
		}
		if f.State.Invalid[backends.Key{Kind: backends.KindIPPool, Name: "huge"}] == nil || len(f.State.Invalid) != len(bad)+1 {
			t.Errorf("invalid: %v", f.State.Invalid)
		}
		if keys(f.State.BlockAffinities) != "node-1/10.2.0.0-26" {
			t.Errorf("affinities %v", f.State.BlockAffinities)
		}
	}
	watched := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	watched.UntilInSync()
	write()
	check(watched)
	listed := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	listed.UntilInSync()
	check(listed)

	s.do(clientv3.OpDelete("/calico/", clientv3.WithPrefix()))
	watched.UntilState("nothing left", func(st *backends.State) bool {
		return len(st.Invalid) == 0 && len(st.Nodes) == 0 && len(st.BlockAffinities) == 0
	})
}

// TestObjectsOfAnotherKind: what a key holds that is for objects of another kind is
// unusable there, and nothing else is lost by it.
func TestObjectsOfAnotherKind(t *testing.T) {
	server, s := startStore(t)
	s.do(node("a", 1), node("b", 2), pool("p", "10.0.0.0/8"))
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints()}))
	f.UntilInSync()
	places := map[string]backends.Kind{
		"nodes/b": backends.KindNode, "bgppeers/x": backends.KindBGPPeer, "bgpfilters/x": backends.KindBGPFilter, "ippools/x": backends.KindIPPool,
		"bgpconfigurations/default": backends.KindBGPConfiguration, "felixconfigurations/node.node-1": backends.KindFelixConfiguration,
	}
	for place := range places {
		s.put(resourceRoot+place, resource("Tier", "x", `"order":1`))
	}
	s.do(node("c", 3))
	f.UntilState("the last write", func(*backends.State) bool { return f.Nodes() == "map[a:1 c:3]" })
	for place, kind := range places {
		_, name, _ := strings.Cut(place, "/")
		err := f.State.Invalid[backends.Key{Kind: kind, Name: name}]
		if err == nil || !strings.Contains(err.Error(), `kind: "Tier", where a `+string(kind)+" should be") {
			t.Errorf("%s: %v", place, err)
		}
	}
	if keys(f.State.IPPools) != "p" || len(f.State.Invalid) != len(places) {
		t.Errorf("pools %s, unusable %v", keys(f.State.IPPools), f.State.Invalid)
	}
	s.do(node("b", 4))
	f.UntilState("the node again", func(st *backends.State) bool {
		return f.Nodes() == "map[a:1 b:4 c:3]" && len(st.Invalid) == len(places)-1
	})
}

// What is silent without being closed is noticed, whoever is silent.
func TestSilence(t *testing.T) {
	for name, silence := range map[string]func(*testenv.Etcd, *proxy, bool){
		"network": func(_ *testenv.Etcd, p *proxy, on bool) { p.set(func() { p.mute = on }) },
		"server": func(e *testenv.Etcd, _ *proxy, on bool) {
			if on {
				e.Pause()
			} else {
				e.Resume()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, s := startStore(t)
			s.do(node("a", 1))
			p := startProxy(t, server.Address())
			f := backendstest.Follow(t, newBackend(t, Config{Endpoints: []string{p.endpoint()},
				RequestTimeout: 300 * time.Millisecond, ProgressInterval: 50 * time.Millisecond, StaleAfter: 300 * time.Millisecond}))
			f.UntilInSync()
			silence(server, p, true)
			if u := f.UntilOutOfStep(); u.InSync || len(u.Events) > 0 {
				t.Errorf("silence: %+v", u)
			}
			silence(server, p, false)
			f.UntilInSync()
			s.do(node("a", 2))
			f.UntilState("a change after the silence", func(*backends.State) bool { return f.Nodes() == "map[a:2]" })
		})
	}
}

// TestBehindTheProxy: etcd's gRPC proxy names no cluster where a watch joins one that it has, and
// answers no request for progress. Both are no reason to leave it; a server that is away is.
func TestBehindTheProxy(t *testing.T) {
	server, s := startStore(t)
	s.do(node("a", 1))
	endpoint := server.StartProxy(t)
	const stale = 300 * time.Millisecond
	follow := func() *backendstest.Follower {
		f := backendstest.Follow(t, newBackend(t, Config{Endpoints: []string{endpoint},
			RequestTimeout: 2 * time.Second, ProgressInterval: 50 * time.Millisecond, StaleAfter: stale}))
		f.UntilInSync()
		select {
		case u := <-f.Updates:
			t.Errorf("an update although all is quiet: %+v", u)
		case <-time.After(4 * stale):
		}
		return f
	}
	first, second := follow(), follow() // whose watches join those of the first
	s.do(node("a", 2))
	for _, f := range []*backendstest.Follower{first, second} {
		f.UntilState("a change", func(*backends.State) bool { return f.Nodes() == "map[a:2]" })
	}
	server.Pause()
	first.UntilOutOfStep()
	second.UntilOutOfStep()
	server.Resume()
	s.do(node("a", 3))
	for _, f := range []*backendstest.Follower{first, second} {
		f.UntilState("a change after the silence", func(*backends.State) bool { return f.Nodes() == "map[a:3]" })
	}
}

// Each kind of reason is told once per outage, and a first list that breaks
// off is never called complete.
func TestOutageIsToldOnce(t *testing.T) {
	server, s := startStore(t)
	for i := range 30 {
		s.do(node(fmt.Sprintf("n%02d", i), i+1))
	}
	p := startProxy(t, server.Address())
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: []string{p.endpoint()}, PageSize: 10}))
	f.Next("the first page")
	p.set(func() { p.down = true })
	u := f.Until("the outage", func(u backends.Update) bool {
		if u.InSync {
			t.Error("half a list was called complete")
		}
		return u.Err != nil
	})
	if errors.Is(u.Err, context.Canceled) || len(u.Events) > 0 || len(f.State.Nodes) == 30 {
		t.Errorf("outage: %+v, %d nodes", u, len(f.State.Nodes))
	}
	select {
	case u := <-f.Updates:
		t.Errorf("second update of the same outage: %+v", u)
	case <-time.After(1500 * time.Millisecond): // several attempts
	}
	s.do(clientv3.OpDelete(resourceRoot + "nodes/n00"))
	p.set(func() { p.down = false })
	if f.UntilInSync(); len(f.State.Nodes) != 29 || f.State.Nodes["n00"] != nil {
		t.Errorf("%d nodes, n00 %v", len(f.State.Nodes), f.State.Nodes["n00"])
	}
}

// TestFelixConfigurationsAlone: where the rest comes another way, nothing else is
// read.
func TestFelixConfigurationsAlone(t *testing.T) {
	server, s := startStore(t)
	put := func(kind, name string) clientv3.Op {
		return clientv3.OpPut(resourceRoot+strings.ToLower(kind)+"s/"+name, resource(kind, name, ""))
	}
	s.do(node("a", 1), put("FelixConfiguration", "default"), put("FelixConfiguration", "node.node-1"), put("FelixConfiguration", "node.other"))
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints(), FelixConfigurations: true}))
	f.UntilInSync()
	if got := keys(f.State.FelixConfigurations) + "|" + keys(f.State.Nodes); got != "default node.node-1|" {
		t.Errorf("read were %s", got)
	}
}
