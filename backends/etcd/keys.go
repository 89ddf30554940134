package etcd

import (
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
)

const (
	resourceRoot = "/calico/resources/v3/projectcalico.org/"
	ipamRoot     = "/calico/ipam/v2/host/"
)

// keyRange is a run of keys that hold one kind of resource: those from key up
// to, but not, end; or key alone where end is empty.
type keyRange struct {
	kind backends.Kind
	dir  string // what stands before the name in every key
	key  string
	end  string
}

// rangesFor gives the ranges that matter to a node. They do not overlap.
func rangesFor(cfg Config) []keyRange {
	felix := []keyRange{
		single(backends.KindFelixConfiguration, resourceRoot+"felixconfigurations/", "default"),
		single(backends.KindFelixConfiguration, resourceRoot+"felixconfigurations/", "node."+cfg.Node),
	}
	blocks := prefix(backends.KindBlockAffinity, ipamRoot+cfg.Node+"/", "")
	if cfg.AllNodes {
		felix[1] = prefix(backends.KindFelixConfiguration, resourceRoot+"felixconfigurations/", "node.")
		blocks = prefix(backends.KindBlockAffinity, ipamRoot, "")
	}
	if cfg.FelixConfigurations {
		return felix
	}
	return append([]keyRange{
		prefix(backends.KindBGPConfiguration, resourceRoot+"bgpconfigurations/", ""),
		prefix(backends.KindBGPPeer, resourceRoot+"bgppeers/", ""),
		prefix(backends.KindBGPFilter, resourceRoot+"bgpfilters/", ""),
		prefix(backends.KindIPPool, resourceRoot+"ippools/", ""),
		prefix(backends.KindNode, resourceRoot+"nodes/", ""),
		blocks,
	}, felix...)
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
		node, rest := b.affinityKey(name)
		return backends.AffinityEvent(node, rest, value)
	}
	return b.checker.KeyEvent(r.kind, name, value)
}

// affinityKey splits the key of an affinity, which is name below its range: the
// node, and the rest of the key.
func (b *Backend) affinityKey(name string) (node, rest string) {
	if !b.cfg.AllNodes {
		return b.cfg.Node, name
	}
	node, rest, _ = strings.Cut(name, "/")
	return node, rest
}

func (b *Backend) goneEvent(key string) (backends.Event, bool) {
	r, ok := b.rangeOf(key)
	if !ok {
		return backends.Event{}, false
	}
	name := key[len(r.dir):]
	if r.kind == backends.KindBlockAffinity {
		if name = backends.AffinityName(b.affinityKey(name)); name == "" {
			return backends.Event{}, false
		}
	}
	return backends.Event{Key: backends.Key{Kind: r.kind, Name: name}}, true
}
