// Package kubernetes reads a cluster's resources from a Kubernetes API server:
// Nodes and Calico's custom resources and, where they are needed, Services,
// EndpointSlices and single Secrets.
//
// Each collection has a feed, a goroutine that lists and watches it, and hands
// what changed to the hub, which owns what is told to the consumer. Of an
// object only what matters is looked at, and only a hash of that is kept. A
// list that fails means that a collection's state is not known, never that it
// is empty.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"confd/backends"
)

// source names this backend in updates and log lines.
const source = "kubernetes"

// The API groups that Calico's resources are served in.
const (
	GroupV1 = "crd.projectcalico.org/v1"
	GroupV3 = "projectcalico.org/v3"
)

// Config says which API server to read, as whom, and for which node.
type Config struct {
	// Kubeconfig is a kubeconfig file, or several as kubectl has them in KUBECONFIG.
	// Context is the context of it to use; empty: its current one. APIEndpoint is the
	// URL of the API server and, where Kubeconfig is set too, wins over the file's, as
	// do the PEM files of the client certificate (both or none) and of who vouches for
	// the server. Where neither is set, the program runs as a pod.
	//
	// All files are read again when the server refuses the credentials.
	Kubeconfig  string
	Context     string
	APIEndpoint string
	KeyFile     string
	CertFile    string
	CAFile      string

	// QPS and Burst limit the requests per second; 0: 20, and 40 at once. A
	// negative QPS means no limit.
	QPS   float32
	Burst int

	// CalicoResources asks for Nodes and Calico's custom resources. Where it is
	// false (the datastore is another one), only what Need asks for is read.
	CalicoResources bool
	// FelixConfigurations asks for those, where CalicoResources does not: the others
	// come another way.
	FelixConfigurations bool
	// APIGroup is GroupV1 or GroupV3; empty: the one that the server has, and
	// GroupV1 where it has both. It is chosen once: a running program does not
	// change over.
	APIGroup string
	// Node is the node whose blocks are read; with AllNodes, those of all nodes are.
	Node     string
	AllNodes bool
	// UsePodCIDR takes the node's blocks from the podCIDRs of its Kubernetes
	// Node, instead of from BlockAffinities.
	UsePodCIDR bool
	// SecretNamespace is where Secrets are that Need names without a namespace.
	SecretNamespace string

	Logger *slog.Logger // nil: no log
}

// Backend reads one API server. It implements backends.Backend; Run is to be
// called once.
type Backend struct {
	cfg     Config
	log     *slog.Logger
	client  *client
	checker *backends.Checker
	// needs holds what Need was told last, until Run takes it.
	needs chan backends.Needs
}

var _ backends.Backend = (*Backend)(nil)

// New checks the settings, the files that they name included, and returns a
// backend for them. It does not connect. An error says which setting cannot
// work, by the name of its environment variable.
func New(cfg Config) (*Backend, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("settings for Kubernetes: %w", err)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("settings for Kubernetes: %w", err)
	}
	return &Backend{
		cfg: cfg, log: cfg.Logger.With("backend", source), client: c, checker: backends.NewChecker(), needs: make(chan backends.Needs, 1),
	}, nil
}

func check(cfg Config) error {
	groups := []string{"", GroupV1, GroupV3}
	switch {
	case cfg.CalicoResources && cfg.Node == "":
		return errors.New("no node name: set NODENAME")
	case strings.Contains(cfg.Node, "/"):
		return fmt.Errorf("the node name %q has a slash in it: correct NODENAME", cfg.Node)
	case !slices.Contains(groups, cfg.APIGroup):
		return fmt.Errorf("API group %q is neither %s nor %s: correct CALICO_API_GROUP", cfg.APIGroup, GroupV1, GroupV3)
	case (cfg.CertFile == "") != (cfg.KeyFile == ""):
		return errors.New("K8S_CERT_FILE and K8S_KEY_FILE need each other: set both or none")
	}
	return nil
}

// Need says what is to be read besides what always is: it replaces what was
// said before. What is no longer needed is told as gone. It never blocks, and
// may be called at any time; Update.Serves tells when it has been done.
func (b *Backend) Need(n backends.Needs) {
	for {
		select {
		case b.needs <- n:
			return
		default:
		}
		select { // make room
		case <-b.needs:
		default:
		}
	}
}

// Run sends the whole state and then every change, as backends.Backend says.
// It returns nil when ctx ends, and never before.
func (b *Backend) Run(ctx context.Context, out chan<- backends.Update) error {
	defer b.client.close()
	newHub(b, out).run(ctx)
	return nil
}
