package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// patience is how long a test waits for what must come, on a machine that is
// busy with other things.
const patience = 4 * time.Minute

// Lab is one cluster with its network and its datastore. It ends with the test.
type Lab struct {
	// Net is the network below: namespaces, bridges, cables.
	Net *testenv.Lab
	// Hosts are the hosts of the cluster, in the order in which they came.
	Hosts []*Host
	// Router joins the subnets; its routes are those to its own subnets, unless a
	// test adds more.
	Router *Machine
	// Store is the cluster's datastore.
	Store Store

	tb        testing.TB
	dir       string // for files and sockets; its path is short
	subnets   map[string]*Subnet
	workloads int
	pings     int
}

// New makes a Lab whose datastore is a real etcd.
func New(tb testing.TB) *Lab {
	tb.Helper()
	l := newLab(tb)
	l.Store = newEtcdStore(tb)
	return l
}

// NewKubernetes makes a Lab whose datastore is a real Kubernetes API server.
func NewKubernetes(tb testing.TB) *Lab {
	tb.Helper()
	l := newLab(tb)
	l.Store = newKubeStore(tb)
	return l
}

func newLab(tb testing.TB) *Lab {
	tb.Helper()
	if testing.Short() {
		tb.Skip("the laboratory takes long: left out with -short")
	}
	requireInside(tb)
	dir, err := os.MkdirTemp(privateDir, "lab")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return &Lab{Net: testenv.NewLab(tb), tb: tb, dir: dir, subnets: map[string]*Subnet{}}
}

// Await waits until what it asks for holds, and says what was wrong last where it
// does not within patience. It leaves most of the time to what it waits for.
func (l *Lab) Await(what string, wrong func() error) {
	l.tb.Helper()
	for end := time.Now().Add(patience); ; {
		asked := time.Now()
		last := wrong()
		if last == nil {
			return
		}
		l.skipWhereBIRDFailed()
		if time.Now().After(end) {
			l.tb.Fatalf("timed out after %s waiting for %s: %v", patience, what, last)
		}
		time.Sleep(min(max(50*time.Millisecond, 4*time.Since(asked)), time.Second))
	}
}

// ownFault is what a BIRD says that ends itself, for a reason that no configuration has:
// see docs/bird-faults.md.
const ownFault = "<BUG> Trying to lock in a bad order"

// skipWhereBIRDFailed ends a test whose BIRD has ended by that: what supervises it would
// start it again, but a scenario that counts on one BIRD says nothing any more.
func (l *Lab) skipWhereBIRDFailed() {
	l.tb.Helper()
	for _, h := range l.Hosts {
		for _, b := range h.Birds {
			if !b.Running() && strings.Contains(b.Log(), ownFault) {
				l.tb.Skipf("%s, BIRD %s, has ended itself: %s", b.Name, h.Version, ownFault)
			}
		}
	}
}

// Subnet is a wire with its addresses. The first address of each prefix is the
// router's, which joins all subnets.
type Subnet struct {
	Name     string
	Prefixes []netip.Prefix
}

// AddSubnet adds a subnet, with the router in it. The first subnet is where the
// hosts are that name none. Names have at most 12 characters.
func (l *Lab) AddSubnet(name string, prefixes ...string) *Subnet {
	l.tb.Helper()
	s := &Subnet{Name: name}
	var own []netip.Prefix
	for _, p := range prefixes {
		prefix := netip.MustParsePrefix(p)
		s.Prefixes = append(s.Prefixes, prefix)
		own = append(own, netip.PrefixFrom(prefix.Masked().Addr().Next(), prefix.Bits()))
	}
	if len(l.subnets) == 0 {
		l.Router = l.newMachine("router")
		l.subnets[""] = s
	}
	l.subnets[name] = s
	l.Net.AddBridge(name)
	l.Net.Connect(l.Router.Name, "to-"+name, name, own...)
	return s
}

// gateways are the router's addresses in the subnet.
func (s *Subnet) gateways() []netip.Addr {
	var list []netip.Addr
	for _, p := range s.Prefixes {
		list = append(list, p.Masked().Addr().Next())
	}
	return list
}

// KnowNeighbors tells each host the hardware addresses of all others, which are in
// its subnet. More than some 30 hosts need it: the kernel keeps one table of neighbors
// for all namespaces, with room for 1,024, and those that are told do not count.
func (l *Lab) KnowNeighbors() {
	l.tb.Helper()
	var entries strings.Builder
	for _, h := range l.Hosts {
		mac := strings.TrimSpace(h.Exec("cat", "/sys/class/net/eth0/address"))
		for _, a := range h.Addresses {
			fmt.Fprintf(&entries, "neigh replace %s lladdr %s nud permanent dev eth0\n", a.Addr(), mac)
		}
	}
	for _, h := range l.Hosts {
		h.IP("-batch", h.WriteFile("neighbors", entries.String()))
	}
}

// quiet keeps a namespace's kernel from taking time over IPv6 addresses.
func (l *Lab) quiet(name string) {
	l.tb.Helper()
	l.Net.Exec(name, "sh", "-c", "for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/$f/accept_ra; done")
}

// confdProgram builds the program as users have it, once for all tests of the
// process, and returns its path.
func confdProgram(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(privateDir, "confd-program")
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-o", path, "./confd")
	cmd.Dir = testenv.Root(tb)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build ./confd: %v\n%s", err, out)
	}
	return path
}
