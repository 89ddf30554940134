package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"confd/internal/fleet"
)

const twoNodes = `
kind: Node
apiVersion: projectcalico.org/v3
metadata: {name: node-1}
spec: {bgp: {ipv4Address: 127.9.9.1/32}}
---
kind: Node
apiVersion: projectcalico.org/v3
metadata: {name: node-2}
spec: {bgp: {ipv4Address: 127.9.9.2/32}}
`

// playNode answers as a node's program would until the test ends, at a port.
func playNode(t *testing.T, address string, port int, s fleet.Summary) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	s.Format = fleet.Format
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s) })}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(l) }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestStatusOfAllNodes asks the nodes that files name.
func TestStatusOfAllNodes(t *testing.T) {
	data := write(t, "nodes.yaml", twoNodes)
	port := playNode(t, "127.9.9.1", 0, fleet.Summary{Node: "node-1", Ready: true, Up: 1, Expected: 1})
	status := func(args ...string) called {
		return call(t, nil, append([]string{"status", "--all-nodes", "--datastore", "file", "--data", data, "--port", strconv.Itoa(port)}, args...)...)
	}
	c := status()
	if c.code != exitFailed || !strings.Contains(c.stdout, "1 of 2 nodes is not as it should be") || !strings.Contains(c.stdout, "node-2  127.9.9.2  silent") {
		t.Errorf("%d\n%s%s", c.code, c.stdout, c.stderr)
	}
	playNode(t, "127.9.9.2", port, fleet.Summary{Node: "node-2", Ready: true})
	if c = status(); c.code != exitGood || !strings.Contains(c.stdout, "All 2 nodes are as they should be") {
		t.Errorf("%d\n%s%s", c.code, c.stdout, c.stderr)
	}
	var v fleet.View
	for _, form := range []string{"json", "yaml"} {
		c = status("-o", form, "--filter", "node=node-2")
		if err := yaml.Unmarshal([]byte(c.stdout), &v); err != nil || len(v.Nodes) != 1 || v.Nodes[0].Summary.Node != "node-2" || v.Totals.Nodes != 2 {
			t.Errorf("%s: %v\n%s", form, err, c.stdout)
		}
	}
}

func TestFleetFlags(t *testing.T) {
	data := write(t, "nodes.yaml", twoNodes)
	all := []string{"--all-nodes", "--datastore", "file", "--data", data}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"status", "--filter", "state=held"}, "--filter needs --all-nodes"},
		{[]string{"status", "--port", "1"}, "--port needs --all-nodes"},
		{append([]string{"status", "--watch"}, all...), "--watch does not go with --all-nodes"},
		{append([]string{"status", "--output", "wide"}, all...), "expected table, json or yaml"},
		{append([]string{"status", "--sort", "colour"}, all...), "expected state, node"},
		{append([]string{"status", "--filter", "colour=red"}, all...), "expected KEY=PATTERN"},
		{append([]string{"status", "--listen-cert-file", "x"}, all...), "need each other"},
		{append([]string{"status", "--listen-cert-file", "x", "--listen-key-file", "x"}, all...), "--listen-ca-file"},
		{append([]string{"status", "--timeout", "0s"}, all...), "--timeout: 0s: expected a duration such as 4s, more than 0"},
		{append([]string{"approve", "--timeout=-1s"}, all...), "--timeout: -1s: expected"},
		{append([]string{"status", "--port", "0"}, all...), "--port: 0: expected a port"},
		{append([]string{"status", "--lines=-1"}, all...), "--lines: -1: expected 0 or more"},
		{[]string{"approve", "--yes"}, "--yes needs --all-nodes"},
		{[]string{"approve", "--withdraw"}, "--withdraw needs --all-nodes"},
		{append([]string{"approve"}, all...), "approves in a live datastore"},
	} {
		if got := call(t, nil, c.args...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: %d %s", c.args, got.code, got.stderr)
		}
	}
}

// TestConfirm takes yes for an answer, and nothing else.
func TestConfirm(t *testing.T) {
	for text, want := range map[string]error{
		"y\n": nil, "YES\n": nil, " yes": nil, "": errNotConfirmed, "\n": errNotConfirmed, "n\n": errNotConfirmed, "yesterday\n": errNotConfirmed,
	} {
		var out strings.Builder
		p := program{stdin: strings.NewReader(text), stdout: &out}
		if err := p.confirm("it is changed", &fleetApproval{}); !errors.Is(err, want) || !strings.Contains(out.String(), "it is changed\nApprove? [y/N] ") {
			t.Errorf("%q: %v, %q", text, err, out.String())
		}
	}
	p := program{stdout: new(strings.Builder)}
	if err := p.confirm("", &fleetApproval{}); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("nobody to ask: %v", err)
	}
	if err := p.confirm("", &fleetApproval{yes: true}); err != nil {
		t.Errorf("with --yes: %v", err)
	}
}

// TestReadFrom takes what status has said, and nothing else.
func TestReadFrom(t *testing.T) {
	v := fleet.NewView(fleet.View{}.At, 0, []fleet.Node{{Name: "node-1", Summary: &fleet.Summary{Held: []fleet.Held{{ID: "a"}}}}}, fleet.Options{})
	said, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{string(said): "", "": "holds nothing", "{}": "holds nothing", "[]": "holds nothing", `{"totals":7}`: "holds nothing"} {
		f := fleetApproval{from: "-"}
		changes, totals, err := f.saidBefore(strings.NewReader(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && (len(changes) != 1 || changes[0].ID != "a" || totals.Nodes != 1) {
			t.Errorf("%+v %+v", changes, totals)
		}
	}
	f := fleetApproval{from: "/nonexistent"}
	if _, _, err := f.saidBefore(nil); err == nil || !strings.Contains(err.Error(), "--from: open /nonexistent") {
		t.Errorf("%v", err)
	}
}
