package lab_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
)

// monitor follows a host's routes to a net in the kernel.
type monitor struct {
	host *lab.Host
	net  string
	*lab.Process
}

// follow starts a monitor, and waits until it hears the kernel.
func follow(l *lab.Lab, h *lab.Host, net string) monitor {
	family, nowhere := "-4", "192.0.2.0/24"
	if strings.Contains(net, ":") {
		family, nowhere = "-6", "100::/64"
	}
	m := monitor{h, net, h.Machine.Start("monitor of "+net, nil, "ip", family, "-ts", "monitor", "route")}
	l.Await("the monitor", func() error {
		h.IP(family + " route add unreachable " + nowhere + " table 99")
		h.IP(family + " route del unreachable " + nowhere + " table 99") // what is there already is not told again
		if !strings.Contains(m.Log(), nowhere) {
			return errors.New("it says nothing")
		}
		return nil
	})
	return m
}

// inOneGo is for how long a route may be away which BIRD takes away and adds again, as it
// does with those of IPv6: microseconds, but on a machine that is busy with other things.
const inOneGo = 3 * time.Second

// changes are gaps, in which there was no route that leads somewhere; and how often BIRD
// has taken its route away and added it again in one go.
func (m monitor) changes() (gaps []string, anew int) {
	routes, gone := map[string]bool{}, time.Time{}
	for line := range strings.Lines(m.Log()) {
		stamp, change, _ := strings.Cut(strings.TrimSpace(line), "] ")
		at, err := time.Parse("[2006-01-02T15:04:05", stamp)
		route, deleted := strings.CutPrefix(change, "Deleted ")
		switch {
		case err != nil || !strings.Contains(route, m.net):
		case !strings.HasPrefix(route, m.net+" via "):
			gaps = append(gaps, change)
		case deleted:
			if delete(routes, route); len(routes) == 0 {
				gone = at
			}
		default:
			if routes[route] = true; gone.IsZero() {
				break
			}
			if anew++; at.Sub(gone) > inOneGo {
				gaps = append(gaps, "for "+at.Sub(gone).String())
			}
			gone = time.Time{}
		}
	}
	if !gone.IsZero() {
		gaps = append(gaps, "since "+gone.String())
	}
	return gaps, anew
}

// noneLost ends pings, of which none was lost: but those that came just when BIRD
// changed a route in two steps, which nobody can help, and a single one while all routes
// stood as they were, which a machine with a hundred tasks waiting for each core does lose.
func noneLost(t *testing.T, pings *lab.Pings, monitors ...monitor) {
	t.Helper()
	lost, times := pings.Stop(), 0
	for _, m := range monitors {
		gaps, anew := m.changes()
		times += anew
		if len(gaps) > 0 {
			t.Errorf("%s was without a route to %s: %q", m.host.Name, m.net, gaps)
		}
	}
	if lost.LostOften(times) && lost.Lost > 1 {
		t.Errorf("pings lost: %+v, though a route was changed in two steps %d times", lost, times)
	}
}
