package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Machine is whatever has an address in the laboratory: a host of the cluster, or a
// router outside it.
type Machine struct {
	Name string
	// Addresses are those of eth0, with the length of the subnet.
	Addresses []netip.Prefix

	lab    *Lab
	dir    string
	subnet *Subnet // that eth0 is in
}

// AddMachine adds a machine that is no node of the cluster to a subnet ("": the
// first), with default routes to the subnet's router.
func (l *Lab) AddMachine(name, subnet string, addresses ...string) *Machine {
	l.tb.Helper()
	s := l.subnets[subnet]
	if s == nil {
		l.tb.Fatalf("the lab has no subnet %q: AddSubnet makes one", subnet)
	}
	m := l.newMachine(name)
	m.subnet = s
	for _, a := range addresses {
		m.Addresses = append(m.Addresses, netip.MustParsePrefix(a))
	}
	l.Net.Connect(name, "eth0", s.Name, m.Addresses...)
	m.addDefaultRoutes()
	return m
}

func (m *Machine) addDefaultRoutes() {
	m.lab.tb.Helper()
	for _, gateway := range m.subnet.gateways() {
		if m.address(gateway.Is6()).IsValid() {
			m.IP("route replace default via", gateway.String())
		}
	}
}

// newMachine makes a machine without an interface.
func (l *Lab) newMachine(name string) *Machine {
	l.tb.Helper()
	m := &Machine{Name: name, lab: l, dir: filepath.Join(l.dir, name)}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		l.tb.Fatal(err)
	}
	l.Net.AddForwarder(name)
	l.quiet(name)
	return m
}

// Dir is a folder of the machine's own, whose path is short.
func (m *Machine) Dir() string { return m.dir }

// NS is the name of the machine's network namespace.
func (m *Machine) NS() string { return m.lab.Net.NS(m.Name) }

// IPv4 is the machine's first IPv4 address; IPv6 its first IPv6 address. They are
// not valid where it has none.
func (m *Machine) IPv4() netip.Addr { return m.address(false).Addr() }

// IPv6 is described with IPv4.
func (m *Machine) IPv6() netip.Addr { return m.address(true).Addr() }

func (m *Machine) address(six bool) netip.Prefix {
	for _, a := range m.Addresses {
		if a.Addr().Is6() == six {
			return a
		}
	}
	return netip.Prefix{}
}

// Exec runs a command on the machine and returns what it printed; the test fails
// where the command does.
func (m *Machine) Exec(command ...string) string {
	m.lab.tb.Helper()
	return m.lab.Net.Exec(m.Name, command...)
}

// IP runs ip on the machine: its words may come in one text or in many.
func (m *Machine) IP(args ...string) string {
	m.lab.tb.Helper()
	out, err := m.lab.ip(m.NS(), args...)
	if err != nil {
		m.lab.tb.Fatalf("on %s: %v", m.Name, err)
	}
	return string(out)
}

// Start runs a program on the machine until the end of the test.
func (m *Machine) Start(name string, env []string, command ...string) *Process {
	m.lab.tb.Helper()
	cmd := m.lab.Net.Command(m.Name, command...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return startProcess(m.lab.tb, m.Name+" "+name, m.dir, cmd)
}

// WriteFile writes a file into the machine's folder and returns its path.
func (m *Machine) WriteFile(name, text string) string {
	m.lab.tb.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.lab.tb.Fatal(err)
	}
	return path
}

// ip runs ip in a namespace. The words of an argument are arguments.
func (l *Lab) ip(ns string, args ...string) ([]byte, error) {
	words := append([]string{"-n", ns}, strings.Fields(strings.Join(args, " "))...)
	cmd := exec.Command("ip", words...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("ip %s: %w: %s", strings.Join(words, " "), err, stderr.String())
	}
	return out, nil
}
