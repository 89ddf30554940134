package backends

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AffinityEvent is the event of a block affinity as etcd holds it. The rest of
// its key, after /calico/ipam/v2/host/NODE/, is "ipv4/block/A.B.C.D-LEN" or
// "ipv6/block/ADDR-LEN"; the value is JSON {"state", "deleted"}, or empty. False:
// the key is none of an affinity.
func AffinityEvent(node, rest string, value []byte) (Event, bool) {
	name, cidr, err := affinityName(node, rest)
	if name == "" {
		return Event{}, false
	}
	e := Event{Key: Key{Kind: KindBlockAffinity, Name: name}}
	var a *BlockAffinity
	if err == nil {
		a, err = decodeAffinityValue(node, name, cidr, value)
	}
	if e.Err = err; err == nil {
		e.Resource = a
	}
	return e, true
}

// AffinityName is the name that the affinity of a key has, as in AffinityEvent;
// empty for keys that are no affinity.
func AffinityName(node, rest string) string {
	name, _, _ := affinityName(node, rest)
	return name
}

// affinityName gives an affinity's name and block. A key that is not well formed
// keeps its folder in its name, so that it never goes by the name of one that is.
func affinityName(node, rest string) (name string, cidr netip.Prefix, err error) {
	family, block, ok := strings.Cut(rest, "/block/")
	if !ok || (family != "ipv4" && family != "ipv6") {
		return "", netip.Prefix{}, nil
	}
	cidr, err = ParseBlockKey(block)
	if err == nil && cidr.Addr().Is4() != (family == "ipv4") {
		err = fmt.Errorf("block %q stands in the folder of %s", block, family)
	}
	if err != nil {
		return node + "/" + rest, netip.Prefix{}, err
	}
	return node + "/" + block, cidr, nil
}

// ParseBlockKey reads "ADDR-LEN", as blocks are called in etcd's keys.
func ParseBlockKey(s string) (netip.Prefix, error) {
	bad := fmt.Errorf("block %q is not an address, a dash and a prefix length", s)
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return netip.Prefix{}, bad
	}
	addr, err := netip.ParseAddr(s[:i])
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		return netip.Prefix{}, bad
	}
	bits, err := strconv.ParseUint(s[i+1:], 10, 8)
	if err != nil {
		return netip.Prefix{}, bad
	}
	cidr, err := addr.Prefix(int(bits))
	if err != nil {
		return netip.Prefix{}, bad
	}
	return cidr, nil
}

func decodeAffinityValue(node, name string, cidr netip.Prefix, value []byte) (*BlockAffinity, error) {
	a := &BlockAffinity{Name: name, Node: node, CIDR: cidr}
	if len(value) == 0 {
		return a, nil
	}
	if len(value) > MaxObjectBytes {
		return nil, fmt.Errorf("the value has %d bytes; more than %d are not read", len(value), MaxObjectBytes)
	}
	v, err := parseValue(value)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("%s, not an object", typeName(v))
	}
	r := newReader(object)
	a.State, a.Deleted = r.get("state").affinityState(), r.get("deleted").isTrue()
	if err := r.err(); err != nil {
		return nil, err
	}
	return a, nil
}

func (f field) affinityState() string { return oneOf(f, "confirmed", "pending", "pendingDeletion") }
