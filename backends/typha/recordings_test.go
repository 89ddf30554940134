package typha

import (
	"bytes"
	"encoding/gob"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/backends"
	"confd/backends/etcd"
	"confd/backends/internal/backendstest"
	"confd/backends/typha/internal/wire"
	"confd/internal/testenv"
)

// recording is what a real server has sent on one connection.
func recording(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../shared/typha", name))
	if err != nil {
		t.Skip("no recordings of a real server here")
	}
	return data
}

// tape is a connection on which a server says what it says, whatever it hears.
type tape struct {
	net.Conn
	*bytes.Reader
}

func (t *tape) Read(p []byte) (int, error)     { return t.Reader.Read(p) }
func (*tape) Write(p []byte) (int, error)      { return len(p), nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }

// play gives bytes of a server to a session, and returns what it reports until
// they end.
func play(t testing.TB, data []byte, l limits) ([]any, *failure) {
	t.Helper()
	b := newBackend(t, Config{})
	b.limits = l
	k := newLink(b)
	ended := make(chan *failure)
	s := session{link: k, stream: newStream(&tape{Reader: bytes.NewReader(data)}, backendstest.Patience, backendstest.Patience, l), address: "recorded"}
	go func() { ended <- s.run(t.Context(), func(error) {}) }()
	var reports []any
	for {
		select {
		case r := <-k.reports:
			reports = append(reports, r)
		case f := <-ended:
			return reports, f
		}
	}
}

// played is what reports come to, as far as the consumer is told.
func played(t testing.TB, node string, reports []any) (*backends.State, []backends.Update) {
	t.Helper()
	out := make(chan backends.Update, len(reports)+1)
	r := newRun(newBackend(t, Config{Node: node, AllNodes: node == ""}), out)
	for _, what := range reports {
		r.take(t.Context(), what)
	}
	close(out)
	state, updates := backends.NewState(), []backends.Update(nil)
	for u := range out {
		for _, e := range u.Events {
			state.Apply(e)
		}
		updates = append(updates, u)
	}
	return state, updates
}

// TestRecordingIsWhatEtcdSays: what a real server sent is the same by way of Typha,
// in both forms, and by way of etcd.
func TestRecordingIsWhatEtcdSays(t *testing.T) {
	server := testenv.StartEtcd(t)
	for name, want := range map[string]string{
		"snappy.bin": "60 nodes, 2 peers, 10 filters, 3 pools, 3 affinities, 1 configurations; invalid: []",
		"plain.bin":  "60 nodes, 3 peers, 10 filters, 3 pools, 3 affinities, 1 configurations; invalid: []",
	} {
		reports, failed := play(t, recording(t, name), defaultLimits())
		if failed.kind != "closed" {
			t.Fatalf("%s ends with %v", name, failed)
		}
		putAll(t, server, reports)
		state, updates := played(t, "node-1", reports)
		if !updates[0].InSync || len(updates) > 1 && len(updates[1].Events) > 0 {
			t.Errorf("%s was told in pieces", name)
		}
		if kinds(state) != want {
			t.Errorf("%s has %s, want %s", name, kinds(state), want)
		}
		if p := state.IPPools["10.0.0.0-9"]; p == nil || p.CIDR.String() != "10.0.0.0/9" {
			t.Errorf("pools are %+v", state.IPPools)
		}
		state.IPPools = map[string]*backends.IPPool{} // etcd has another form of them
		if diff := cmp.Diff(stateOfEtcd(t, server), state, compare()...); diff != "" {
			t.Errorf("%s -etcd +Typha:\n%s", name, diff)
		}
	}
}

func compare() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() }), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmpopts.IgnoreUnexported(backends.State{}),
	}
}

// putAll makes etcd have the keys of a recording, and no others.
func putAll(t *testing.T, server *testenv.Etcd, reports []any) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: server.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Delete(t.Context(), "/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		if kvs, ok := r.([]wire.KV); ok {
			for _, kv := range kvs {
				if _, err := client.Put(t.Context(), kv.Key, string(kv.Value)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func stateOfEtcd(t *testing.T, server *testenv.Etcd) *backends.State {
	t.Helper()
	b, err := etcd.New(etcd.Config{Endpoints: server.Endpoints(), Node: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	f := backendstest.Follow(t, b)
	f.UntilInSync()
	return f.State
}

// TestRecordedChanges: each of a real server's changes does what it should.
func TestRecordedChanges(t *testing.T) {
	reports, _ := play(t, recording(t, "changes.bin"), defaultLimits())
	state, updates := played(t, "node-1", reports)
	var events []string
	for _, u := range updates[1:] {
		for _, e := range u.Events {
			what := "is there"
			switch {
			case e.Err != nil:
				what = "is invalid"
			case e.Resource == nil:
				what = "is gone"
			}
			events = append(events, e.Key.String()+" "+what)
		}
	}
	want := []string{
		"Node node-7 is there", "BGPPeer rrs-to-rrs is gone", "BGPPeer tor is there", "IPPool 192.0.2.0-24 is there",
		"BlockAffinity node-1/10.9.9.0-26 is there", "BGPPeer broken is invalid", "BGPPeer future is there",
		"IPPool 192.0.2.0-24 is gone", "BlockAffinity node-1/10.9.9.0-26 is gone",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if state.BGPPeers["future"] == nil || len(state.Invalid) != 1 {
		t.Errorf("in the end there are %s", kinds(state))
	}
}

// TestRecordedKubernetes: nodes made of Kubernetes' own come as they should.
func TestRecordedKubernetes(t *testing.T) {
	reports, _ := play(t, recording(t, "kubernetes.bin"), defaultLimits())
	state, _ := played(t, "k8s-m2", reports)
	if want := "3 nodes, 2 peers, 1 filters, 2 pools, 1 affinities, 1 configurations; invalid: [BGPPeer broken]"; kinds(state) != want {
		t.Errorf("there are %s, want %s", kinds(state), want)
	}
	one, two, three := state.Nodes["k8s-m1"], state.Nodes["k8s-m2"], state.Nodes["k8s-m3"]
	if _, labelled := one.Labels["calico-route-reflector"]; labelled || !one.ClusterID.IsValid() || one.PodCIDRs[0].String() != "10.245.1.0/24" {
		t.Errorf("k8s-m1 is %+v", one)
	}
	if two.Labels["rack"] != "r1" || two.IPv4.Subnet.String() != "192.168.2.0/24" {
		t.Errorf("k8s-m2 is %+v", two)
	}
	if three.IPv4.Addr.IsValid() || three.ASNumber != 65003 || !three.WireguardIPv4.IsValid() || three.WireguardKeyIPv4 == "" {
		t.Errorf("k8s-m3 is %+v", three)
	}
	for _, a := range state.BlockAffinities {
		if !a.Deleted {
			t.Errorf("the affinity is %+v", a)
		}
	}
	if p := state.IPPools["10.244.0.0-16"]; p.IPIP != backends.EncapCrossSubnet || !p.NATOutgoing || p.Disabled {
		t.Errorf("the pool is %+v", p)
	}
	if p := state.IPPools["fd80::-48"]; p.IPIP != backends.EncapNever || !p.Disabled || !p.DisableBGPExport {
		t.Errorf("the IPv6 pool is %+v", p)
	}
	if len(state.Warnings) != 0 {
		t.Errorf("there is to say of a real cluster: %v", state.Warnings)
	}
}

// TestCutAnywhere: wherever a connection ends, what has come before the server was
// in step is not told, and it is an end like any other.
func TestCutAnywhere(t *testing.T) {
	for _, name := range []string{"snappy.bin", "plain.bin"} {
		data := recording(t, name)
		step := max(1, len(data)/600)
		for at := 0; at < len(data); at += step {
			reports, failed := play(t, data[:at], defaultLimits())
			if failed == nil || failed.kind == "broken" {
				t.Fatalf("%s cut after %d bytes: %v", name, at, failed)
			}
			_, updates := played(t, "node-1", reports)
			for _, u := range updates {
				if len(u.Events) > 0 && !u.InSync {
					t.Fatalf("%s cut after %d bytes tells %d events of no state", name, at, len(u.Events))
				}
			}
		}
	}
}

// FuzzStream: whatever a server sends, decoding ends, within its limits.
func FuzzStream(f *testing.F) {
	wire.Register()
	for _, name := range []string{"snappy.bin", "kubernetes.bin"} {
		if data, err := os.ReadFile(filepath.Join("../../../shared/typha", name)); err == nil {
			f.Add(data)
		}
	}
	var small bytes.Buffer
	enc := gob.NewEncoder(&small)
	for _, m := range []any{
		wire.ServerHello{SyncerType: wire.Syncer, SupportsNodeResourceUpdates: true},
		wire.KVs{KVs: []wire.KV{{Key: nodeKey("a"), Value: []byte(node("a", 1)), Revision: "7", UpdateType: 1}, {Key: nodeKey("a"), UpdateType: wire.Deleted}}},
		wire.SyncStatus{SyncStatus: wire.InSync},
	} {
		if err := enc.Encode(wire.Envelope{Message: m}); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(small.Bytes())
	checker := backends.NewChecker()
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newStream(&tape{Reader: bytes.NewReader(data)}, backendstest.Patience, backendstest.Patience, limits{bytes: 1 << 20, items: 1 << 14})
		table := newTable(reader{node: "node-1", checker: checker})
		table.begin()
		for {
			m, err := s.receive()
			switch m := m.(type) {
			case wire.DecoderRestart:
				err = s.restart(m)
			case wire.KVs:
				err = table.add(m.KVs)
			case wire.SyncStatus:
				table.end()
				table.delivered()
			}
			if err != nil {
				return
			}
		}
	})
}
