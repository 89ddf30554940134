package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/backends"
	"confd/backends/kubernetes"
	"confd/internal/diff"
	"confd/internal/doctor"
	"confd/internal/explain"
	"confd/internal/fleet"
	"confd/internal/forecast"
	"confd/internal/golden"
	"confd/internal/settings"
	"confd/internal/status"
	"confd/internal/topology"
)

// ownSuggesters are those of arguments, by command, and of flags that are no settings,
// by command and flag.
func ownSuggesters() map[string]suggester {
	form := suggester{find: oneOf(answerForms()...), files: noFiles}
	none := suggester{files: noFiles}
	peer := suggester{find: peers, files: noFiles}
	all := map[string]suggester{
		"confd":                        {find: commands, files: noFiles},
		"confd help":                   {find: commands, files: noFiles},
		"confd explain":                {find: commands, files: noFiles},
		"confd templates":              {find: commands, files: noFiles},
		"confd explain session":        {find: parties, files: noFiles},
		"confd explain route":          {find: routeArgument, files: noFiles},
		"confd explain route --to":     peer,
		"confd explain route --from":   peer,
		"confd explain pod":            none,
		"confd explain block":          {find: blocks, files: noFiles},
		"confd explain node":           {find: nodeArgument, files: noFiles},
		"confd explain filter":         {find: filters, files: noFiles},
		"confd explain filter --route": {find: nets, files: noFiles},
		"confd doctor --ignore":        {find: codes, files: noFiles, list: true},
		"confd doctor --fail-on":       {find: oneOf(string(doctor.Error), string(doctor.Warning)), files: noFiles},
		"confd plan --filename":        {files: anyFile},
		"confd plan --delete":          {find: objects, files: noFiles, open: true},
		"confd plan --fail-on":         {find: conditions, files: noFiles, list: true},
		"confd diff --from":            {find: oneOf(diff.Disk, diff.Live), files: anyFile},
		"confd diff --to":              {find: oneOf(diff.Live), files: anyFile},
		"confd diff --output":          {find: oneOf(diffText, diffJSON), files: noFiles},
		"confd status --output":        {find: oneOf(append(status.Formats(), answerYAML)...), files: noFiles},
		"confd status --sort":          {find: oneOf(fleet.Orders()...), files: noFiles},
		"confd status --filter":        {find: nodeFilters, files: noFiles, open: true},
		"confd status --port":          none,
		"confd status --timeout":       none,
		"confd status --lines":         none,
		"confd status --watch":         {find: oneOf("1s", "2s", "5s"), files: noFiles},
		"confd approve --port":         none,
		"confd approve --timeout":      none,
		"confd approve --id":           none,
		"confd approve --from":         {files: anyFile},
		"confd topology --format":      {find: oneOf(topology.Formats()...), files: noFiles},
		"confd topology --output":      {files: anyFile},
		"confd topology --group-by":    {find: labels, files: noFiles},
		"confd test":                   {files: anyFolder},
		"confd test --check":           {find: oneOf(checkModes()...), files: noFiles},
		"confd test --format":          {find: oneOf(golden.Formats()...), files: noFiles},
		"confd test --init":            {files: anyFolder},
		"confd test --run":             none,
		"confd templates export":       {files: anyFolder},
		"confd man":                    {files: anyFolder},
		"confd version --output":       form,
	}
	for _, c := range []string{"plan", "doctor", "explain session", "explain route", "explain pod", "explain block", "explain node", "explain filter"} {
		all["confd "+c+" --output"] = form
	}
	for _, c := range []string{"run", "render", "status", "approve", "doctor", "topology", "plan", "diff", "export", "version"} {
		all["confd "+c] = none
	}
	return all
}

// commands are those below the command; of help those below the command that is
// asked about. Cobra itself names them only where no flag stands before.
func commands(c completion) []suggestion {
	about := c.cmd
	if about.Name() == "help" {
		about, _, _ = about.Root().Find(c.args) // what is not found is the root
	} else if about.Flags().NFlag() == 0 {
		return nil
	}
	var out []suggestion
	for _, sub := range about.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, suggestion{sub.Name(), sub.Short})
		}
	}
	return out
}

func nodesOf(state *backends.State) []suggestion {
	if state == nil {
		return nil
	}
	var out []suggestion
	for _, name := range slices.Sorted(maps.Keys(state.Nodes)) {
		n := state.Nodes[name]
		about := n.IPv4.Addr
		if !about.IsValid() {
			about = n.IPv6.Addr
		}
		out = append(out, suggestion{name, about.String()})
	}
	return out
}

func nodeNames(c completion) []suggestion {
	state, _ := c.state()
	return nodesOf(state)
}

// nodeArgument is nodeNames, once.
func nodeArgument(c completion) []suggestion {
	if len(c.args) > 0 {
		return nil
	}
	return nodeNames(c)
}

// parties are whom a session can be between: nodes, and where the first is one, those
// whom it speaks with.
func parties(c completion) []suggestion {
	if len(c.args) > 1 {
		return nil
	}
	state, s := c.state()
	out := nodesOf(state)
	if state == nil || len(c.args) == 0 {
		return out
	}
	out = slices.DeleteFunc(out, func(x suggestion) bool { return x.word == c.args[0] })
	return append(out, peersOf(c, state, s, c.args[0], false)...)
}

// peers are those of the node that the settings name.
func peers(c completion) []suggestion {
	state, s := c.state()
	return peersOf(c, state, s, s.Node, true)
}

// peersOf are those of a node: those outside, by address, and by the names of their
// sessions; nodes, too, where they are wanted.
func peersOf(c completion, state *backends.State, s settings.Settings, node string, nodes bool) []suggestion {
	if state == nil {
		return nil
	}
	var out, sessions []suggestion
	for _, p := range explain.New(state, s.Plan().BGP).Peers(node) {
		who := fmt.Sprintf("AS %d", p.AS)
		if p.Node == "" {
			out = append(out, suggestion{p.Address.String(), p.Session + ", " + who})
		} else if nodes {
			out = append(out, suggestion{p.Node, p.Session + ", " + p.Address.String()})
		}
		sessions = append(sessions, suggestion{p.Session, p.Address.String() + ", " + who})
	}
	if c.typed != "" { // there are as many of them again
		out = append(out, sessions...)
	}
	return out
}

// blocks are those of the cluster.
func blocks(c completion) []suggestion {
	if len(c.args) > 0 {
		return nil
	}
	state, _ := c.state()
	return blocksOf(state)
}

func blocksOf(state *backends.State) []suggestion {
	if state == nil {
		return nil
	}
	var out []suggestion
	for _, name := range slices.Sorted(maps.Keys(state.BlockAffinities)) {
		b := state.BlockAffinities[name]
		out = append(out, suggestion{b.CIDR.String(), b.Node})
	}
	return out
}

// routeArgument is a net, once.
func routeArgument(c completion) []suggestion {
	if len(c.args) > 0 {
		return nil
	}
	return nets(c)
}

// nets are blocks and pools.
func nets(c completion) []suggestion {
	state, _ := c.state()
	if state == nil {
		return nil
	}
	out := blocksOf(state)
	for _, name := range slices.Sorted(maps.Keys(state.IPPools)) {
		out = append(out, suggestion{state.IPPools[name].CIDR.String(), "IPPool " + name})
	}
	return out
}

func filters(c completion) []suggestion {
	state, _ := c.state()
	if state == nil || len(c.args) > 0 {
		return nil
	}
	var out []suggestion
	for _, name := range slices.Sorted(maps.Keys(state.BGPFilters)) {
		out = append(out, suggestion{word: name})
	}
	return out
}

// labels are the keys of nodes' labels.
func labels(c completion) []suggestion {
	state, _ := c.state()
	if state == nil {
		return nil
	}
	keys := map[string]bool{}
	for _, n := range state.Nodes {
		for key := range n.Labels {
			keys[key] = true
		}
	}
	return oneOf(slices.Sorted(maps.Keys(keys))...)(c)
}

// objects are kinds, and of a kind that is typed the objects there are.
func objects(c completion) []suggestion {
	kind, _, ok := strings.Cut(c.typed, "/")
	var out []suggestion
	if !ok {
		for _, k := range backends.Kinds() {
			out = append(out, suggestion{word: string(k) + "/"})
		}
		return out
	}
	state, _ := c.state()
	if state == nil {
		return nil
	}
	for _, key := range keysOf(state) {
		if string(key.Kind) == kind && key.Namespace == "" {
			out = append(out, suggestion{word: kind + "/" + key.Name})
		}
	}
	return out
}

// keysOf are the objects that stand in the datastore by name.
func keysOf(state *backends.State) []backends.Key {
	var keys []backends.Key
	add := func(kind backends.Kind, names ...string) {
		for _, name := range names {
			keys = append(keys, backends.Key{Kind: kind, Name: name})
		}
	}
	add(backends.KindNode, slices.Sorted(maps.Keys(state.Nodes))...)
	add(backends.KindBGPConfiguration, slices.Sorted(maps.Keys(state.BGPConfigurations))...)
	add(backends.KindBGPPeer, slices.Sorted(maps.Keys(state.BGPPeers))...)
	add(backends.KindBGPFilter, slices.Sorted(maps.Keys(state.BGPFilters))...)
	add(backends.KindIPPool, slices.Sorted(maps.Keys(state.IPPools))...)
	add(backends.KindBlockAffinity, slices.Sorted(maps.Keys(state.BlockAffinities))...)
	add(backends.KindFelixConfiguration, slices.Sorted(maps.Keys(state.FelixConfigurations))...)
	return keys
}

// codes are those of the doctor.
func codes(completion) []suggestion {
	var out []suggestion
	for _, c := range doctor.Codes() {
		out = append(out, suggestion{c.ID, string(c.Name)})
	}
	return out
}

func conditions(c completion) []suggestion {
	var words []string
	for _, x := range forecast.Conditions() {
		words = append(words, string(x))
	}
	return oneOf(words...)(c)
}

// nodeFilters are keys, and of the key state the states.
func nodeFilters(c completion) []suggestion {
	key, _, ok := strings.Cut(c.typed, "=")
	var out []suggestion
	if !ok {
		for _, k := range fleet.FilterKeys() {
			out = append(out, suggestion{word: k + "="})
		}
		return out
	}
	if key == "state" {
		for _, s := range fleet.States() {
			out = append(out, suggestion{word: key + "=" + s})
		}
	}
	return out
}

// contexts are those of the kubeconfig that would be used.
func contexts(c completion) []suggestion {
	flags := settings.Merged(c.flags(), settings.Layer{"datastore": {Text: string(settings.DatastoreKubernetes), From: "this command"}})
	delete(flags, "data")
	s, err := settings.Load(flags, c.program.around)
	if err != nil || s.Kubernetes.Kubeconfig == "" {
		return nil
	}
	return oneOf(kubernetes.Contexts(apiServer(s))...)(c)
}
