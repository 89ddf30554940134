package etcd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/net/dns/dnsmessage"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/internal/testenv"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: rand.Text()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := authority{t: t, key: newKey(t)}
	a.cert = a.sign(template, template, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// tlsFiles are the files of one side.
type tlsFiles struct{ ca, cert, key string }

func newTLSFiles(t *testing.T) tlsFiles {
	d := t.TempDir()
	return tlsFiles{filepath.Join(d, "ca"), filepath.Join(d, "cert"), filepath.Join(d, "key")}
}

// write replaces the files: a certificate for host, and a itself to trust.
func (a authority) write(f tlsFiles, host string) {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	writePEM(a.t, f.ca, "CERTIFICATE", a.cert.Raw)
	writePEM(a.t, f.cert, "CERTIFICATE", a.sign(template, a.cert, key).Raw)
	writePEM(a.t, f.key, "PRIVATE KEY", der)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCertificatesMayRotate(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	serverFiles, clientFiles := newTLSFiles(t), newTLSFiles(t)
	first.write(serverFiles, "127.0.0.1")
	first.write(clientFiles, "node-1")
	server := testenv.StartEtcd(t, testenv.EtcdTLS(serverFiles.ca, serverFiles.cert, serverFiles.key))
	f := backendstest.Follow(t, newBackend(t, Config{Endpoints: server.Endpoints(),
		CACertFile: clientFiles.ca, CertFile: clientFiles.cert, KeyFile: clientFiles.key}))
	f.UntilInSync()

	// The server and what it trusts change first, then this side's files.
	server.Kill()
	second.write(serverFiles, "127.0.0.1")
	server.Restart()
	f.UntilOutOfStep()
	second.write(clientFiles, "node-1")
	f.UntilInSync()

	// A certificate of the right authority for another host does not do.
	server.Kill()
	second.write(serverFiles, "other.example.org")
	server.Restart()
	f.UntilOutOfStep()
	b := newBackend(t, Config{Endpoints: server.Endpoints(), CACertFile: clientFiles.ca, CertFile: clientFiles.cert, KeyFile: clientFiles.key})
	if u := backendstest.Follow(t, b).Next("refusal"); u.Err == nil || !strings.Contains(u.Err.Error(), "certificate") {
		t.Errorf("certificate for another host: %+v", u)
	}
	server.Kill()
	second.write(serverFiles, "127.0.0.1")
	server.Restart()
	f.UntilInSync()
}

// A client without the certificate that the server asks for, or that does not
// know the server's authority, gets nothing, and says why.
func TestCertificatesAreChecked(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	serverFiles, clientFiles := newTLSFiles(t), newTLSFiles(t)
	ours.write(serverFiles, "127.0.0.1")
	theirs.write(clientFiles, "node-1")
	server := testenv.StartEtcd(t, testenv.EtcdTLS(serverFiles.ca, serverFiles.cert, serverFiles.key))
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"unknown authority": {Config{CACertFile: clientFiles.ca}, "unknown authority"},
		"no certificate":    {Config{CACertFile: serverFiles.ca}, "certificate"},
		"system's roots":    {Config{}, "unknown authority"},
		"foreign certificate": {Config{CACertFile: serverFiles.ca, CertFile: clientFiles.cert,
			KeyFile: clientFiles.key}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Endpoints = server.Endpoints()
			u := backendstest.Follow(t, newBackend(t, c.cfg)).Next("refusal")
			if u.Err == nil || u.InSync || !strings.Contains(u.Err.Error(), c.want) {
				t.Errorf("update %+v, want an error with %q", u, c.want)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	server, s := startStore(t, testenv.EtcdArgs("--auth-token-ttl=1"))
	s.do(node("a", 1))
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.UserAdd(ctx, "root", "secret"))
	must(s.UserGrantRole(ctx, "root", "root"))
	must(s.RoleAdd(ctx, "reader"))
	must(s.UserAdd(ctx, "calico", "pass"))
	must(s.UserGrantRole(ctx, "calico", "reader"))
	must(s.AuthEnable(ctx))
	// A new client each time: this etcd refuses a new token to one whose old
	// token has expired.
	root := func() store {
		return openStore(t, clientv3.Config{Endpoints: server.Endpoints(), Username: "root", Password: "secret"})
	}

	refused := func(cfg Config, want string) *backendstest.Follower {
		t.Helper()
		cfg.Endpoints = server.Endpoints()
		f := backendstest.Follow(t, newBackend(t, cfg))
		if u := f.Next("refusal"); u.Err == nil || !strings.Contains(u.Err.Error(), want) {
			t.Errorf("update %+v, want an error with %q", u, want)
		}
		return f
	}
	refused(Config{}, "set ETCD_USERNAME")
	refused(Config{Username: "calico", Password: "wrong"}, "correct ETCD_USERNAME")
	f := refused(Config{Username: "calico", Password: "pass"}, "grant-permission")

	must(root().RoleGrantPermission(ctx, "reader", "/calico/", clientv3.GetPrefixRangeEnd("/calico/"), clientv3.PermissionType(clientv3.PermRead)))
	f.UntilInSync()
	root().do(node("a", 2))
	f.UntilState("a change", func(*backends.State) bool { return f.Nodes() == "map[a:2]" })
	time.Sleep(2 * time.Second) // the token expires
	root().do(node("a", 3))
	f.UntilState("a change after the token's end", func(*backends.State) bool { return f.Nodes() == "map[a:3]" })
	server.Restart()
	root().do(node("a", 4))
	f.UntilState("a change after a restart", func(*backends.State) bool { return f.Nodes() == "map[a:4]" })
}

func TestEndpointsFromDNS(t *testing.T) {
	server, s := startStore(t)
	s.do(node("a", 1))
	b := newBackend(t, Config{DiscoverySRV: "example.test"})
	b.resolver = &net.Resolver{PreferGo: true, Dial: dnsServer(t, server.Address())}
	f := backendstest.Follow(t, b)
	if f.UntilInSync(); f.Nodes() != "map[a:1]" {
		t.Errorf("nodes %s", f.Nodes())
	}
}

// dnsServer answers for _etcd-client._tcp.example.test with that address, and
// knows nothing else. It returns how to reach it.
func dnsServer(t *testing.T, address string) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	target, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := dnsAnswer(buf[:n], uint16(target.Port)); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}
}

func dnsAnswer(query []byte, port uint16) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	if q.Name.String() != "_etcd-client._tcp.example.test." {
		m.RCode = dnsmessage.RCodeNameError
		return m.Pack()
	}
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
		Body:   &dnsmessage.SRVResource{Port: port, Target: dnsmessage.MustNewName("localhost.")},
	}}
	return m.Pack()
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	url := []string{"http://192.0.2.1:2379"}
	for want, cfg := range map[string]Config{
		"NODENAME":             {Endpoints: url},
		"correct NODENAME":     {Endpoints: url, Node: "a/b"},
		"no endpoints":         {Node: "n", Endpoints: []string{" ", ""}},
		"leave one out":        {Node: "n", Endpoints: url, DiscoverySRV: "example.org"},
		"ETCD_PASSWORD":        {Node: "n", Endpoints: url, Username: "u"},
		"ETCD_KEY_FILE":        {Node: "n", Endpoints: url, CertFile: "c"},
		"no such file":         {Node: "n", Endpoints: url, CACertFile: "/nowhere/ca"},
		"no PEM":               {Node: "n", Endpoints: url, CACertFile: empty},
		"client certificate":   {Node: "n", Endpoints: url, CertFile: empty, KeyFile: empty},
		"mix schemes":          {Node: "n", Endpoints: []string{"http://h:1", "https://h:1"}},
		"a host and a port":    {Node: "n", Endpoints: []string{"https://h"}},
		"missing port":         {Node: "n", Endpoints: []string{"h"}},
		`port "99999"`:         {Node: "n", Endpoints: []string{"h:99999"}},
		`port "no-such-port"`:  {Node: "n", Endpoints: []string{"h:no-such-port"}},
		`port "0"`:             {Node: "n", Endpoints: []string{"https://h:0"}},
		"unknown scheme":       {Node: "n", Endpoints: []string{"ftp://h:1"}},
		"names no socket":      {Node: "n", Endpoints: []string{"unix://"}},
		"(ETCD_ENDPOINTS): pa": {Node: "n", Endpoints: []string{"http://h:port"}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := New(Config{Node: "n", Endpoints: []string{" http://[::1]:2379 ", "http://h:2379"}}); err != nil {
		t.Error(err)
	}
}
