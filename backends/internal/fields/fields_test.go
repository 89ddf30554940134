package fields

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	table := New()
	for _, tc := range []struct{ kind, object, want string }{
		{"BGPPeer", `{"apiVersion": "x", "kind": "y", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"peerIP": "1.2.3.4", "filters": ["a"], "password": {"secretKeyRef": {"name": "n", "key": "k"}}}}`, ""},
		{"BGPPeer", `{"spec": {"asNumbr": 1, "keepAliveTime": "1s", "passwordSecret": "p", "nodeSelecter": "all()", "zzz": 1}}`,
			"spec.asNumbr (asNumber)\nspec.keepAliveTime (keepaliveTime)\nspec.nodeSelecter (nodeSelector)\nspec.passwordSecret (password)\nspec.zzz ()"},
		{"BGPPeer", `{"peerIP": "1.2.3.4", "Spec": {}}`, "Spec (spec)\npeerIP (spec.peerIP)"},
		{"BGPPeer", `{"spec": {"password": "x", "filters": "f", "peerIP": ["1.2.3.4"]}}`,
			"spec.filters is not a list\nspec.password is not an object\nspec.peerIP is not a plain value"},
		{"BGPPeer", `{"spec": {"peerIP": null, "filters": null, "password": {"secretKeyRef": {"nam": "x"}}}}`, "spec.password.secretKeyRef.nam (name)"},
		{"BGPFilter", `{"spec": {"importV6": [{"action": "Reject"}, {"operations": [{"addComunity": {"value": "1:2"}}]}, "x", null]}}`,
			"spec.importV6.1.operations.0.addComunity (addCommunity)\nspec.importV6.2 is not an object"},
		{"FelixConfiguration", `{"spec": {"bpfEnabled": true, "programClusterRoute": "Enabled"}}`, "spec.programClusterRoute (programClusterRoutes)"},
		{"Node", `{"metadata": {"label": {"a": "b"}, "clusterName": "x", "whatever": 1}, "status": {"conditions": []}}`, "metadata.label (labels)"},
		{"Pod", `{"spec": {"x": 1}}`, ""},
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(tc.object), &object); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range table.Check(tc.kind, object) {
			s := strings.Trim(strings.ReplaceAll(fmt.Sprint(f.Path), " ", "."), "[]")
			if f.Want != "" {
				s += " is not " + f.Want
			} else {
				s += " (" + f.Meant + ")"
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
			t.Error(tc.object, diff)
		}
	}
}

func TestCheckHasAnEnd(t *testing.T) {
	many := map[string]any{}
	var rules []any
	for i := range 5000 {
		many[fmt.Sprintf("f%04d", i)] = 1
		rules = append(rules, map[string]any{"actoin": "Reject"})
	}
	many["importV4"] = rules
	object := map[string]any{"spec": many}
	first := New().Check("BGPFilter", object)
	if len(first) != maxFindings || first[0].Path[1] != "f0000" {
		t.Error(len(first), first[0])
	}
	if diff := cmp.Diff(first, New().Check("BGPFilter", object)); diff != "" {
		t.Error(diff)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"BGPConfiguration", "BGPPeer", "Node", "IPPool"}
	for name, want := range map[string]string{
		"bgpPeer": "BGPPeer", "BgpPeer": "BGPPeer", "BGPPeers": "BGPPeer", "BGPConfig": "BGPConfiguration", "Nod": "Node",
		"NODE": "Node", "Pod": "", "": "", "x": "", "Service": "", "IPPol": "IPPool",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
