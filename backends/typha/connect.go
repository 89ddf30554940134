package typha

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// checkTLS finds settings that are there by halves.
func checkTLS(cfg Config) error {
	var given, missing []string
	for _, s := range []struct{ name, value string }{
		{"TYPHAKEYFILE", cfg.KeyFile}, {"TYPHACERTFILE", cfg.CertFile}, {"TYPHACAFILE", cfg.CAFile},
		{"TYPHACN or TYPHAURISAN", cfg.CN + cfg.URISAN},
	} {
		if s.value == "" {
			missing = append(missing, s.name)
		} else {
			given = append(given, s.name)
		}
	}
	if len(given) > 0 && len(missing) > 0 {
		return fmt.Errorf("%s given without %s: TLS needs all of them", strings.Join(given, ", "), strings.Join(missing, ", "))
	}
	return nil
}

// loadTLS reads the certificate files; nil where there are none.
func loadTLS(cfg Config) (*tls.Config, error) {
	if cfg.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the CA certificates (TYPHACAFILE): %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s (TYPHACAFILE) holds no PEM certificate", cfg.CAFile)
	}
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load the client certificate %s with key %s (TYPHACERTFILE, TYPHAKEYFILE): %w", cfg.CertFile, cfg.KeyFile, err)
	}
	id := identity{roots: roots, cn: cfg.CN, uri: cfg.URISAN}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Shown whatever CAs the server asks for: it says best itself what it minds.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		// A server is known by its name, not by its address, so the check is ours.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection checks
		VerifyConnection:   id.verify,
	}, nil
}

// identity is who a server must be.
type identity struct {
	roots   *x509.CertPool
	cn, uri string
}

// verify checks the server's certificate.
func (id identity) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	leaf, between := state.PeerCertificates[0], x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: id.roots, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // the name says whose it is
	})
	if err != nil {
		return fmt.Errorf("the server's certificate does not lead to the CA (TYPHACAFILE): %w", err)
	}
	return id.verifyName(leaf)
}

func (id identity) verifyName(c *x509.Certificate) error {
	var uris, want []string
	for _, u := range c.URIs {
		uris = append(uris, u.String())
	}
	if id.cn != "" {
		if c.Subject.CommonName == id.cn {
			return nil
		}
		want = append(want, fmt.Sprintf("the common name %q (TYPHACN)", id.cn))
	}
	if id.uri != "" {
		if slices.Contains(uris, id.uri) {
			return nil
		}
		want = append(want, fmt.Sprintf("the URI %q (TYPHAURISAN)", id.uri))
	}
	return fmt.Errorf("the server's certificate is another's: it has the common name %q and the URIs %q, and should have %s",
		c.Subject.CommonName, uris, strings.Join(want, " or "))
}

// dial connects, with TLS where it is configured.
func (b *Backend) dial(ctx context.Context, address string) (net.Conn, error) {
	config, err := loadTLS(b.cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.WriteTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil || config == nil {
		return conn, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w%s", err, tlsHint(err))
	}
	return secure, nil
}

// hangUp closes a connection at once: with TLS, closing it can wait for one that
// takes nothing any more.
func hangUp(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	conn.Close()
}

// tlsHint says what to do about a handshake that has failed, where something is
// known to help.
func tlsHint(err error) string {
	switch {
	case errors.As(err, new(tls.RecordHeaderError)):
		return ": the server speaks no TLS; is the port right, or are TYPHACAFILE and the others to be left out?"
	case ended(err):
		return ": the server hung up; does it speak TLS?"
	case errors.Is(err, context.DeadlineExceeded):
		return ": the server does not answer; does it speak TLS?"
	case isAlert(err):
		return ": the server refuses our certificate (TYPHACERTFILE), or the other way round"
	}
	return ""
}

// isAlert says whether the other side has refused something of TLS.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
