package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/internal/certificates"
	"confd/internal/report"
	"confd/internal/serve"
)

// authority vouches for others.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t, key: newKey(t)}
	a.cert = template("authority")
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert.Raw = a.sign(a.cert, a.key)
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

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func (a authority) sign(c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

// write puts a certificate for a name, its key and the authority into files.
func (a authority) write(f certificates.Files, name string) certificates.Files {
	a.t.Helper()
	key := newKey(a.t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		f.CA: {Type: "CERTIFICATE", Bytes: a.cert.Raw}, f.Cert: {Type: "CERTIFICATE", Bytes: a.sign(template(name), key)}, f.Key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return f
}

func newFiles(t *testing.T) certificates.Files {
	dir := t.TempDir()
	return certificates.Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), CA: filepath.Join(dir, "ca")}
}

// serving serves as the program does until the test ends.
func serving(t *testing.T, secure *tls.Config) (port uint16) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	now := func() *report.Report {
		return &report.Report{Node: "node-0", Ready: false, NotReady: []string{"secrets"}}
	}
	h := serve.Handlers{
		Metrics: http.NotFoundHandler(), Report: now, Beat: time.Now, TLS: secure,
		Status: Handler(Source{Node: "node-0", Report: now, Still: func() time.Duration { return 0 }}),
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve.Serve(ctx, l, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// what is what comes of asking node-0.
func what(port uint16, client *tls.Config) string {
	target := Target{Name: "node-0", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	n := Asker{Port: port, TLS: client, Timeout: time.Minute}.Ask(context.Background(), []Target{target})[0]
	return n.State + ": " + n.What
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestBothProveWhoTheyAre has a node believed for its certificate, and who asks for his.
func TestBothProveWhoTheyAre(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	files := newFiles(t)
	config := must[*tls.Config](t)
	ours.write(files, "node-0")
	port := serving(t, config(files.Server()))
	client := config(ours.write(newFiles(t), "operator").Client())
	is := func(client *tls.Config, want string) {
		t.Helper()
		if got := what(port, client); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is(client, NotReady)
	ours.write(files, certificates.Shared)
	is(client, NotReady)
	ours.write(files, "node-7")
	is(client, `its certificate is good for ["node-7"], and not for node-0 or confd`)
	others.write(files, "node-0")
	is(client, "its certificate does not count")
	ours.write(files, "node-0")
	is(client, NotReady)

	withCA := certificates.Files{CA: files.CA}
	is(config(withCA.Client()), "it wants a client certificate")
	stranger := others.write(newFiles(t), "operator")
	stranger.CA = files.CA
	is(config(stranger.Client()), Silent)
	is(nil, "it takes TLS only")
	if err := os.WriteFile(files.Key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	is(client, Silent)

	plain := serving(t, nil)
	if got := what(plain, client); !strings.Contains(got, Silent) {
		t.Errorf("a node without TLS is believed: %q", got)
	}
	if got := what(plain, nil); !strings.Contains(got, NotReady) {
		t.Errorf("without TLS: %q", got)
	}
}

// TestAKubeletIsTold that shows no certificate whether the program lives and is ready,
// and nothing else.
func TestAKubeletIsTold(t *testing.T) {
	files := newAuthority(t).write(newFiles(t), "node-0")
	config := must[*tls.Config](t)
	port := serving(t, config(files.Server()))
	client := certificates.ForNode(config(certificates.Files{CA: files.CA}.Client()), "node-0")
	transport := &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 503, "/readyz?verbose": 503, "/metrics": 403, "/status": 403, "/": 403, "/debug/pprof/": 403, "/livez/": 403, "//status": 403,
	} {
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body := must[[]byte](t)(io.ReadAll(resp.Body))
		resp.Body.Close()
		if resp.StatusCode != want || strings.Contains(string(body), "secrets") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	files := newFiles(t)
	if _, err := files.Server(); err == nil || !strings.Contains(err.Error(), files.Cert) {
		t.Errorf("no files: %v", err)
	}
	newAuthority(t).write(files, "node-0")
	if err := os.WriteFile(files.CA, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Client(); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("no authority: %v", err)
	}
	if _, err := (certificates.Files{CA: files.CA}).Server(); err == nil || !strings.Contains(err.Error(), "--listen-cert-file") {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := (certificates.Files{Cert: files.Cert, Key: files.Key}).Client(); err == nil || !strings.Contains(err.Error(), "--listen-ca-file") {
		t.Errorf("nobody to believe: %v", err)
	}
}
