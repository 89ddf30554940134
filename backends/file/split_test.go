package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

// pieces cuts a text and shows its pieces, a line each.
func pieces(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	in := strings.NewReader(text)
	err := split(in, in.Size(), func(p piece) error {
		s := fmt.Sprintf("%d/%d %d:%d %.60q", p.document, p.item, p.line, p.column, p.data)
		if p.err != nil {
			s += " " + p.err.Error()
		}
		if p.tooLarge {
			s += " too large"
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"JSON after JSON", `{"a": 1}` + "\n\n" + `{"b": {"items": [1]}}` + " # comment\n", []string{
			`1/0 1:1 "{\"a\": 1}"`, `2/0 3:1 "{\"b\": {\"items\": [1]}}"`}},
		{"on one line", `{"a": 1}{"b": 2} {"c": 3}`, []string{`1/0 1:1 "{\"a\": 1}"`, `2/0 1:9 "{\"b\": 2}"`, `3/0 1:18 "{\"c\": 3}"`}},
		{"a List", "# comment\n{\n  \"items\": [\n    {\"a\": 1},\n    {\"b\":\n 2}\n  ],\n  \"kind\": \"List\"\n}\n", []string{
			`1/1 4:5 "{\"a\": 1}"`, `1/2 5:5 "{\"b\":\n 2}"`, `1/0 2:1 "{\"kind\":\"List\"}"`}},
		{"Lists that follow each other", `{"items": [1]}` + "\n" + `{"items": []}`, []string{`1/1 1:12 "1"`, `1/0 1:1 "{}"`, `2/0 2:1 "{}"`}},
		{"flow YAML", "{a: 1}\n---\n{\"b\": c}\n", []string{`1/0 1:0 "{a: 1}\n"`, `2/0 2:0 "---\n{\"b\": c}\n"`}},
		{"JSON, then flow YAML", "{\"a\": 1}\n{b: 2}\n", []string{`1/0 1:1 "{\"a\": 1}"`, `2/0 1:0 "\n{b: 2}\n"`}},
		{"JSON, then YAML", "{\"a\": 1}\nkind: x\n---\n[1]\n", []string{`1/0 1:1 "{\"a\": 1}"`, `2/0 1:0 "\nkind: x\n"`, `3/0 4:1 "[1]"`}},
		{"cut short", "{\"items\": [\n{\"a\": 1},\n{\"b\"", []string{`1/1 2:1 "{\"a\": 1}"`, `1/0 2:9 "" the text ends in the middle of a list`}},
		{"broken in a List", "{\"items\": [\n{\"a\": 1},\n{b}]}\n{\"c\": 3}\n---\n{\"d\": 4}\n", []string{
			`1/1 2:1 "{\"a\": 1}"`, `1/0 2:9 "" is no JSON from here on`, `2/0 6:1 "{\"d\": 4}"`}},
		{"calicoctl's export", "kind: A\n---\n===\n{\n  \"b\": 1\n}\n===\n{\"c\": 2}\n", []string{
			`1/0 1:0 "kind: A\n"`, `2/0 4:1 "{\n  \"b\": 1\n}"`, `3/0 8:1 "{\"c\": 2}"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pieces(t, tc.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A file may have become shorter since its size was asked for.
func TestSplitShorterThanSaid(t *testing.T) {
	for _, text := range []string{"", "a: 1\n", "a: 1", "{\"a\": 1}", "{\"items\": [{\"a\": 1}, {"} {
		count := 0
		err := split(strings.NewReader(text), int64(len(text))+1000, func(piece) error { count++; return nil })
		if err != nil || (count > 0) != (text != "") {
			t.Errorf("%q: %d pieces, %v", text, count, err)
		}
	}
}

// TestJSON has what tools that write JSON leave in files.
func TestJSON(t *testing.T) {
	object := func(name string) string {
		return `{"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "` + name + `"}, "spec": {"bgp": {"asNumbr": 1}}}`
	}
	t.Run("lines", func(t *testing.T) {
		got, excerpts := warningsOf(t, "a.json", object("a")+"\n"+object("b")+"\n")
		const text = "unknown-field: spec.bgp.asNumbr: Node has no such field, so nothing of it is read; did you mean asNumber?"
		if diff := cmp.Diff([]string{"a.json:1:100 " + text, "a.json:2:100 " + text}, got); diff != "" || !strings.HasSuffix(excerpts[0], "                                   ^") {
			t.Error(diff, excerpts)
		}
	})
	t.Run("a name twice", func(t *testing.T) {
		got, _ := warningsOf(t, "a.json", "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"s\"},\n\t\"spec\": {\"type\": \"NodePort\",\n\t\t\"type\": \"ClusterIP\"}}")
		if diff := cmp.Diff([]string{"a.json:6:3 field-twice: spec.type: is there twice; the later one counts"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("text after it", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.yaml"), "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}}\ntext\n---\n"+object("b")+"\ntext\n")
		want := []string{
			"File PATH/a.yaml, document 1: PATH/a.yaml:2:1: did not find expected <document start>",
			"File PATH/a.yaml, document 3: PATH/a.yaml:5:1: is not an object", "Node b AS 0",
		}
		got := load(t, nil, dir)
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], dir, "PATH")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a List far larger than an object", func(t *testing.T) {
		dir := t.TempDir()
		var text strings.Builder
		text.WriteString(`{"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [`)
		for i := range 6000 {
			fmt.Fprintf(&text, "{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"n%04d\", \"annotations\": {\"x\": %q}}},\n", i, strings.Repeat("x", 1000))
		}
		text.WriteString(object("last") + "]}")
		write(t, filepath.Join(dir, "a.json"), text.String())
		if got := load(t, nil, dir); len(got) != 6001 || got[6000] != "Node n5999 AS 0" {
			t.Error(len(got))
		}
	})
	t.Run("one value far larger than an object", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.json"), object("a")+"\n"+`{"a": "`+strings.Repeat("x", 30<<20)+`"}`+"\n---\n"+object("b"))
		if got := load(t, nil, dir); len(got) != 3 || !strings.Contains(got[0], "is larger than 4 MB") || got[2] != "Node b AS 0" {
			t.Errorf("%.200q", got)
		}
	})
}

// TestExport reads calicoctl's export: IPAM's keys and values stand at its end.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "export.yaml")
	write(t, path, node("a", 1)+`---
===
{"kind": "ClusterInformation", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "default"}, "spec": {}}
===
{
  "block_affinities": [
    {"Key": "/calico/ipam/v2/host/a/ipv4/block/10.244.42.128-26", "Value": {"state": "confirmed", "deleted": false}, "TTL": 0},
    {"Key": "/calico/ipam/v2/host/a/ipv6/block/fd00::40-122", "Value": null},
    {"Key": "/calico/ipam/v2/host/a/ipv4/block/nonsense", "Value": {}},
    {"Key": "/calico/ipam/v2/virtual/x/ipv4/block/10.244.42.0-26", "Value": {}},
    "odd"
  ],
  "blocks": [{"Key": "/calico/ipam/v2/assignment/ipv4/block/10.244.42.128-26", "Value": {"cidr": "10.244.42.128/26", "affinity": "host:a", "allocations": [0], "attributes": [{}]}}],
  "handles": []
}
`)
	want := []string{
		`BlockAffinity a/10.244.42.128-26`, `BlockAffinity a/fd00::40-122`,
		`BlockAffinity a/ipv4/block/nonsense: block "nonsense" is not an address, a dash and a prefix length`, "Node a AS 1",
	}
	if diff := cmp.Diff(want, load(t, nil, path)); diff != "" {
		t.Error(diff)
	}
	b, err := New(Config{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := b.Usage(t.Context(), "a"); err != nil || u.Blocks != 1 {
		t.Errorf("%+v %v", u, err)
	}
	real := "../../../shared/inputs/migrate-export.yaml"
	if _, err := os.Stat(real); err != nil {
		t.Skip("no export by a real calicoctl here")
	}
	events, err := Load(t.Context(), []string{real}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[backends.Kind]int{}
	for _, e := range events {
		kinds[e.Key.Kind]++
	}
	if diff := cmp.Diff(map[backends.Kind]int{"BGPConfiguration": 1, "BGPFilter": 1, "BGPPeer": 2, "BlockAffinity": 2, "IPPool": 1, "Node": 2}, kinds); diff != "" {
		t.Error(diff)
	}
}

// tgz packs files.
func tgz(t *testing.T, headers []tar.Header, texts []string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i, h := range headers {
		h.Size, h.Mode = int64(len(texts[i])), 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(texts[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchives(t *testing.T) {
	json := `{"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPPeer", "metadata": {"name": "p"}, "spec": {"peerIP": "10.0.0.1", "asNumbr": 1}}`
	// As Velero packs them: objects of a preferred version are there twice.
	velero := tgz(t, []tar.Header{
		{Name: "metadata/version"}, {Name: "resources/bgppeers.crd.projectcalico.org/cluster/p.json"},
		{Name: "resources/bgppeers.crd.projectcalico.org/v1-preferredversion/cluster/p.json"},
		{Name: "resources/secrets/namespaces/kube-system/s.json"}, {Name: "resources/pods/namespaces/x/p.json"},
	}, []string{"1.1.0", json, json, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "kube-system"}, "data": {}}`, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}`})
	hostile := tgz(t, []tar.Header{
		{Name: "../../etc/a.yaml"}, {Name: "link.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "hard.yaml", Typeflag: tar.TypeLink, Linkname: "../../etc/a.yaml"}, {Name: "b\x1b[31m.yaml"}, {Name: ".hidden/c.yaml"}, {Name: "z.yaml"}, {Name: "z.yaml"},
	}, []string{node("a", 1), "", "", "kind: [", node("c", 1), node("z", 1), node("z", 2)})
	for _, tc := range []struct {
		name string
		data []byte
		want []string
	}{
		{"velero.tar.gz", velero, []string{"BGPPeer p", "Secret kube-system/s"}},
		{"hostile.tgz", hostile, []string{`File PATH/b?[31m.yaml, document 1: PATH/b?[31m.yaml:1:8: did not find expected node content`, "Node a AS 1", "Node z AS 2"}},
		{"cut.tgz", velero[:len(velero)-40], []string{"BGPPeer p", "File PATH, document 1: PATH:1:1: cannot be unpacked any further: unexpected EOF", "Secret kube-system/s"}},
		{"none.tgz", []byte("text"), []string{"File PATH, document 1: PATH:1:1: is not gzip: unexpected EOF"}},
		{"bomb.tgz", tgz(t, []tar.Header{{Name: "big.log"}, {Name: "a.yaml"}}, []string{strings.Repeat("x", 100<<20), node("a", 1)}), []string{"Node a AS 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, tc.name)
			write(t, path, string(tc.data))
			got := load(t, nil, path)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], path, "PATH")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if files, _ := os.ReadDir(dir); len(files) != 1 {
				t.Errorf("something was written: %v", files)
			}
			if len(load(t, nil, dir)) != 0 {
				t.Error("an archive in a folder is read, though nobody named it")
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		in := &limited{strings.NewReader(strings.Repeat("x", 100)), 10}
		buf := make([]byte, 100)
		if n, err := in.Read(buf); n != 10 || err != nil {
			t.Error(n, err)
		}
		if n, err := in.Read(buf); n != 0 || !errors.Is(err, errArchiveTooLarge) {
			t.Error(n, err)
		}
	})
	t.Run("places", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "velero.tgz")
		write(t, path, string(velero))
		events, err := Load(t.Context(), []string{path}, nil)
		if err != nil || len(events[0].Warnings) != 1 || events[0].Warnings[0].Place != path+"/resources/bgppeers.crd.projectcalico.org/v1-preferredversion/cluster/p.json:1:121" {
			t.Errorf("%+v %v", events, err)
		}
	})
}

// TestTrees reads a tree as must-gather unpacks it.
func TestTrees(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "must-gather.local.123/quay-io-image-sha256-abc")
	kube := func(kind, name string) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: %s\nmetadata:\n  name: %s\n  managedFields: []\nspec: {}\n", kind, name)
	}
	write(t, base+"/cluster-scoped-resources/core/nodes/n.yaml", kube("Node", "n1"))
	write(t, base+"/cluster-scoped-resources/crd.projectcalico.org/bgppeers/p.yaml", peer)
	write(t, base+"/cluster-scoped-resources/core/nodes.json", `{"apiVersion": "v1", "kind": "NodeList", "items": [{"metadata": {"name": "n1"}, "spec": {}}]}`)
	write(t, base+"/namespaces/default/core/services.yaml", "---\napiVersion: v1\nitems:\n- "+strings.ReplaceAll(strings.TrimPrefix(kube("Service", "s"), "---\n"), "\n", "\n  ")+"\nkind: ServiceList\nmetadata: {}\n")
	write(t, base+"/namespaces/default/pods/x/x.yaml", kube("Pod", "x"))
	write(t, base+"/namespaces/default/pods/x/x/logs/current.log", "{{")
	write(t, base+"/event-filter.html", "<html>")
	events, err := Load(t.Context(), []string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"BGPPeer p", "Node n1 AS 0", "Service default/s"}, texts(events)); diff != "" {
		t.Error(diff)
	}
	for _, e := range events {
		if len(e.Warnings) > 0 {
			t.Error(e.Warnings)
		}
	}
}

// FuzzSplit holds for any text: what is cut is in the text, in order, and
// nothing but blanks and comments is missing where it is JSON or plain YAML.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a: 1\n---\nb: 2\n", `{"items": [1, 2], "kind": "List"} {"a": 1}`, "items:\n- a\n- b\nkind: x\n", "===\n[1]\n...\n", "{\"items\": [\n{\"a\": 1}, {"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		documents, lines, last := map[int]bool{}, 1+bytes.Count(text, []byte("\n")), 0
		err := split(bytes.NewReader(text), int64(len(text)), func(p piece) error {
			if p.document < 1 || p.line < 1 || p.line > lines || p.column < 0 || p.document < last {
				t.Errorf("%+v", p)
			}
			last = p.document
			if documents[p.document] {
				t.Errorf("document %d goes on after its end", p.document)
			}
			documents[p.document] = p.item == 0
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for d, ended := range documents {
			if !ended {
				t.Errorf("document %d has no end", d)
			}
		}
	})
}

// FuzzFiles holds for any file: reading it ends, the good document beside it
// counts, and each thing that is said has a place in the file.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		peer + "  asNumbr: 1\n", "kind: List\napiVersion: v1\nitems:\n- {kind: Node}\n", `{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "x"}}]}`,
		"a: {{ x }}\n", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: ENC[x]}\n", "x: !y z\nx: &a *a\n",
	} {
		f.Add([]byte(seed))
	}
	k := newKnowledge()
	f.Fuzz(func(t *testing.T, data []byte) {
		text := append(bytes.TrimRight(data, "\n"), "\n---\n"+node("good", 7)...)
		r := fileReader{ctx: t.Context(), knowledge: k, known: map[[32]byte]*parsed{}}
		r.start()
		err := split(bytes.NewReader(text), int64(len(text)), r.part("f").add)
		r.finish()
		if err != nil {
			t.Fatal(err)
		}
		parsed := &parsedFile{parts: r.made()}
		a := newAssembly()
		for _, e := range parsed.entries() {
			a.add(&e)
		}
		state := a.finish()
		if good, ok := state[backends.Key{Kind: backends.KindNode, Name: "good"}]; !ok || good.Resource == nil {
			t.Errorf("the good document is lost: %v", state)
		}
		lines := bytes.Split(text, []byte("\n"))
		for key, e := range state {
			list := e.Warnings
			if w := (*backends.Warning)(nil); errors.As(e.Err, &w) {
				list = append(list, *w)
			}
			for _, w := range list {
				checkSaid(t, key, w, lines)
			}
		}
	})
}

// checkSaid checks that a warning is one line about a place that there is.
func checkSaid(t *testing.T, key backends.Key, w backends.Warning, lines [][]byte) {
	var line, column int
	if _, err := fmt.Sscanf(w.Place, "f:%d:%d", &line, &column); err != nil || line < 1 || line > len(lines) || column < 1 {
		t.Errorf("%s: %q of %d lines", key, w.Place, len(lines))
	}
	if strings.ContainsAny(w.Text, "\n\r\x1b") || w.Code == "" || strings.Count(w.Excerpt, "\n") > 1 {
		t.Errorf("%s: %+v", key, w)
	}
	for _, r := range w.Excerpt {
		if r < ' ' && r != '\n' {
			t.Errorf("%s: %q", key, w.Excerpt)
		}
	}
}

// TestCutShort cuts a file at every place: no object comes that was not there,
// and the ones before the cut are all there.
func TestCutShort(t *testing.T) {
	var whole strings.Builder
	for i := range 5 {
		whole.WriteString(node(fmt.Sprintf("n%d", i), 64512+i))
	}
	text := whole.String()
	size := len(node("n0", 64512))
	k := newKnowledge()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		cut := random.IntN(len(text))
		r := fileReader{ctx: t.Context(), knowledge: k, known: map[[32]byte]*parsed{}}
		r.start()
		if err := split(strings.NewReader(text[:cut]), int64(cut), r.part("f").add); err != nil {
			t.Fatal(err)
		}
		r.finish()
		whole := 0
		for _, e := range (&parsedFile{parts: r.made()}).entries() {
			if e.event == nil || e.event.Resource == nil {
				continue
			}
			if n := e.event.Resource.(*backends.Node); n.ASNumber >= 64512 {
				whole++
			}
		}
		if whole < cut/size || whole > cut/size+1 {
			t.Errorf("cut at %d (%d each): %d whole nodes in %q", cut, size, whole, text[:cut])
		}
	}
}
