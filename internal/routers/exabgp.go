package routers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// exabgp is ExaBGP. It decides nothing and keeps no table: it tells a program,
// here a file, what neighbors say. What a session said is forgotten with it.
type exabgp struct {
	*place
	locals  map[string]netip.Addr // by family
	listens bool
}

// exaHelper is the program: events go to a file, commands come from a pipe. It holds
// the pipe open for writing too: one that each writer in turn is the last to leave
// ends there, and loses what the next one writes in that moment.
const exaHelper = `exec 3<&0 4<>/run/commands
cat <&3 >/run/events &
exec cat <&4
`

const exaMain = `import sys; sys.argv = ["exabgp", "/run/exabgp.conf"]; from exabgp.application import run_exabgp; run_exabgp()`

func startExaBGP(tb testing.TB, ns string, c Config) *exabgp {
	tb.Helper()
	e := &exabgp{newPlace(tb, ns, "/usr/lib/python3/dist-packages/exabgp/version.py"), map[string]netip.Addr{}, true}
	for _, n := range c.Neighbors {
		e.locals[family(n.Local)] = n.Local
		// Sessions that it accepts leave with the usual TTL, whatever outgoing-ttl
		// says, so with TTL security it has to be the one that connects.
		e.listens = e.listens && !n.TTLSecurity
	}
	e.write("exabgp.conf", exaBGPConfig(c))
	e.write("helper", exaHelper)
	if err := syscall.Mkfifo(filepath.Join(e.run, "commands"), 0o600); err != nil {
		tb.Fatal(err)
	}
	e.start("/bin/busybox", "env", "PYTHONPATH=/usr/lib/python3/dist-packages", "exabgp.daemon.user=root", "exabgp.daemon.drop=false",
		"exabgp.api.cli=false", "exabgp.api.ack=false", "exabgp.log.destination=stdout", "exabgp.tcp.bind="+e.listen(),
		"/usr/bin/python3", "-W", "ignore", "-c", exaMain)
	eventually(tb, patience, "ExaBGP", func() bool {
		_, err := os.Stat(filepath.Join(e.run, "events"))
		return err == nil
	})
	return e
}

// listen are the addresses that ExaBGP takes sessions on.
func (e *exabgp) listen() string {
	if !e.listens {
		return ""
	}
	var all []string
	for _, f := range slices.Sorted(maps.Keys(e.locals)) {
		all = append(all, e.locals[f].String())
	}
	return strings.Join(all, " ")
}

func exaBGPConfig(c Config) string {
	var b strings.Builder
	b.WriteString("process api { run /bin/sh /run/helper; encoder json; }\n")
	for _, n := range c.Neighbors {
		fmt.Fprintf(&b, "neighbor %s {\n\trouter-id %s;\n\tlocal-address %s;\n\tlocal-as %d;\n\tpeer-as %d;\n", n.Address, c.ID, n.Local, c.AS, n.AS)
		if n.Password != "" {
			fmt.Fprintf(&b, "\tmd5-password %q;\n", n.Password)
		}
		if n.TTLSecurity {
			fmt.Fprintf(&b, "\tincoming-ttl 255;\n\toutgoing-ttl 255;\n")
		}
		if n.GracefulRestart > 0 {
			fmt.Fprintf(&b, "\tcapability { graceful-restart %d; }\n", n.GracefulRestart)
		}
		fmt.Fprintf(&b, "\tfamily { %s unicast; }\n\tapi { processes [ api ]; neighbor-changes; receive { parsed; update; } }\n}\n", family(n.Address))
	}
	return b.String() + c.More
}

// exaEvent is a line of what ExaBGP tells.
type exaEvent struct {
	Type     string
	Neighbor struct {
		Address struct{ Peer netip.Addr }
		State   string
		Message struct {
			Update struct {
				Attribute struct {
					ASPath         []uint32   `json:"as-path"`
					Community      [][]uint32 `json:"community"`
					LargeCommunity [][]uint32 `json:"large-community"`
				}
				Announce map[string]map[string][]struct{ NLRI netip.Prefix }
				Withdraw map[string][]struct{ NLRI netip.Prefix }
			}
		}
	}
}

// exaSession is what a session has said since it came up.
type exaSession struct {
	up     bool
	routes map[netip.Prefix]Route
}

// sessions reads the events. A line that is being written is left for later.
func (e *exabgp) sessions() (map[netip.Addr]*exaSession, error) {
	text, err := os.ReadFile(filepath.Join(e.run, "events"))
	if err != nil {
		return nil, fmt.Errorf("what ExaBGP said: %w", err)
	}
	all := map[netip.Addr]*exaSession{}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var ev exaEvent
		if err := json.Unmarshal(line, &ev); err != nil {
			return nil, fmt.Errorf("what ExaBGP said: %w: %s", err, line)
		}
		peer := ev.Neighbor.Address.Peer
		if all[peer] == nil {
			all[peer] = &exaSession{}
		}
		all[peer].take(ev)
	}
	return all, nil
}

func (s *exaSession) take(ev exaEvent) {
	if ev.Type == "state" {
		s.up, s.routes = ev.Neighbor.State == "up", map[netip.Prefix]Route{}
		return
	}
	u := ev.Neighbor.Message.Update
	for _, list := range u.Withdraw {
		for _, w := range list {
			delete(s.routes, w.NLRI)
		}
	}
	for _, hops := range u.Announce {
		for hop, list := range hops {
			next, _ := netip.ParseAddr(hop) // the end of a table has none, nor a route
			for _, n := range list {
				s.routes[n.NLRI] = Route{
					Prefix: n.NLRI, NextHop: next, ASPath: u.Attribute.ASPath,
					Communities: communities(joined(u.Attribute.Community), joined(u.Attribute.LargeCommunity)),
				}
			}
		}
	}
}

// joined are communities as people write them.
func joined(list [][]uint32) []string {
	var out []string
	for _, c := range list {
		out = append(out, strings.ReplaceAll(numbers(c), " ", ":"))
	}
	return out
}

// Established implements Router.
func (e *exabgp) Established(neighbor netip.Addr) (bool, error) {
	all, err := e.sessions()
	if err != nil || all[neighbor] == nil {
		return false, err
	}
	return all[neighbor].up, nil
}

// Routes implements Router.
func (e *exabgp) Routes() ([]Route, error) {
	all, err := e.sessions()
	if err != nil {
		return nil, err
	}
	var routes []Route
	for _, s := range all {
		routes = slices.AppendSeq(routes, maps.Values(s.routes))
	}
	return routes, nil
}

// Announce implements Router.
func (e *exabgp) Announce(r Route) error {
	next := r.NextHop
	if !next.IsValid() {
		next = e.locals[family(r.Prefix.Addr())]
	}
	line := fmt.Sprintf("announce route %s next-hop %s", r.Prefix, next)
	if len(r.ASPath) > 0 {
		line += " as-path [ " + numbers(r.ASPath) + " ]"
	}
	for _, c := range r.Communities {
		kind := "community"
		if strings.Count(c, ":") == 2 {
			kind = "large-community"
		}
		line += " " + kind + " [ " + c + " ]"
	}
	return e.tell(line)
}

// Withdraw implements Router.
func (e *exabgp) Withdraw(p netip.Prefix) error { return e.tell("withdraw route " + p.String()) }

// Kill implements Router.
func (e *exabgp) Kill() { e.kill() }

// tell hands a line to ExaBGP. Opening the pipe waits for its reader.
func (e *exabgp) tell(line string) error {
	pipe, err := os.OpenFile(filepath.Join(e.run, "commands"), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("telling ExaBGP %q: %w", line, err)
	}
	defer pipe.Close()
	if _, err := pipe.WriteString(line + "\n"); err != nil {
		return fmt.Errorf("telling ExaBGP %q: %w", line, err)
	}
	return nil
}
