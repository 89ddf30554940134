package backends

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// What SOPS has encrypted is never a password, in whatever form it comes.
func TestSecretsOfSOPS(t *testing.T) {
	const holder = "ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]"
	for _, fields := range []string{
		`"stringData": {"pw": "` + holder + `"}`,
		`"data": {"pw": "` + holder + `"}`,
		`"data": {"pw": "` + base64.StdEncoding.EncodeToString([]byte(holder+"\n")) + `"}`,
	} {
		r, err := Decode(KindSecret, "", []byte(`{"metadata": {"name": "s"}, `+fields+`}`))
		if r != nil || err == nil || !strings.Contains(err.Error(), ".pw: is encrypted by SOPS") || strings.Contains(err.Error(), "Zm9v") {
			t.Errorf("%s: %v, %v", fields, r, err)
		}
	}
	if _, err := Decode(KindSecret, "", []byte(`{"metadata": {"name": "s"}, "stringData": {"pw": "ENC [no]"}}`)); err != nil {
		t.Error(err)
	}
}

func TestIsTemplate(t *testing.T) {
	for text, want := range map[string]bool{
		"{{ .Values.x }}": true, "a-{{x}}-b": true, "{% if x %}": true, "${var.x}": true, "%{ if x }": true,
		"k in {'a', 'b'}": false, "{{": false, "}} {{": false, "$x": false, "": false,
	} {
		if got := IsTemplate(text); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

// The event of an object from a server has what is odd about it, and no place.
func TestCheckerEvent(t *testing.T) {
	c := NewChecker()
	for _, tc := range []struct {
		kind       Kind
		name, json string
		want       string
	}{
		{KindBGPPeer, "p", `{"metadata": {"name": "other"}, "spec": {"peerIP": "10.0.0.1", "asNumbr": 1}}`, "BGPPeer p: unknown-field resource"},
		{KindBGPPeer, "p", `{"spec": {"peerIP": 1, "filters": "f"}}`, "BGPPeer p: error"},
		{KindBGPPeer, "p", `{`, "BGPPeer p: error"},
		{KindBGPFilter, "f", `[]`, "BGPFilter f: error resource"},
		{KindNode, "", `{"metadata": {"name": "n", "labels": {"a": true}}, "spec": {"orchRefs": {}}}`, "Node n: wrong-type not-a-text resource"},
		{KindBlockAffinity, "", `{"metadata": {"name": "b"}, "spec": {"type": "virtual"}}`, "nothing"},
	} {
		e, ours := c.Event(tc.kind, tc.name, []byte(tc.json))
		got := "nothing"
		if ours {
			got = e.Key.String() + ":"
			if e.Err != nil {
				got += " error"
			}
			for _, w := range e.Warnings {
				got += fmt.Sprintf(" %s", w.Code)
				if w.Place != "" || w.Excerpt != "" {
					t.Errorf("%+v", w)
				}
			}
			if e.Resource != nil {
				got += " resource"
			}
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.json, got, tc.want)
		}
	}
}
