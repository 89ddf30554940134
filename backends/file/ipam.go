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
func (r pieceReader) ipam(tree map[string]any) ([]object, bool) {
	affinities, ok := tree["block_affinities"].([]any)
	if !ok || tree["kind"] != nil || tree["apiVersion"] != nil {
		return nil, false
	}
	var all []object
	for _, e := range affinities {
		key, value := keyAndValue(e)
		node, rest, _ := strings.Cut(strings.TrimPrefix(key, hostRoot), "/")
		if event, ours := backends.AffinityEvent(node, rest, value); ours && strings.HasPrefix(key, hostRoot) {
			all = append(all, object{event: &event})
		}
	}
	blocks, _ := tree["blocks"].([]any)
	for _, e := range blocks {
		_, value := keyAndValue(e)
		if block, err := backends.DecodeBlock(value); err == nil {
			all = append(all, object{block: block})
		}
	}
	return all, true
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
