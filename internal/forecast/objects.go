package forecast

import (
	"maps"
	"reflect"
	"slices"

	"confd/backends"
)

// objects are those that differ, one line each, and those that cannot be used after.
func (f *forecaster) objects() []string {
	var out []string
	for _, key := range Differing(f.Before, f.After) {
		_, had := f.Before.Get(key)
		_, has := f.After.Get(key)
		text := " changes"
		switch {
		case !had && has:
			text = " is new"
		case had && !has:
			text = " is gone"
		}
		if err := f.After.Invalid[key]; err != nil {
			text += ", and cannot be used: " + err.Error()
		}
		out = append(out, key.String()+text)
	}
	return out
}

// Differing are the objects that differ between two states, sorted.
func Differing(before, after *backends.State) []backends.Key {
	var keys []backends.Key
	add := func(list []backends.Key) { keys = append(keys, list...) }
	add(differing(before.Nodes, after.Nodes))
	add(differing(before.BGPConfigurations, after.BGPConfigurations))
	add(differing(before.BGPPeers, after.BGPPeers))
	add(differing(before.BGPFilters, after.BGPFilters))
	add(differing(before.IPPools, after.IPPools))
	add(differing(before.BlockAffinities, after.BlockAffinities))
	add(differing(before.FelixConfigurations, after.FelixConfigurations))
	add(differing(maps.Collect(before.Services.All()), maps.Collect(after.Services.All())))
	add(differing(maps.Collect(before.EndpointSlices.All()), maps.Collect(after.EndpointSlices.All())))
	add(differing(before.Secrets, after.Secrets))
	for key := range after.Invalid {
		if before.Invalid[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, backends.Key.Compare)
	return slices.Compact(keys)
}

func differing[K comparable, R interface {
	comparable
	backends.Resource
}](before, after map[K]R) []backends.Key {
	var keys []backends.Key
	for k, r := range after {
		if was, had := before[k]; !had || was != r && !reflect.DeepEqual(was, r) {
			keys = append(keys, r.ResourceKey())
		}
	}
	for k, r := range before {
		if _, has := after[k]; !has {
			keys = append(keys, r.ResourceKey())
		}
	}
	return keys
}
