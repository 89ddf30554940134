package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// Cause is an object that may be why sessions are lost.
type Cause struct {
	Object backends.Key
	// Text names the object and says what happened to it, on one line.
	Text string
}

// Causes finds what took the lost sessions away, the likely causes first. The
// states are those from which the configuration in force, old, and the new one
// of the node of that name were made; before and old may be nil (the program
// has just started): then the causes are what in after keeps the sessions away.
// There may be none, and with many nodes there may be many.
func Causes(old *Config, before, after *backends.State, node string, lost []string) []Cause {
	f := finder{before: before, after: after, node: node, asked: map[backends.Key]bool{}, behind: map[string]bool{}}
	f.sessions(old, lost)
	if before == nil {
		return f.standing(lost)
	}
	f.configurations()
	f.peers()
	f.nodes()
	f.secrets()
	// Objects that asked for what is lost come before those that did not.
	slices.SortStableFunc(f.causes, func(a, b Cause) int { return cmp.Compare(f.rank(a), f.rank(b)) })
	return f.causes
}

// finder collects causes: those of each kind sorted by name.
type finder struct {
	before, after *backends.State
	node          string
	// asked has the objects that asked for lost sessions; behind the neighbors'
	// addresses, with underscores.
	asked  map[backends.Key]bool
	behind map[string]bool
	causes []Cause
}

func (f *finder) rank(c Cause) int {
	if f.asked[c.Object] {
		return 0
	}
	return 1
}

// sessions notes who asked for the lost sessions, and who is behind them.
func (f *finder) sessions(old *Config, lost []string) {
	named := make(map[string]bool, len(lost))
	for _, name := range lost {
		named[name] = true
		if s, ok := parseName(name); ok {
			f.behind[s.neighbor] = true
		}
	}
	if old == nil {
		return
	}
	for _, family := range old.Families() {
		for _, s := range family.Sessions {
			if named[s.Name] {
				f.asked[s.Reason.Object] = true
			}
		}
	}
}

func (f *finder) add(object backends.Key, format string, args ...any) {
	f.causes = append(f.causes, Cause{object, object.String() + fmt.Sprintf(format, args...)})
}

// gone adds an object that is gone, or cannot be used any more.
func (f *finder) gone(object backends.Key) {
	if err, ok := f.after.Invalid[object]; ok {
		f.add(object, " can no longer be used: %v", err)
		return
	}
	f.add(object, " is gone")
}

func (f *finder) configurations() {
	for _, name := range []string{"default", "node." + f.node} {
		was, is := f.before.BGPConfigurations[name], f.after.BGPConfigurations[name]
		key := backends.Key{Kind: backends.KindBGPConfiguration, Name: name}
		switch {
		case was == is:
		case is == nil:
			f.gone(key)
		case name == "default" && meshOn(was) && !meshOn(is):
			f.add(key, ": the mesh was switched off")
		case was == nil:
			f.add(key, " is new")
		default:
			f.add(key, " changed")
		}
	}
}

func meshOn(c *backends.BGPConfiguration) bool {
	return c == nil || c.NodeToNodeMesh == nil || *c.NodeToNodeMesh
}

func (f *finder) peers() {
	for _, name := range differing(f.before.BGPPeers, f.after.BGPPeers) {
		was, is := f.before.BGPPeers[name], f.after.BGPPeers[name]
		key := backends.Key{Kind: backends.KindBGPPeer, Name: name}
		switch {
		case is == nil:
			f.gone(key)
		case was != nil:
			f.add(key, ": %s", peerChange(was, is))
		}
	}
}

// peerChange says what of a BGPPeer decides on whom it leads to, and changed.
func peerChange(was, is *backends.BGPPeer) string {
	var parts []string
	for _, x := range []struct{ field, was, is string }{
		{"node", was.Node, is.Node}, {"nodeSelector", was.NodeSelector, is.NodeSelector},
		{"peerSelector", was.PeerSelector, is.PeerSelector}, {"peerIP", addrText(was.PeerIP), addrText(is.PeerIP)},
		{"port", fmt.Sprint(was.Port), fmt.Sprint(is.Port)},
	} {
		if x.was != x.is {
			parts = append(parts, fmt.Sprintf("%s was %q, is %q", x.field, x.was, x.is))
		}
	}
	if len(parts) == 0 {
		return "changed"
	}
	return strings.Join(parts, ", ")
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// nodes looks at this node, and at those behind lost sessions.
func (f *finder) nodes() {
	var others []Cause
	for _, name := range differing(f.before.Nodes, f.after.Nodes) {
		was, is := f.before.Nodes[name], f.after.Nodes[name]
		if was == nil || is == nil || name != f.node && !f.isBehind(was) {
			continue
		}
		if text := nodeChange(was, is); text != "" {
			c := Cause{is.ResourceKey(), is.ResourceKey().String() + ": " + text}
			if name == f.node {
				f.causes = append(f.causes, c)
			} else {
				others = append(others, c)
			}
		}
	}
	f.causes = append(f.causes, others...)
}

func (f *finder) isBehind(n *backends.Node) bool {
	return n.IPv4.Addr.IsValid() && f.behind[underscores(n.IPv4.Addr)] || n.IPv6.Addr.IsValid() && f.behind[underscores(n.IPv6.Addr)]
}

// nodeChange says what of a node decides on its sessions, and changed; empty:
// nothing.
func nodeChange(was, is *backends.Node) string {
	var parts []string
	for _, label := range differing(was.Labels, is.Labels) {
		old, had := was.Labels[label]
		switch now, has := is.Labels[label]; {
		case !has:
			parts = append(parts, fmt.Sprintf("label %s is gone", quietly(label)))
		case !had:
			parts = append(parts, fmt.Sprintf("label %s is new", quietly(label)))
		default:
			parts = append(parts, fmt.Sprintf("label %s was %q, is %q", quietly(label), old, now))
		}
	}
	switch {
	case was.ClusterID == is.ClusterID:
	case !is.ClusterID.IsValid():
		parts = append(parts, "it is no route reflector any more")
	case !was.ClusterID.IsValid():
		parts = append(parts, "it is a route reflector now, and out of the mesh")
	default:
		parts = append(parts, "its cluster ID changed")
	}
	for _, version := range []int{4, 6} {
		old, now := addressOf(was, version).Addr, addressOf(is, version).Addr
		switch {
		case old == now:
		case !now.IsValid():
			parts = append(parts, fmt.Sprintf("its IPv%d address %s is gone", version, old))
		default:
			parts = append(parts, fmt.Sprintf("its IPv%d address is %s now", version, now))
		}
	}
	return strings.Join(parts, ", ")
}

// quietly quotes a name only where it needs it.
func quietly(name string) string {
	if q := fmt.Sprintf("%q", name); q != `"`+name+`"` {
		return q
	}
	return name
}

func (f *finder) secrets() {
	keys := map[string]backends.Key{}
	was, is := map[string]*backends.Secret{}, map[string]*backends.Secret{}
	for k, s := range f.before.Secrets {
		keys[k.String()], was[k.String()] = k, s
	}
	for k, s := range f.after.Secrets {
		keys[k.String()], is[k.String()] = k, s
	}
	for _, name := range differing(was, is) {
		switch {
		case is[name] == nil:
			f.gone(keys[name])
		case was[name] != nil:
			f.add(keys[name], " changed")
		}
	}
}

// standing says what keeps sessions away, where nobody knows what it was before.
func (f *finder) standing(lost []string) []Cause {
	mesh, peers := false, false
	for _, name := range lost {
		s, ok := parseName(name)
		mesh = mesh || ok && s.kind == MeshSession
		peers = peers || ok && s.kind != MeshSession
	}
	configuration := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
	me := f.after.Nodes[f.node]
	switch {
	case !mesh:
	case !meshOn(f.after.BGPConfigurations["default"]):
		f.add(configuration, ": the mesh is switched off")
	case me != nil && me.ClusterID.IsValid():
		f.add(me.ResourceKey(), ": it is a route reflector, and out of the mesh")
	}
	if peers {
		switch n := len(f.after.BGPPeers); n {
		case 0:
			f.causes = append(f.causes, Cause{backends.Key{Kind: backends.KindBGPPeer}, "there is no BGPPeer at all"})
		default:
			f.causes = append(f.causes, Cause{backends.Key{Kind: backends.KindBGPPeer}, fmt.Sprintf("none of the %d BGPPeers asks for these sessions", n)})
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(f.after.Invalid), backends.Key.Compare) {
		switch key.Kind {
		case backends.KindBGPConfiguration, backends.KindBGPPeer, backends.KindSecret:
			f.add(key, " cannot be used: %v", f.after.Invalid[key])
		}
	}
	return f.causes
}

// differing are the keys, sorted, whose values differ: resources are never
// changed in place, so that it is enough to compare pointers.
func differing[V comparable](a, b map[string]V) []string {
	var keys []string
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			keys = append(keys, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
