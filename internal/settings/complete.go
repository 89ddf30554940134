package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"confd/internal/birds"
)

// complete fills in what depends on other settings, and refuses settings that
// cannot work together.
func (s *Settings) complete(values Layer, around Surroundings) error {
	if err := s.completeNode(values, around); err != nil {
		return err
	}
	if err := s.checkCalicoSockets(values); err != nil {
		return err
	}
	if s.Watch.Topology && s.Watch.Listen == "" {
		return fmt.Errorf("%s needs --listen (CONFD_LISTEN): where to show it", values["topology"].From)
	}
	if err := s.Watch.check(values); err != nil {
		return err
	}
	host, _ := around.LookupEnv("KUBERNETES_SERVICE_HOST")
	s.Kubernetes.InCluster = host != ""
	if s.Datastore == "" {
		s.Datastore = DatastoreEtcd
		switch {
		case len(s.Data) > 0:
			s.Datastore = DatastoreFile
		case s.Kubernetes.Context != "":
			s.Datastore = DatastoreKubernetes
		}
	}
	if err := s.Kubernetes.complete(s.Datastore, values, around); err != nil {
		return err
	}
	switch {
	case s.Datastore == DatastoreFile && len(s.Data) == 0:
		return fmt.Errorf("%s: datastore file needs --data", values["datastore"].From)
	case s.Datastore != DatastoreFile && len(s.Data) > 0:
		return fmt.Errorf("%s names files, but %s says %s: give --datastore file as well, or leave out one of them",
			values["data"].From, values["datastore"].From, s.Datastore)
	case s.Datastore == DatastoreFile:
		return nil
	}
	if s.Datastore == DatastoreEtcd && (s.Etcd.InUse() || !s.Typha.InUse()) {
		return s.Etcd.check(values)
	}
	return nil
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// longestNode is how long a node's name may be.
const longestNode = 253

func isNodeName(s string) bool { return len(s) <= longestNode && nodeName.MatchString(s) }

func (s *Settings) completeNode(values Layer, around Surroundings) error {
	if s.Node == "" {
		host, err := around.Hostname()
		if err != nil {
			return fmt.Errorf("give the node's name with --node or NODENAME: the host's name cannot be read: %w", err)
		}
		s.Node = strings.ToLower(strings.TrimSpace(host))
		values["node"] = Given{s.Node, "host name"}
	}
	if s.NodeRef == "" {
		s.NodeRef = s.Node
	}
	const expects = "expected a node's name: letters, digits, '.', '-' and '_', 253 at most"
	if !isNodeName(s.Node) {
		return fmt.Errorf("%s: %q: %s", values["node"].From, s.Node, expects)
	}
	if !isNodeName(s.NodeRef) {
		return fmt.Errorf("%s: %q: %s", values["k8s-node-ref"].From, s.NodeRef, expects)
	}
	return nil
}

// complete finds the kubeconfig of the user, as kubectl does: where the datastore is
// Kubernetes, nothing else says how to reach it, and this is no pod.
func (k *Kubernetes) complete(store Datastore, values Layer, around Surroundings) error {
	if store == DatastoreKubernetes && k.Kubeconfig == "" && k.APIEndpoint == "" && !k.InCluster {
		home, _ := around.LookupEnv("HOME")
		path := filepath.Join(home, ".kube", "config")
		if _, err := os.Stat(path); home != "" && err == nil {
			k.Kubeconfig, k.FromHome = path, true
		}
	}
	if k.Context != "" && k.Kubeconfig == "" && store == DatastoreKubernetes {
		return fmt.Errorf("%s names a context, but there is no kubeconfig: give --kubeconfig (KUBECONFIG)", values["context"].From)
	}
	return nil
}

// check refuses certificates that nobody could be served with.
func (w Watch) check(values Layer) error {
	c := w.Certificates
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("--listen-cert-file and --listen-key-file need each other: set both or none")
	case c.Cert != "" && strings.HasPrefix(w.Listen, "unix:"):
		return fmt.Errorf("%s names a socket, for which there is no TLS: leave out --listen-cert-file, or give it HOST:PORT", values["listen"].From)
	case c.CA != "" && c.Cert == "" && w.Listen != "":
		return fmt.Errorf("%s: client certificates take TLS: set --listen-cert-file and --listen-key-file, too", values["listen-ca-file"].From)
	}
	return nil
}

// checkCalicoSockets refuses sockets for Calico's tools in the place of BIRD's own,
// which is looked for in that very place where nothing says where it is.
func (s *Settings) checkCalicoSockets(values Layer) error {
	folder, from := s.Watch.CalicoSockets, values["calico-sockets"].From
	switch {
	case folder == "":
		return nil
	case strings.HasPrefix(s.BIRD.Version, "1"):
		return fmt.Errorf("%s is for BIRD 2 and 3: Calico's tools read the sockets of BIRD 1.6 themselves", from)
	case s.BIRD.Socket == "":
		return fmt.Errorf("%s needs --socket (CONFD_SOCKET): where BIRD's own control socket is", from)
	case slices.Contains([]string{"bird.ctl", "bird6.ctl"}, filepath.Base(s.BIRD.Socket)) && sameFolder(filepath.Dir(s.BIRD.Socket), folder):
		return fmt.Errorf("%s and %s: one of the sockets for Calico's tools would be in the place of BIRD's: have BIRD make its own elsewhere, such as %s",
			from, values["socket"].From, birds.DebianSocket)
	}
	return nil
}

// sameFolder says whether two paths lead to one folder: /var/run is a link to /run
// nearly everywhere.
func sameFolder(a, b string) bool {
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	if errOne == nil && errOther == nil {
		return os.SameFile(one, other)
	}
	a, errOne = filepath.Abs(a)
	b, errOther = filepath.Abs(b)
	return errOne == nil && errOther == nil && a == b
}

func (e Etcd) check(values Layer) error {
	for _, endpoint := range e.Endpoints {
		if strings.Contains(endpoint, "@") {
			return fmt.Errorf("%s: an address with user and password in it: use ETCD_USERNAME and ETCD_PASSWORD instead", values["etcd-endpoints"].From)
		}
	}
	switch {
	case len(e.Endpoints) == 0 && e.DiscoverySRV == "":
		return errors.New("datastore etcdv3 needs --etcd-endpoints (ETCD_ENDPOINTS) or --etcd-discovery-srv (ETCD_DISCOVERY_SRV); for another one give --datastore kubernetes, or --data")
	case len(e.Endpoints) > 0 && e.DiscoverySRV != "":
		return fmt.Errorf("%s and %s are both given: leave out one of them",
			values["etcd-endpoints"].From, values["etcd-discovery-srv"].From)
	case e.CertFile != "" && e.KeyFile == "":
		return fmt.Errorf("%s is given without a key: set --etcd-key-file (ETCD_KEY_FILE) too", values["etcd-cert-file"].From)
	case e.KeyFile != "" && e.CertFile == "":
		return fmt.Errorf("%s is given without a certificate: set --etcd-cert-file (ETCD_CERT_FILE) too", values["etcd-key-file"].From)
	case e.Password != "" && e.Username == "":
		return fmt.Errorf("%s is given without a user: set --etcd-username (ETCD_USERNAME) too", values["etcd-password"].From)
	}
	return nil
}
