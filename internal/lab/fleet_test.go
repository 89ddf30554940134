package lab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/fleet"
	"confd/internal/lab"
)

// listening has a host's program listen on the host's address, as the manifests do
// for a fleet.
func listening(c lab.HostConfig, address string) lab.HostConfig {
	c.Env = append(c.Env, "CONFD_LISTEN="+address+":9191")
	return c
}

// asked is what confd status --all-nodes says on a host.
func asked(h *lab.Host, args ...string) (v fleet.View, code int, err error) {
	out, code := h.RunConfd(append([]string{"status", "--all-nodes", "--output", "json"}, args...)...)
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&v); err != nil { // what stderr has comes after it
		return v, code, fmt.Errorf("%w: %s", err, out)
	}
	return v, code, nil
}

// awaitStates waits until the nodes are in these states, counted.
func awaitStates(l *lab.Lab, h *lab.Host, code int, want map[string]int, args ...string) (v fleet.View) {
	l.Await(fmt.Sprintf("the fleet to be %v", want), func() error {
		var got int
		var err error
		v, got, err = asked(h, args...)
		if err != nil {
			return err
		}
		for state, n := range want {
			if v.Totals.States[state] != n {
				return fmt.Errorf("it is %v", v.Totals.States)
			}
		}
		if got != code {
			return fmt.Errorf("exit code %d with %v", got, v.Totals.States)
		}
		return nil
	})
	return v
}

// TestFleet asks the programs of all nodes, whatever becomes of them, and approves
// once what all of them hold back.
func TestFleet(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *lab.Lab{"etcd": lab.New, "Kubernetes": lab.NewKubernetes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFleet(t, start(t))
		})
	}
}

func testFleet(t *testing.T, l *lab.Lab) {
	hosts, _ := build(l, listening(m1(), "192.168.2.140"), listening(m2(), "192.168.2.141"), listening(m3(), "192.168.2.142"))
	l.Store.Apply(meshOn)
	l.Start()
	l.AwaitMesh(hosts...)
	first, last := hosts[0], hosts[2]
	v := awaitStates(l, first, 0, map[string]int{fleet.Good: 3})
	if v.Totals.Up != 6 || v.Totals.Expected != 6 || v.Totals.BIRDs[first.Version] != 3 {
		t.Errorf("%+v", v.Totals)
	}

	last.KillBIRD()
	v = awaitStates(l, first, 1, map[string]int{fleet.NoBIRD: 1, fleet.PeersAway: 2}, "--filter", "state=no BIRD")
	if len(v.Nodes) != 1 || v.Nodes[0].Name != last.Name || len(v.Missed) != 1 || v.Missed[0].PeerNode != last.Name {
		t.Errorf("%+v", v)
	}
	last.StartBIRD()
	l.AwaitMesh(hosts...)
	last.Confd.Kill()
	v = awaitStates(l, first, 1, map[string]int{fleet.Silent: 1, fleet.Good: 2})
	if n := v.Nodes[0]; n.Name != last.Name || !strings.Contains(n.What, "nobody listens") {
		t.Errorf("%+v", n)
	}
	last.StartConfd()
	awaitStates(l, first, 0, map[string]int{fleet.Good: 3})

	l.Store.Apply(meshOff)
	v = awaitStates(l, first, 1, map[string]int{fleet.HoldsBack: 3})
	if len(v.Changes) != 1 || len(v.Changes[0].Nodes) != 3 || v.Changes[0].Lost != 6 {
		t.Fatalf("%+v", v.Changes)
	}
	approveFleet(t, l, first, v)
	for _, h := range hosts {
		h.AwaitSessions()
	}
	awaitStates(l, first, 0, map[string]int{fleet.Good: 3})
	operator(t, l, first, 0, "withdrawn: "+v.Changes[0].ID, "--withdraw", "--yes")
	operator(t, l, first, 0, "nothing to withdraw", "--withdraw", "--yes")
	operator(t, l, first, 0, "nothing is held back", "--yes")
}

// operator runs confd approve --all-nodes as one who may write to the datastore.
func operator(t *testing.T, l *lab.Lab, h *lab.Host, code int, text string, args ...string) {
	t.Helper()
	out, got := h.RunConfd(append(append([]string{"approve", "--all-nodes"}, l.Store.Operator()...), args...)...)
	if got != code || !strings.Contains(out, text) {
		t.Errorf("confd approve --all-nodes %q ended with %d, not %d, and has no %q:\n%s", args, got, code, text, out)
	}
}

// approveFleet approves what all nodes hold back, and sees before that nothing else
// does.
func approveFleet(t *testing.T, l *lab.Lab, h *lab.Host, v fleet.View) {
	t.Helper()
	id := v.Changes[0].ID
	said, err := json.Marshal(v)
	file := filepath.Join(h.Dir(), "said.json")
	if err := errors.Join(err, os.WriteFile(file, said, 0o600)); err != nil {
		t.Fatal(err)
	}
	operator(t, l, h, 0, "held on 3 nodes", "--dry-run")
	operator(t, l, h, 0, "would be done: BGPConfiguration default gets the annotation confd-bird.io/approved="+id, "--dry-run", "--from", file)
	operator(t, l, h, 2, "no node holds that back now", "--yes", "--id", "0123")
	operator(t, l, h, 1, "nobody said yes") // standard input is empty
	awaitStates(l, h, 1, map[string]int{fleet.HoldsBack: 3})
	operator(t, l, h, 0, "approved", "--yes", "--id", id)
}
