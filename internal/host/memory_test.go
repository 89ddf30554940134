package host

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/internal/agent"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/guard/recall"
	"confd/internal/inbox"
)

// cluster has Nodes that do not change, each once.
type cluster map[node]*backends.Node

type node struct {
	name string
	as   uint32
}

func (c cluster) node(n node) *backends.Node {
	if c[n] == nil {
		c[n] = &backends.Node{Name: n.name, ASNumber: n.as}
	}
	return c[n]
}

// known is what a program knows of a cluster of some nodes, at a time.
func (c cluster) known(nodes, minute int) agent.Knowledge {
	at := time.Date(2024, 5, 1, 12, minute, 0, 0, time.UTC)
	m := &recall.Memory{Node: "node-1", At: at, Hash: fmt.Sprint("hash", minute), Outline: &outline.Outline{}}
	for i := range nodes {
		name, a := fmt.Sprintf("node-%05d", i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		m.Outline.Lines = append(m.Outline.Lines, &outline.Line{Name: "Mesh_" + name, Family: 4, Neighbor: a, Node: name})
		m.Objects.Nodes = append(m.Objects.Nodes, c.node(node{name, uint32(minute) * uint32(i%500/499)}))
		m.Seen = append(m.Seen, guard.Seen{Name: "Mesh_" + name, Set: "bird", Established: true})
	}
	return agent.Knowledge{Memory: m, Salt: outline.Salt("salt"), Stores: map[string]inbox.Store{"etcd": {Revision: fmt.Sprint(minute)}}, Disk: "disk"}
}

// memoryRig is a folder in which something is written down.
type memoryRig struct {
	t *testing.T
	memoryWriter
	dir string
}

func newMemoryRig(t *testing.T) *memoryRig { return &memoryRig{t: t, dir: t.TempDir()} }

func (r *memoryRig) file(name string) string { return filepath.Join(r.dir, name) }

// remember writes something down, and says whether that took the whole.
func (r *memoryRig) remember(k agent.Knowledge) (whole bool) {
	r.t.Helper()
	before, _ := os.Stat(r.file(memoryFile))
	if err := r.write(r.dir, k); err != nil {
		r.t.Fatal(err)
	}
	after, err := os.Stat(r.file(memoryFile))
	if err != nil {
		r.t.Fatal(err)
	}
	return before == nil || !os.SameFile(before, after)
}

// knows checks what a program that starts would know.
func (r *memoryRig) knows(want agent.Knowledge) {
	r.t.Helper()
	got, err := readMemory(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(r.t, want), asJSON(r.t, got)); diff != "" {
		r.t.Error(diff)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestMemory writes down what changes, and looks at what that takes.
func TestMemory(t *testing.T) {
	r, c := newMemoryRig(t), cluster{}
	for minute, whole := range []bool{true, false, false} {
		k := c.known(2000, minute)
		if got := r.remember(k); got != whole {
			t.Errorf("minute %d: the whole is written: %t, want %t", minute, got, whole)
		}
		r.knows(k)
	}
	if k := c.known(3000, 3); !r.remember(k) {
		t.Error("a third of it is new, and was written as a change")
	} else {
		r.knows(k)
	}
	if _, err := os.Stat(r.file(changesFile)); err == nil {
		t.Error("the changes of another file lie beside the whole")
	}
	other := c.known(3000, 4)
	other.Salt = outline.Salt("another")
	if !r.remember(other) {
		t.Error("the salt is another one, and a change was written")
	}
	r.knows(other)
	if small := newMemoryRig(t); !small.remember(c.known(20, 0)) || !small.remember(c.known(20, 1)) {
		t.Error("changes are written of what is small")
	}
}

// TestMemoryCutShort has the program end between the two files, and others do with them
// what they like.
func TestMemoryCutShort(t *testing.T) {
	c := cluster{}
	first, second, third := c.known(2000, 0), c.known(2000, 1), c.known(3000, 2)
	r := newMemoryRig(t)
	r.remember(first)
	r.remember(second)
	changes, err := os.ReadFile(r.file(changesFile))
	if err != nil {
		t.Fatal(err)
	}
	r.remember(third)
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(r.file(changesFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(string(changes)) // it was not removed yet
	r.knows(third)

	for what, spoil := range map[string]func(string) string{
		"cut": func(text string) string { return text[:len(text)/2] },
		"not of it": func(text string) string {
			return strings.Replace(text, `"drop":[`, `"drop":[70000,`, 1)
		},
	} {
		r := newMemoryRig(t)
		r.remember(first)
		r.remember(second)
		text, err := os.ReadFile(r.file(changesFile))
		if err != nil || spoil(string(text)) == string(text) {
			t.Fatalf("%v: %s", err, text)
		}
		if err := os.WriteFile(r.file(changesFile), []byte(spoil(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readMemory(r.dir)
		if err == nil || got.Memory == nil || got.Memory.Hash != first.Memory.Hash {
			t.Errorf("%s: %v: what was before the changes is not known", what, err)
		}
	}

	if err := os.Remove(r.file(memoryFile)); err != nil {
		t.Fatal(err)
	}
	if !r.remember(c.known(3000, 3)) {
		t.Error("only changes are written where there is nothing that they are of")
	}
	r.knows(c.known(3000, 3))
	if err := os.Chtimes(r.file(memoryFile), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if !r.remember(c.known(3000, 4)) {
		t.Error("only changes are written to what somebody else has touched")
	}
	r.knows(c.known(3000, 4))
	if k, err := readMemory(t.TempDir()); err != nil || k.Memory != nil {
		t.Errorf("an empty folder: %v, %v", k, err)
	}
}

// TestMemoryWithNulls reads files that are JSON, and have null where an object must be.
func TestMemoryWithNulls(t *testing.T) {
	now := backends.NewState()
	type place struct{ whole, change string } // of the null
	places := []place{
		{`"outline":{"lines":[null]}`, `"outline":{"lines":{"put":[null,null]}}`},
		{`"outline":{},"history":{"past":[{"outline":{"lines":[null]}}]}`, `"past":[{"outline":{"lines":{"put":[null,null]}}}]`},
	}
	for _, kind := range []string{"nodes", "bgp_configurations", "bgp_peers", "bgp_filters", "ip_pools", "block_affinities", "secrets"} {
		places = append(places, place{fmt.Sprintf(`"outline":{},"objects":{%q:[null]}`, kind), fmt.Sprintf(`"objects":{%q:{"put":[null,null]}}`, kind)})
	}
	for _, p := range places {
		r := newMemoryRig(t)
		r.put(memoryFile, fmt.Sprintf(`{"version":1,"memory":{"node":"node-1",%s}}`, p.whole))
		if k, err := readMemory(r.dir); err == nil || k.Memory != nil {
			t.Errorf("%s: %v, %v", p.whole, k.Memory, err)
		}
		r.put(memoryFile, `{"version":2,"id":"x","memory":{"node":"node-1","hash":"before","outline":{}}}`)
		r.put(changesFile, fmt.Sprintf(`{"of":"x","memory":{%s}}`, p.change))
		if k, err := readMemory(r.dir); err == nil || k.Memory == nil || k.Memory.Hash != "before" {
			t.Errorf("changes of %s: %v, %v", p.change, k.Memory, err)
		}
	}
	for _, text := range []string{
		`null`, `{"version":1}`, `{"version":1,"memory":null}`, `{"version":1,"memory":{"outline":null}}`, `{"version":2,"id":"x","memory":{"node":"node-1","outline":null}}`,
		`{"version":1,"memory":{"node":"node-1","outline":{"told":[null]},"seen":[null],"announced":[null],"history":{"past":[null]}}}`,
		`{"version":1,"memory":{"node":"node-1","outline":{"told":[null]},"seen":[null],"announced":[null],"objects":{"nodes":[{"Labels":null}],"secrets":[{}]}}}`,
	} {
		r := newMemoryRig(t)
		r.put(memoryFile, text)
		r.put(changesFile, `{"of":"x","memory":null}`)
		k, _ := readMemory(r.dir) // whatever it says, what it gives can be used
		k.Memory.Recall("node-1", now, time.Now(), k.Salt)
	}
}

func (r *memoryRig) put(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}
