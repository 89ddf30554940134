package testenv

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Host is a machine of a Lab: a network namespace with one interface, eth0.
type Host struct {
	Name  string
	Addrs []netip.Prefix // addresses of eth0, with the length of the subnet
}

// Lab is a network that a test makes for itself: one namespace for each host,
// and one, the hub, that holds the bridges which join them. Nothing outside them
// changes.
type Lab struct {
	tb     testing.TB
	prefix string            // of the namespaces' names; unique in the machine
	ports  map[string]string // the bridge of each port of the hub
	cables map[string]string // the hub's port of each host's interface, as in "host eth0"
}

// firstBridge joins the hosts that NewLab and AddHost make.
const firstBridge = "br0"

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
	l := &Lab{tb: tb, prefix: fmt.Sprintf("confd-%d-%s-", os.Getpid(), rand.Text()[:6]),
		ports: map[string]string{}, cables: map[string]string{}}
	l.AddNamespace("hub")
	l.AddBridge(firstBridge)
	for _, h := range hosts {
		l.AddHost(h)
	}
	return l
}

// AddHost adds a machine with its interface on the first bridge.
func (l *Lab) AddHost(h Host) {
	l.tb.Helper()
	l.AddForwarder(h.Name)
	l.Connect(h.Name, "eth0", firstBridge, h.Addrs...)
}

// AddForwarder adds a machine that has no interface yet and forwards packets, as
// nodes and routers do.
func (l *Lab) AddForwarder(name string) {
	l.tb.Helper()
	l.AddNamespace(name)
	l.Exec(name, "sh", "-c", "echo 1 | tee /proc/sys/net/ipv4/ip_forward >/proc/sys/net/ipv6/conf/all/forwarding")
}

// AddBridge adds a bridge, which is a subnet's wire. Its name has at most 15
// characters.
func (l *Lab) AddBridge(name string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "add", name, "type", "bridge")
	l.ip("-n", l.NS("hub"), "link", "set", name, "up")
}

// Connect gives a host one more interface, on a bridge, with these addresses.
func (l *Lab) Connect(host, device, bridge string, addrs ...netip.Prefix) {
	l.tb.Helper()
	port := fmt.Sprintf("port%d", len(l.ports))
	l.ports[port], l.cables[host+" "+device] = bridge, port
	l.ip("-n", l.NS("hub"), "link", "add", port, "type", "veth", "peer", "name", device, "netns", l.NS(host))
	l.ip("-n", l.NS("hub"), "link", "set", port, "master", bridge, "up")
	for _, a := range addrs {
		args := []string{"-n", l.NS(host), "addr", "add", a.String(), "dev", device}
		if a.Addr().Is6() {
			args = append(args, "nodad") // usable at once
		}
		l.ip(args...)
	}
	l.ip("-n", l.NS(host), "link", "set", device, "up")
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

// Unplug takes a host's eth0 off its bridge. The interface stays up: as when a
// switch fails, nothing tells the host.
func (l *Lab) Unplug(host string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "nomaster")
}

// Plug undoes Unplug.
func (l *Lab) Plug(host string) {
	l.tb.Helper()
	port := l.port(host)
	l.ip("-n", l.NS("hub"), "link", "set", port, "master", l.ports[port])
}

// Move puts the plug of a host's eth0 into another bridge, until Plug.
func (l *Lab) Move(host, bridge string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "master", bridge)
}

// CutCable takes the carrier of a host's eth0 away, as a pulled cable does.
func (l *Lab) CutCable(host string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "down")
}

// MendCable undoes CutCable.
func (l *Lab) MendCable(host string) {
	l.tb.Helper()
	l.ip("-n", l.NS("hub"), "link", "set", l.port(host), "up")
}

// port is the hub's end of the cable of a host's eth0.
func (l *Lab) port(host string) string {
	l.tb.Helper()
	port, ok := l.cables[host+" eth0"]
	if !ok {
		l.tb.Fatalf("the lab has no host %q with an eth0", host)
	}
	return port
}

// AddNamespace adds a namespace with nothing in it but its loopback interface.
func (l *Lab) AddNamespace(name string) {
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
