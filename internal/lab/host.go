package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"confd/internal/testenv"
	"confd/reload/control"
)

// HostConfig says what a host of the cluster is like.
type HostConfig struct {
	Name string
	// Addresses of eth0, with the length of the subnet: the first of each family is
	// the node's.
	Addresses []string
	// Subnet is where the host is; empty: the first.
	Subnet string
	// BIRD is the version; empty: 2.0.12.
	BIRD string
	// Blocks are IPAM's, confirmed for this node.
	Blocks []string
	// AS, ClusterID and Labels are as in NodeObject.
	AS                uint32
	ClusterID         string
	Labels            map[string]string
	LabelsOfCalicoctl bool
	// Env is more of confd's environment, and wins over what the laboratory sets.
	Env []string
	// BirdFlags are BIRD's, besides files and sockets; nil: -R, as in the manifests.
	BirdFlags []string
	// OwnClock gives the host's BIRDs a clock that SetClock sets, in a time zone, as TZ
	// has it; empty: they have the machine's clock.
	OwnClock string
}

// Host is a node of the cluster: a machine with confd and BIRD.
type Host struct {
	*Machine
	// Node is the node as the datastore has it: Publish writes it after a change.
	Node NodeObject
	// Version is BIRD's: a host that is restarted may have another one.
	Version   string
	Env       []string
	BirdFlags []string
	Blocks    []netip.Prefix
	ownClock  string
	// Confd and Birds are what runs; BIRD 1 is two daemons, IPv4's first.
	Confd *Process
	Birds []*Bird

	port *storePort
}

// Bird is a BIRD that runs on a host.
type Bird struct {
	*Process
	Socket string
}

// defaultBIRD is for tests that are not about versions.
const defaultBIRD = "2.0.12"

// AddHost adds a host to the network, and its node and blocks to the datastore.
// Nothing runs on it yet.
func (l *Lab) AddHost(c HostConfig) *Host {
	l.tb.Helper()
	h := &Host{Machine: l.AddMachine(c.Name, c.Subnet, c.Addresses...), Version: c.BIRD, Env: c.Env, BirdFlags: c.BirdFlags, ownClock: c.OwnClock}
	if h.Version == "" {
		h.Version = defaultBIRD
	}
	if h.BirdFlags == nil {
		h.BirdFlags = []string{"-R"}
	}
	if err := os.Mkdir(h.confDir(), 0o755); err != nil {
		l.tb.Fatal(err)
	}
	h.Node = NodeObject{Name: c.Name, IPv4: h.address(false), IPv6: h.address(true),
		AS: c.AS, ClusterID: c.ClusterID, Labels: c.Labels, LabelsOfCalicoctl: c.LabelsOfCalicoctl}
	h.port = openStorePort(l.tb, h.NS(), l.Store.address())
	h.Publish()
	for _, b := range c.Blocks {
		h.AddBlock(b)
	}
	l.Hosts = append(l.Hosts, h)
	return h
}

// Publish writes the host's Node to the datastore.
func (h *Host) Publish() {
	h.lab.tb.Helper()
	h.lab.Store.ApplyNode(h.Node)
}

// AddBlock gives the node one more block.
func (h *Host) AddBlock(block string) {
	h.lab.tb.Helper()
	p := netip.MustParsePrefix(block)
	h.Blocks = append(h.Blocks, p)
	h.lab.Store.ApplyAffinity(Affinity{h.Name, p})
}

// RemoveBlock takes one of the node's blocks away.
func (h *Host) RemoveBlock(block string) {
	h.lab.tb.Helper()
	p := netip.MustParsePrefix(block)
	h.Blocks = slices.DeleteFunc(h.Blocks, func(b netip.Prefix) bool { return b == p })
	h.lab.Store.DeleteAffinity(Affinity{h.Name, p})
}

// Renumber gives the host another address instead of the one of that family, in the
// same subnet, and tells the datastore, with an announcement.
func (h *Host) Renumber(address string) {
	h.lab.tb.Helper()
	h.Readdress(address)
	h.lab.Store.ApplyNode(AnnouncedNode(h.Node))
}

// Readdress gives the host another address instead of the one of that family, in the
// same subnet. The datastore does not hear of it until Publish.
func (h *Host) Readdress(address string) {
	h.lab.tb.Helper()
	p := netip.MustParsePrefix(address)
	old := h.address(p.Addr().Is6())
	h.IP("addr del", old.String(), "dev eth0") // with it goes what is in the same subnet
	h.IP("addr add", address, "dev eth0")
	h.Addresses[slices.Index(h.Addresses, old)] = p
	h.addDefaultRoutes() // they went with the address
	h.Node.IPv4, h.Node.IPv6 = h.address(false), h.address(true)
}

// ForgetIPv6 takes the node's IPv6 address out of the datastore; the interface keeps it.
func (h *Host) ForgetIPv6() {
	h.lab.tb.Helper()
	h.Node.IPv6 = netip.Prefix{}
	h.lab.Store.ApplyNode(AnnouncedNode(h.Node))
}

// Remove stops all that runs on the host, as when the machine is switched off, and
// takes its blocks and its node out of the datastore.
func (h *Host) Remove() {
	h.lab.tb.Helper()
	h.CutCable()
	h.Confd.Kill()
	h.KillBIRD()
	for _, b := range h.Blocks {
		h.lab.Store.DeleteAffinity(Affinity{h.Name, b})
	}
	h.lab.Store.DeleteNode(h.Name)
	h.lab.Hosts = slices.DeleteFunc(h.lab.Hosts, func(o *Host) bool { return o == h })
}

// Start starts confd on all hosts, and BIRD when its files are there.
func (l *Lab) Start() {
	l.tb.Helper()
	for _, h := range l.Hosts {
		h.StartConfd()
	}
	for _, h := range l.Hosts {
		h.launchBIRD()
	}
	for _, h := range l.Hosts {
		h.awaitBIRD()
	}
}

// Start starts confd on this host, and BIRD when its files are there.
func (h *Host) Start() {
	h.lab.tb.Helper()
	h.StartConfd()
	h.StartBIRD()
}

// StartConfd starts confd.
func (h *Host) StartConfd() {
	h.lab.tb.Helper()
	h.StartConfdBy()
}

// StartConfdBy starts confd by another command, such as setpriv with what it takes away.
func (h *Host) StartConfdBy(command ...string) {
	h.lab.tb.Helper()
	h.Confd = h.Machine.Start("confd", h.environment(), append(command, confdProgram(h.lab.tb), "run")...)
}

// environment is confd's. The settings are the usual ones, but that it looks more
// often whether all is as it was left.
func (h *Host) environment() []string {
	return append(append([]string{
		"NODENAME=" + h.Name,
		"CONFD_BIRD_BINARY=" + testenv.Bird(h.lab.tb, h.Version),
		"CONFD_BIRD_DIR=" + h.confDir(),
		"CONFD_SOCKET=" + filepath.Join(h.dir, "bird.ctl"),
		"CONFD_SOCKET6=" + filepath.Join(h.dir, "bird6.ctl"),
		"CONFD_CONFDIR=" + filepath.Join(h.dir, "none"),
		"CONFD_CONFIG_FILE=",
		"CONFD_LISTEN=unix:" + filepath.Join(h.dir, "http.sock"),
		"CONFD_VERIFY_INTERVAL=1s",
		"CONFD_ROUTES_INTERVAL=2s",
		"CALICO_ENDPOINT_STATUS_PATH_PREFIX=" + h.dir,
	}, h.lab.Store.environment()...), h.Env...)
}

func (h *Host) confDir() string { return filepath.Join(h.dir, "etc") }

// RunConfd runs another command of confd on the host, as `status` is, and returns
// its output and exit code.
func (h *Host) RunConfd(args ...string) (string, int) {
	h.lab.tb.Helper()
	cmd := h.lab.Net.Command(h.Name, append([]string{confdProgram(h.lab.tb)}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, h.environment()...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		h.lab.tb.Fatalf("confd on %s: %v", h.Name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// daemon is one of the BIRDs that a version has.
type daemon struct{ program, conf, socket string }

func (h *Host) daemons() []daemon {
	if strings.HasPrefix(h.Version, "1.") {
		return []daemon{{"bird", "bird.cfg", "bird.ctl"}, {"bird6", "bird6.cfg", "bird6.ctl"}}
	}
	return []daemon{{"bird", "bird.conf", "bird.ctl"}}
}

// StartBIRD waits for confd's files, and starts the BIRDs that read them.
func (h *Host) StartBIRD() {
	h.lab.tb.Helper()
	h.launchBIRD()
	h.awaitBIRD()
}

// launchBIRD starts the BIRDs when their files are there.
func (h *Host) launchBIRD() {
	h.lab.tb.Helper()
	h.Birds = nil
	for _, d := range h.daemons() {
		program := testenv.Bird(h.lab.tb, h.Version)
		if d.program == "bird6" {
			program = testenv.Bird6(h.lab.tb, h.Version)
		}
		conf, socket := filepath.Join(h.confDir(), d.conf), filepath.Join(h.dir, d.socket)
		h.lab.Await(h.Name+"'s "+d.conf, func() error {
			if _, err := os.Stat(conf); err != nil {
				return err
			}
			return nil
		})
		args := append([]string{program, "-d", "-c", conf, "-s", socket, "-P", socket + ".pid"}, h.BirdFlags...)
		b := &Bird{h.Machine.Start(d.program, h.clockEnvironment(), args...), socket}
		h.Birds = append(h.Birds, b)
	}
}

// awaitBIRD waits until the BIRDs answer.
func (h *Host) awaitBIRD() {
	h.lab.tb.Helper()
	for _, b := range h.Birds {
		h.lab.Await(b.Name+" to answer", func() error {
			if err := b.ended(); err != nil {
				return err
			}
			_, err := testenv.Birdc(b.Socket, "show status")
			return err
		})
	}
}

// KillBIRD ends the host's BIRDs as a crash does.
func (h *Host) KillBIRD() {
	for _, b := range h.Birds {
		b.Kill()
	}
}

// StopBIRD ends the host's BIRDs in order, which takes their routes away.
func (h *Host) StopBIRD() {
	h.lab.tb.Helper()
	for _, b := range h.Birds {
		b.Stop()
	}
}

// Birdc gives a command to the host's (first) BIRD and returns the reply, without
// codes.
func (h *Host) Birdc(command string) string {
	h.lab.tb.Helper()
	text, err := testenv.Birdc(h.Birds[0].Socket, command)
	if err != nil {
		h.lab.tb.Fatalf("%s: %v", h.Name, err)
	}
	return text
}

// ReadConf is the configuration of the host's (first) BIRD, as it is in place.
func (h *Host) ReadConf() string {
	h.lab.tb.Helper()
	text, err := os.ReadFile(filepath.Join(h.confDir(), h.daemons()[0].conf))
	if err != nil {
		h.lab.tb.Fatal(err)
	}
	return string(text)
}

// Configure puts a configuration in the place of the (first) BIRD's, and has BIRD
// read it, as one would without the program.
func (h *Host) Configure(text string) error {
	if err := os.WriteFile(filepath.Join(h.confDir(), h.daemons()[0].conf), []byte(text), 0o600); err != nil {
		return err
	}
	_, err := testenv.Birdc(h.Birds[0].Socket, "configure")
	return err
}

// ask gives each of the host's BIRDs to do, with a connection to it.
func (h *Host) ask(do func(context.Context, *control.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, b := range h.Birds {
		c, err := control.Dial(ctx, b.Socket)
		if err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
		err = do(ctx, c)
		c.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

// CutStore takes the host's way to the datastore away, or gives it back.
func (h *Host) CutStore(cut bool) { h.port.setCut(cut) }
