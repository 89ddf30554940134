package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

// warningsOf loads a file and returns all that is said, a line each: the place
// (without the folder), code and text; and the excerpts.
func warningsOf(t *testing.T, name, text string) (lines, excerpts []string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, name), text)
	events, err := Load(t.Context(), []string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		list := e.Warnings
		if w := (*backends.Warning)(nil); errors.As(e.Err, &w) {
			list = append(slices.Clone(list), *w)
		} else if e.Err != nil {
			t.Errorf("%s: %v has no place", e.Key, e.Err)
		}
		for _, w := range list {
			lines = append(lines, strings.ReplaceAll(fmt.Sprintf("%s %s: %s", strings.TrimPrefix(w.Place, dir+"/"), w.Code, w.Text), dir+"/", ""))
			excerpts = append(excerpts, w.Excerpt)
		}
	}
	return lines, excerpts
}

const peer = "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec:\n  peerIP: 10.0.0.1\n"

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", peer, nil},
		{"fields", peer + "  asNumbr: 1\n  keepAliveTime: 9s\n  password:\n    secretKeyRef: {name: a, kee: b}\n", []string{
			"a.yaml:6:3 unknown-field: spec.asNumbr: BGPPeer has no such field, so nothing of it is read; did you mean asNumber?",
			"a.yaml:7:3 unknown-field: spec.keepAliveTime: BGPPeer has no such field, so nothing of it is read; did you mean keepaliveTime?",
			"a.yaml:9:29 unknown-field: spec.password.secretKeyRef.kee: BGPPeer has no such field, so nothing of it is read; did you mean key?",
			"a.yaml:9:19 unusable: spec.password.secretKeyRef: needs a name and a key",
		}},
		{"a field that hangs elsewhere", "asNumber: 7\n" + peer, []string{
			"a.yaml:1:1 unknown-field: asNumber: BGPPeer has no such field, so nothing of it is read; did you mean spec.asNumber?",
		}},
		{"a list", "kind: List\napiVersion: v1\nitems:\n- apiVersion: projectcalico.org/v3\n  kind: IPPool\n  metadata: {name: x}\n  spec:\n    cidr: 10.0.0.0/8\n    ipipmode: Always\n", []string{
			"a.yaml:9:5 unknown-field: spec.ipipmode: IPPool has no such field, so nothing of it is read; did you mean ipipMode?",
		}},
		{"wrong sort of value", "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a}\nspec: {bgp: x, orchRefs: {a: b}}\n", []string{
			"a.yaml:4:26 wrong-type: spec.orchRefs: has an object where a list should be, so nothing of it is read",
			`a.yaml:4:13 ignored-value: spec.bgp: "x" is not an object`,
		}},
		{"a tag", peer + "  nodeSelector: !has(rr)\n", []string{
			"a.yaml:6:17 yaml-tag: spec.nodeSelector: !has(rr) is a tag in YAML, and no value: put quotes around it; it is taken for a text here",
		}},
		{"fields that are there twice", peer + "  asNumber: 1\n  asNumber: 2\n", []string{
			"a.yaml:7:3 field-twice: spec.asNumber: is there twice; the later one counts",
		}},
		{"labels", "apiVersion: v1\nkind: Node\nmetadata:\n  name: n\n  labels: {a: y, b: 010, c: 'yes', d: , e: true, f: 7, g: 1.10}\n", []string{
			`a.yaml:5:15 not-a-text: metadata.labels.a: "y" is read as "true" in YAML: put quotes around it where that is not meant`,
			`a.yaml:5:21 not-a-text: metadata.labels.b: "010" is read as "8" in YAML: put quotes around it where that is not meant`,
			`a.yaml:5:59 not-a-text: metadata.labels.g: "1.10" is read as "1.1" in YAML: put quotes around it where that is not meant`,
			`a.yaml:4:9 not-a-text: metadata.name: "n" is read as "false" in YAML: put quotes around it where that is not meant`,
		}},
		{"kinds", "apiVersion: projectcalico.org/v3\nkind: bgpPeer\n---\napiVersion: crd.projectcalico.org/v1\nkind: BGPConfig\n---\napiVersion: v1\nkind: BGPPeer\n---\n" +
			"apiVersion: projectcalico.com/v3\nkind: BGPPeer\n---\napiVersion: projectcalico.org/v3\nkind: Whatever\n---\napiVersion: apps/v1\nkind: Deployment\n---\n" +
			"apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n---\napiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\n", []string{
			`a.yaml:2:7 unknown-kind: kind: projectcalico.org/v3 has no kind "bgpPeer", so nothing of it is read; did you mean BGPPeer?`,
			`a.yaml:5:7 unknown-kind: kind: crd.projectcalico.org/v1 has no kind "BGPConfig", so nothing of it is read; did you mean BGPConfiguration?`,
			`a.yaml:8:7 unknown-kind: kind: v1 has no kind "BGPPeer", so nothing of it is read; did you mean apiVersion projectcalico.org/v3?`,
			`a.yaml:10:13 unknown-kind: apiVersion: "projectcalico.com/v3" is not known, so nothing of this BGPPeer is read; did you mean projectcalico.org?`,
			`a.yaml:14:7 unknown-kind: kind: projectcalico.org/v3 has no kind "Whatever", so nothing of it is read`,
		}},
		{"resources of old releases", "apiVersion: v1\nkind: bgpPeer\nmetadata: {scope: global, peerIP: 10.0.0.1}\nspec: {asNumber: 7}\n---\napiVersion: projectcalico.org/v2\nkind: BGPPeer\n", []string{
			`a.yaml:2:7 old-format: is a "bgpPeer" of "v1", as calicoctl wrote them before Calico 3, and is not read: convert it (calicoctl convert)`,
			`a.yaml:7:7 old-format: is a "BGPPeer" of "projectcalico.org/v2", as calicoctl wrote them before Calico 3, and is not read: convert it (calicoctl convert)`,
		}},
		{"names without effect", "apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata:\n  name: defaut\n---\napiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: node.n}\n", []string{
			`a.yaml:4:9 no-effect: metadata.name: a BGPConfiguration of the name "defaut" has no effect: it must be default, or node. and a node's name; did you mean default?`,
		}},
		{"objects that are there twice", peer + "---\n" + peer + "---\n" + peer + "  asNumber: 7\n", []string{
			"a.yaml:12:1 object-twice: is there twice, first in a.yaml:6:1; the later one counts",
		}},
		{"a List in a List", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: [3, {kind: x}]\n- 4\n", []string{
			"a.yaml:6:11 unreadable: is not an object",
			`a.yaml:6:14 no-kind: is a "x" without apiVersion`,
			"a.yaml:7:3 unreadable: is not an object",
		}},
		{"values of Helm", peer + "  nodeSelector: \"{{ .Values.selector }}\"\n  node: '${NODE}'\n", []string{
			"a.yaml:7:9 unrendered-template: spec.node: a template that was not rendered?",
			"a.yaml:6:17 unrendered-template: spec.nodeSelector: a template that was not rendered?",
			"a.yaml:5:3 unusable: spec: has node and nodeSelector; only one can say which nodes it is for",
		}},
		{"a template of Helm", "# a comment\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata:\n  name: p\nspec:\n  asNumber: {{ .Values.as }}\n", []string{
			"a.yaml:7:13 unrendered-template: a template that was not rendered?",
		}},
		{"a template of Jinja", "---\n{% for p in peers %}\napiVersion: x\n{% endfor %}\n", []string{"a.yaml:2:1 unrendered-template: a template that was not rendered?"}},
		{"files that are none of ours", "replicaCount: 1\nimage: {tag: x}\n---\nresources: [a.yaml]\n---\n- hosts: all\n", nil},
		{"neither nor, mistyped", "apiVersion: projectcalico.org/v3\nKind: BGPPeer\n---\nKind: BGPPeer\nmetadata: {}\n", []string{
			"a.yaml:1:1 no-kind: has no kind",
			"a.yaml:4:7 no-kind: Kind: there is no such field; did you mean kind?",
		}},
		{"neither nor as a text", "apiVersion: [v1]\nkind: {a: b}\n---\nkind:\nname: x\n", []string{"a.yaml:1:13 no-kind: apiVersion: is not a text"}},
		{"encrypted by SOPS", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  pw: ENC[AES256_GCM,data:abc=,iv:def=,tag:ghi=,type:str]\nsops: {version: 3.9.0}\n---\n" +
			"apiVersion: ENC[AES256_GCM,data:abc=,type:str]\nkind: ENC[AES256_GCM,data:abc=,type:str]\n---\n" + peer + "  asNumber: ENC[AES256_GCM,data:abc=,type:int]\n", []string{
			"a.yaml:16:13 encrypted: spec.asNumber: is encrypted by SOPS: decrypt the file first",
			`a.yaml:16:13 unusable: spec.asNumber: "ENC[AES256_GCM,data:abc=,type:int]" is not a whole number`,
			"a.yaml:8:1 encrypted: is encrypted by SOPS: decrypt the file first",
			"a.yaml:5:7 unusable: stringData.pw: is encrypted by SOPS: decrypt the file first (sops -d)",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := warningsOf(t, "a.yaml", tc.text)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExcerpts(t *testing.T) {
	_, got := warningsOf(t, "a.yaml", peer+"  asNumbr: 65001\r\n  passwordSecret: hunter2\n  filters: ["+strings.Repeat("x, ", 50)+"{y: z}]\n")
	want := []string{
		"  asNumbr: 65001\n  ^",
		"  passwordSecret: ...\n  ^",
	}
	if diff := cmp.Diff(want, got[:2]); diff != "" {
		t.Error(diff)
	}
	// Of a Secret nothing is shown, and of a password nowhere, whatever is wrong.
	for _, text := range []string{
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringdata: {pw: hunter2}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pw: hunter2\n",
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": ["aHVudGVyMg=="]}`,
		"apiVersion: v1\nitems:\n- metadata: {name: s}\n  dta: {pw: hunter2}\nkind: SecretList\n",
		peer + "  password: hunter2\n", peer + "  password: {secretKeyRef: hunter2}\n",
	} {
		lines, excerpts := warningsOf(t, "a.yaml", text)
		if len(lines) == 0 || strings.Contains(text, "Secret\n") && strings.Join(excerpts, "") != "" || strings.Contains(fmt.Sprint(lines, excerpts), "hunter") || strings.Contains(fmt.Sprint(lines), "aHVu") {
			t.Errorf("%q %q", lines, excerpts)
		}
	}
}

func TestCaret(t *testing.T) {
	long := strings.Repeat("a", 80) + "b" + strings.Repeat("c", 80)
	for _, tc := range []struct {
		line   string
		column int
		want   string
	}{
		{"abc", 2, "abc\n ^"},
		{"abc", 9, "abc\n   ^"},
		{"abc", 0, "abc\n^"},
		{"\täb", 3, " äb\n  ^"},
		{"a: \x1b[31m", 4, "a:  [31m\n   ^"},
		{long, 81, strings.Repeat("a", 50) + "b" + strings.Repeat("c", 49) + "\n" + strings.Repeat(" ", 50) + "^"},
		{`{"password": "x"}`, 2, "{\"password\": ...\n ^"},
		{"  password: {secretKeyRef: {}}", 3, "  password: {secretKeyRef: {}}\n  ^"},
	} {
		if got := caret(tc.line, tc.column); got != tc.want {
			t.Errorf("%q:\ngot\n%s\nwant\n%s", tc.line, got, tc.want)
		}
	}
}

// TestKnownFieldsAreQuiet reads what real tools write, and resources with every
// field that there is: none of that is odd.
func TestKnownFieldsAreQuiet(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"testdata/known/*", "../../../shared/inputs/get-*", "../../../shared/inputs/migrate-export.yaml", "../../../shared/conformance/cases/*/data"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		events, err := Load(t.Context(), []string{path}, nil)
		if err != nil || len(events) == 0 {
			t.Fatal(path, len(events), err)
		}
		for _, e := range events {
			for _, w := range e.Warnings {
				if w.Code != backends.ObjectTwice && w.Code != backends.IgnoredValue {
					t.Errorf("%s: %s: %s", w.Place, w.Code, w.Text)
				}
			}
			if e.Key.Kind == KindFile {
				t.Errorf("%s: %v", e.Key, e.Err)
			}
		}
	}
}

// TestEveryMistypedFieldIsNamed takes a letter out of the name of each field of
// the resources with every field, one at a time: each time there is a warning at
// that place, with what was meant.
func TestEveryMistypedFieldIsNamed(t *testing.T) {
	text, err := os.ReadFile("testdata/known/all.yaml")
	if err != nil {
		t.Fatal(err)
	}
	k := newKnowledge()
	count := 0
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		parsed, err := k.parser.Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		kind := typeOf(parsed.Value.(map[string]any)).kind
		for _, path := range fieldPaths(parsed.Value, nil) {
			if isFree(kind, path) {
				continue
			}
			name := path[len(path)-1].(string)
			at := parsed.Position(path, true)
			lines := strings.Split(document, "\n")
			line := []rune(lines[at.Line-1])
			cut := at.Column - 1 + len(name)/2
			lines[at.Line-1] = string(line[:cut]) + string(line[cut+1:])
			place := fmt.Sprintf("a.yaml:%d:%d ", at.Line, at.Column)
			got, _ := warningsOf(t, "a.yaml", strings.Join(lines, "\n"))
			count++
			if !slices.ContainsFunc(got, func(s string) bool {
				return strings.HasPrefix(s, place+"unknown-field: ") && strings.Contains(s, "; did you mean ")
			}) {
				t.Errorf("%s %v: %s is not said, but %q", kind, path, place, got)
			}
		}
	}
	if count < 150 {
		t.Errorf("only %d fields", count)
	}
}

// fieldPaths are the paths of all fields in a value.
func fieldPaths(v any, path []any) [][]any {
	var all [][]any
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			p := append(slices.Clone(path), name)
			all = append(append(all, p), fieldPaths(e, p)...)
		}
	case []any:
		for i, e := range v {
			all = append(all, fieldPaths(e, append(slices.Clone(path), i))...)
		}
	}
	return all
}

// isFree says whether a field's name is nobody's business, or what is said of it is
// another matter.
func isFree(kind string, path []any) bool {
	text := backends.PathText(path)
	switch top := path[0].(string); {
	case top == "apiVersion" || top == "kind" || top == "data" || top == "stringData" || top == "status" || kind == "FelixConfiguration" && text != "spec.programClusterRoutes" && len(path) > 1:
		return true
	case top == "metadata":
		return len(path) > 1 && !slices.Contains([]string{"metadata.name", "metadata.labels", "metadata.annotations"}, text)
	case kind == "Service" && len(path) > 2 || kind == "EndpointSlice" && len(path) > 3 || kind == "EndpointSlice" && top == "ports" && len(path) > 1:
		return true
	case kind == "IPPool" && strings.HasPrefix(text, "spec.ipip."), strings.HasPrefix(text, "spec.taints["):
		return true
	}
	return len(path[len(path)-1].(string)) < 3
}

// TestClosedStaysTyped: what stands in for a filter or pool that cannot be used says so
// by its type, and by its place in the file.
func TestClosedStaysTyped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	write(t, path, `{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, spec: {exportV4: [{action: Perhaps}]}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/8, ipipMode: some}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: q}, spec: {asNumber: many}}
`)
	events, err := Load(t.Context(), []string{path}, nil)
	if err != nil || len(events) != 3 {
		t.Fatal(events, err)
	}
	for _, e := range events {
		var closed *backends.Closed
		var warning *backends.Warning
		is := errors.As(e.Err, &closed)
		if want := e.Key.Kind != backends.KindBGPPeer; is != want || is && !strings.HasSuffix(e.Err.Error(), ": "+closed.Error()) {
			t.Errorf("%s: closed is %v, want %v: %v", e.Key, is, want, e.Err)
		}
		if !errors.As(e.Err, &warning) || !strings.HasPrefix(warning.Place, path+":") || warning.Excerpt == "" || backends.CodeOf(e.Err, "") != backends.Unusable {
			t.Errorf("%s: %+v has no place: %v", e.Key, warning, e.Err)
		}
	}
}
