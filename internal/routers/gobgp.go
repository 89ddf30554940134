package routers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/testenv"
)

// gobgp is GoBGP. It leaves the kernel's routes alone.
type gobgp struct {
	*place
	bin      string
	families []string
	own      map[netip.Prefix]bool
}

func startGoBGP(tb testing.TB, ns string, c Config) *gobgp {
	tb.Helper()
	g := &gobgp{newPlace(tb, ns, "gobgpd"), filepath.Join(testenv.Root(tb), ".testenv", "bin"), c.families(), map[netip.Prefix]bool{}}
	g.write("gobgp.toml", goBGPConfig(c))
	g.start(filepath.Join(g.bin, "gobgpd"), "-f", filepath.Join(g.run, "gobgp.toml"), "--api-hosts", "unix://"+g.socket())
	eventually(tb, patience, "GoBGP", func() bool {
		out, err := g.ask("neighbor")
		return err == nil && string(out) != "[]\n"
	})
	return g
}

func goBGPConfig(c Config) string {
	var b strings.Builder
	var local []string
	for _, n := range c.Neighbors {
		local = append(local, fmt.Sprintf("%q", n.Local))
	}
	slices.Sort(local)
	fmt.Fprintf(&b, "[global.config]\nas = %d\nrouter-id = %q\nlocal-address-list = [%s]\n", c.AS, c.ID, strings.Join(slices.Compact(local), ", "))
	for _, n := range c.Neighbors {
		fmt.Fprintf(&b, "[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d\nauth-password = %q\n", n.Address, n.AS, n.Password)
		fmt.Fprintf(&b, "[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = 1\n")
		fmt.Fprintf(&b, "[neighbors.transport.config]\nlocal-address = %q\n", n.Local)
		if n.TTLSecurity {
			fmt.Fprintf(&b, "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n")
		}
		if n.Multihop {
			fmt.Fprintf(&b, "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 64\n")
		}
		if n.GracefulRestart > 0 {
			fmt.Fprintf(&b, "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = %d\n", n.GracefulRestart)
		}
		fmt.Fprintf(&b, "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"%s-unicast\"\n", family(n.Address))
		if n.GracefulRestart > 0 {
			fmt.Fprintf(&b, "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n")
		}
	}
	return b.String() + c.More
}

// Established implements Router.
func (g *gobgp) Established(neighbor netip.Addr) (bool, error) {
	out, err := g.ask("neighbor", neighbor.String())
	if err != nil {
		return false, err
	}
	var one struct {
		State struct {
			SessionState int `json:"session_state"`
		}
	}
	if err := json.Unmarshal(out, &one); err != nil {
		return false, fmt.Errorf("GoBGP's neighbor %s: %w", neighbor, err)
	}
	return one.State.SessionState == 6, nil
}

// goBGPPath is a path as GoBGP says it. Which fields an attribute has depends
// on its type (RFC 4271, RFC 4760, RFC 8092).
type goBGPPath struct {
	Stale bool
	Attrs []struct {
		Type    int
		ASPaths []struct{ ASNs []uint32 } `json:"as_paths"`
		Nexthop string
		Value   json.RawMessage

		Communities []uint32
	}
}

// Routes implements Router.
func (g *gobgp) Routes() ([]Route, error) {
	var routes []Route
	for _, f := range g.families {
		out, err := g.ask("-a", f, "global", "rib")
		if err != nil {
			return nil, err
		}
		var all map[netip.Prefix][]goBGPPath
		if err := json.Unmarshal(out, &all); err != nil {
			return nil, fmt.Errorf("GoBGP's table: %w: %s", err, out)
		}
		for prefix, paths := range all {
			for _, p := range paths {
				if !g.own[prefix] {
					routes = append(routes, p.route(prefix))
				}
			}
		}
	}
	return routes, nil
}

func (p goBGPPath) route(prefix netip.Prefix) Route {
	r := Route{Prefix: prefix, Stale: p.Stale}
	var list []string
	for _, a := range p.Attrs {
		for _, s := range a.ASPaths {
			r.ASPath = append(r.ASPath, s.ASNs...)
		}
		for _, c := range a.Communities {
			list = append(list, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
		if a.Type == 32 {
			var large []struct{ ASN, LocalData1, LocalData2 uint32 }
			_ = json.Unmarshal(a.Value, &large) // what is not read is missing where it is compared
			for _, c := range large {
				list = append(list, fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2))
			}
		}
		if next, err := netip.ParseAddr(a.Nexthop); err == nil {
			r.NextHop = next
		}
	}
	r.Communities = communities(list)
	return r
}

// Announce implements Router.
func (g *gobgp) Announce(r Route) error {
	g.own[r.Prefix] = true
	args := []string{"-a", family(r.Prefix.Addr()), "global", "rib", "add", r.Prefix.String()}
	for _, c := range r.Communities {
		kind := "community"
		if strings.Count(c, ":") == 2 {
			kind = "large-community"
		}
		args = append(args, kind, c)
	}
	if len(r.ASPath) > 0 {
		args = append(args, "aspath", strings.ReplaceAll(numbers(r.ASPath), " ", ","))
	}
	_, err := g.ask(args...)
	return err
}

// Withdraw implements Router.
func (g *gobgp) Withdraw(p netip.Prefix) error {
	_, err := g.ask("-a", family(p.Addr()), "global", "rib", "del", p.String())
	return err
}

// Kill implements Router.
func (g *gobgp) Kill() { g.kill() }

func (g *gobgp) socket() string { return filepath.Join(g.run, "api.sock") }

func (g *gobgp) ask(args ...string) ([]byte, error) {
	args = append([]string{"-j", "--target", "unix://" + g.socket()}, args...)
	out, err := exec.Command(filepath.Join(g.bin, "gobgp"), args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("gobgp %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return out, nil
}
