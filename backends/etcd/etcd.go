// Package etcd reads Calico's resources from an etcd v3 datastore.
//
// A session lists everything that matters to one node at one revision and
// watches from the next. Whatever ends it (a lost connection, a compaction, a
// server that falls silent), the next session connects anew, with certificates
// and addresses read again, lists again, and delivers the difference.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"confd/backends"
)

// source names this backend in updates and log lines.
const source = "etcd"

// Config says which store to read, as whom, and for which node.
type Config struct {
	// Endpoints are "http://HOST:PORT", "https://HOST:PORT" or "HOST:PORT"
	// (TLS where certificate files are given); blanks and empty ones are
	// ignored. DiscoverySRV is a DNS domain whose SRV records
	// _etcd-client-ssl._tcp and _etcd-client._tcp name the endpoints instead.
	Endpoints    []string
	DiscoverySRV string

	// Username and Password are for etcd's own authentication; both or none.
	Username string
	Password string

	// CertFile and KeyFile are this client's certificate and key; both or none.
	// CACertFile has the authorities that the server's certificate is checked
	// against (the system's where empty). All are PEM, and are read again at
	// every connection, so that they may be replaced at any time.
	KeyFile    string
	CertFile   string
	CACertFile string

	// Node is the node whose blocks and configuration are read; with AllNodes, those
	// of all nodes are.
	Node     string
	AllNodes bool
	// FelixConfigurations reads those alone: the others come another way.
	FelixConfigurations bool

	PageSize         int           // keys in one answer; 0: 1000
	RequestTimeout   time.Duration // for one request; 0: 10 s
	ProgressInterval time.Duration // between signs of life asked of a watch; 0: 10 s
	StaleAfter       time.Duration // silence after which a watch is given up; 0: 25 s

	Logger *slog.Logger // nil: no log
}

// Backend reads one etcd store. It implements backends.Backend.
type Backend struct {
	cfg        Config
	log        *slog.Logger
	ranges     []keyRange
	checker    *backends.Checker
	resolver   *net.Resolver
	maxMessage int
}

var _ backends.Backend = (*Backend)(nil)

// New checks the settings, the certificate files included, and returns a
// backend for them. It does not connect. An error says which setting cannot
// work, by the name of its environment variable.
func New(cfg Config) (*Backend, error) {
	cfg = withDefaults(cfg)
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("etcd settings: %w", err)
	}
	b := &Backend{
		cfg:        cfg,
		log:        cfg.Logger.With("backend", source),
		ranges:     rangesFor(cfg),
		checker:    backends.NewChecker(),
		resolver:   net.DefaultResolver,
		maxMessage: defaultMaxMessage,
	}
	b.warnPlain()
	return b, nil
}

func withDefaults(cfg Config) Config {
	var endpoints []string
	for _, e := range cfg.Endpoints {
		if e = strings.TrimSpace(e); e != "" {
			endpoints = append(endpoints, e)
		}
	}
	cfg.Endpoints = endpoints
	if cfg.PageSize <= 0 {
		cfg.PageSize = 1000
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = 10 * time.Second
	}
	if cfg.ProgressInterval <= 0 {
		cfg.ProgressInterval = 10 * time.Second
	}
	if cfg.StaleAfter <= 0 {
		cfg.StaleAfter = 25 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func check(cfg Config) error {
	switch {
	case cfg.Node == "":
		return errors.New("no node name: set NODENAME")
	case strings.Contains(cfg.Node, "/"):
		return fmt.Errorf("the node name %q has a slash in it: correct NODENAME", cfg.Node)
	case len(cfg.Endpoints) == 0 && cfg.DiscoverySRV == "":
		return errors.New("no endpoints: set ETCD_ENDPOINTS or ETCD_DISCOVERY_SRV")
	case len(cfg.Endpoints) > 0 && cfg.DiscoverySRV != "":
		return errors.New("ETCD_ENDPOINTS and ETCD_DISCOVERY_SRV are both set: leave one out")
	case (cfg.Username == "") != (cfg.Password == ""):
		return errors.New("ETCD_USERNAME and ETCD_PASSWORD need each other: set both or none")
	case (cfg.CertFile == "") != (cfg.KeyFile == ""):
		return errors.New("ETCD_CERT_FILE and ETCD_KEY_FILE need each other: set both or none")
	}
	if err := checkEndpoints(cfg.Endpoints); err != nil {
		return err
	}
	_, err := loadTLS(cfg)
	return err
}

// Run sends the whole state and then every change, as backends.Backend says.
// It returns nil when ctx ends, and never before.
func (b *Backend) Run(ctx context.Context, out chan<- backends.Update) error {
	r := newRun(b, out)
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !r.failed(ctx, err) || !backends.Sleep(ctx, r.pauses.NextBackOff()) {
			return nil
		}
	}
}
