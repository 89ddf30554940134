package lab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
)

// The clocks of all BIRDs are set, forward and back, while all is well and while a change
// is on trial. No session is taken for another one, no BIRD for one that was restarted or
// reconfigured, and the change passes.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.AddSubnet("rack", "192.168.2.0/24", "fd00:2::/64")
	l.Store.Apply(twoPools)
	for i, version := range birds {
		l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("k8s-m%d", i+1), BIRD: version, OwnClock: "UTC", Env: []string{"CONFD_GUARD=8s"},
			Addresses: []string{fmt.Sprintf("192.168.2.%d/24", 140+i), fmt.Sprintf("fd00:2::1%d/64", i)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i)},
		})
	}
	l.Start()
	l.AwaitMesh(l.Hosts...)
	l.AwaitBlocks(l.Hosts...)
	set := func(ahead time.Duration) {
		for _, h := range l.Hosts {
			h.SetClock(ahead)
		}
		for _, h := range l.Hosts {
			l.Await(h.Name+" to notice that the clock was set", func() error { return clockNoticed(h, ahead) })
		}
	}
	before := l.Moment()
	set(2 * time.Hour)
	set(-26 * time.Hour)

	l.Store.Apply("kind: IPPool\nmetadata: {name: more}\nspec: {cidr: 10.245.0.0/16, ipipMode: Never, vxlanMode: Never}")
	for _, h := range l.Hosts {
		l.Await(h.Name+" to try the change", func() error { return logged(h, "[IPPool more]", `state="on trial"`) })
	}
	set(40 * time.Minute)
	for _, h := range l.Hosts {
		l.Await(h.Name+" to stay with the change", func() error { return logged(h, "[IPPool more]", "confirmed: the sessions stayed up") })
	}
	set(0)
	before.NoFlap(nil)
	for _, h := range l.Hosts {
		for _, bad := range []string{"not as it was left", "undone", "without a verdict", "a change has not left up"} {
			if strings.Contains(h.Confd.Log(), bad) {
				t.Errorf("%s, with BIRD %s, says %q", h.Name, h.Version, bad)
			}
		}
	}
}

// logged says that a host's log does not have text in a line with after, or below one.
func logged(h *lab.Host, after, text string) error {
	found := false
	for line := range strings.Lines(h.Confd.Log()) {
		found = found || strings.Contains(line, after)
		if found && strings.Contains(line, text) {
			return nil
		}
	}
	return fmt.Errorf("no %s after %s", text, after)
}

// clockNoticed says what keeps a host's report from having the times that BIRD's clock,
// which is ahead of the machine's, gives now.
func clockNoticed(h *lab.Host, ahead time.Duration) error {
	out, _ := h.RunConfd("status", "--output", "json")
	var view struct {
		BIRDs    []struct{ Rebooted time.Time }
		Warnings []struct{ Kind, Text string }
		Report   struct {
			Sets []struct{ Rebooted time.Time }
		}
	}
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		return fmt.Errorf("%w in %s", err, out)
	}
	for _, w := range view.Warnings {
		if w.Kind == "bird_restarted" || w.Kind == "bird_reconfigured" {
			return errors.New(w.Text)
		}
	}
	for i, b := range view.BIRDs {
		if away := time.Since(b.Rebooted) + ahead; away < 0 || away > time.Hour {
			return fmt.Errorf("BIRD was started at %s", b.Rebooted)
		}
		if d := view.Report.Sets[i].Rebooted.Sub(b.Rebooted).Abs(); d > 5*time.Second {
			return fmt.Errorf("the report says that BIRD was started at %s, and BIRD that it was at %s", view.Report.Sets[i].Rebooted, b.Rebooted)
		}
	}
	return nil
}
