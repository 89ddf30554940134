package testenv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// Kube is a real Kubernetes API server with an etcd of its own, on loopback,
// for one test: no scheduler, no controllers, no nodes but those that the test
// creates. Its address, its data and its certificate stay the same over
// restarts. RBAC is on; Services get addresses of 10.0.0.0/16 and fd00::/112.
type Kube struct {
	// Etcd is where the server keeps its data. It is not to be stopped while
	// the server runs, unless that is what the test is about.
	Etcd *Etcd
	// Dir holds what the server is given and its log ("log").
	Dir string

	tb      testing.TB
	address string            // host:port
	groups  map[string]string // of each user
	tokens  map[string]string // of each user, as the server knows them
	objects *objectClient     // made when it is first needed
	cmd     *exec.Cmd
	exited  chan struct{}
}

// objectClient is the administrator's way to any kind of object.
type objectClient struct {
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

// KubeOption changes how StartKube runs the server.
type KubeOption func(*Kube)

// KubeUsers adds users, who may do nothing until a role is bound to them.
func KubeUsers(names ...string) KubeOption {
	return func(k *Kube) {
		for _, name := range names {
			k.groups[name] = ""
		}
	}
}

// adminUser may do everything.
const adminUser = "admin"

// StartKube starts an API server with an empty store, and returns once it is
// ready and the namespaces default and kube-system are there (some 3 seconds).
// It is stopped at the end of the test. The test is skipped where the program
// has not been built.
func StartKube(tb testing.TB, opts ...KubeOption) *Kube {
	tb.Helper()
	program := kubeProgram(tb, "kube-apiserver")
	k := &Kube{tb: tb, Dir: tb.TempDir(), groups: map[string]string{adminUser: "system:masters"}, tokens: map[string]string{}}
	for _, o := range opts {
		o(k)
	}
	// Debian's etcd cannot report progress on request, without which there are
	// no streaming lists.
	k.Etcd = StartEtcd(tb, EtcdProgram(kubeProgram(tb, "etcd")))
	for user := range k.groups {
		k.tokens[user] = rand.Text()
		k.writeFile(k.tokenFile(user), k.tokens[user])
	}
	k.writeServiceAccountKey()
	tb.Cleanup(func() {
		k.Kill()
		if tb.Failed() {
			tb.Logf("the end of kube-apiserver's log:\n%s", k.logTail())
		}
	})
	var err error
	for range 3 { // another process may take a free port before the server does
		k.address = freePort(tb)
		if err = k.start(program); err == nil {
			k.awaitNamespaces()
			return k
		}
	}
	tb.Fatalf("start kube-apiserver: %v\n%s", err, k.logTail())
	return nil
}

func kubeProgram(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(tb), ".testenv", "bin", name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("%s is missing (%s): `make kube-apiserver` builds it", name, path)
	}
	return path
}

// URL is where the server answers.
func (k *Kube) URL() string { return "https://" + k.address }

// CA is the certificate, in PEM, that vouches for the server.
func (k *Kube) CA() []byte {
	k.tb.Helper()
	// The server signs for itself: the file holds its certificate and the
	// authority's.
	pem, err := os.ReadFile(filepath.Join(k.Dir, "apiserver.crt"))
	if err != nil {
		k.tb.Fatalf("kube-apiserver's certificate: %v", err)
	}
	return pem
}

// Stop ends the server in order (SIGTERM), which ends its watches, and waits
// for that; one that takes longer than 20 s is killed.
func (k *Kube) Stop() {
	if k.cmd == nil {
		return
	}
	k.signal(syscall.SIGTERM)
	select {
	case <-k.exited:
	case <-time.After(20 * time.Second):
	}
	k.Kill()
}

// Kill ends the server at once (SIGKILL) and waits for that.
func (k *Kube) Kill() {
	if k.cmd == nil {
		return
	}
	k.signal(syscall.SIGKILL)
	<-k.exited
	k.cmd = nil
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing
// answers. Resume lets it go on.
func (k *Kube) Pause() { k.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (k *Kube) Resume() { k.signal(syscall.SIGCONT) }

// Restart starts the server again on the same data and address, killing it
// first where it still runs, and waits until it is ready.
func (k *Kube) Restart() {
	k.tb.Helper()
	k.Kill()
	if err := k.start(kubeProgram(k.tb, "kube-apiserver")); err != nil {
		k.tb.Fatalf("restart kube-apiserver: %v\n%s", err, k.logTail())
	}
}

// Compact drops all old revisions from the store. A watch that asks for one of
// them is refused (410 Gone) once the server was restarted, since that empties
// its cache of recent changes.
func (k *Kube) Compact(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: k.Etcd.Endpoints()})
	if err != nil {
		tb.Fatalf("client of kube-apiserver's etcd: %v", err)
	}
	defer client.Close()
	got, err := client.Get(ctx, "/")
	if err == nil {
		_, err = client.Compact(ctx, got.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		tb.Fatalf("compact kube-apiserver's etcd: %v", err)
	}
}

func (k *Kube) arguments() []string {
	return []string{
		"--etcd-servers=" + k.Etcd.Endpoint(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + k.address[strings.LastIndex(k.address, ":")+1:],
		"--endpoint-reconciler-type=none", // it would publish the loopback address, which Endpoints may not hold
		"--cert-dir=" + k.Dir,
		"--token-auth-file=" + filepath.Join(k.Dir, "tokens.csv"),
		"--authorization-mode=RBAC",
		// Nobody makes the service accounts that it would wait for.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + k.serviceAccountKey(),
		"--service-account-signing-key-file=" + k.serviceAccountKey(),
		"--service-cluster-ip-range=10.0.0.0/16,fd00::/112",
	}
}

func (k *Kube) start(program string) error {
	k.writeTokens()
	log, err := os.OpenFile(k.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, k.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	// A test that is killed takes its servers with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is of no interest: it was told to
	}()
	k.cmd, k.exited = cmd, exited
	return k.awaitReady(time.Now().Add(2 * time.Minute))
}

func (k *Kube) awaitReady(deadline time.Time) error {
	for time.Now().Before(deadline) {
		if k.Ready() {
			return nil
		}
		select {
		case <-k.exited:
			k.cmd = nil
			return fmt.Errorf("kube-apiserver ended by itself")
		case <-time.After(50 * time.Millisecond):
		}
	}
	k.Kill()
	return fmt.Errorf("kube-apiserver is not ready in time")
}

// Ready says whether the server counts itself as ready.
func (k *Kube) Ready() bool { return k.answers("/readyz") }

// awaitNamespaces waits for what a controller inside the server makes.
func (k *Kube) awaitNamespaces() {
	k.tb.Helper()
	for _, namespace := range []string{"default", "kube-system"} {
		Eventually(k.tb, time.Minute, "namespace "+namespace, func() bool {
			return k.answers("/api/v1/namespaces/" + namespace)
		})
	}
}

// answers says whether the server gives 200 to the administrator's GET.
func (k *Kube) answers(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL()+path, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+k.tokens[adminUser])
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// The certificate may not have been written yet.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// signal does nothing where the server has ended.
func (k *Kube) signal(sig syscall.Signal) {
	if k.cmd != nil {
		_ = k.cmd.Process.Signal(sig)
	}
}

func (k *Kube) serviceAccountKey() string { return filepath.Join(k.Dir, "service-accounts.pem") }

func (k *Kube) writeServiceAccountKey() {
	k.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		k.tb.Fatalf("make a key for service accounts: %v", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		k.tb.Fatalf("encode the key for service accounts: %v", err)
	}
	k.writeFile(k.serviceAccountKey(), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

func (k *Kube) tokenFile(user string) string { return filepath.Join(k.Dir, user+".token") }

// writeTokens writes the file that the server reads when it starts.
func (k *Kube) writeTokens() {
	k.tb.Helper()
	var b strings.Builder
	for _, user := range slices.Sorted(maps.Keys(k.tokens)) {
		fmt.Fprintf(&b, "%s,%s,%s", k.tokens[user], user, user)
		if k.groups[user] != "" {
			fmt.Fprintf(&b, ",%s", k.groups[user])
		}
		b.WriteByte('\n')
	}
	k.writeFile(filepath.Join(k.Dir, "tokens.csv"), b.String())
}

func (k *Kube) writeFile(path, text string) {
	k.tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.tb.Fatal(err)
	}
}

func (k *Kube) logFile() string { return filepath.Join(k.Dir, "log") }

func (k *Kube) logTail() string {
	text, err := os.ReadFile(k.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
