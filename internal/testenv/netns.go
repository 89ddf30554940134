package testenv

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Host is a machine of a Lab: a network namespace with one interface, eth0.
type Host struct {
	Name  string
	Addrs []netip.Prefix // addresses of eth0, with the length of the subnet
}

// Lab is a network that a test makes for itself: one namespace for each host,
// and one that holds the bridge which joins them. Nothing outside them changes.
type Lab struct {
	tb     testing.TB
	prefix string // of the namespaces' names; unique in the machine
	hosts  []string
}

// NewLab makes the namespaces and joins them. They are removed with the test.
// Where the test may not do that (it takes root) it is skipped.
func NewLab(tb testing.TB, hosts ...Host) *Lab {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("network namespaces take root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		tb.Skip("the program ip is missing: `make deps` installs it (package iproute2)")
	}
	l := &Lab{tb: tb, prefix: fmt.Sprintf("confd-%d-%s-", os.Getpid(), rand.Text()[:6])}
	l.addNamespace("hub")
	l.ip("-n", l.NS("hub"), "link", "add", "br0", "type", "bridge")
	l.ip("-n", l.NS("hub"), "link", "set", "br0", "up")
	for _, h := range hosts {
		l.addHost(h)
	}
	return l
}

// NS is the name of a host's namespace, for `ip netns exec` and InNetns.
func (l *Lab) NS(host string) string { return l.prefix + host }

// Exec runs a command in a host's namespace and returns what it printed. The
// test fails where the command does.
func (l *Lab) Exec(host string, cmd ...string) string {
	l.tb.Helper()
	out, err := l.TryExec(host, cmd...)
	if err != nil {
		l.tb.Fatal(err)
	}
	return out
}

// TryExec is Exec for commands that may fail.
func (l *Lab) TryExec(host string, cmd ...string) (string, error) {
	out, err := l.Command(host, cmd...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("on %s: %s: %w: %s", host, strings.Join(cmd, " "), err, out)
	}
	return string(out), nil
}

// Command prepares a command that runs in a host's namespace.
func (l *Lab) Command(host string, cmd ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.NS(host)}, cmd...)...)
}

// Unplug takes a host off the bridge. Its interface stays up: as when a switch
// fails, nothing tells the host.
func (l *Lab) Unplug(host string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "nomaster")
}

// Plug undoes Unplug.
func (l *Lab) Plug(host string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "master", "br0")
}

// port is the hub's end of the host's cable.
func (l *Lab) port(host string) string {
	l.tb.Helper()
	i := slices.Index(l.hosts, host)
	if i < 0 {
		l.tb.Fatalf("the lab has no host %q", host)
	}
	return fmt.Sprintf("port%d", i)
}

func (l *Lab) addHost(h Host) {
	l.tb.Helper()
	l.addNamespace(h.Name)
	l.hosts = append(l.hosts, h.Name)
	port := l.port(h.Name)
	l.ip("-n", l.NS("hub"), "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", l.NS(h.Name))
	l.ip("-n", l.NS("hub"), "link", "set", port, "master", "br0", "up")
	for _, a := range h.Addrs {
		args := []string{"-n", l.NS(h.Name), "addr", "add", a.String(), "dev", "eth0"}
		if a.Addr().Is6() {
			args = append(args, "nodad") // usable at once
		}
		l.ip(args...)
	}
	l.ip("-n", l.NS(h.Name), "link", "set", "eth0", "up")
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		l.Exec(h.Name, "sh", "-c", "echo 1 >/proc/sys/"+key)
	}
}

func (l *Lab) addNamespace(name string) {
	l.tb.Helper()
	if out, err := exec.Command("ip", "netns", "add", l.NS(name)).CombinedOutput(); err != nil {
		// Containers often lack the right, root or not.
		l.tb.Skipf("network namespaces cannot be made here: %v: %s", err, out)
	}
	l.tb.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.NS(name)).Run() })
	l.ip("-n", l.NS(name), "link", "set", "lo", "up")
}

func (l *Lab) ip(args ...string) {
	l.tb.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.tb.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}
