package packages_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 3 * time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// needDebian skips tests that run Debian's tools as root.
func needDebian(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this takes root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: make package-tools installs it", err)
		}
	}
}

// machine is a Debian with systemd and BIRD in a root and a network of its own.
type machine struct {
	t    *testing.T
	name string
	root string
	ns   string
	pid  int // of its systemd, seen from here
}

// newMachine unpacks Debian; nothing runs yet.
func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	archive, err := filepath.Abs("../../../.testenv/debian/root.tar")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, name: name, root: filepath.Join(t.TempDir(), name), ns: fmt.Sprintf("confd-%d-%s", os.Getpid(), name)}
	if err := os.Mkdir(m.root, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, "tar", "-C", m.root, "-xf", archive, "--exclude=./dev/*")
	m.write("/etc/hostname", name+"\n")
	must(t, "ip", "netns", "add", m.ns)
	t.Cleanup(func() { must(t, "ip", "netns", "delete", m.ns) })
	return m
}

// connect joins the machines' networks: the first has the address 192.0.2.1.
func connect(a, b *machine) {
	must(a.t, "ip", "link", "add", "eth0", "netns", a.ns, "type", "veth", "peer", "name", "eth0", "netns", b.ns)
	for i, m := range []*machine{a, b} {
		must(a.t, "ip", "-n", m.ns, "address", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth0")
		must(a.t, "ip", "-n", m.ns, "link", "set", "eth0", "up")
	}
}

// boot starts systemd and waits until it has started what it is to start.
func (m *machine) boot() {
	m.t.Helper()
	cmd := exec.Command("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe",
		"--directory="+m.root, "--network-namespace-path=/run/netns/"+m.ns, "--capability=CAP_NET_ADMIN")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	m.t.Cleanup(func() { m.halt(cmd.Process, ended) })
	children := fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid)
	eventually(m.t, "systemd in "+m.name, func() bool {
		select {
		case <-ended:
			m.t.Fatalf("systemd-nspawn has ended:\n%s", out.String())
		default:
		}
		text, err := os.ReadFile(children)
		if n, _ := fmt.Sscan(string(text), &m.pid); err != nil || n != 1 {
			return false
		}
		state, _ := m.try("systemctl", "is-system-running") // its exit code says the same
		return state == "running" || state == "degraded"
	})
	if state, _ := m.try("systemctl", "is-system-running"); state != "running" {
		m.t.Fatalf("%s is %s:\n%s", m.name, state, m.run("systemctl", "--failed", "--no-legend"))
	}
}

// halt has the machine shut down, as its power button does, and by force where that takes too long.
func (m *machine) halt(nspawn *os.Process, ended <-chan struct{}) {
	_ = nspawn.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(patience):
		_ = nspawn.Kill()
		<-ended
	}
}

// try runs a command inside, where it may take as long as we are patient.
func (m *machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	inside := []string{"--target", fmt.Sprint(m.pid), "--mount", "--uts", "--ipc", "--net", "--pid",
		"env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
	out, err := exec.CommandContext(ctx, "nsenter", append(inside, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "--lines=40", "--unit=confd", "--unit=bird")
		m.t.Fatalf("%s: %s: %v\n%s\n%s", m.name, strings.Join(args, " "), err, out, journal)
	}
	return out
}

// install has dpkg install a package on the running machine.
func (m *machine) install(deb string) {
	m.t.Helper()
	data, err := os.ReadFile(deb)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("/root/confd.deb", string(data))
	m.run("dpkg", "--install", "/root/confd.deb")
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) has(name string) bool {
	_, err := os.Lstat(filepath.Join(m.root, name))
	return err == nil
}

// property is what systemd says of a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "--property="+name, unit)
}

// session is how BIRD has the one session of the mesh: its row, and since when it is up.
func (m *machine) session() (row, since string) {
	out, err := m.try("birdc", "-r", "show", "protocols")
	if err != nil {
		return out, ""
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 6 && f[1] == "BGP" && f[5] == "Established" {
			return strings.TrimSpace(line), f[4]
		}
	}
	return out, ""
}

// established waits for the session.
func (m *machine) established() {
	m.t.Helper()
	eventually(m.t, "the session of "+m.name, func() bool { _, since := m.session(); return since != "" })
}
