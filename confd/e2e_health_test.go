package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// manager is what systemd is to confd: it hears what a service says.
type manager struct {
	mu       sync.Mutex
	messages []string
}

// startManager listens where the rig's confd looks for systemd.
func startManager(t *testing.T, r *rig) *manager {
	t.Helper()
	path := filepath.Join(r.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	r.env["NOTIFY_SOCKET"] = path
	m := &manager{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			m.mu.Lock()
			m.messages = append(m.messages, strings.Split(string(buffer[:n]), "\n")...)
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() { conn.Close(); <-ended })
	return m
}

// heard is what was said so far, in order, without texts for people.
func (m *manager) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.messages), func(s string) bool { return strings.HasPrefix(s, "STATUS=") })
}

// phases are the changes of state among that.
func (m *manager) phases() string {
	return strings.Join(slices.DeleteFunc(m.heard(), func(s string) bool { return s == "WATCHDOG=1" || strings.HasPrefix(s, "MONOTONIC_USEC=") }), " ")
}

// testSystemd has confd say how it is, to systemd and by a file: it is ready
// when BIRD has confirmed.
func testSystemd(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	m := startManager(t, r)
	r.env["WATCHDOG_USEC"] = "2000000"
	file := filepath.Join(r.dir, "ready")
	c := r.start("--ready-file", file)
	isReady := func() bool {
		_, err := os.Stat(file)
		return err == nil
	}
	c.awaitOutput("msg=applied", "state=installed")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird", "BIRD has not confirmed")
	testenv.Eventually(t, patience, "the watchdog to be fed", func() bool { return slices.Contains(m.heard(), "WATCHDOG=1") })
	if said := m.phases(); said != "" || isReady() {
		t.Errorf("without BIRD it says %q; the file that says ready is there: %v", said, isReady())
	}
	awaitPhases := func(want string) {
		t.Helper()
		testenv.Eventually(t, patience, "systemd to hear "+want, func() bool { return m.phases() == want })
	}
	r.startBirds()
	awaitPhases("READY=1")
	testenv.Eventually(t, patience, "the file that says ready", isReady)
	r.awaitReady()
	c.signal(syscall.SIGHUP)
	awaitPhases("READY=1 RELOADING=1 READY=1")
	if !slices.ContainsFunc(m.heard(), func(s string) bool { return strings.HasPrefix(s, "MONOTONIC_USEC=") }) {
		t.Error("systemd was not told when it reloads")
	}
	c.stop()
	awaitPhases("READY=1 RELOADING=1 READY=1 STOPPING=1")
	if isReady() {
		t.Error("the file that says ready is still there")
	}
}

// testCalicoSockets has what calicoctl and calico-node's probes ask answered from a
// BIRD 2, and not answered while it is away.
func testCalicoSockets(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	calico := filepath.Join(r.dir, "calico")
	if err := os.Mkdir(calico, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(calico, "bird.ctl")
	c := r.start("--calico-sockets", calico)
	r.awaitFiles()
	testenv.Eventually(t, patience, "the socket", func() bool { _, err := os.Stat(socket); return err == nil })
	if out, err := testenv.Birdc(socket, "show status"); err == nil {
		t.Errorf("there is no BIRD, and the socket says %q", out)
	}
	r.startBirds()
	r.awaitReady()
	out, err := testenv.Birdc(socket, "show protocols")
	if err != nil || !strings.HasPrefix(out, "name     proto    table    state  since       info\n") || !strings.Contains(out, "Mesh_10_0_0_2 BGP      master   start  ") {
		t.Errorf("%v: show protocols says\n%s", err, out)
	}
	r.killBirds()
	if out, err := testenv.Birdc(socket, "show status"); err == nil {
		t.Errorf("BIRD is dead, and the socket says %q", out)
	}
	c.stop()
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there")
	}
}

// testTopologyPage has a picture at /, in which a session that is down is red.
func testTopologyPage(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	r.env["CONFD_TOPOLOGY"] = "true"
	r.start()
	r.awaitAnswer("/", http.StatusServiceUnavailable, "nothing is known of the cluster yet")
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	r.awaitAnswer("/", http.StatusOK, `<line class="link down" data-link="0"`)
	r.awaitAnswer("/", http.StatusOK, "Mesh_10_0_0_2, the mesh: not established")
}

func testProbes(t *testing.T, confd string) {
	t.Run("over TCP", func(t *testing.T) {
		r := newRig(t, confd, oldBIRD)
		r.useFiles(mesh(2))
		c := r.start("--listen", "127.0.0.1:0")
		c.awaitOutput("serving metrics and probes", "listen=127.0.0.1:")
		_, address, _ := strings.Cut(c.output(), "listen=")
		resp, err := http.Get("http://" + strings.Fields(address)[0] + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("/livez is answered with %d", resp.StatusCode)
		}
	})
	for name, args := range map[string][]string{"with profiles": {"--pprof"}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, confd, oldBIRD).listen()
			r.useFiles(mesh(2))
			c := r.start(args...)
			r.awaitAnswer("/livez", http.StatusOK, "alive")
			r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird", "BIRD has not confirmed")
			r.awaitAnswer("/readyz?verbose", http.StatusServiceUnavailable, "[+] source file", "in step")
			want := http.StatusNotFound
			if len(args) > 0 {
				want = http.StatusOK
			}
			if code, _ := r.get("/debug/pprof/"); code != want {
				t.Errorf("/debug/pprof/ is answered with %d: want %d", code, want)
			}
			if ready := r.metric("confd_ready"); ready != 0 {
				t.Errorf("confd_ready is %v", ready)
			}
			c.stop()
			if _, err := os.Stat(filepath.Join(r.dir, "http")); err == nil {
				t.Error("the socket is still there")
			}
		})
	}
}

// testListenTLS has the program of a node serve over TLS, and asked for how it stands.
func testListenTLS(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.useFiles([]object{{kind: "Node", name: self, spec: `{"bgp":{"ipv4Address":"127.0.0.1/32"}}`}})
	cert, key := selfSigned(t, self)
	r.env["CONFD_LISTEN_CERT_FILE"], r.env["CONFD_LISTEN_KEY_FILE"], r.env["CONFD_LISTEN_CA_FILE"] = cert, key, cert
	c := r.start("--listen", "127.0.0.1:0")
	c.awaitOutput("serving metrics and probes", "tls=true")
	line := linesWith(c.output(), "serving metrics and probes")[0]
	port := regexp.MustCompile(`listen=127\.0\.0\.1:([0-9]+)`).FindStringSubmatch(line)[1]
	ask := []string{"status", "--all-nodes", "--port", port}
	testenv.Eventually(t, patience, "the program to say that BIRD is not there", func() bool {
		got := r.once(ask...)
		return got.code == 1 && strings.Contains(got.stdout, self+"  127.0.0.1  no BIRD")
	})
	delete(r.env, "CONFD_LISTEN_CERT_FILE")
	delete(r.env, "CONFD_LISTEN_KEY_FILE")
	if got := r.once(ask...); got.code != 1 || !strings.Contains(got.stdout, "it wants a client certificate") {
		t.Errorf("without a certificate: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	delete(r.env, "CONFD_LISTEN_CA_FILE")
	if got := r.once(ask...); got.code != 1 || !strings.Contains(got.stdout, "it takes TLS only") {
		t.Errorf("without TLS: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	r.once("--listen", "127.0.0.1:0", "--listen-cert-file", key, "--listen-key-file", key).want(t, 2, "--listen-cert-file", key)
	c.stop()
}

// selfSigned makes a certificate for a name, which vouches for itself, and its key.
func selfSigned(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{
		"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})),
	})
	return filepath.Join(dir, "cert"), filepath.Join(dir, "key")
}

func testBadListen(t *testing.T, confd string) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := newRig(t, confd, oldBIRD)
	r.useFiles(mesh(2))
	for address, texts := range map[string][]string{
		"nonsense":              {"HOST:PORT", "unix:PATH"},
		"127.0.0.1:99999":       {"HOST:PORT"},
		"unix:":                 {"path"},
		"unix:/nowhere/socket":  {"folder must be there"},
		"unix:" + r.dir:         {"not a socket"},
		taken.Addr().String():   {"somebody listens there already"},
		"192.0.2.1:9191":        {"this host does not have that address"},
		"no-such-host.invalid:": {"no-such-host"},
	} {
		t.Run(address, func(t *testing.T) {
			r.once("--listen", address).want(t, 2, append(texts, "confd: ", "listening on "+address)...)
		})
	}
}
