package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const depth = 20

func parse(text string) (*Document, error) { return NewParser(depth).Parse([]byte(text)) }

func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "null"},
		{"comments", "# a\n", "null"},
		{"plain values", "a: 1\nb: x\nc: true\nd: 1.50\ne:\nf: ~\ng: ''\n", `{"a":1,"b":"x","c":true,"d":1.50,"e":null,"f":null,"g":""}`},
		{"words of YAML 1.1", "a: yes\nb: 'yes'\nc: [y, Off, n]\nyes: no\n", `{"a":true,"b":"yes","c":[true,false,false],"yes":false}`},
		{"numbers of all sorts", "[010, 0x1F, 1_000, +5, .5, 0o17, 18446744073709551615, 1e3, .inf, -0, 00]", `[8,31,1000,5,0.5,15,18446744073709551615,1e3,".inf",-0,0]`},
		{"times are texts", "a: 2026-01-01\n", `{"a":"2026-01-01"}`},
		{"communities are texts", "[5663:12, 64512:100]", `["5663:12","64512:100"]`},
		{"own tags", "[!!str 1, !!int \"2\", !!binary aGk=, !!float 3]", `["1",2,"hi",3]`},
		{"aliases", "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\nf: {<<: [*x, {g: 3}], b: 4}\n", `{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2},"f":{"b":4,"g":3}}`},
		{"names", "1: a\n~: b\n", `{"1":"a","~":"b"}`},
		{"the later counts", "a: 1\na: 2\n", `{"a":2}`},
		{"the later counts in JSON", `{"a": 1, "a": 2}`, `{"a":2}`},
		{"JSON", ` {"a": [1.50, null, "\ud83d\ude00"]}`, `{"a":[1.50,null,"😀"]}`},
		{"JSON with tabs, twice", "{\n\t\"a\": 1,\n\t\"a\": 2}", `{"a":2}`},
		{"a tag", "a: !has(rack)\nb: !x y z\nc: !Ref \"z\"\nd: !m {e: 1}\n", `{"a":"!has(rack)","b":"!x y z","c":"z","d":{"e":1}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(d.Value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMergesAsKubectl: what an object merges counts over what stands before it, as with the
// parser that kubectl has, though not by YAML's own words.
func TestMergesAsKubectl(t *testing.T) {
	const anchors = "a: &a {x: 1, u: 2}\nb: &b {x: 3, z: 4}\n"
	for text, traps := range map[string]string{
		"m: {x: 5, <<: *a}":               "m.x 3:11 3:5",
		"m: {<<: *a, x: 5}":               "",
		"m: {x: 1, <<: *a}":               "", // the same
		"m: {w: 5, <<: *a, x: 6, <<: *b}": "m.x 3:25 3:19",
		"m: {<<: *a, <<: *b}":             "",
		"m: {<<: [*a, *b]}":               "",
		"m: {z: 5, <<: [*a, *b], u: 6}":   "m.z 3:11 3:5",
	} {
		d, err := parse(anchors + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := json.Marshal(d.Value)
		if err != nil {
			t.Fatal(err)
		}
		want, err := yaml.YAMLToJSON([]byte(anchors + text))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		var said []string
		for _, trap := range d.Traps {
			said = append(said, fmt.Sprintf("%v.%v %d:%d %d:%d", trap.Path[0], trap.Path[1], trap.Position.Line, trap.Position.Column, trap.First.Line, trap.First.Column))
		}
		if strings.Join(said, ", ") != traps {
			t.Errorf("%s: traps %q, want %q", text, said, traps)
		}
		for _, name := range []string{"w", "u", "x", "z"} { // what can be found is what counts
			value, has := d.Value.(map[string]any)["m"].(map[string]any)[name]
			if written, ok := d.Written([]any{"m", name}); ok != has || has && written != fmt.Sprint(value) {
				t.Errorf("%s: %s is written %q, and is %v", text, name, written, value)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	for _, tc := range []struct{ name, text, want string }{
		{"a flow mapping and more", "{a: 1}\n{b: 2}\n", "2:1 did not find expected <document start>"},
		{"JSON and more", `{"a": 1} {"b": 2}`, "1:10 did not find expected <document start>"},
		{"a template", "a: 1\nb: {{ .Values.b }}\n", "2:5 has a list or an object where a field's name should be"},
		{"a password like an alias", "a: *hunter2\n", "1:4 unknown anchor '...' referenced"},
		{"a wrong indentation", "a:\n  b: 1\n c: 2\n", "3:2 did not find expected key"},
		{"quotes without an end", "a: 1\nb: \"x\nc: 1\n", "2:4 found unexpected end of stream"},
		{"a tag with more", "a: !has(x) || y\n", "1:13 did not find expected comment or line break"},
		{"deep", strings.Repeat("[", 50) + strings.Repeat("]", 50), "0:0 is nested deeper than 20 levels"},
		{"deep YAML", strings.Repeat("{a: ", 50) + strings.Repeat("}", 50), "0:0 is nested deeper than 20 levels"},
		{"a bomb", bomb.String(), "1:16 has aliases that come to more than can be meant"},
		{"an alias of itself", "a: &a [*a]\n", "0:0 is nested deeper than 20 levels"},
		{"a merge of nothing", "<<: 1\n", "1:5 << needs an object, or a list of some"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(tc.text)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d:%d %s", e.Position.Line, e.Position.Column, e.Text); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTrapsAndPositions(t *testing.T) {
	const text = "spec:\n  nodeSelector: !has(rack)\n  peerIP: 1.2.3.4\n  items:\n  - a: yes\n    a: 0x1F\n"
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []Trap{
		{Kind: Tag, Path: []any{"spec", "nodeSelector"}, Position: Position{2, 17}, Text: "!has(rack)"},
		{Kind: Twice, Path: []any{"spec", "items", 0, "a"}, Position: Position{6, 5}, First: Position{5, 5}, Text: "a"},
	}
	if diff := cmp.Diff(want, d.Traps); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct {
		path []any
		name bool
		want Position
	}{
		{[]any{"spec", "peerIP"}, true, Position{3, 3}},
		{[]any{"spec", "peerIP"}, false, Position{3, 11}},
		{[]any{"spec", "items", 0}, true, Position{5, 5}},
		{[]any{"spec", "items", 1}, true, Position{}},
		{[]any{"spec", "missing"}, true, Position{}},
		{nil, false, Position{1, 1}},
	} {
		if got := d.Position(tc.path, tc.name); got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.path, got, tc.want)
		}
	}
	if got, ok := d.Written([]any{"spec", "items", 0, "a"}); got != "0x1F" || !ok {
		t.Error(got, ok)
	}
	if got, ok := d.Written([]any{"spec", "items"}); ok {
		t.Error(got)
	}
	d, err = parse("{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"b\": 2}}")
	if err != nil || len(d.Traps) != 1 || d.Traps[0].Position != (Position{4, 3}) || d.Traps[0].First != (Position{3, 3}) {
		t.Error(d, err)
	}
	d, err = parse(`{"a": {"b": 1}}`)
	if got := d.Position([]any{"a", "b"}, true); err != nil || got != (Position{1, 8}) {
		t.Error(got, err)
	}
}

// FuzzParse holds for any text: it ends, and what was read can be found again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: [1, {b: yes}]\n", "a: &x {b: 1}\nc: *x\nd: {<<: *x}\n", `{"a": {"b": [1, 2]}, "a": 3}`, "a: !t b\n? [x]\n: y\n", "- *a\n", "x: &x [{a: 1}]\nm: {a: 2, <<: *x}\n", "a: |\n  x\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := NewParser(depth).Parse(data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%q has lines", err)
			}
			return
		}
		if err := checkDepth(d.Value, depth+around, depth); err != nil {
			t.Error(err)
		}
		if _, err := json.Marshal(d.Value); err != nil {
			t.Error(err)
		}
		found(t, d, d.Value, nil)
		for _, trap := range d.Traps {
			if trap.Position.Line < 1 || trap.Position.Column < 1 || trap.Position.Line > 1+strings.Count(string(data), "\n")+strings.Count(string(data), "\r") {
				t.Errorf("%+v", trap)
			}
		}
	})
}

// found checks that everything in v has a position, unless JSON has something that
// YAML has not.
func found(t *testing.T, d *Document, v any, path []any) {
	if p := d.Position(path, false); p == (Position{}) && d.tree().Kind != 0 {
		t.Errorf("%v is nowhere", path)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			found(t, d, e, append(path, name))
		}
	case []any:
		for i, e := range v {
			found(t, d, e, append(path, i))
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte("---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: node-1\n  labels:\n    kubernetes.io/hostname: node-1\n    rack: r1\n" +
		"  uid: 1d9bf1de-4a4b-4c2f-8b1e-34a7d7a1a000\nspec:\n  bgp:\n    ipv4Address: 10.0.0.1/16\n    asNumber: 64512\n")
	p := NewParser(depth)
	for b.Loop() {
		if _, err := p.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
