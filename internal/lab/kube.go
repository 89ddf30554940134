package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"confd/internal/testenv"
)

const (
	kubeUser  = "confd"
	kubeGroup = "crd.projectcalico.org/v1"
)

// kubeStore is a Store in a Kubernetes API server. The program reads it with the
// rights that the manifests give.
type kubeStore struct {
	tb     testing.TB
	server *testenv.Kube
}

func newKubeStore(tb testing.TB) *kubeStore {
	tb.Helper()
	s := &kubeStore{tb, testenv.StartKube(tb, testenv.KubeUsers(kubeUser))}
	s.server.InstallRBAC(tb, kubeUser)
	s.server.InstallCRDs(tb, kubeGroup)
	return s
}

// Apply implements Store.
func (s *kubeStore) Apply(documents string) {
	s.tb.Helper()
	s.server.Apply(s.tb, []byte(inGroup(documents)))
}

// Delete implements Store.
func (s *kubeStore) Delete(documents string) {
	s.tb.Helper()
	s.server.Delete(s.tb, []byte(inGroup(documents)))
}

// inGroup gives the documents an apiVersion that have none.
func inGroup(documents string) string {
	list := strings.Split(documents, "\n---\n")
	for i, text := range list {
		if !strings.Contains(text, "apiVersion:") {
			list[i] = "apiVersion: " + kubeGroup + "\n" + text
		}
	}
	return strings.Join(list, "\n---\n")
}

// ApplyNode implements Store.
func (s *kubeStore) ApplyNode(n NodeObject) {
	s.tb.Helper()
	meta := metadata{Name: n.Name, Labels: n.Labels, Annotations: map[string]string{}}
	for name, address := range map[string]netip.Prefix{"IPv4Address": n.IPv4, "IPv6Address": n.IPv6} {
		if address.IsValid() {
			meta.Annotations["projectcalico.org/"+name] = address.String()
		}
	}
	if n.AS != 0 {
		meta.Annotations["projectcalico.org/ASNumber"] = fmt.Sprint(n.AS)
	}
	if n.ClusterID != "" {
		meta.Annotations["projectcalico.org/RouteReflectorClusterID"] = n.ClusterID
	}
	maps.Copy(meta.Annotations, n.Annotations)
	if n.LabelsOfCalicoctl {
		meta.Labels, meta.Annotations["projectcalico.org/labels"] = nil, mustJSON(n.Labels)
	}
	s.server.Apply(s.tb, []byte(mustJSON(object{APIVersion: "v1", Kind: "Node", Metadata: meta})))
}

// DeleteNode implements Store.
func (s *kubeStore) DeleteNode(name string) {
	s.tb.Helper()
	s.Delete("apiVersion: v1\nkind: Node\nmetadata: {name: " + name + "}")
}

// ApplyAffinity implements Store.
func (s *kubeStore) ApplyAffinity(a Affinity) {
	s.tb.Helper()
	s.server.Apply(s.tb, []byte(mustJSON(object{kubeGroup, "BlockAffinity", metadata{Name: a.name()},
		map[string]any{"node": a.Node, "cidr": a.Block.String(), "state": "confirmed", "deleted": "false"}})))
}

// DeleteAffinity implements Store.
func (s *kubeStore) DeleteAffinity(a Affinity) {
	s.tb.Helper()
	s.Delete("kind: BlockAffinity\nmetadata: {name: " + a.name() + "}")
}

// Break implements Store.
func (s *kubeStore) Break() { s.server.Kill() }

// Mend implements Store.
func (s *kubeStore) Mend() { s.server.Restart() }

// Freeze implements Store.
func (s *kubeStore) Freeze() { s.server.Pause() }

// Thaw implements Store.
func (s *kubeStore) Thaw() { s.server.Resume() }

// Operator implements Store.
func (s *kubeStore) Operator() []string {
	return []string{"--kubeconfig", s.server.AdminKubeconfig(s.tb)}
}

func (s *kubeStore) address() string { return strings.TrimPrefix(s.server.URL(), "https://") }

func (s *kubeStore) environment() []string {
	return []string{"DATASTORE_TYPE=kubernetes", "KUBECONFIG=" + s.server.Kubeconfig(s.tb, kubeUser)}
}
