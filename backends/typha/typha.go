// Package typha reads Calico's resources from Typha, the proxy that stands between
// a cluster's datastore and its nodes, and sends all of them the same stream.
//
// A link, a goroutine, finds a server, connects, and reads; whatever ends the
// connection, it goes on to another one. The run owns what was delivered. Each
// server sends the whole state first, and does not mention what is gone: that is
// found by the difference, as after a list. Nothing is delivered before a server
// has said that it is in step.
package typha

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"confd/backends"
	"confd/backends/typha/internal/wire"
)

// source names this backend in updates and log lines.
const source = "typha"

// Endpoint is where a server can be reached.
type Endpoint struct {
	Address string // HOST:PORT
	Local   bool   // it is on this node, and is asked first
}

// Config says how to find the servers, and what to read for which node.
type Config struct {
	// Find lists the servers that are ready, in any order, or fails with
	// ErrNoneReady. It is asked again whenever a connection is needed. Where it
	// fails otherwise, what it said last is used.
	Find func(context.Context) ([]Endpoint, error)

	// TLS. All or none are set, but of CN and URISAN one is enough: the server's
	// certificate must have the one as its common name, or the other among its
	// URIs, and its chain must lead to the CA. What it says of addresses does not
	// matter. All files are PEM, and are read again at every connection.
	KeyFile  string
	CertFile string
	CAFile   string
	CN       string
	URISAN   string

	ReadTimeout  time.Duration // of silence; 0: 30 s
	WriteTimeout time.Duration // 0: 10 s

	// Node is the node whose blocks are read; with AllNodes, those of all nodes are.
	Node     string
	AllNodes bool

	Version string // of this program, for the server's log
	// Grace is how long a server may be sought after one was lost before that is
	// told: servers drop their clients when they are replaced, or share them anew.
	// 0: 10 s.
	Grace  time.Duration
	Logger *slog.Logger // nil: no log
}

// Backend reads from Typha's servers. It implements backends.Backend.
type Backend struct {
	cfg     Config
	log     *slog.Logger
	checker *backends.Checker
	limits  limits
}

var _ backends.Backend = (*Backend)(nil)

// New checks the settings, the certificate files included, and returns a backend
// for them. It does not connect. An error says which setting cannot work, by the
// end of its variable's name.
func New(cfg Config) (*Backend, error) {
	cfg = withDefaults(cfg)
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("settings for Typha: %w", err)
	}
	wire.Register()
	return &Backend{
		cfg: cfg, log: cfg.Logger.With("backend", source), checker: backends.NewChecker(), limits: defaultLimits(),
	}, nil
}

func withDefaults(cfg Config) Config {
	if cfg.ReadTimeout <= 0 {
		cfg.ReadTimeout = 30 * time.Second
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 10 * time.Second
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func check(cfg Config) error {
	if cfg.Node == "" {
		return errors.New("no node name: set NODENAME")
	}
	if err := checkTLS(cfg); err != nil {
		return err
	}
	_, err := loadTLS(cfg)
	return err
}

// Fixed finds one server, at an address that is HOST:PORT.
func Fixed(address string) (func(context.Context) ([]Endpoint, error), error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" {
		return nil, fmt.Errorf("TYPHAADDR: %q is not HOST:PORT, such as 10.0.0.1:5473", address)
	}
	return func(context.Context) ([]Endpoint, error) { return []Endpoint{{Address: address}}, nil }, nil
}

// Run sends the whole state and then every change, as backends.Backend says. It
// returns nil when ctx ends, and never before.
func (b *Backend) Run(ctx context.Context, out chan<- backends.Update) error {
	ctx, cancel := context.WithCancel(ctx)
	l := newLink(b)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(ctx)
	}()
	newRun(b, out).loop(ctx, l.reports)
	cancel()
	<-ended
	return nil
}
