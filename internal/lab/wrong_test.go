package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/etc"
	"confd/internal/lab"
)

// What keeps a block of this node's from its peers, and BIRD's routes from the kernel, is
// said, and no more once it is mended.
func TestRoutesWrong(t *testing.T) {
	long(t) // what is wrong must last, and be gone for a while
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts, pods := build(l, m1(), m2(), m3())
			h := l.AddHost(lab.HostConfig{Name: "watched", BIRD: version, Addresses: []string{"192.168.2.143/24"}, Blocks: []string{"10.244.99.0/26"}})
			l.Start()
			awaitWhole(l, append(hosts, h), append(pods, podOn(h)))
			awaitWrong(l, h)

			h.Birdc("disable " + static(h))
			h.IP("route del 192.168.2.0/24 dev eth0 proto kernel") // without it the kernel takes none of BIRD's routes
			h.IP("route replace 10.244.42.128/26 via 192.168.2.142 dev eth0 onlink metric 1024 proto static")
			h.IP("route del 10.244.81.128/26 proto bird")
			by := func(o *lab.Host) string { return " " + lab.SessionName("Mesh", o.IPv4().String()) }
			awaitWrong(l, h, "kernel_missing 10.244.81.128/26"+by(hosts[1]), "kernel_other 10.244.42.128/26"+by(hosts[0]),
				"not_told 10.244.99.0/26"+by(hosts[0]), "not_told 10.244.99.0/26"+by(hosts[1]), "not_told 10.244.99.0/26"+by(hosts[2]))

			h.Birdc("enable " + static(h))
			h.IP("route del 10.244.42.128/26 proto static") // before BIRD can put its own in the place of it
			h.IP("route add 192.168.2.0/24 dev eth0 proto kernel scope link src 192.168.2.143")
			awaitWrong(l, h)
			awaitWhole(l, append(hosts, h), pods)
		})
	}
}

// static is what the host's protocol of static routes is called.
func static(h *lab.Host) string {
	if strings.HasPrefix(h.Version, "1.") {
		return "calico_static"
	}
	return "calico_static4"
}

// A block of another node's that its session does not bring is said, where the
// datastore tells this node whose it is: files do, and Typha.
func TestBlockAbsent(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, _ := build(l, lab.HostConfig{Name: "k8s-m1", Addresses: []string{"192.168.2.140/24"}}, lab.HostConfig{Name: "k8s-m2", Addresses: []string{"192.168.2.141/24"}})
	cluster := poolObject
	for _, h := range hosts {
		cluster += fmt.Sprintf("\n---\nkind: Node\nmetadata: {name: %s}\nspec: {bgp: {ipv4Address: %s/24}}", h.Name, h.IPv4())
	}
	for _, h := range hosts {
		h.Env = []string{"DATASTORE_TYPE=file", "CONFD_DATA=" + h.WriteFile("cluster.yaml", ofCalico(cluster))}
	}
	l.Start()
	l.AwaitMesh(hosts...)
	awaitWrong(l, hosts[0])
	cluster += "\n---\nkind: BlockAffinity\nmetadata: {name: new}\nspec: {node: k8s-m2, cidr: 10.244.12.0/26, state: confirmed}"
	hosts[0].WriteFile("cluster.yaml", ofCalico(cluster))
	awaitWrong(l, hosts[0], "block_absent 10.244.12.0/26")
	hosts[1].WriteFile("cluster.yaml", ofCalico(cluster)) // which its node has not known
	awaitWrong(l, hosts[0])
}

// ofCalico gives each of the documents an apiVersion.
func ofCalico(documents string) string {
	return strings.ReplaceAll(documents, "kind: ", "apiVersion: projectcalico.org/v3\nkind: ")
}

// A route of BIRD's in a pool that BIRD has not is said to be left in the kernel. With
// templates of one's own that have BIRD look at the kernel rarely, it stays there.
func TestKernelRouteLeft(t *testing.T) {
	long(t)
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts, _ := build(l, m1(), m2())
			h := hosts[0]
			h.Version, h.BirdFlags = version, nil // BIRD 3 would have the kernel wait for a look after its recovery
			h.Env = []string{"CONFD_CONFDIR=" + changedTemplates(t, h, "scan time 2;", "scan time 600;")}
			l.Start()
			l.AwaitMesh(hosts...)
			l.AwaitBlocks(hosts...)
			awaitWrong(l, h)
			h.IP("route add 10.244.77.0/26 via 192.168.2.142 proto bird")
			awaitWrong(l, h, "kernel_left 10.244.77.0/26")
			h.IP("route del 10.244.77.0/26")
			awaitWrong(l, h)
		})
	}
}

// changedTemplates makes a configuration folder of the built-in templates, with other
// words in them.
func changedTemplates(t *testing.T, h *lab.Host, old, words string) string {
	t.Helper()
	dir := filepath.Join(h.Dir(), "own")
	if err := os.CopyFS(dir, etc.Confd); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "confd/templates/*.template"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(string(text), old, words)
		if changed == string(text) {
			t.Fatalf("no %q in %s", old, f)
		}
		if err := os.WriteFile(f, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "confd")
}
