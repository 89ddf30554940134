package backends

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// ordinary are objects as Calico writes them, by kind.
func ordinary() map[Kind][]string {
	return map[Kind][]string{
		KindNode: {
			`{"apiVersion":"projectcalico.org/v3","kind":"Node","metadata":{"name":"n"},"spec":{"bgp":{"ipv4Address":"10.0.0.51/9","ipv6Address":"2001:db8::33/64"}}}`,
			`{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"n","uid":"1d9bf1de-4a4b-4c2f-8b1e-34a7d7a1a000","creationTimestamp":"2026-01-01T00:00:00Z",
			  "labels":{"kubernetes.io/arch":"amd64","kubernetes.io/hostname":"n","rack":"r1"},"annotations":{"projectcalico.org/kube-labels":"{\"kubernetes.io/arch\":\"amd64\",\"rack\":\"r1\"}"}},
			  "spec":{"bgp":{"ipv4Address":"10.0.0.1/24","ipv4IPIPTunnelAddr":"10.244.0.1","asNumber":64512,"routeReflectorClusterID":"10.0.0.1"},"wireguard":{"interfaceIPv4Address":"10.244.0.2"},
			  "orchRefs":[{"nodeName":"n","orchestrator":"k8s"}],"addresses":[{"address":"10.0.0.1/24","type":"CalicoNodeIP"},{"address":"10.0.0.1"}]},"status":{"podCIDRs":["10.244.0.0/24"],"wireguardPublicKey":"jlkVyQYooZYzI2wFfNhSZez5eWh44yfq1wKVjLvSXgY="}}`,
			`{"metadata": {"name": "n", "creationTimestamp": null, "annotations": {"projectcalico.org/bgp-approved": "abc"}}, "spec": {"bgp": {"asNumber": "65000.1"}}, "status": {}}`,
			`{"metadata":{"name":"n","labels":null},"spec":{}}`,
		},
		KindBGPPeer: {
			`{"apiVersion":"projectcalico.org/v3","kind":"BGPPeer","metadata":{"name":"p"},"spec":{"node":"node-00050","peerIP":"10.127.0.1","asNumber":65000}}`,
			`{"kind":"BGPPeer","apiVersion":"projectcalico.org/v3","metadata":{"name":"p","uid":"x","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"nodeSelector":"rack == 'r1' && !has(rr)","peerSelector":"has(rr)",
			  "password":{"secretKeyRef":{"name":"s","key":"k"}},"keepOriginalNextHop":true,"maxRestartTime":"90s","filters":["f","g"],"ttlSecurity":2,"numAllowedLocalASNumbers":1,"reversePeering":"Manual"}}`,
		},
		KindBGPFilter: {
			`{"metadata":{"name":"f"},"spec":{"importV4":[{"action":"Accept","cidr":"10.0.0.0/8","matchOperator":"In","prefixLength":{"min":16,"max":24},"operations":[{"addCommunity":{"value":"1:2"}},{"setPriority":{"value":512}}]},{"action":"Reject"}],"exportV6":[{"action":"Reject","peerType":"eBGP","communities":{"values":["1:2:3"]}}]}}`,
		},
		KindIPPool: {
			`{"kind":"IPPool","apiVersion":"projectcalico.org/v3","metadata":{"name":"p","uid":"x","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"cidr":"10.128.0.0/9","vxlanMode":"Never","ipipMode":"CrossSubnet","natOutgoing":true,"blockSize":26,"nodeSelector":"all()","allowedUses":["Workload","Tunnel"]}}`,
		},
	}
}

// TestPlainEvents: objects as Calico writes them are read the quick way.
func TestPlainEvents(t *testing.T) {
	c := NewChecker()
	for kind, objects := range ordinary() {
		for _, text := range objects {
			if _, ok := c.plainEvent(kind, "n", []byte(text)); !ok {
				t.Errorf("not plain: %s", text)
			}
			sameEvent(t, c, kind, []byte(text))
		}
	}
}

// TestOddEventsAreNotPlain: where there is something to say, it is said.
func TestOddEventsAreNotPlain(t *testing.T) {
	c := NewChecker()
	for _, text := range []string{
		``, `null`, `[]`, `{`, `{}x`, `{"metadata":{"name":"n"}`, `{"spec":{},}`, `{"spec":{} "kind":""}`,
		`{"spec":{"bgp":{"ipv4Adress":"10.0.0.1"}}}`, `{"spec":[]}`, `{"spec":{"bgp":{"ipv4Address":{}}}}`, `{"spec":{"orchRefs":{}}}`,
		`{"spec":{"bgp":{"asNumber":"x"}}}`, `{"spec":{"bgp":{"ipv4Address":"10.0.0"}}}`,
		`{"spec":{"bgp":{"ipv4Address":"10.0.0.1"}},"spec":{"bgp":{}}}`, `{"spec":{"bgp":{"asNumber":1,"asNumber":null}}}`,
		`{"metadata":{"labels":{"a":1}}}`, `{"metadata":{"labels":{"a":"1","a":"2"}}}`, `{"metadata":{"labels":{"a":"{{x}}"}}}`, `{"metadata":{"annotations":{"a":true}}}`,
		`{"metadata":{"annotations":{"projectcalico.org/metadata":"{\"name\":\"m\"}"}}}`, `{"metadata":{"annotations":{"a":"\u0041"}}}`, `{"metadata":{"annotations":{"a":"\x"}}}`, `{"metadata":{"annotations":{"a":"b`,
		`{"metadata":{"name":"\u006e"}}`, `{"metadata":{"name":"é"}}`, "{\"metadata\":{\"name\":\"\x01\"}}", `{"metadata":{"label":{}}}`, `{"metadata":{"generation":01}}`, `{"metadata":{"generation":1.5}}`,
		`{"spec":{"addresses":[{"address":"x","typo":"y"}]}}`, `{"spec":{"vxlanTunnelMACAddr":"ENC[x]"}}`, `{"status":{"podCIDRs":[{}]}}`, `{"kind":nul}`, `{"kind":truefalse}`,
		`{"spec":{"bgp":{"asNumber":1e3}}}`, `{"spec":{"bgp":{"asNumber":1.0}}}`, `{"spec":{"bgp":{"asNumber":-1}}}`, `{"spec":{"bgp":{"asNumber":+1}}}`, `{"spec":{"bgp":{"asNumber":00}}}`, `{"spec":{"bgp":{"asNumber":99999999999999999999}}}`, `{"spec":{"bgp":{"asNumber":{}}}}`,
		`{"Spec":{}}`, `{"spec":{"BGP":{}}}`, `{"spec":{"bgp":{"ASNumber":1}}}`, `{"metadata":{"Name":"n"}}`, `{"sp\u0065c":{}}`, `{"metadata":{"labels":{"\u0061":"b"}}}`,
		`{"metadata":{"annotations":{"confd-bird.io/approved":"a","confd-bird.io/approved":"b"}}}`, `{"metadata":{"annotations":{"confd-bird.io/approved":"{{a}}"}}}`,
		`{"spec":{}}{}`, `{"spec":{}}null`, "{\"spec\":{}}\x00", "\ufeff{}", `{"spec":{},"spec":{}}`, `{"spec":null,"spec":{}}`, `{"":1}`, `{"status":{"podCIDRs":["10.0.0.0/24",]}}`, `{"status":{"podCIDRs":[[]]}}`, `{"status":{"podCIDRs":"10.0.0.0/24"}}`, `{"status":{"x":1}}`,
		"{\"spec\"\v:{}}", "\u00a0{}", `{'spec':{}}`, `{"spec":{}/**/}`, `{"kind":"Node"`, `{"kind":"Node}`, `{"kind":True}`, `{"kind":"a" "b"}`, `{"kind" "b"}`, `{"kind"}`,
		`{"sops":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	} {
		if e, ok := c.plainEvent(KindNode, "n", []byte(text)); ok {
			t.Errorf("plain: %s: %+v", text, e)
		}
	}
}

// TestManyLabelsAreNotPlain: labels are looked for one among all, which would take minutes
// of the most that fit into an object.
func TestManyLabelsAreNotPlain(t *testing.T) {
	c := NewChecker()
	for n, want := range map[int]bool{1: true, 200: true, 1000: false, 100_000: false} {
		labels := make([]string, n)
		for i := range labels {
			labels[i] = fmt.Sprintf(`"label-%d":"%d"`, i, i)
		}
		data := []byte(`{"metadata":{"name":"n","labels":{` + strings.Join(labels, ",") + `}}}`)
		if _, plain := c.plainEvent(KindNode, "n", data); plain != want {
			t.Errorf("%d labels: plain %v", n, plain)
		}
		sameEvent(t, c, KindNode, data)
	}
}

// sameEvent compares what an object comes to with what it comes to when it is not read
// the quick way.
func sameEvent(t *testing.T, c *Checker, kind Kind, data []byte) {
	t.Helper()
	got, ok := c.plainEvent(kind, "n", data)
	if !ok {
		return
	}
	want, _ := c.Event(kind, "n", data)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s %s: got %+v, otherwise it is %+v", kind, data, got, want)
	}
}

// TestPlainEventsAreTheSame changes objects at random: what is read the quick way is what
// it is the other way, and nothing is to be said of it.
func TestPlainEventsAreTheSame(t *testing.T) {
	c, random := NewChecker(), rand.New(rand.NewPCG(1, 2))
	pieces := []string{`"`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, `null`, `true`, `0`, `1`, `-1`, `1e3`, `""`, `"x"`, `{}`, `[]`, `\`, `\n`, `é`, "\x00", `"a":`, `"spec":`, `"name":`, `"labels":{"a":"b"}`, `"10.0.0.1"`, `{{x}}`, `,"spec":null`, `,"a":"b"`}
	plain := 0
	for kind, objects := range ordinary() {
		for _, text := range objects {
			for range 12_000 {
				data := []byte(text)
				for range 1 + random.IntN(3) {
					at := random.IntN(len(data) + 1)
					end := min(len(data), at+random.IntN(3))
					if random.IntN(4) == 0 { // a piece of itself
						from := random.IntN(len(text))
						data = fmt.Append(nil, string(data[:at]), text[from:min(len(text), from+random.IntN(40))], string(data[end:]))
						continue
					}
					data = fmt.Append(nil, string(data[:at]), pieces[random.IntN(len(pieces))], string(data[end:]))
				}
				if _, ok := c.plainEvent(kind, "n", data); ok {
					plain++
				}
				sameEvent(t, c, kind, data)
			}
		}
	}
	if plain < 1000 {
		t.Errorf("only %d objects were read the quick way: that shows little", plain)
	}
}

// TestObjectsOfAnotherKind: what is where objects of another kind should be is not read
// as one of those, and reported by the key's name. One that says nothing of its kind is.
func TestObjectsOfAnotherKind(t *testing.T) {
	c := NewChecker()
	spec := map[Kind]string{KindBGPPeer: `"peerIP":"10.0.0.9","asNumber":65000`, KindIPPool: `"cidr":"10.1.0.0/16"`, KindBlockAffinity: `"node":"n","cidr":"10.1.0.0/26"`}
	for _, kind := range []Kind{KindNode, KindBGPConfiguration, KindBGPPeer, KindBGPFilter, KindIPPool, KindBlockAffinity, KindFelixConfiguration} {
		name := "default"
		for says, wrong := range map[string]string{
			`"` + string(kind) + `"`: "", `""`: "", `null`: "",
			`"Tier"`: `kind: "Tier", where a ` + string(kind) + ` should be`, `"` + string(kind) + `List"`: `kind: "` + string(kind) + `List", where`,
			`7`: "kind: 7, where", `{}`: "kind: an object, where", `"` + strings.ToLower(string(kind)) + `"`: "kind: \"" + strings.ToLower(string(kind)) + `", where`,
		} {
			data := []byte(`{"apiVersion":"projectcalico.org/v3","kind":` + says + `,"metadata":{"name":"other"},"spec":{` + spec[kind] + `}}`)
			sameEvent(t, c, kind, data)
			e, ok := c.KeyEvent(kind, name, data)
			switch {
			case !ok || e.Key != (Key{Kind: kind, Name: name}):
				t.Errorf("%s: event of %s, %v", data, e.Key, ok)
			case wrong == "" && (e.Err != nil || e.Resource == nil):
				t.Errorf("%s: %v, %v", data, e.Resource, e.Err)
			case wrong != "" && (e.Err == nil || !strings.Contains(e.Err.Error(), wrong)):
				t.Errorf("%s: %v, want %s", data, e.Err, wrong)
			case wrong != "" && (e.Resource != nil) != (kind == KindBGPFilter): // which closes
				t.Errorf("%s: in its place is %v", data, e.Resource)
			}
			if served, _ := c.Event(kind, "", data); wrong != "" && (served.Key.Name != "other" || served.Err == nil) {
				t.Errorf("%s: served by an API server: %+v", data, served)
			}
		}
	}
	e, _ := c.KeyEvent(KindBGPConfiguration, "tor", []byte(`{"kind":"BGPPeer","metadata":{"name":"tor"},"spec":{"peerIP":"10.0.0.9","asNumber":65000}}`))
	if e.Err != nil || len(e.Warnings) != 1 || e.Warnings[0].Text != `left out: kind: "BGPPeer", where a BGPConfiguration should be` {
		t.Errorf("in the place of one without effect: %+v", e)
	}
}

func FuzzPlainEvent(f *testing.F) {
	for kind, objects := range ordinary() {
		for _, text := range objects {
			f.Add(string(kind), []byte(text))
		}
	}
	c := NewChecker()
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		sameEvent(t, c, Kind(kind), data)
		if _, ok := c.plainEvent(Kind(kind), "n", data); ok && !json.Valid(data) {
			t.Errorf("%q is no JSON", data)
		}
	})
}

func BenchmarkKeyEvent(b *testing.B) {
	c := NewChecker()
	for kind, objects := range ordinary() {
		for i, text := range objects[:min(2, len(objects))] {
			b.Run(fmt.Sprintf("%s-%d", kind, i), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.KeyEvent(kind, "n", []byte(text))
				}
			})
		}
	}
}
