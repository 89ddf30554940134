package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"confd/internal/testenv"
)

// Store is a cluster's datastore. Objects are Calico's, as calicoctl takes them,
// in YAML documents without apiVersion; a Node is a NodeObject, and a block's
// affinity an Affinity, since each store has them in a form of its own. A store of
// Kubernetes takes all other objects, too, with their apiVersion.
type Store interface {
	Apply(documents string)
	Delete(documents string)
	ApplyNode(n NodeObject)
	DeleteNode(name string)
	ApplyAffinity(a Affinity)
	DeleteAffinity(a Affinity)
	// Break ends the server at once; Mend starts it again on its data.
	Break()
	Mend()
	// Freeze stops the server where it is; Thaw lets it go on.
	Freeze()
	Thaw()
	// Operator are flags for commands of one who may write.
	Operator() []string

	address() string // on loopback
	environment() []string
}

// NodeObject is a node as the datastore has it.
type NodeObject struct {
	Name       string
	IPv4, IPv6 netip.Prefix // zero: none
	AS         uint32       // 0: the cluster's
	ClusterID  string       // of a route reflector
	Labels     map[string]string
	// Annotations are more than those that the fields above make.
	Annotations map[string]string
	// LabelsOfCalicoctl puts the labels into the annotation that calicoctl stores
	// them in, where the store is Kubernetes.
	LabelsOfCalicoctl bool
}

// Affinity says that a block belongs to a node.
type Affinity struct {
	Node  string
	Block netip.Prefix
}

func (a Affinity) name() string {
	return a.Node + "-" + strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(a.Block.String())
}

// object is a resource in YAML or JSON.
type object struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   metadata       `json:"metadata"`
	Spec       map[string]any `json:"spec,omitempty"`
}

type metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Announced is the objects with the annotation that announces their change: no host
// holds it back, though it takes most of its sessions. Each document has its metadata
// as {name: NAME}.
func Announced(documents string) string {
	name, value := announcement()
	return metadataName.ReplaceAllString(documents, fmt.Sprintf("metadata: {name: $1, annotations: {%s: %q}}", name, value))
}

// AnnouncedNode is the same for a node.
func AnnouncedNode(n NodeObject) NodeObject {
	name, value := announcement()
	n.Annotations = maps.Clone(n.Annotations)
	if n.Annotations == nil {
		n.Annotations = map[string]string{}
	}
	n.Annotations[name] = value
	return n
}

var metadataName = regexp.MustCompile(`metadata: {name: ([^}]*)}`)

func announcement() (name, value string) {
	return "confd-bird.io/disruption-until", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and maps of them have JSON
	}
	return string(text)
}

// etcdStore is a Store in etcd.
type etcdStore struct {
	tb     testing.TB
	server *testenv.Etcd
	kv     *clientv3.Client
}

func newEtcdStore(tb testing.TB) *etcdStore {
	tb.Helper()
	s := &etcdStore{tb: tb, server: testenv.StartEtcd(tb)}
	kv, err := clientv3.New(clientv3.Config{Endpoints: s.server.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { kv.Close() })
	s.kv = kv
	return s
}

// Apply implements Store.
func (s *etcdStore) Apply(documents string) {
	s.tb.Helper()
	for _, o := range s.parse(documents) {
		s.put(etcdKey(o.Kind, o.Metadata.Name), mustJSON(o))
	}
}

// Delete implements Store.
func (s *etcdStore) Delete(documents string) {
	s.tb.Helper()
	for _, o := range s.parse(documents) {
		s.remove(etcdKey(o.Kind, o.Metadata.Name))
	}
}

func (s *etcdStore) parse(documents string) []object {
	s.tb.Helper()
	var list []object
	for text := range strings.SplitSeq(documents, "\n---\n") {
		o := object{APIVersion: "projectcalico.org/v3"}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			s.tb.Fatalf("%v in:\n%s", err, text)
		}
		list = append(list, o)
	}
	return list
}

// ApplyNode implements Store.
func (s *etcdStore) ApplyNode(n NodeObject) {
	s.tb.Helper()
	bgp := map[string]any{}
	for field, address := range map[string]netip.Prefix{"ipv4Address": n.IPv4, "ipv6Address": n.IPv6} {
		if address.IsValid() {
			bgp[field] = address.String()
		}
	}
	if n.AS != 0 {
		bgp["asNumber"] = n.AS
	}
	if n.ClusterID != "" {
		bgp["routeReflectorClusterID"] = n.ClusterID
	}
	s.put(etcdKey("Node", n.Name), mustJSON(object{"projectcalico.org/v3", "Node",
		metadata{n.Name, n.Labels, n.Annotations}, map[string]any{"bgp": bgp}}))
}

// DeleteNode implements Store.
func (s *etcdStore) DeleteNode(name string) {
	s.tb.Helper()
	s.remove(etcdKey("Node", name))
}

// ApplyAffinity implements Store.
func (s *etcdStore) ApplyAffinity(a Affinity) {
	s.tb.Helper()
	s.put(affinityKey(a), `{"state":"confirmed","deleted":false}`)
}

// DeleteAffinity implements Store.
func (s *etcdStore) DeleteAffinity(a Affinity) {
	s.tb.Helper()
	s.remove(affinityKey(a))
}

// Break implements Store.
func (s *etcdStore) Break() { s.server.Kill() }

// Mend implements Store.
func (s *etcdStore) Mend() { s.server.Restart() }

// Freeze implements Store.
func (s *etcdStore) Freeze() { s.server.Pause() }

// Thaw implements Store.
func (s *etcdStore) Thaw() { s.server.Resume() }

// Operator implements Store: of etcd's users there is one.
func (s *etcdStore) Operator() []string { return nil }

func (s *etcdStore) address() string { return s.server.Address() }

func (s *etcdStore) environment() []string { return []string{"ETCD_ENDPOINTS=" + s.server.Endpoint()} }

func (s *etcdStore) put(key, value string) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.kv.Put(ctx, key, value); err != nil {
		s.tb.Fatalf("write %s to etcd: %v", key, err)
	}
}

func (s *etcdStore) remove(key string) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.kv.Delete(ctx, key); err != nil {
		s.tb.Fatalf("delete %s from etcd: %v", key, err)
	}
}

func etcdKey(kind, name string) string {
	return "/calico/resources/v3/projectcalico.org/" + strings.ToLower(kind) + "s/" + name
}

func affinityKey(a Affinity) string {
	family := "ipv4"
	if a.Block.Addr().Is6() {
		family = "ipv6"
	}
	return fmt.Sprintf("/calico/ipam/v2/host/%s/%s/block/%s", a.Node, family, strings.ReplaceAll(a.Block.String(), "/", "-"))
}
