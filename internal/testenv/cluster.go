package testenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is one Calico resource, as it stands in YAML or in etcd.
type Object struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       any      `json:"spec"`
}

// Metadata names an Object.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// NodeSpec is the spec of a Node.
type NodeSpec struct {
	BGP NodeBGP `json:"bgp"`
}

// NodeBGP is a Node's spec.bgp.
type NodeBGP struct {
	IPv4Address             string `json:"ipv4Address"`
	IPv6Address             string `json:"ipv6Address,omitempty"`
	RouteReflectorClusterID string `json:"routeReflectorClusterID,omitempty"`
}

// BGPConfigurationSpec is the spec of a BGPConfiguration.
type BGPConfigurationSpec struct {
	ASNumber              uint32 `json:"asNumber"`
	NodeToNodeMeshEnabled bool   `json:"nodeToNodeMeshEnabled"`
}

// BGPPeerSpec is the spec of a BGPPeer.
type BGPPeerSpec struct {
	Node         string `json:"node,omitempty"`
	NodeSelector string `json:"nodeSelector,omitempty"`
	PeerSelector string `json:"peerSelector,omitempty"`
	PeerIP       string `json:"peerIP,omitempty"`
	ASNumber     uint32 `json:"asNumber,omitempty"`
}

// IPPoolSpec is the spec of an IPPool.
type IPPoolSpec struct {
	CIDR        string `json:"cidr"`
	IPIPMode    string `json:"ipipMode"`
	VXLANMode   string `json:"vxlanMode"`
	BlockSize   int    `json:"blockSize"`
	NATOutgoing bool   `json:"natOutgoing"`
}

// BlockAffinitySpec is the spec of a BlockAffinity.
type BlockAffinitySpec struct {
	Node    string `json:"node"`
	CIDR    string `json:"cidr"`
	State   string `json:"state"`
	Type    string `json:"type"`
	Deleted bool   `json:"deleted"`
}

// Cluster is a generated cluster: AS 64512, the pool 10.128.0.0/9 without
// encapsulation, and one block for each node.
type Cluster struct{ Objects []Object }

const (
	clusterAS   = 64512
	rackSize    = 100 // nodes in a rack, of which the first two reflect routes
	firstNode   = "10.0.0.1"
	clusterPool = "10.128.0.0/9"
)

// Mesh is a cluster of n nodes, each with a session to every other.
func Mesh(n int) *Cluster {
	c := newCluster(true)
	for i := range n {
		c.Objects = append(c.Objects, NodeObjects(i)...)
	}
	return c
}

// DualMesh is a Mesh of n nodes that have IPv6 addresses, too, and five sessions each
// with routers outside the cluster.
func DualMesh(n int) *Cluster {
	c := newCluster(true)
	for i := range n {
		c.Objects = append(c.Objects, DualNodeObjects(i, nil)...)
	}
	for i := range 5 {
		c.Objects = append(c.Objects, ExplicitPeer(i, ""))
	}
	return c
}

// DualNodeObjects are node i of a DualMesh, with some labels, and its block.
func DualNodeObjects(i int, labels map[string]string) []Object {
	objects := nodeObjects(i, labels, "")
	spec := objects[0].Spec.(NodeSpec)
	spec.BGP.IPv6Address = NodeAddressV6(i).String() + "/64"
	objects[0].Spec = spec
	return objects
}

// NodeAddressV6 is the IPv6 address of node i of a DualMesh.
func NodeAddressV6(i int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
}

// Block is an additional block of node i, the k-th.
func Block(i, k int) Object {
	return blockOf(i, netip.PrefixFrom(offset("10.192.0.0", k*64), 26))
}

// PeerMesh is a cluster of n nodes, each with a session to every other, which a
// BGPPeer asks for.
func PeerMesh(n int) *Cluster {
	c := newCluster(false)
	for i := range n {
		c.Objects = append(c.Objects, NodeObjects(i)...)
	}
	c.add("BGPPeer", Metadata{Name: "everybody"}, BGPPeerSpec{NodeSelector: "all()", PeerSelector: "all()"})
	return c
}

// RouteReflectors is a cluster of n nodes in racks of 100. The first two nodes
// of each rack reflect routes for the others, and have sessions with all other
// reflectors.
func RouteReflectors(n int) *Cluster {
	c := newCluster(false)
	for i := range n {
		c.Objects = append(c.Objects, RackNodeObjects(i, i/rackSize)...)
		if i%rackSize == 0 {
			rack := rackName(i / rackSize)
			c.add("BGPPeer", Metadata{Name: "rack-" + rack}, BGPPeerSpec{
				NodeSelector: fmt.Sprintf("rack == '%s' && !has(route-reflector)", rack),
				PeerSelector: fmt.Sprintf("rack == '%s' && has(route-reflector)", rack),
			})
		}
	}
	c.add("BGPPeer", Metadata{Name: "reflectors"},
		BGPPeerSpec{NodeSelector: "has(route-reflector)", PeerSelector: "has(route-reflector)"})
	return c
}

// ExplicitPeers is a cluster of n nodes without a mesh, and p BGPPeers that
// each give one node, in turn, a session with a router outside the cluster.
func ExplicitPeers(n, p int) *Cluster {
	c := newCluster(false)
	for i := range n {
		c.Objects = append(c.Objects, NodeObjects(i)...)
	}
	for i := range p {
		c.Objects = append(c.Objects, ExplicitPeer(i, NodeName(i%n)))
	}
	return c
}

// ExplicitPeer is a BGPPeer that gives a node a session with router i, which is
// outside the cluster.
func ExplicitPeer(i int, node string) Object {
	return newObject("BGPPeer", Metadata{Name: fmt.Sprintf("router-%05d", i)},
		BGPPeerSpec{Node: node, PeerIP: offset("10.127.0.1", i).String(), ASNumber: 65000})
}

func newCluster(mesh bool) *Cluster {
	c := &Cluster{}
	c.add("BGPConfiguration", Metadata{Name: "default"}, BGPConfigurationSpec{ASNumber: clusterAS, NodeToNodeMeshEnabled: mesh})
	c.add("IPPool", Metadata{Name: "workloads"}, IPPoolSpec{
		CIDR: clusterPool, IPIPMode: "Never", VXLANMode: "Never", BlockSize: 26, NATOutgoing: true,
	})
	return c
}

func (c *Cluster) add(kind string, meta Metadata, spec any) {
	c.Objects = append(c.Objects, newObject(kind, meta, spec))
}

func newObject(kind string, meta Metadata, spec any) Object {
	return Object{APIVersion: "projectcalico.org/v3", Kind: kind, Metadata: meta, Spec: spec}
}

// NodeName is the name of node i, counted from 0.
func NodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// NodeAddress is the address of node i.
func NodeAddress(i int) netip.Addr { return offset(firstNode, i) }

// NodeBlock is the block of node i.
func NodeBlock(i int) netip.Prefix { return netip.PrefixFrom(offset("10.128.0.0", i*64), 26) }

// NodeObjects are node i of a mesh, and its block.
func NodeObjects(i int) []Object { return nodeObjects(i, nil, "") }

// RackNodeObjects are node i of a cluster with route reflectors, and its block.
// The first two of every hundred nodes reflect routes for their rack.
func RackNodeObjects(i, rack int) []Object {
	labels := map[string]string{"rack": rackName(rack)}
	if i%rackSize > 1 {
		return nodeObjects(i, labels, "")
	}
	labels["route-reflector"] = "true"
	return nodeObjects(i, labels, offset("192.0.2.1", rack).String())
}

func nodeObjects(i int, labels map[string]string, clusterID string) []Object {
	return []Object{
		newObject("Node", Metadata{Name: NodeName(i), Labels: labels},
			NodeSpec{NodeBGP{IPv4Address: NodeAddress(i).String() + "/9", RouteReflectorClusterID: clusterID}}),
		blockOf(i, NodeBlock(i)),
	}
}

func blockOf(i int, block netip.Prefix) Object {
	return newObject("BlockAffinity", Metadata{Name: NodeName(i) + "-" + strings.NewReplacer(".", "-", "/", "-").Replace(block.String())},
		BlockAffinitySpec{Node: NodeName(i), CIDR: block.String(), State: "confirmed", Type: "host"})
}

func rackName(rack int) string { return fmt.Sprintf("r%02d", rack) }

// offset is the address n after an IPv4 address.
func offset(from string, n int) netip.Addr {
	a := netip.MustParseAddr(from).As4()
	v := uint32(a[0])<<24 + uint32(a[1])<<16 + uint32(a[2])<<8 + uint32(a[3]) + uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// WriteYAML writes the cluster into dir, one file for each kind.
func (c *Cluster) WriteYAML(dir string) error {
	files := map[string][]Object{}
	for _, o := range c.Objects {
		name := strings.ToLower(o.Kind) + ".yaml"
		files[name] = append(files[name], o)
	}
	for name, objects := range files {
		if err := WriteYAML(filepath.Join(dir, name), objects); err != nil {
			return err
		}
	}
	return nil
}

// WriteYAML writes the objects into one file.
func WriteYAML(file string, objects []Object) error {
	var text bytes.Buffer
	for _, o := range objects {
		doc, err := yaml.Marshal(o)
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.Kind, o.Metadata.Name, err)
		}
		text.WriteString("---\n")
		text.Write(doc)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("resources as YAML: %w", err)
	}
	return nil
}

// EtcdKeys returns the keys and values with which etcd holds the cluster.
func (c *Cluster) EtcdKeys() map[string]string { return EtcdKeys(c.Objects) }

// EtcdKeys returns the keys and values with which etcd holds the objects. It
// panics where a Spec is none of this file's types and has no JSON.
func EtcdKeys(objects []Object) map[string]string {
	keys := make(map[string]string, len(objects))
	for _, o := range objects {
		key, value := o.etcdKey()
		keys[key] = value
	}
	return keys
}

func (o Object) etcdKey() (key, value string) {
	if b, ok := o.Spec.(BlockAffinitySpec); ok {
		key = "/calico/ipam/v2/host/" + b.Node + "/ipv4/block/" + strings.ReplaceAll(b.CIDR, "/", "-")
		return key, fmt.Sprintf(`{"state":%q,"deleted":%t}`, b.State, b.Deleted)
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("%s %s as JSON: %v", o.Kind, o.Metadata.Name, err))
	}
	return "/calico/resources/v3/projectcalico.org/" + strings.ToLower(o.Kind) + "s/" + o.Metadata.Name, string(text)
}
