package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const mesh = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 192.0.2.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: b}, spec: {bgp: {ipv4Address: 192.0.2.2/24}}}
`

// pool makes another line in bird.conf, and another set.
const pool = `---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 198.51.100.0/24}}
`

// readme is what README.md tells people to do once the package is there.
const readme = "systemctl enable --now confd"

// TestLifeOnDebian has two Debians with Debian's BIRD: confd is installed, one command
// is given, the sessions stand; and they stand, since the same moment, through an
// upgrade, a downgrade, removal and purge.
func TestLifeOnDebian(t *testing.T) {
	needDebian(t, "systemd-nspawn", "ip", "dpkg")
	older, newer := build(t, "v0.1.0-rc.1"), build(t, "v0.1.0")
	a, b := newMachine(t, "a"), newMachine(t, "b")
	connect(a, b)
	// One has the package before it starts for the first time, as in an image.
	b.write("/etc/machine-id", "uninitialized\n")
	for _, unit := range []string{"systemd-firstboot", "systemd-networkd-wait-online"} { // one asks a terminal, one waits for a network that we made
		if err := os.Symlink("/dev/null", filepath.Join(b.root, "/etc/systemd/system", unit+".service")); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "dpkg", "--root="+b.root, "--install", older.deb)
	a.boot()
	b.boot()
	a.install(older.deb)
	for _, m := range []*machine{a, b} {
		m.off(t)
		m.configure(t)
		m.run("sh", "-c", readme)
	}
	a.established()
	b.established()
	life := a.life(b)

	t.Log("upgrade")
	a.install(newer.deb)
	life.goesOn(t, "an upgrade")
	a.runs(t, newer.version)
	a.takes(t, mesh+pool, "198.51.100.0/24")

	t.Log("downgrade")
	a.install(older.deb)
	life.goesOn(t, "a downgrade")
	a.runs(t, older.version)
	a.takes(t, mesh, "")

	t.Log("removal")
	a.run("dpkg", "--remove", "confd")
	life.goesOn(t, "removal")
	if a.has("/usr/sbin/confd") || a.has("/lib/systemd/system/confd.service") || !a.has("/etc/confd/confd.toml") {
		t.Error("removal leaves settings, and nothing else of ours")
	}
	a.run("dpkg", "--purge", "confd")
	life.goesOn(t, "purge")
	a.nothingOfOurs(t)

	t.Log("BIRD alone")
	a.run("systemctl", "restart", "bird")
	a.established()
	b.established()
}

// off says whether an installed confd waits to be configured, and BIRD runs.
func (m *machine) off(t *testing.T) {
	t.Helper()
	enabled, _ := m.try("systemctl", "is-enabled", "confd") // its exit code says the same
	active, _ := m.try("systemctl", "is-active", "confd")
	if enabled != "disabled" || active != "inactive" {
		t.Errorf("%s: confd is %s and %s before it is configured", m.name, enabled, active)
	}
	if bird := m.property("bird", "ActiveState"); bird != "active" {
		t.Fatalf("%s: bird is %s", m.name, bird)
	}
	if out := m.run("man", "--path", "confd-status"); !strings.Contains(out, "confd-status.8") {
		t.Errorf("there is no man page: %s", out)
	}
}

// configure says where the cluster's state is.
func (m *machine) configure(t *testing.T) {
	t.Helper()
	m.write("/etc/confd/cluster.yaml", mesh)
	settings, err := os.ReadFile(filepath.Join(m.root, "/etc/confd/confd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	m.write("/etc/confd/confd.toml", string(settings)+"\ndata = [\"/etc/confd/cluster.yaml\"]\n")
}

// runs says whether the service runs that version, and all is well.
func (m *machine) runs(t *testing.T, version string) {
	t.Helper()
	eventually(t, "confd in step", func() bool { _, err := m.try("confd", "status"); return err == nil })
	program := m.run("readlink", "/proc/"+m.property("confd", "MainPID")+"/exe")
	if out := m.run(program, "version"); !strings.Contains(out, version) {
		t.Errorf("%s runs %s: %s", m.name, program, out)
	}
	if settings := m.run("cat", "/etc/confd/confd.toml"); !strings.Contains(settings, "cluster.yaml") {
		t.Error("settings are not what the administrator made of them")
	}
}

// takes gives the cluster another state, and waits until BIRD's file says so.
func (m *machine) takes(t *testing.T, cluster, want string) {
	t.Helper()
	before := m.run("cat", "/etc/bird/bird.conf")
	m.write("/etc/confd/cluster.yaml", cluster)
	eventually(t, "a change", func() bool {
		now := m.run("cat", "/etc/bird/bird.conf")
		return now != before && strings.Contains(now, want)
	})
}

// nothingOfOurs says whether what is left is BIRD's.
func (m *machine) nothingOfOurs(t *testing.T) {
	t.Helper()
	ours, err := filepath.Glob(filepath.Join(m.root, "/etc/bird/.confd*"))
	if err != nil || len(ours) > 0 {
		t.Error("purge leaves", ours, err)
	}
	for _, name := range []string{"/etc/confd/confd.toml", "/etc/systemd/system/multi-user.target.wants/confd.service", "/run/confd"} {
		if m.has(name) {
			t.Errorf("purge leaves %s", name)
		}
	}
	if !m.has("/etc/bird/bird.conf") || !m.has("/etc/bird/bird.conf.orig") {
		t.Error("purge takes what BIRD reads, or what was there before us")
	}
}

// life is what must not change on two machines while confd comes and goes.
type life struct {
	machines []*machine
	birds    []string // process IDs
	since    []string // of the sessions
}

func (m *machine) life(others ...*machine) *life {
	l := &life{machines: append([]*machine{m}, others...)}
	for _, each := range l.machines {
		_, since := each.session()
		l.since, l.birds = append(l.since, since), append(l.birds, each.property("bird", "MainPID"))
	}
	return l
}

func (l *life) goesOn(t *testing.T, through string) {
	t.Helper()
	for i, m := range l.machines {
		row, since := m.session()
		if since == "" || since != l.since[i] {
			t.Errorf("%s: through %s the session was up since %s, and is now: %s", m.name, through, l.since[i], row)
		}
		if bird := m.property("bird", "MainPID"); bird != l.birds[i] {
			t.Errorf("%s: through %s BIRD was process %s, and is %s", m.name, through, l.birds[i], bird)
		}
	}
}

var finding = regexp.MustCompile(`(?m)^[EW]: .*`)

// TestLintian has Debian's own checker look at the package.
func TestLintian(t *testing.T) {
	needDebian(t, "lintian")
	out, err := exec.Command("lintian", "--allow-root", "--fail-on=error,warning", build(t, "v0.1.0").deb).CombinedOutput()
	if err != nil || finding.Match(out) {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
