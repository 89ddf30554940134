package routers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// openbgpd is OpenBGPD. Its port to Linux leaves the kernel's routes alone.
type openbgpd struct{ *place }

func startOpenBGPD(tb testing.TB, ns string, c Config) *openbgpd {
	tb.Helper()
	o := &openbgpd{newPlace(tb, ns, "/usr/sbin/bgpd")}
	if err := os.Mkdir(filepath.Join(o.run, "empty"), 0o755); err != nil {
		tb.Fatal(err)
	}
	o.write("bgpd.conf", openBGPDConfig(c))
	o.start("/usr/sbin/bgpd", "-d", "-v", "-f", "/run/bgpd.conf")
	eventually(tb, patience, "OpenBGPD", func() bool {
		_, err := o.ctl("show")
		return err == nil
	})
	return o
}

func openBGPDConfig(c Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "AS %d\nrouter-id %s\nsocket \"/run/bgpd.sock\"\nconnect-retry 5\n", c.AS, c.ID)
	for _, n := range c.Neighbors {
		fmt.Fprintf(&b, "neighbor %s {\n\tremote-as %d\n\tlocal-address %s\n\tannounce IPv%s unicast\n", n.Address, n.AS, n.Local, family(n.Address)[3:])
		if n.Password != "" {
			fmt.Fprintf(&b, "\ttcp md5sig password %q\n", n.Password)
		}
		if n.TTLSecurity {
			fmt.Fprintf(&b, "\tttl-security yes\n")
		}
		if n.Multihop {
			fmt.Fprintf(&b, "\tmultihop 64\n")
		}
		if n.GracefulRestart > 0 {
			fmt.Fprintf(&b, "\tannounce restart yes\n")
		}
		fmt.Fprintf(&b, "}\n")
	}
	return b.String() + "allow from any\nallow to any\n" + c.More
}

// Established implements Router.
func (o *openbgpd) Established(neighbor netip.Addr) (bool, error) {
	out, err := o.ctl("show", "neighbor", neighbor.String())
	if err != nil {
		return false, err
	}
	var all struct{ Neighbors []struct{ State string } }
	if err := json.Unmarshal(out, &all); err != nil {
		return false, fmt.Errorf("OpenBGPD's neighbor %s: %w", neighbor, err)
	}
	return len(all.Neighbors) == 1 && all.Neighbors[0].State == "Established", nil
}

// Routes implements Router.
func (o *openbgpd) Routes() ([]Route, error) {
	out, err := o.ctl("show", "rib", "detail")
	if err != nil {
		return nil, err
	}
	var all struct {
		RIB []struct {
			Prefix           netip.Prefix
			ASPath           string
			ExitNexthop      netip.Addr `json:"exit_nexthop"`
			Source           string
			Stale            bool
			Communities      []string
			LargeCommunities []string `json:"large_communities"`
		}
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("OpenBGPD's table: %w: %s", err, out)
	}
	var routes []Route
	for _, p := range all.RIB {
		if p.Source == "internal" && p.ASPath == "" && p.ExitNexthop.IsUnspecified() {
			continue // its own
		}
		routes = append(routes, Route{
			Prefix: p.Prefix, NextHop: p.ExitNexthop, ASPath: path(p.ASPath), Stale: p.Stale,
			Communities: communities(p.Communities, p.LargeCommunities),
		})
	}
	return routes, nil
}

// Announce implements Router.
func (o *openbgpd) Announce(r Route) error {
	args := []string{"network", "add", r.Prefix.String()}
	for _, c := range r.Communities {
		kind := "community"
		if strings.Count(c, ":") == 2 {
			kind = "large-community"
		}
		args = append(args, kind, c)
	}
	if len(r.ASPath) > 0 {
		return fmt.Errorf("announcing %s: bgpctl takes no AS path", r.Prefix)
	}
	_, err := o.ctl(args...)
	return err
}

// Withdraw implements Router.
func (o *openbgpd) Withdraw(p netip.Prefix) error {
	_, err := o.ctl("network", "delete", p.String())
	return err
}

// Kill implements Router.
func (o *openbgpd) Kill() { o.kill() }

// ctl asks by the control socket, for which bgpctl need not be where the daemon
// is: only its libraries are.
func (o *openbgpd) ctl(args ...string) ([]byte, error) {
	loaders, err := filepath.Glob(filepath.Join(o.root, "lib", "*-linux-gnu*", "ld-linux*.so.*"))
	if err != nil || len(loaders) != 1 {
		return nil, fmt.Errorf("the dynamic loader below %s: %v, %w", o.root, loaders, err)
	}
	lib := filepath.Dir(loaders[0])
	path := lib + ":" + filepath.Join(o.root, "usr", "lib", filepath.Base(lib))
	args = append([]string{"--library-path", path, filepath.Join(o.root, "usr/sbin/bgpctl"), "-j", "-s", filepath.Join(o.run, "bgpd.sock")}, args...)
	out, err := exec.Command(loaders[0], args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("bgpctl %s: %w: %s", strings.Join(args[5:], " "), err, out)
	}
	return out, nil
}
