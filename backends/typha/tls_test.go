package typha

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/backends/typha/typhatest"
)

// authority signs certificates.
type authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := authority{tb: tb, key: key}
	template := certificate("authority " + rand.Text())
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert = template
	a.cert = a.sign(template, &key.PublicKey)
	return a
}

func certificate(cn string, uris ...string) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, text := range uris {
		if u, err := url.Parse(text); err == nil {
			c.URIs = append(c.URIs, u)
		}
	}
	return c
}

func (a authority) sign(template *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	a.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return c
}

// issue makes a certificate, with its key.
func (a authority) issue(template *x509.Certificate) tls.Certificate {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{a.sign(template, &key.PublicKey).Raw}, PrivateKey: key}
}

// server is a configuration that asks clients for a certificate of this authority.
func (a authority) server(template *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{a.issue(template)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}

// files are those of a client.
type files struct{ ca, cert, key string }

// write puts a client's files in their place: a certificate of a, and trust in who.
func (a authority) write(f files, who authority) {
	a.tb.Helper()
	pair := a.issue(certificate("node"))
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		a.tb.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		f.ca: {Type: "CERTIFICATE", Bytes: who.cert.Raw}, f.cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, f.key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.tb.Fatal(err)
		}
	}
}

func newFiles(tb testing.TB) files {
	dir := tb.TempDir()
	return files{filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
}

// with adds TLS to a configuration.
func (f files) with(cfg Config) Config {
	cfg.CAFile, cfg.CertFile, cfg.KeyFile = f.ca, f.cert, f.key
	return cfg
}

// TestWhoAServerIs: by its common name or a URI, whatever its address; and nobody
// else.
func TestWhoAServerIs(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	f, foreign := newFiles(t), newFiles(t)
	ours.write(f, ours)
	others.write(foreign, ours)
	old := certificate("typha-server")
	old.NotAfter = time.Now().Add(-time.Minute)
	tls11 := ours.server(certificate("typha-server"))
	tls11.MaxVersion = tls.VersionTLS11
	onlyURI := ours.server(certificate("x", "spiffe://cluster/typha", "https://other"))
	for name, c := range map[string]struct {
		server *tls.Config
		files  files
		cfg    Config
		want   string // in the error; empty: it works
	}{
		"the name":                    {ours.server(certificate("typha-server")), f, Config{CN: "typha-server"}, ""},
		"a URI":                       {onlyURI, f, Config{URISAN: "spiffe://cluster/typha"}, ""},
		"another name, but the URI":   {onlyURI, f, Config{CN: "typha-server", URISAN: "spiffe://cluster/typha"}, ""},
		"another URI, but the name":   {ours.server(certificate("typha-server", "spiffe://x")), f, Config{CN: "typha-server", URISAN: "spiffe://cluster/typha"}, ""},
		"another name":                {ours.server(certificate("felix")), f, Config{CN: "typha-server"}, `the common name "felix" and the URIs [], and should have the common name "typha-server" (TYPHACN)`},
		"another URI":                 {onlyURI, f, Config{URISAN: "spiffe://cluster"}, `should have the URI "spiffe://cluster" (TYPHAURISAN)`},
		"neither":                     {onlyURI, f, Config{CN: "a", URISAN: "b"}, `should have the common name "a" (TYPHACN) or the URI "b" (TYPHAURISAN)`},
		"the name, another authority": {others.server(certificate("typha-server")), f, Config{CN: "typha-server"}, "does not lead to the CA (TYPHACAFILE)"},
		"expired":                     {ours.server(old), f, Config{CN: "typha-server"}, "expired"},
		"our certificate is unknown":  {ours.server(certificate("typha-server")), foreign, Config{CN: "typha-server"}, "the server refuses our certificate (TYPHACERTFILE)"},
		"too old a TLS":               {tls11, f, Config{CN: "typha-server"}, "protocol version"},
		"no TLS there":                {nil, f, Config{CN: "typha-server"}, "the server hung up; does it speak TLS?"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, typhatest.Options{TLS: c.server}, "a")
			b := follow(t, c.files.with(c.cfg), s.Address())
			u := b.Next("an answer")
			switch {
			case c.want == "" && !u.InSync:
				t.Errorf("refused: %v", u.Err)
			case c.want != "" && (u.InSync || u.Err == nil || !strings.Contains(u.Err.Error(), c.want)):
				t.Errorf("told was %v, which should have %q in it", u.Err, c.want)
			}
		})
	}
	s := startServer(t, typhatest.Options{TLS: ours.server(certificate("typha-server"))}, "a")
	if u := follow(t, Config{}, s.Address()).Next("an error"); u.Err == nil || !strings.Contains(u.Err.Error(), "TLS") {
		t.Errorf("without TLS here: %v", u.Err)
	}
}

// TestCertificatesRotate: the files are read at each connection.
func TestCertificatesRotate(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	f := newFiles(t)
	first.write(f, first)
	s := startServer(t, typhatest.Options{TLS: second.server(certificate("typha"))}, "a")
	b := follow(t, f.with(Config{CN: "typha"}), s.Address())
	if u := b.Next("an error"); u.Err == nil {
		t.Fatalf("told was %+v", u)
	}
	second.write(f, second)
	b.Until("being in step", func(u backends.Update) bool { return u.InSync })
}

// TestSettingsByHalves: what can never work is said at once.
func TestSettingsByHalves(t *testing.T) {
	a, f := newAuthority(t), newFiles(t)
	a.write(f, a)
	whole := f.with(Config{Node: "n", CN: "typha"})
	if _, err := New(whole); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"without TYPHAKEYFILE":           func(c *Config) { c.KeyFile = "" },
		"without TYPHACERTFILE":          func(c *Config) { c.CertFile = "" },
		"without TYPHACAFILE":            func(c *Config) { c.CAFile = "" },
		"without TYPHACN or TYPHAURISAN": func(c *Config) { c.CN = "" },
		"read the CA certificates":       func(c *Config) { c.CAFile = "/nowhere" },
		"load the client certificate":    func(c *Config) { c.CertFile = f.key },
		"(TYPHACAFILE) holds no PEM":     func(c *Config) { c.CAFile = f.key },
		"set NODENAME":                   func(c *Config) { c.Node = "" },
	} {
		c := whole
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	for _, address := range []string{"", "a", "a:", "http://a"} {
		if _, err := Fixed(address); err == nil {
			t.Errorf("%q is an address", address)
		}
	}
}
