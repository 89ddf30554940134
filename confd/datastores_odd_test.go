package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"confd/backends"
)

// odd is a resource that people have written otherwise than Encode would: the
// fields of its spec with these paths have other values.
type odd struct {
	backends.Resource
	spec map[string]any
}

// plain is the resource as Encode knows it.
func plain(r backends.Resource) backends.Resource {
	if o, ok := r.(odd); ok {
		return o.Resource
	}
	return r
}

// encoded is Encode for a resource that may be odd.
func encoded(r backends.Resource) ([]byte, error) {
	text, err := backends.Encode(plain(r))
	o, isOdd := r.(odd)
	if err != nil || !isOdd {
		return text, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	for path, value := range o.spec {
		at := tree
		names := strings.Split("spec."+path, ".")
		for _, name := range names[:len(names)-1] {
			if mapIn(at, name) == nil {
				at[name] = map[string]any{}
			}
			at = mapIn(at, name)
		}
		at[names[len(names)-1]] = value
	}
	return json.Marshal(tree)
}

// oddities are values that make no sense, or are easily misread, by kind: such as
// an API server takes. Those of a Node are texts, as annotations are.
func oddities() map[backends.Kind]map[string][]any {
	rules := func(rules ...map[string]any) []any {
		list := make([]any, len(rules))
		for i, r := range rules {
			list[i] = r
		}
		return list
	}
	return map[backends.Kind]map[string][]any{
		backends.KindNode: {
			"bgp.ipv4Address":                {"10.1.0.2", "10.1.0.3/33", "nonsense", "fd01::1/64"},
			"bgp.asNumber":                   {"x", "-1", "1.10", "65536.1"},
			"bgp.routeReflectorClusterID":    {"one", "0.0.0.0"},
			"wireguard.interfaceIPv4Address": {"10.3.0.300"},
		},
		backends.KindBGPPeer: {
			"keepaliveTime": {"0s", "400ms", "48h", "soon"}, "maxRestartTime": {"20h", "-1s"}, "numAllowedLocalASNumbers": {-1},
			"nextHopMode": {"keep"}, "filters": {[]any{"nobody", "f0"}}, "ttlSecurity": {300},
			"nodeSelector": {"rack in {'a',}", "rack startswith 'b'", "rack notin {'a'}"}, "reachableBy": {"gateway"},
			"asNumbr": {65001}, "passwordSecret": {"s0"},
		},
		backends.KindBGPFilter: {
			"importV4": {rules(map[string]any{"action": "accept"}), rules(map[string]any{"action": "Reject", "asPathPrefix": []any{0}})},
			"exportV4": {
				rules(map[string]any{"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In", "prefixLength": map[string]any{"min": 24, "max": 20}}),
			},
			"exportV6": {rules(map[string]any{"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In"})},
			"importv6": {rules(map[string]any{"action": "Reject", "comunities": map[string]any{}})},
		},
		backends.KindIPPool: {"ipipMode": {"always"}, "vxlanMode": {"Sometimes"}, "ipipmode": {"Always"}},
		backends.KindBGPConfiguration: {
			"prefixAdvertisements": {[]any{}}, "nodeMeshMaxRestartTime": {"20h"}, "listenPort": {0}, "nodeToNodeMesh": {false},
			"communities": {rules(map[string]any{"name": "named", "value": "65000:8"}, map[string]any{"name": "named", "value": "65000:9"})},
		},
	}
}

// oddly changes one field of some resources, and lets nodes share addresses.
func (g generator) oddly(c cluster) {
	all := oddities()
	for _, k := range slices.SortedFunc(maps.Keys(c), backends.Key.Compare) {
		fields := all[k.Kind]
		if len(fields) == 0 || !g.chance(15) {
			continue
		}
		path := pick(g, slices.Sorted(maps.Keys(fields))...)
		c[k] = odd{c[k], map[string]any{path: pick(g, fields[path]...)}}
	}
}

// said is a problem's text without what depends on how a store writes the
// object: annotations or fields.
func said(object backends.Key, text string) string {
	if what, rest, ok := strings.Cut(text, ": "); ok && object.Kind == backends.KindNode && what == "ignored" {
		_, text, _ = strings.Cut(rest, ": ")
		return "ignored: " + text
	}
	return text
}
