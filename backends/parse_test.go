package backends

import (
	"reflect"
	"testing"
)

const ofANode = `{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"node-1","uid":"4d3b8c1e-0f7e-4b5a-9a55-3f0d4bd2a111","creationTimestamp":"2024-05-01T12:00:00Z",` +
	`"labels":{"kubernetes.io/hostname":"node-1","rack":"r1"}},"spec":{"bgp":{"ipv4Address":"10.0.0.1/24","ipv6Address":"fd00::1/64","asNumber":64512},"orchRefs":[{"nodeName":"node-1","orchestrator":"k8s"}]},"status":{"podCIDRs":["10.1.0.0/26",null,true]}}`

// FuzzParse looks whether what is parsed quickly comes out as encoding/json has it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		ofANode, `{}`, ` {"a" : [ 1 , 2.5e3 , -0 , true , false , null , "x" ] } `, `{"a":1,"a":2}`, "{\"a\":\"\xff\xfe\",\"\xff\":1}", `{"a":"\ud800\u0041\ud83d\ude00"}`,
		`{"a":{"b":[]}} x`, `{"a":`, `[1,2`, `1e400`, `"text"`, `{"a":01}`, `{"a" 1}`, "{\"a\":\"\x01\"}", `{"a":1}{"b":2}`, `nul`, "\ufeff{}", `{"a":1,}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkDepth(data) != nil {
			return
		}
		got, ok := parseQuickly(data)
		want, err := parseSlowly(data)
		if ok != (err == nil) || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v %t, want %v (%v)", data, got, ok, want, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.Run("quickly", func(b *testing.B) {
		for b.Loop() {
			parseQuickly([]byte(ofANode))
		}
	})
	b.Run("slowly", func(b *testing.B) {
		for b.Loop() {
			_, _ = parseSlowly([]byte(ofANode))
		}
	})
}
