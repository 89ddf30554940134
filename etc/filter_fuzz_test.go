package etc_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/internal/testenv"
	"confd/templates"
)

// filterList is a list of a BGPFilter, and what it is for.
type filterList struct {
	name, direction string
	version         int
}

func filterLists() []filterList {
	return []filterList{{"importV4", "import", 4}, {"exportV4", "export", 4}, {"importV6", "import", 6}, {"exportV6", "export", 6}}
}

// FuzzFilterRules has filters of odd and usual values, for which BIRD must take
// what is made of them.
func FuzzFilterRules(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		spec, err := json.Marshal(filterAuthor{rand.New(rand.NewPCG(seed, 2))}.spec())
		if err != nil {
			t.Fatal(err)
		}
		checkFilter(t, string(spec))
	})
}

// FuzzFilterJSON has any JSON as a filter's spec.
func FuzzFilterJSON(f *testing.F) {
	for _, spec := range []string{
		`{}`, `[]`, `null`, `"x"`, `{"importV4": {}}`, `{"importV4": [null]}`, `{"exportV6": "Reject"}`, `{"importV4": [{"action": "Reject"}], "exportV4": 1}`, `{`,
		`{"importV4": [{"action": "Reject", "interface": "a\\"}, {"action": "Accept", "interface": "\u0000\""}]}`,
	} {
		f.Add(spec)
	}
	f.Fuzz(checkFilter)
}

// checkFilter gives a node a session of each family with such a filter, which
// must not be less filtered than is written.
func checkFilter(t *testing.T, spec string) {
	state := stateOf(t, dualStack)
	res, err := backends.Decode(backends.KindBGPFilter, "f", fmt.Appendf(nil, `{"metadata": {"name": "f"}, "spec": %s}`, spec))
	state.Apply(backends.Event{Key: backends.Key{Kind: backends.KindBGPFilter, Name: "f"}, Resource: res, Err: err})
	cfg, computeErr := bgp.Compute(state, bgp.Options{Node: "a"})
	if computeErr != nil {
		t.Fatal(computeErr)
	}
	for _, list := range filterLists() {
		if guards(spec, list.name) && !filters(cfg, list) {
			t.Errorf("%s: the session goes without its %s (%v)", spec, list.name, err)
		}
	}
	versions, ask := testenv.BirdVersions(), true
	if sum := int(crc32.ChecksumIEEE([]byte(spec)) >> 8); fuzzing() {
		versions, ask = versions[sum%4:sum%4+1], sum%64 < 4
	}
	for _, version := range versions {
		files, renderErr := render(cfg, state, version)
		if renderErr != nil {
			t.Fatalf("%s: %v", spec, renderErr)
		}
		checkRules(t, spec, files, err != nil)
		if ask {
			checkFiles(t, version, files)
		}
	}
}

// FuzzPeerFilters has any JSON as a BGPPeer's filters. Where names that do not
// exist close sessions, there is no session that goes without one of them.
func FuzzPeerFilters(f *testing.F) {
	for _, list := range []string{`["f"]`, `"f"`, `[null]`, `[""]`, `[1, true]`, `[["f"]]`, `{"f": 1}`, `["f", {}]`, `["nobody", "f"]`, `null`, `[]`, `["f", "f"]`} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		state := stateOf(t, dualStack)
		p, err := backends.Decode(backends.KindBGPPeer, "six", fmt.Appendf(nil, `{"metadata": {"name": "six"}, "spec": {"peerIP": "fd09::250", "filters": %s}}`, list))
		state.Apply(backends.Event{Key: backends.Key{Kind: backends.KindBGPPeer, Name: "six"}, Resource: p, Err: err})
		cfg, err := bgp.Compute(state, bgp.Options{Node: "a", CloseMissingFilters: true})
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if json.Unmarshal([]byte(list), &tree) != nil {
			return // and so is the whole object no JSON, or another one
		}
		names, isList := tree.([]any)
		for _, s := range cfg.IPv6.Sessions {
			if !isList && tree != nil || len(s.Import) != len(names) || len(s.Export) != len(names) {
				t.Errorf("%s: the session calls %v and %v", list, s.Import, s.Export)
			}
		}
		for _, version := range testenv.BirdVersions() {
			if files, err := render(cfg, state, version); err != nil {
				t.Error(err)
			} else if !fuzzing() {
				checkFiles(t, version, files)
			}
		}
	})
}

// dualStack is a node with a session of each family, both with a filter.
const dualStack = meshOff + `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1/24, ipv6Address: fd09::1/64}}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: four}, spec: {peerIP: 10.9.0.250, asNumber: 64999, filters: [f]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: six}, spec: {peerIP: "fd09::250", asNumber: 64999, filters: [f]}}`

// fuzzing says whether the engine makes inputs, so many that BIRD can see but
// some.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

// guards says whether a list has, or may have, rules.
func guards(spec, list string) bool {
	var tree any
	if json.Unmarshal([]byte(spec), &tree) != nil {
		return true
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return tree != nil
	}
	rules, ok := object[list].([]any)
	return ok && len(rules) > 0 || !ok && object[list] != nil
}

func filters(cfg *bgp.Config, list filterList) bool {
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			calls := s.Import
			if list.direction == "export" {
				calls = s.Export
			}
			if f.Version == list.version && len(calls) == 1 && calls[0].Filter == "f" {
				return true
			}
		}
	}
	return false
}

// checkRules looks at the text of the filter's functions: of one that is closed
// they reject, and nothing else.
func checkRules(t *testing.T, spec string, files []templates.File, closed bool) {
	for _, f := range files {
		for rest := string(f.Data); ; {
			_, after, found := strings.Cut(rest, "function 'bgp_f_")
			if !found {
				break
			}
			head, body, _ := strings.Cut(after, "{\n")
			body, rest, _ = strings.Cut(body, "\n}")
			statement, _, _ := strings.Cut(body, "#") // what is behind it names the rule
			switch {
			case closed && (strings.TrimSpace(statement) != "reject;" || strings.Contains(body, "\n")):
				t.Errorf("%s: closed, and yet:\n%s", spec, body)
			case !strings.Contains(rest, "'bgp_f_"+strings.SplitN(head, "'", 2)[0]+"'("):
				t.Errorf("%s: nobody calls %s", spec, head)
			}
		}
	}
}

// filterAuthor writes filters.
type filterAuthor struct{ *rand.Rand }

func (a filterAuthor) spec() map[string]any {
	spec := map[string]any{}
	for _, list := range filterLists() {
		if a.IntN(3) == 0 {
			continue
		}
		rules := []any{}
		for range a.IntN(4) {
			rules = append(rules, a.rule(list.version))
		}
		spec[list.name] = rules
	}
	return spec
}

// usually gives one of the usual values, and now and then an odd one.
func (a filterAuthor) usually(usual []any, odd ...any) any {
	if a.IntN(25) == 0 {
		return odd[a.IntN(len(odd))]
	}
	return usual[a.IntN(len(usual))]
}

func (a filterAuthor) rule(version int) map[string]any {
	r := map[string]any{"action": a.usually([]any{"Accept", "Reject"}, "accept", nil, 1, "Accept; accept")}
	put := func(name string, value func() any) {
		if a.IntN(3) == 0 {
			r[name] = value()
		}
	}
	numbers := func() any {
		return a.usually([]any{[]any{65001}, []any{0}, []any{65001, "65002.1", 4294967295}}, []any{4294967296}, []any{-1}, []any{nil}, []any{}, 7)
	}
	communities := []any{"65000:1", "1:2:3", "4294967295:0:4294967295", "0:0"}
	r["cidr"], r["matchOperator"] = a.net(version), a.usually([]any{"Equal", "NotEqual", "In", "NotIn"}, "in", nil)
	if a.IntN(2) == 0 {
		delete(r, "cidr")
		delete(r, "matchOperator")
	} else {
		put("prefixLength", a.lengths)
	}
	put("source", func() any { return a.usually([]any{"RemotePeers"}, "LocalPeers", "") })
	put("interface", func() any {
		return a.usually([]any{"eth*", "a b", "it's", "ö", "{;}", "#"}, `"`, `\`, "\n", strings.Repeat("x", 300), "\xff", 5)
	})
	put("peerType", func() any { return a.usually([]any{"eBGP", "iBGP"}, "ebgp") })
	put("communities", func() any {
		return map[string]any{"values": []any{a.usually(communities, "65536:1", "x", nil, 339792)}}
	})
	put("asPathPrefix", numbers)
	put("priority", func() any { return a.usually([]any{0, 1024, 2147483647}, 2147483648, -1, "512") })
	if r["action"] == "Accept" {
		put("operations", func() any {
			return []any{a.usually([]any{
				map[string]any{"addCommunity": map[string]any{"value": communities[a.IntN(len(communities))]}},
				map[string]any{"prependASPath": map[string]any{"prefix": numbers()}},
				map[string]any{"setPriority": map[string]any{"value": 5}},
			}, map[string]any{}, nil, "prepend")}
		})
	}
	return r
}

func (a filterAuthor) net(version int) any {
	if version == 4 {
		return a.usually([]any{"10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "10.1.2.3/9"}, "fd00::/8", "10.0.0.0/33", "10.0.0.0", "::ffff:10.0.0.0/104")
	}
	return a.usually([]any{"fd00::/8", "fd00::1/128", "::/0"}, "10.0.0.0/8", "fd00::/129", "x")
}

func (a filterAuthor) lengths() any {
	return a.usually([]any{
		map[string]any{"min": 8, "max": 24}, map[string]any{"min": 0}, map[string]any{"max": 32}, map[string]any{},
	}, map[string]any{"min": 24, "max": 20}, map[string]any{"max": 129}, map[string]any{"min": -1}, map[string]any{"min": "9"}, []any{8, 24})
}
