package file

import (
	"encoding/json"
	"strings"

	"confd/backends"
)

// hostRoot begins the keys of block affinities.
const hostRoot = "/calico/ipam/v2/host/"

// ipam reads the last part of what calicoctl datastore migrate export writes:
// IPAM's keys and values as they are in etcd. False: the object is none of those.
func ipam(tree map[string]any) (affinities []backends.Event, blocks []*backends.Block, ok bool) {
	entries, ok := tree["block_affinities"].([]any)
	if !ok || tree["kind"] != nil || tree["apiVersion"] != nil {
		return nil, nil, false
	}
	for _, e := range entries {
		key, value := keyAndValue(e)
		node, rest, _ := strings.Cut(strings.TrimPrefix(key, hostRoot), "/")
		if event, ours := backends.AffinityEvent(node, rest, value); ours && strings.HasPrefix(key, hostRoot) {
			affinities = append(affinities, event)
		}
	}
	entries, _ = tree["blocks"].([]any)
	for _, e := range entries {
		_, value := keyAndValue(e)
		if block, err := backends.DecodeBlock(value); err == nil {
			blocks = append(blocks, block)
		}
	}
	return affinities, blocks, true
}

// keyAndValue are an entry's key, and its value as JSON.
func keyAndValue(v any) (string, []byte) {
	entry, _ := v.(map[string]any)
	key, _ := entry["Key"].(string)
	value, err := json.Marshal(entry["Value"])
	if err != nil || entry["Value"] == nil {
		return key, nil
	}
	return key, value
}

// blockOf reads an IPAMBlock; nil for everything else, and for one that makes
// no sense.
func blockOf(t typeMeta, tree map[string]any) *backends.Block {
	group, _, _ := strings.Cut(t.apiVersion, "/")
	if t.kind != "IPAMBlock" || group != "projectcalico.org" && group != "crd.projectcalico.org" {
		return nil
	}
	spec, err := json.Marshal(tree["spec"])
	if err != nil {
		return nil
	}
	block, err := backends.DecodeBlock(spec)
	if err != nil {
		return nil
	}
	return block
}
