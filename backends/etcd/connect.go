package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// defaultMaxMessage is the largest answer that is taken, in bytes. A page of
// keys that would be larger is asked for in smaller pages.
const defaultMaxMessage = 64 << 20

// connect makes a client for one session. A new one each time costs little,
// and leaves nothing stale behind: certificates, authorities and SRV records
// are read again, no long back-off of an old connection is waited for, and no
// expired token is sent (with which etcd 3.4 refuses to issue another).
func (b *Backend) connect(ctx context.Context) (*clientv3.Client, error) {
	tlsConfig, err := loadTLS(b.cfg)
	if err != nil {
		return nil, err
	}
	endpoints, err := b.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Context:              ctx,
		Endpoints:            endpoints,
		TLS:                  tlsConfig,
		Username:             b.cfg.Username,
		Password:             b.cfg.Password,
		DialTimeout:          b.cfg.RequestTimeout, // bounds the fetching of a token
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		MaxCallRecvMsgSize:   b.maxMessage,
		MaxUnaryRetries:      uint(2*len(endpoints) + 1), // each endpoint may fail once; we retry ourselves
		DialOptions:          []grpc.DialOption{grpc.WithChainUnaryInterceptor(failFast)},
		Logger:               zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// failFast makes requests fail with the reason why there is no connection. The
// client would have them wait for one until they time out, and tell no reason.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

// endpoints are the configured ones, or those that DNS names now.
func (b *Backend) endpoints(ctx context.Context) ([]string, error) {
	if b.cfg.DiscoverySRV == "" {
		return b.cfg.Endpoints, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.RequestTimeout)
	defer cancel()
	secure, errSecure := b.lookup(ctx, "etcd-client-ssl", "https")
	if len(secure) > 0 {
		return secure, nil
	}
	plain, errPlain := b.lookup(ctx, "etcd-client", "http")
	if len(plain) > 0 {
		return plain, nil
	}
	return nil, fmt.Errorf("no usable SRV record under %s (ETCD_DISCOVERY_SRV): %w",
		b.cfg.DiscoverySRV, errors.Join(errSecure, errPlain))
}

func (b *Backend) lookup(ctx context.Context, service, scheme string) ([]string, error) {
	_, records, err := b.resolver.LookupSRV(ctx, service, "tcp", b.cfg.DiscoverySRV)
	if len(records) == 0 {
		return nil, err
	}
	var endpoints []string
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".") // certificates hold names without the dot
		endpoints = append(endpoints, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
	}
	return endpoints, nil
}

// loadTLS reads the certificate files; nil where there are none.
func loadTLS(cfg Config) (*tls.Config, error) {
	if cfg.CACertFile == "" && cfg.CertFile == "" {
		return nil, nil
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CACertFile != "" {
		pem, err := os.ReadFile(cfg.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("read the CA certificates (ETCD_CA_CERT_FILE): %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s (ETCD_CA_CERT_FILE) holds no PEM certificate", cfg.CACertFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client certificate %s with key %s (ETCD_CERT_FILE, ETCD_KEY_FILE): %w",
				cfg.CertFile, cfg.KeyFile, err)
		}
		tlsConfig.Certificates = []tls.Certificate{pair}
	}
	return tlsConfig, nil
}

// checkEndpoints finds what could never be connected to.
func checkEndpoints(endpoints []string) error {
	schemes := map[string]string{}
	for _, e := range endpoints {
		scheme, err := checkEndpoint(e)
		if err != nil {
			return fmt.Errorf("endpoint %q (ETCD_ENDPOINTS): %w", e, err)
		}
		schemes[scheme] = e
	}
	// The client takes the first endpoint's scheme for all of them.
	if len(schemes) > 1 {
		return fmt.Errorf("endpoints %q (ETCD_ENDPOINTS) mix schemes: use the same for all", endpoints)
	}
	return nil
}

func checkEndpoint(e string) (scheme string, err error) {
	scheme, address, found := strings.Cut(e, "://")
	if !found {
		_, port, err := net.SplitHostPort(e)
		if err != nil {
			return "", err
		}
		return "", checkPort(port)
	}
	switch scheme {
	case "http", "https":
		u, err := url.Parse(e)
		if err != nil {
			return "", err
		}
		if u.Hostname() == "" || u.Port() == "" {
			return "", errors.New("needs a host and a port, as in https://etcd.example.org:2379")
		}
		return scheme, checkPort(u.Port())
	case "unix", "unixs":
		if address == "" {
			return "", errors.New("names no socket")
		}
		return scheme, nil
	}
	return "", fmt.Errorf("unknown scheme %q: use https or http", scheme)
}

// checkPort takes what dialing takes: a number, or a name that this machine knows one for.
func checkPort(port string) error {
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return fmt.Errorf("port %q is none: a number from 1 to 65535 is", port)
	}
	return nil
}

// warnPlain tells where secrets would travel unprotected although certificate
// files are given.
func (b *Backend) warnPlain() {
	if b.cfg.CACertFile == "" && b.cfg.CertFile == "" {
		return
	}
	for _, e := range b.cfg.Endpoints {
		if strings.HasPrefix(e, "http://") {
			b.log.Warn("certificate files are set, but not used for an endpoint that says http://; write https://", "endpoint", e)
		}
	}
}

// where names the store in errors.
func (b *Backend) where() string {
	if b.cfg.DiscoverySRV != "" {
		return "etcd found by DNS under " + b.cfg.DiscoverySRV
	}
	return "etcd at " + strings.Join(b.cfg.Endpoints, ",")
}
