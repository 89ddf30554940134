package typha

import (
	"errors"
	"strings"

	"confd/backends"
)

const (
	resourceRoot = "/calico/resources/v3/projectcalico.org/"
	poolRoot     = "/calico/v1/ipam/"
	blockRoot    = "/calico/ipam/v2/host/"
)

// errInvalid is the reason of an object that the server has found to make no sense.
var errInvalid = errors.New("found to be invalid by Typha, which does not say why: look at its values (kubectl or calicoctl get -o yaml)")

// reader makes events of keys.
type reader struct {
	node     string // whose blocks are read; with allNodes, those of all nodes are
	allNodes bool
	checker  *backends.Checker
}

// place is what a key names.
type place struct {
	key backends.Key
	// node and rest are the parts of an affinity's key, family and rest those of a
	// pool's.
	node, family, rest string
}

// place reads a key. False: it has no meaning for this node.
func (r reader) place(key string) (place, bool) {
	if rest, ok := strings.CutPrefix(key, blockRoot); ok {
		return r.blockPlace(rest)
	}
	if rest, ok := strings.CutPrefix(key, resourceRoot); ok {
		plural, name, _ := strings.Cut(rest, "/")
		kind, ok := kindOf(plural)
		return place{key: backends.Key{Kind: kind, Name: name}}, ok
	}
	if rest, ok := strings.CutPrefix(key, poolRoot); ok {
		family, block, ok := strings.Cut(rest, "/pool/")
		key := backends.Key{Kind: backends.KindIPPool, Name: block}
		return place{key: key, family: family, rest: block}, ok && (family == "v4" || family == "v6")
	}
	return place{}, false
}

// blockPlace reads the key of a block's affinity, unless that is another node's.
func (r reader) blockPlace(rest string) (place, bool) {
	node, rest, _ := strings.Cut(rest, "/")
	if node != r.node && !r.allNodes {
		return place{}, false
	}
	name := backends.AffinityName(node, rest)
	return place{key: backends.Key{Kind: backends.KindBlockAffinity, Name: name}, node: node, rest: rest}, name != ""
}

func kindOf(plural string) (backends.Kind, bool) {
	switch plural {
	case "nodes":
		return backends.KindNode, true
	case "bgpconfigurations":
		return backends.KindBGPConfiguration, true
	case "bgppeers":
		return backends.KindBGPPeer, true
	case "bgpfilters":
		return backends.KindBGPFilter, true
	}
	return "", false
}

// event is what a key comes to that has this value. One without a value is there,
// and the server has found it invalid.
func (r reader) event(p place, value []byte) (backends.Event, bool) {
	invalid := len(value) == 0
	switch {
	case p.key.Kind == backends.KindIPPool && invalid:
		return backends.ClosedPool(p.family, p.rest, errInvalid), true
	case p.key.Kind == backends.KindIPPool:
		return backends.PoolEvent(p.family, p.rest, value), true
	case invalid && !backends.HasEffect(p.key):
		return backends.Event{Key: p.key}, true
	case invalid:
		e := backends.Event{Key: p.key}
		e.Resource, e.Err = backends.StandIn(p.key, errInvalid)
		return e, true
	case p.key.Kind == backends.KindBlockAffinity:
		return backends.AffinityEvent(p.node, p.rest, value)
	}
	return r.checker.KeyEvent(p.key.Kind, p.key.Name, value)
}
