package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"confd/backends"
	"confd/internal/testenv"
)

// silentConfig names a kubeconfig file where the test program is the client in
// the namespace.
const silentConfig = "CONFD_TEST_SILENT_KUBECONFIG"

// A server that is lost without a word, as where a switch fails, is noticed with
// the settings that are in use by default: over HTTP/2 by pings, over HTTP/1.1 by a watch that says nothing.
func TestLostWithoutAWord(t *testing.T) {
	if file := os.Getenv(silentConfig); file != "" {
		tellSteps(t, Config{Kubeconfig: file, CalicoResources: true, APIGroup: GroupV1})
		return
	}
	if testing.Short() {
		t.Skip("waits for half a minute")
	}
	t.Parallel()
	k := testenv.StartKube(t, testenv.KubeUsers(user))
	k.InstallRBAC(t, user)
	k.InstallCRDs(t, GroupV1)
	for name, environment := range map[string]string{"HTTP/2": "", "HTTP/1.1": "GODEBUG=http2client=0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab, listener := testenv.NewSilentLab(t)
			w := &wire{tb: t, target: strings.TrimPrefix(k.URL(), "https://"), listen: listener}
			w.wg.Go(w.accept)
			t.Cleanup(func() {
				listener.Close()
				w.cut()
				w.wg.Wait()
			})
			file := silentKubeconfig(t, k, listener.Addr().String())
			client := testenv.StartSteps(t, lab, "TestLostWithoutAWord", 3*patience, environment, silentConfig+"="+file)
			client.Until(t, "in step")
			client.Noticed(t, func() { lab.Unplug("client") }, func() { lab.Plug("client") })
		})
	}
}

// silentKubeconfig is the user's, for the server at another address.
func silentKubeconfig(t *testing.T, k *testenv.Kube, address string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(k.Kubeconfig(t, user))
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.TLSServerName = "https://"+address, "kubernetes.default.svc"
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// tellSteps is the client: it prints where the backend stands, until the test
// kills it.
func tellSteps(t *testing.T, cfg Config) {
	cfg.Node, cfg.SecretNamespace, cfg.Logger = "node-1", "kube-system", slog.New(slog.DiscardHandler)
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	updates := make(chan backends.Update)
	go func() { _ = b.Run(context.Background(), updates) }()
	for u := range updates {
		if u.InSync {
			fmt.Println("in step")
		} else if u.Err != nil {
			fmt.Println("out of step:", u.Err)
		}
	}
}
