package backends

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// random makes resources that Decode could have returned.
type random struct{ *rand.Rand }

func (r random) yes() bool { return r.IntN(2) == 0 }

// some keeps a value half of the time.
func some[T any](r random, v T) (out T) {
	if r.yes() {
		return v
	}
	return out
}

func pick[T any](r random, values ...T) T { return values[r.IntN(len(values))] }

// listOf makes nil, or up to three entries.
func listOf[T any](r random, one func() T) (list []T) {
	for range r.IntN(4) {
		list = append(list, one())
	}
	return list
}

func (r random) word() string {
	return pick(r, "a", "true", "012", "x y", "q\"'\\", "é: {", "1:2", "-", "n%d", "~") + fmt.Sprint(r.IntN(1000))
}

func (r random) addr(version int) netip.Addr {
	if version == 4 {
		return netip.AddrFrom4([4]byte{10, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
	}
	a := netip.MustParseAddr("fd00::").As16()
	a[14], a[15] = byte(r.Uint32()), byte(r.Uint32())
	return netip.AddrFrom16(a)
}

func (r random) someAddr(version int) netip.Addr { return some(r, r.addr(version)) }

func (r random) prefix(version int) netip.Prefix {
	a := r.addr(version)
	return netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked()
}

func (r random) anyPrefix() netip.Prefix { return r.prefix(pick(r, 4, 6)) }

func (r random) nodeAddress(version int) (n NodeAddress) {
	n.Addr = r.someAddr(version)
	if n.Addr.IsValid() {
		n.Subnet = netip.PrefixFrom(n.Addr, 1+r.IntN(n.Addr.BitLen())).Masked()
	}
	return n
}

func (r random) number(limit uint32) *uint32 {
	n := r.Uint32N(limit)
	return some(r, &n)
}

func (r random) duration(from time.Duration) *time.Duration {
	d := from + time.Duration(r.IntN(4000_000))*time.Millisecond
	return some(r, &d)
}

func (r random) community() Community {
	if r.yes() {
		return Community{Large: true, A: r.Uint32(), B: r.Uint32(), C: r.Uint32()}
	}
	return Community{A: r.Uint32N(1 << 16), B: r.Uint32N(1 << 16)}
}

func (r random) password() *SecretKeyRef {
	return pick(r, nil, &SecretKeyRef{}, &SecretKeyRef{Name: r.word(), Key: r.word()})
}

func (r random) intent() Intent {
	return Intent{DisruptionUntil: some(r, r.word()), Approved: some(r, r.word())}
}

func (r random) node() *Node {
	n := &Node{
		Name: "n", IPv4: r.nodeAddress(4), IPv6: r.nodeAddress(6), ASNumber: some(r, r.Uint32()),
		Intent: r.intent(), ClusterID: r.someAddr(4), WireguardIPv4: r.someAddr(4), WireguardIPv6: r.someAddr(6), PodCIDRs: listOf(r, r.anyPrefix),
		WireguardKeyIPv4: some(r, "a2V5"), WireguardKeyIPv6: some(r, "a2V5"),
	}
	if r.yes() {
		n.Labels = map[string]string{r.word(): r.word(), "b": ""}
	}
	return n
}

func (r random) configuration() *BGPConfiguration {
	mesh := r.yes()
	return &BGPConfiguration{
		Intent: r.intent(), Name: pick(r, "default", "node.n"), ASNumber: some(r, r.Uint32()), NodeToNodeMesh: some(r, &mesh),
		ListenPort: some(r, uint16(1+r.IntN(65535))), LogSeverity: some(r, "Debug"),
		ServiceClusterIPs: listOf(r, r.anyPrefix), ServiceExternalIPs: listOf(r, r.anyPrefix), ServiceLoadBalancerIPs: listOf(r, r.anyPrefix),
		NoLoadBalancerAggregation: r.yes(),
		Communities:               listOf(r, func() NamedCommunity { return NamedCommunity{r.word(), r.community()} }),
		PrefixAdvertisements: listOf(r, func() PrefixAdvertisement {
			return PrefixAdvertisement{r.anyPrefix(), listOf(r, func() string { return pick(r, "name", r.community().String()) })}
		}),
		NodeMeshPassword: r.password(), NodeMeshMaxRestartTime: r.duration(0), BindNodeIP: r.yes(),
		IgnoredInterfaces:    listOf(r, func() string { return pick(r, "eth0", "veth*") }),
		ProgramClusterRoutes: pick(r, "", RoutesEnabled, RoutesDisabled, RoutesEnabledIPIPOnly),
		IPv4NormalPriority:   r.number(1 << 31), IPv6NormalPriority: r.number(1 << 31),
	}
}

func (r random) peer() *BGPPeer {
	p := &BGPPeer{
		Intent: r.intent(), Name: "p", ASNumber: some(r, r.Uint32()), LocalASNumber: some(r, r.Uint32()), KeepOriginalNextHop: r.yes(),
		NextHopMode: pick(r, "", NextHopAuto, NextHopSelf, NextHopKeep), Password: r.password(), NoSourceAddress: r.yes(),
		MaxRestartTime: r.duration(0), KeepaliveTime: r.duration(time.Second), NumAllowedLocalAS: r.number(1 << 31),
		TTLSecurity: uint8(r.IntN(256)), Filters: listOf(r, r.word), NoReversePeering: r.yes(),
	}
	switch r.IntN(3) {
	case 0:
		version := pick(r, 4, 6)
		p.PeerIP, p.Port, p.ReachableBy = r.addr(version), some(r, uint16(1+r.IntN(65535))), r.someAddr(version)
	case 1:
		p.PeerSelector = r.word()
	case 2:
		p.LocalWorkloadSelector = r.word()
	}
	switch r.IntN(3) {
	case 0:
		p.Node = r.word()
	case 1:
		p.NodeSelector = r.word()
	}
	return p
}

func (r random) filter() *BGPFilter {
	rules := func(version int) []FilterRule { return listOf(r, func() FilterRule { return r.rule(version) }) }
	return &BGPFilter{Intent: r.intent(), Name: "f", ImportV4: rules(4), ExportV4: rules(4), ImportV6: rules(6), ExportV6: rules(6)}
}

func (r random) rule(version int) FilterRule {
	asNumber := func() uint32 { return 1 + r.Uint32N(1<<31) }
	community := r.community()
	f := FilterRule{
		RemotePeers: r.yes(), Interface: some(r, "eth*"), PeerType: pick(r, "", PeerExternal, PeerInternal), Community: some(r, &community),
		ASPathPrefix: listOf(r, asNumber), Priority: r.number(1 << 31), Accept: r.yes(),
	}
	if r.yes() {
		f.CIDR, f.Match = r.prefix(version), pick(r, MatchEqual, MatchNotEqual, MatchIn, MatchNotIn)
		if r.yes() {
			low := r.IntN(33)
			f.PrefixLength = &LengthRange{uint8(low), uint8(low + r.IntN(33-low))}
		}
	}
	if f.Accept {
		f.Operations = listOf(r, func() Operation {
			c, n := r.community(), r.Uint32N(1<<31)
			return pick(r, Operation{AddCommunity: &c}, Operation{SetPriority: &n}, Operation{PrependASPath: []uint32{asNumber(), asNumber()}})
		})
	}
	return f
}

func (r random) pool() *IPPool {
	p := &IPPool{Intent: r.intent(), Name: "p", CIDR: r.anyPrefix(), DisableBGPExport: r.yes(), Disabled: r.yes(), NATOutgoing: r.yes()}
	p.BlockSize = some(r, uint8(max(1, p.CIDR.Bits(), r.IntN(p.CIDR.Addr().BitLen()+1))))
	mode := pick(r, "", EncapNever, EncapAlways, EncapCrossSubnet)
	if p.CIDR.Addr().Is4() && r.yes() {
		p.IPIP = mode
	} else {
		p.VXLAN = mode
	}
	return p
}

func (r random) affinity() *BlockAffinity {
	return &BlockAffinity{Name: r.word(), Node: r.word(), CIDR: r.anyPrefix(), State: pick(r, "", "confirmed", "pending", "pendingDeletion"), Deleted: r.yes()}
}

func (r random) service() *Service {
	addrs := func() []netip.Addr { return listOf(r, func() netip.Addr { return r.addr(pick(r, 4, 6)) }) }
	unique := func(a []netip.Addr) []netip.Addr { return a[:min(len(a), 1)] } // no address is there twice
	s := &Service{
		Namespace: "ns", Name: "s", Type: pick(r, "ClusterIP", "LoadBalancer", "ExternalName"),
		ClusterIPs: unique(addrs()), ExternalIPs: unique(addrs()), LoadBalancerIPs: unique(addrs()), Local: r.yes(), IPv4: r.yes(),
	}
	s.IPv6 = !s.IPv4 || r.yes()
	return s
}

func (r random) slice() *EndpointSlice {
	s := &EndpointSlice{Namespace: "ns", Name: "s", Service: some(r, "svc"), IPv6: r.yes(), Ready: r.yes()}
	if s.Ready {
		s.Nodes = some(r, []string{"a", "b"})
	}
	return s
}

func (r random) secret() *Secret {
	return &Secret{Namespace: "ns", Name: "s", Intent: r.intent(), Data: map[string]string{r.word(): r.word(), "bytes": "\xff\x00", "empty": ""}}
}

// makers has one maker for each kind that is written.
func (r random) makers() map[Kind]func() Resource {
	return map[Kind]func() Resource{
		KindNode:             func() Resource { return r.node() },
		KindBGPConfiguration: func() Resource { return r.configuration() },
		KindBGPPeer:          func() Resource { return r.peer() },
		KindBGPFilter:        func() Resource { return r.filter() },
		KindIPPool:           func() Resource { return r.pool() },
		KindBlockAffinity:    func() Resource { return r.affinity() },
		KindFelixConfiguration: func() Resource {
			return &FelixConfiguration{Name: "default", ProgramClusterRoutes: pick(r, "", RoutesEnabled, RoutesDisabled)}
		},
		KindService:       func() Resource { return r.service() },
		KindEndpointSlice: func() Resource { return r.slice() },
		KindSecret:        func() Resource { return r.secret() },
	}
}

// TestEncodeDecode: what was written is read back as it was.
func TestEncodeDecode(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	makers := r.makers()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			unset := map[string]bool{}
			for range 500 {
				want := makers[kind]()
				text, err := Encode(want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := decodeEncoded(kind, text)
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
					t.Fatalf("%s\n%s", diff, text)
				}
				noteFields(unset, string(kind), reflect.ValueOf(want))
			}
			for field, is := range unset {
				if is && !strings.HasSuffix(field, ".Ignored") {
					t.Errorf("%s was never set: this test must set it, and Encode write it", field)
				}
			}
		})
	}
}

// decodeEncoded decodes as the file backend does.
func decodeEncoded(kind Kind, text []byte) (Resource, error) {
	return Decode(kind, "", text)
}

// noteFields notes for each field below v whether it has only been zero so far.
func noteFields(unset map[string]bool, path string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		noteFields(unset, path, v.Elem())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			noteFields(unset, path, v.Index(i))
		}
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[Key]().PkgPath():
		for i := range v.NumField() {
			field := path + "." + v.Type().Field(i).Name
			if was, seen := unset[field]; was || !seen {
				unset[field] = v.Field(i).IsZero()
			}
			noteFields(unset, field, v.Field(i))
		}
	}
}

func TestEncodeRefusesWhatIsNoObject(t *testing.T) {
	if _, err := Encode(&EndpointStatus{Name: "w"}); err == nil {
		t.Error("no error")
	}
}
