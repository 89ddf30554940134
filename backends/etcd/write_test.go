package etcd

import (
	"strings"
	"testing"

	"confd/backends"
)

func TestAnnotated(t *testing.T) {
	for _, c := range []struct{ text, value, want string }{
		{`{"metadata":{"name":"default"},"spec":{"asNumber":4200000001,"x":[1,{}]}}`, "a", `{"metadata":{"annotations":{"k":"a"},"name":"default"},"spec":{"asNumber":4200000001,"x":[1,{}]}}`},
		{`{"metadata":{"annotations":{"k":"a","other":"b"}}}`, "c", `{"metadata":{"annotations":{"k":"c","other":"b"}}}`},
		{`{"metadata":{"annotations":{"k":"a","other":"b"}}}`, "", `{"metadata":{"annotations":{"other":"b"}}}`},
		{`{"metadata":{"annotations":{"k":"a"}}}`, "", `{"metadata":{}}`},
		{`{"metadata":{"annotations":null}}`, "", `{"metadata":{}}`},
		{`{"metadata":null}`, "a", ""}, {`[]`, "a", ""}, {`null`, "a", ""}, {`{`, "a", ""}, {``, "a", ""},
	} {
		got, err := annotated([]byte(c.text), "k", c.value)
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

// TestAnnotate changes an object in etcd, and names one that is not there.
func TestAnnotate(t *testing.T) {
	e, kv := startStore(t)
	const key = "/calico/resources/v3/projectcalico.org/bgpconfigurations/default"
	if _, err := kv.Put(t.Context(), key, `{"kind":"BGPConfiguration","metadata":{"name":"default"},"spec":{}}`); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Endpoints: e.Endpoints(), Node: "node-1"}
	k := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
	if err := Annotate(t.Context(), cfg, k, backends.AnnotationApproved, "a,b"); err != nil {
		t.Fatal(err)
	}
	got, err := kv.Get(t.Context(), key)
	if err != nil || !strings.Contains(string(got.Kvs[0].Value), `"annotations":{"confd-bird.io/approved":"a,b"}`) {
		t.Errorf("%v, %v", got, err)
	}
	for _, k := range []backends.Key{{Kind: k.Kind, Name: "none"}, {Kind: backends.KindBlockAffinity, Name: "x"}, {Kind: backends.KindSecret, Name: "x"}} {
		if err := Annotate(t.Context(), cfg, k, "k", "v"); err == nil || !strings.Contains(err.Error(), k.String()) {
			t.Errorf("%s: %v", k, err)
		}
	}
}
