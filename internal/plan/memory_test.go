package plan_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/bgp"
	"confd/internal/plan"
	"confd/templates"
)

var (
	steps = flag.Int("steps", 500, "steps of tests with random changes")
	seed  = flag.Uint64("seed", 1, "of tests with random changes")
)

// The same state gives the same configuration and the same bytes, whatever was there
// before: what is remembered of the last one makes no difference.
func TestMemoryMakesNoDifference(t *testing.T) {
	r := changer{rand.New(rand.NewPCG(*seed, 0)), backends.NewState()}
	options := bgp.Options{Node: "n0", SecretNamespace: "ns"}
	p := plan.Planner{Settings: plan.Settings{BGP: options, ConfDir: "/nonexistent"}}
	var err error
	if p.Templates, err = plan.Load(p.Settings, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var m bgp.Memory
	before := map[string][]templates.File{}
	made, kept := 0, 0
	var last *bgp.Config
	for step := range *steps {
		for range 1 + r.IntN(3) {
			r.change()
		}
		if r.IntN(4) == 0 { // what has changed is not known, only what there is
			r.state = r.state.Clone()
		}
		if r.IntN(50) == 0 {
			options.UsePodCIDR, options.RequirePasswords = r.IntN(2) == 0, r.IntN(2) == 0
		}
		want, wantErr := bgp.Compute(r.state, options)
		got, err := m.Compute(r.state, options)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("seed %d, step %d: error %v, want %v", *seed, step, err, wantErr)
		}
		if err != nil {
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d, step %d: another configuration than without memory:\n%s", *seed, step,
				cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})))
		}
		made++
		if got == last {
			kept++
		}
		last = got
		version := []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"}[r.IntN(4)]
		v, _ := templates.ParseVersion(version)
		fresh, freshErr := p.Render(t.Context(), want, r.state, v)
		files, err := p.RenderAfter(t.Context(), got, r.state, v, before[version])
		if fmt.Sprint(err) != fmt.Sprint(freshErr) {
			t.Fatalf("seed %d, step %d: error %v, want %v", *seed, step, err, freshErr)
		}
		for i := range fresh {
			if !bytes.Equal(files[i].Data, fresh[i].Data) {
				t.Fatalf("seed %d, step %d, BIRD %s: another file than without memory:\n%s", *seed, step, version,
					cmp.Diff(string(fresh[i].Data), string(files[i].Data)))
			}
		}
		if err == nil {
			before[version] = files
		}
	}
	if made < *steps/2 || kept == 0 || kept == made {
		t.Errorf("of %d steps %d have made a configuration, %d the one of before: this tests nothing", *steps, made, kept)
	}
}

// changer changes a state at random: a few nodes and objects that have to do with
// each other in many ways.
type changer struct {
	*rand.Rand
	state *backends.State
}

func (r changer) one(of ...string) string { return of[r.IntN(len(of))] }

func (r changer) maybe() bool { return r.IntN(4) == 0 }

func (r changer) address(version int) backends.NodeAddress {
	a := netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + r.IntN(12))})
	if version == 6 {
		a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(1 + r.IntN(12))})
	}
	if r.maybe() {
		return backends.NodeAddress{}
	}
	return backends.NodeAddress{Addr: a, Subnet: netip.PrefixFrom(a, a.BitLen()-8).Masked()}
}

func (r changer) selector() string {
	return r.one("", "all()", "rack == 'a'", "rack == 'b'", "!has(rack)", "rack ==", "has(rr)")
}

func (r changer) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(3) * 64), 0}), []int{8, 16, 26, 32}[r.IntN(4)]).Masked()
}

// change changes one object: it is another one, or gone, or cannot be used.
func (r changer) change() {
	resource := r.resource()
	if old, ok := r.state.Get(resource.ResourceKey()); ok && r.IntN(2) == 0 {
		resource = r.alike(old)
	}
	e := backends.Event{Key: resource.ResourceKey(), Resource: resource}
	switch r.IntN(12) {
	case 0:
		e.Resource = nil
	case 1:
		e.Resource, e.Err = nil, errors.New("cannot be used")
	case 2:
		e.Err, e.Stale = errors.New("cannot be used"), true
	case 3:
		e.Warnings = []backends.Warning{{Code: backends.IgnoredValue, Text: "odd", Place: r.one("a:1", "b:2")}}
	}
	if e.Key.Name == "n0" && e.Resource == nil && !r.maybe() {
		return // without it there is nothing to compute
	}
	r.state.Apply(e)
}

// alike is a resource that differs from another one in what concerns few.
func (r changer) alike(old backends.Resource) backends.Resource {
	switch old := old.(type) {
	case *backends.Node:
		n := *old
		n.Labels = map[string]string{r.one("rack", "rr", "other"): r.one("a", "b")}
		return &n
	case *backends.BGPPeer:
		p := *old
		p.NodeSelector = r.selector()
		return &p
	case *backends.EndpointSlice:
		e := *old
		e.Nodes = [][]string{nil, {"n0"}, {"n1"}, {"n0", "n1"}, {"n2"}}[r.IntN(5)]
		return &e
	case *backends.BlockAffinity:
		b := *old
		b.Node = r.one("n0", "n1", "n2")
		return &b
	}
	return old
}

func (r changer) resource() backends.Resource {
	number := uint32(r.IntN(3) * 100)
	seconds := []*time.Duration{nil, new(time.Duration), nil}[r.IntN(3)]
	if seconds != nil {
		*seconds = time.Duration(r.IntN(6000)) * time.Second
	}
	var ignored []string
	if r.IntN(10) == 0 {
		ignored = []string{"odd"}
	}
	switch r.IntN(12) {
	case 0, 1, 2:
		n := &backends.Node{
			Name: r.one("n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"), Labels: map[string]string{}, IPv4: r.address(4), IPv6: r.address(6),
			ASNumber: number, Ignored: ignored, Intent: backends.Intent{Approved: r.one("", "x")},
		}
		if l := r.one("", "rack", "rr", "other"); l != "" {
			n.Labels[l] = r.one("a", "b")
		}
		if r.IntN(6) == 0 {
			n.ClusterID = netip.MustParseAddr(r.one("1.1.1.1", "2.2.2.2"))
		}
		if r.maybe() {
			n.WireguardIPv4, n.WireguardKeyIPv6 = netip.MustParseAddr("10.9.0.1"), "key"
		}
		if r.maybe() {
			n.PodCIDRs = []netip.Prefix{r.prefix()}
		}
		return n
	case 3:
		mesh := r.IntN(5) > 0
		return &backends.BGPConfiguration{
			Name: r.one("default", "node.n0", "node.n1", "node.n2"), ASNumber: number, NodeToNodeMesh: &mesh, ListenPort: uint16(number),
			BindNodeIP: r.maybe(), NodeMeshMaxRestartTime: seconds, Ignored: ignored, ServiceClusterIPs: []netip.Prefix{r.prefix()},
			NodeMeshPassword: []*backends.SecretKeyRef{nil, {Name: "s", Key: "k"}}[r.IntN(2)], NoLoadBalancerAggregation: r.maybe(),
		}
	case 4, 5:
		p := &backends.BGPPeer{
			Name: r.one("p0", "p1", "p2", "p3"), ASNumber: number, KeepaliveTime: seconds, NoReversePeering: r.maybe(), Ignored: ignored,
			Password: []*backends.SecretKeyRef{nil, nil, {Name: "s", Key: "k"}}[r.IntN(3)], TTLSecurity: uint8(r.IntN(2)), LocalASNumber: number,
		}
		if r.maybe() {
			p.Filters = []string{r.one("f0", "f1")}
		}
		if p.NodeSelector = r.selector(); r.maybe() {
			p.Node, p.NodeSelector = r.one("n0", "n1", "n2"), ""
		}
		switch r.IntN(4) {
		case 0, 1:
			p.PeerSelector = r.one("all()", "has(rr)", "rack == 'a'", "rack ==")
		case 2:
			p.LocalWorkloadSelector = "all()"
		default:
			p.PeerIP, p.Port = r.address(4).Addr, uint16(number)
			if !p.PeerIP.IsValid() {
				p.PeerIP = netip.MustParseAddr("192.0.2.1")
			}
		}
		return p
	case 6:
		f := &backends.BGPFilter{Name: r.one("f0", "f1")}
		if r.maybe() {
			f.ImportV4 = []backends.FilterRule{{CIDR: r.prefix(), Match: backends.MatchIn, Accept: r.maybe(), PeerType: backends.PeerType(r.one("", "iBGP"))}}
		}
		return f
	case 7:
		return &backends.IPPool{Name: r.one("a", "b"), CIDR: r.prefix(), DisableBGPExport: r.maybe(), Ignored: ignored}
	case 8:
		return &backends.BlockAffinity{Name: r.one("b0", "b1", "b2"), Node: r.one("n0", "n1"), CIDR: r.prefix(), State: r.one("confirmed", "pending")}
	case 9:
		s := &backends.Service{Namespace: "ns", Name: r.one("s0", "s1"), Type: r.one("ClusterIP", "NodePort"), IPv4: true, Local: !r.maybe(), Ignored: ignored}
		s.ClusterIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(5))})}
		return s
	case 10:
		return &backends.EndpointSlice{
			Namespace: "ns", Name: r.one("e0", "e1", "e2"), Service: r.one("s0", "s1"), IPv6: r.maybe(), Ready: r.maybe(),
			Nodes: [][]string{nil, {"n0"}, {"n1"}, {"n0", "n1"}, {"n2"}}[r.IntN(5)],
		}
	default:
		return &backends.Secret{Namespace: "ns", Name: "s", Data: map[string]string{r.one("k", "other"): r.one("one", "two", "a\nb")}}
	}
}
