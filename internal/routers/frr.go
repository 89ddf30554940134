package routers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// frr is FRR's bgpd with its zebra, so its routes are the namespace's as well.
type frr struct {
	*place
	as uint32
}

func startFRR(tb testing.TB, ns string, c Config) *frr {
	tb.Helper()
	f := &frr{newPlace(tb, ns, "/usr/lib/frr/bgpd"), c.AS}
	f.write("bgpd.conf", frrConfig(c))
	f.write("zebra.conf", "")
	for _, daemon := range []string{"zebra", "bgpd"} {
		f.start("/usr/lib/frr/"+daemon, "-u", "root", "-g", "root", "--vty_socket", "/run", "-z", "/run/zserv.api",
			"-i", "/run/"+daemon+".pid", "-f", "/run/"+daemon+".conf", "--log", "stdout")
		eventually(tb, patience, "FRR's "+daemon, func() bool {
			_, err := vty(filepath.Join(f.run, daemon+".vty"), "show version")
			return err == nil
		})
	}
	return f
}

func frrConfig(c Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp network import-check\n no bgp default ipv4-unicast\n", c.AS, c.ID)
	for _, n := range c.Neighbors {
		if n.GracefulRestart > 0 {
			fmt.Fprintf(&b, " bgp graceful-restart\n bgp graceful-restart restart-time %d\n", n.GracefulRestart)
			break
		}
	}
	for _, n := range c.Neighbors {
		a := n.Address.String()
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %[1]s update-source %[3]s\n", a, n.AS, n.Local)
		fmt.Fprintf(&b, " neighbor %s timers connect 1\n neighbor %[1]s advertisement-interval 0\n", a)
		if n.Password != "" {
			fmt.Fprintf(&b, " neighbor %s password %s\n", a, n.Password)
		}
		if n.TTLSecurity {
			fmt.Fprintf(&b, " neighbor %s ttl-security hops 1\n", a)
		}
		if n.Multihop {
			fmt.Fprintf(&b, " neighbor %s ebgp-multihop\n", a)
		}
	}
	for _, n := range c.Neighbors {
		fmt.Fprintf(&b, " address-family %s unicast\n  neighbor %s activate\n  neighbor %[2]s send-community all\n exit-address-family\n", family(n.Address), n.Address)
	}
	return b.String() + c.More
}

// Established implements Router.
func (f *frr) Established(neighbor netip.Addr) (bool, error) {
	out, err := vty(filepath.Join(f.run, "bgpd.vty"), "show bgp neighbors "+neighbor.String()+" json")
	if err != nil {
		return false, err
	}
	var all map[string]struct{ BGPState string }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return false, fmt.Errorf("FRR's neighbor %s: %w", neighbor, err)
	}
	return all[neighbor.String()].BGPState == "Established", nil
}

// frrPath is an element of what FRR says of a prefix. The first has nothing of
// a path.
type frrPath struct {
	ASPath *struct {
		Segments []struct{ List []uint32 }
	}
	Local          bool
	Stale          bool
	Community      struct{ List []string }
	LargeCommunity struct{ List []string }
	Nexthops       []struct {
		IP    netip.Addr
		Scope string
	}
}

// Routes implements Router.
func (f *frr) Routes() ([]Route, error) {
	var out []Route
	for _, family := range []string{"ipv4", "ipv6"} {
		text, err := vty(filepath.Join(f.run, "bgpd.vty"), "show bgp "+family+" unicast json detail")
		if err != nil {
			return nil, err
		}
		var all struct{ Routes map[netip.Prefix][]frrPath }
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, fmt.Errorf("FRR's table: %w: %s", err, text)
		}
		for prefix, paths := range all.Routes {
			for _, p := range paths {
				if p.ASPath != nil && !p.Local {
					out = append(out, p.route(prefix))
				}
			}
		}
	}
	return out, nil
}

func (p frrPath) route(prefix netip.Prefix) Route {
	r := Route{Prefix: prefix, Stale: p.Stale, Communities: communities(p.Community.List, p.LargeCommunity.List)}
	for _, s := range p.ASPath.Segments {
		r.ASPath = append(r.ASPath, s.List...)
	}
	for _, n := range p.Nexthops {
		if n.Scope != "link-local" {
			r.NextHop = n.IP
		}
	}
	return r
}

// Announce implements Router.
func (f *frr) Announce(r Route) error {
	name := "announce-" + strings.NewReplacer("/", "-", ":", "-").Replace(r.Prefix.String())
	lines := []string{"route-map " + name + " permit 10"}
	for _, c := range r.Communities {
		large := ""
		if strings.Count(c, ":") == 2 {
			large = "large-"
		}
		lines = append(lines, "set "+large+"community "+c+" additive")
	}
	if len(r.ASPath) > 0 {
		lines = append(lines, "set as-path prepend "+numbers(r.ASPath))
	}
	lines = append(lines, "exit", fmt.Sprintf("router bgp %d", f.as), "address-family "+family(r.Prefix.Addr())+" unicast",
		"network "+r.Prefix.String()+" route-map "+name)
	return f.Configure(lines...)
}

// Withdraw implements Router.
func (f *frr) Withdraw(p netip.Prefix) error {
	return f.Configure(fmt.Sprintf("router bgp %d", f.as), "address-family "+family(p.Addr())+" unicast", "no network "+p.String())
}

// Configure changes the running configuration with the lines that one would type.
func (f *frr) Configure(lines ...string) error {
	_, err := vty(filepath.Join(f.run, "bgpd.vty"), slices.Concat([]string{"configure terminal"}, lines, []string{"end"})...)
	return err
}

// Kill implements Router.
func (f *frr) Kill() { f.kill() }

// vty has one of FRR's daemons run commands, one after the other, and returns
// what the last one prints. A command ends with a zero byte, and its reply with
// three and a status.
func vty(socket string, commands ...string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	var last string
	for _, c := range append([]string{"enable"}, commands...) {
		if _, err := io.WriteString(conn, c+"\x00"); err != nil {
			return "", fmt.Errorf("%s: sending %q: %w", socket, c, err)
		}
		text, status, err := vtyReply(conn)
		if err != nil {
			return "", fmt.Errorf("%s: reply to %q: %w", socket, c, err)
		}
		if status != 0 {
			return "", fmt.Errorf("%s: %q: status %d: %s", socket, c, status, text)
		}
		last = text
	}
	return last, nil
}

func vtyReply(in io.Reader) (text string, status byte, err error) {
	var got []byte
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return "", 0, err
		}
		got = append(got, buf[:n]...)
		if end := len(got) - 4; end >= 0 && bytes.Equal(got[end:end+3], []byte{0, 0, 0}) {
			return string(got[:end]), got[end+3], nil
		}
	}
}
