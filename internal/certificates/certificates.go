// Package certificates makes settings of TLS from files, in which both ends prove who
// they are.
package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Files are PEM files: a certificate with its key, and those of who may vouch for the
// other end. They are read anew for each connection, as they are replaced before they
// run out.
type Files struct{ Cert, Key, CA string }

// Shared is a name that a certificate may have instead of a node's: of one certificate
// that all nodes have.
const Shared = "confd"

// InUse says whether there are any.
func (f Files) InUse() bool { return f != Files{} }

// Server is for who serves; an error where the files cannot be used now. With a CA who
// connects may show a certificate, and one that does not count is refused.
func (f Files) Server() (*tls.Config, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("to serve over TLS takes a certificate and its key: set --listen-cert-file and --listen-key-file")
	}
	config, err := f.server()
	if err != nil {
		return nil, err
	}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.server() }
	return config, nil
}

func (f Files) server() (*tls.Config, error) {
	config, pool, err := f.read()
	if err == nil && pool != nil {
		config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, pool
	}
	return config, err
}

// Client is for who asks; an error where the files cannot be used now. Its Certificates
// are shown, and Verify is to decide on the other end's.
func (f Files) Client() (*tls.Config, error) {
	if f.CA == "" {
		return nil, errors.New("to ask over TLS takes the certificates of who vouches for the nodes: set --listen-ca-file")
	}
	config, pool, err := f.read()
	if err == nil {
		config.RootCAs = pool
	}
	return config, err
}

func (f Files) read() (*tls.Config, *x509.CertPool, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("the certificate %s with the key %s (--listen-cert-file, --listen-key-file): %w", f.Cert, f.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if f.CA == "" {
		return config, nil, nil
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificates of who vouches for others (--listen-ca-file): %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s (--listen-ca-file) holds no PEM certificate", f.CA)
	}
	return config, pool, nil
}

// ForNode is client for a connection to a node: its certificate must be good for the
// node's name, or for Shared.
func ForNode(client *tls.Config, node string) *tls.Config {
	config := client.Clone()
	// VerifyConnection does all that is left out by this: one of two names must fit, which
	// ServerName cannot say.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, client.RootCAs, node) }
	return config
}

func verify(chain []*x509.Certificate, roots *x509.CertPool, node string) error {
	if len(chain) == 0 {
		return errors.New("it shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return fmt.Errorf("its certificate does not count: %w", err)
	}
	fits := func(name string) bool { return chain[0].VerifyHostname(name) == nil }
	if !slices.ContainsFunc([]string{node, Shared}, fits) {
		return fmt.Errorf("its certificate is good for %q, and not for %s or %s", chain[0].DNSNames, node, Shared)
	}
	return nil
}
