package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
)

const (
	resourceRoot = "/calico/resources/v3/projectcalico.org/"
	ipamRoot     = "/calico/ipam/v2/host/"
)

// maxValue is the largest value that is decoded, in bytes.
const maxValue = 4 << 20

// keyRange is a run of keys that hold one kind of resource: those from key up
// to, but not, end; or key alone where end is empty.
type keyRange struct {
	kind backends.Kind
	dir  string // what stands before the name in every key
	key  string
	end  string
}

// rangesFor gives the ranges that matter to a node. They do not overlap.
func rangesFor(node string) []keyRange {
	return []keyRange{
		single(backends.KindBGPConfiguration, resourceRoot+"bgpconfigurations/", "default"),
		prefix(backends.KindBGPConfiguration, resourceRoot+"bgpconfigurations/", "node."),
		prefix(backends.KindBGPPeer, resourceRoot+"bgppeers/", ""),
		prefix(backends.KindBGPFilter, resourceRoot+"bgpfilters/", ""),
		prefix(backends.KindIPPool, resourceRoot+"ippools/", ""),
		prefix(backends.KindNode, resourceRoot+"nodes/", ""),
		single(backends.KindFelixConfiguration, resourceRoot+"felixconfigurations/", "default"),
		single(backends.KindFelixConfiguration, resourceRoot+"felixconfigurations/", "node."+node),
		prefix(backends.KindBlockAffinity, ipamRoot+node+"/", ""),
	}
}

func single(kind backends.Kind, dir, name string) keyRange {
	return keyRange{kind: kind, dir: dir, key: dir + name}
}

func prefix(kind backends.Kind, dir, start string) keyRange {
	return keyRange{kind: kind, dir: dir, key: dir + start, end: clientv3.GetPrefixRangeEnd(dir + start)}
}

func (r keyRange) contains(key string) bool {
	if r.end == "" {
		return key == r.key
	}
	return key >= r.key && key < r.end
}

// rangeOf finds the range that key lies in.
func (b *Backend) rangeOf(key string) (keyRange, bool) {
	for _, r := range b.ranges {
		if r.contains(key) {
			return r, true
		}
	}
	return keyRange{}, false
}

// putEvent is the event of a key that has this value, goneEvent that of one that
// is no more. The result is false for keys that are no resource.
func (b *Backend) putEvent(key string, value []byte) (backends.Event, bool) {
	r, ok := b.rangeOf(key)
	if !ok {
		return backends.Event{}, false
	}
	name := key[len(r.dir):]
	if r.kind == backends.KindBlockAffinity {
		return putAffinity(b.cfg.Node, name, value)
	}
	e := backends.Event{Key: backends.Key{Kind: r.kind, Name: name}}
	e.Resource, e.Err = decode(r.kind, name, value)
	return e, true
}

func (b *Backend) goneEvent(key string) (backends.Event, bool) {
	r, ok := b.rangeOf(key)
	if !ok {
		return backends.Event{}, false
	}
	name := key[len(r.dir):]
	if r.kind == backends.KindBlockAffinity {
		if name, _, _ = blockName(b.cfg.Node, name); name == "" {
			return backends.Event{}, false
		}
	}
	return backends.Event{Key: backends.Key{Kind: r.kind, Name: name}}, true
}

func decode(kind backends.Kind, name string, value []byte) (backends.Resource, error) {
	if name == "" {
		return nil, fmt.Errorf("the key of this %s ends where its name should be", kind)
	}
	if err := checkSize(value); err != nil {
		return backends.StandIn(backends.Key{Kind: kind, Name: name}, err)
	}
	return backends.Decode(kind, name, value)
}

func checkSize(value []byte) error {
	if len(value) > maxValue {
		return fmt.Errorf("the value has %d bytes; more than %d are not read", len(value), maxValue)
	}
	return nil
}

// putAffinity is the event of a block affinity. The rest of its key, after the
// node's folder, is "ipv4/block/A.B.C.D-LEN" or "ipv6/block/ADDR-LEN".
func putAffinity(node, rest string, value []byte) (backends.Event, bool) {
	name, cidr, err := blockName(node, rest)
	if name == "" {
		return backends.Event{}, false
	}
	e := backends.Event{Key: backends.Key{Kind: backends.KindBlockAffinity, Name: name}}
	if err == nil {
		e.Resource, err = decodeAffinity(node, name, cidr, value)
	}
	if err != nil {
		e.Resource, e.Err = nil, err
	}
	return e, true
}

// blockName gives an affinity's name and block; name is empty for keys that
// are no affinity. A key that is not well formed keeps its folder in its name,
// so that it never goes by the name of one that is.
func blockName(node, rest string) (name string, cidr netip.Prefix, err error) {
	family, block, ok := strings.Cut(rest, "/block/")
	if !ok || (family != "ipv4" && family != "ipv6") {
		return "", netip.Prefix{}, nil
	}
	cidr, err = parseBlock(block)
	if err == nil && cidr.Addr().Is4() != (family == "ipv4") {
		err = fmt.Errorf("block %q stands in the folder of %s", block, family)
	}
	if err != nil {
		return node + "/" + rest, netip.Prefix{}, err
	}
	return node + "/" + block, cidr, nil
}

// parseBlock reads "ADDR-LEN".
func parseBlock(s string) (netip.Prefix, error) {
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

func decodeAffinity(node, name string, cidr netip.Prefix, value []byte) (backends.Resource, error) {
	a := &backends.BlockAffinity{Name: name, Node: node, CIDR: cidr}
	if len(value) == 0 {
		return a, nil
	}
	if err := checkSize(value); err != nil {
		return nil, err
	}
	var v struct {
		State   string `json:"state"`
		Deleted bool   `json:"deleted"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, fmt.Errorf("the value of the affinity is not as expected: %w", err)
	}
	switch v.State {
	case "", "confirmed", "pending", "pendingDeletion":
		a.State, a.Deleted = v.State, v.Deleted
		return a, nil
	}
	return nil, errors.New("unknown state " + strconv.Quote(v.State))
}
