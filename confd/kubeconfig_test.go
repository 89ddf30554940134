package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"confd/internal/testenv"
)

// TestKubeconfigOfAPerson: on a laptop, commands find the cluster as kubectl does, and
// say which one it was where it does not answer. The program that runs for good does
// not go by what a person is logged in to.
func TestKubeconfigOfAPerson(t *testing.T) {
	k := testenv.StartKube(t)
	k.InstallCRDs(t, testenv.CalicoGroups()[0])
	k.Apply(t, []byte(kubeNodes))
	config, err := clientcmd.LoadFromFile(k.AdminKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	good := config.Contexts[config.CurrentContext]
	config.Contexts["good"] = good.DeepCopy()
	config.Contexts["gone"] = good.DeepCopy()
	config.Contexts["gone"].Cluster = "gone"
	config.Clusters["gone"] = config.Clusters[good.Cluster].DeepCopy()
	config.Clusters["gone"].Server = "https://127.0.0.1:1"
	config.CurrentContext = "gone"
	home := t.TempDir()
	path := filepath.Join(home, ".kube", "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home, "CONFD_CONFIG_FILE": os.DevNull, "DATASTORE_TYPE": "kubernetes", "CONFD_SYNC_TIMEOUT": "5s", "NODENAME": "node-1"}

	if c := execute(t, env, "explain", "node", "node-2", "--context", "good"); c.code != exitGood || !strings.Contains(c.stdout, "10.0.0.2") {
		t.Errorf("%+v", c)
	}
	if c := execute(t, env, "explain", "node", "node-2"); c.code != exitFailed || !strings.Contains(c.stderr, `the API server is that of context "gone" of `+path) {
		t.Errorf("%+v", c)
	}
	if c := execute(t, env, "run", "--context", "good"); c.code != exitUsage || !strings.Contains(c.stderr, path+" is of a person") {
		t.Errorf("%+v", c)
	}
	if words, _ := completed(t, env, "explain", "node", "--context", "g"); strings.Join(words, " ") != "gone good" {
		t.Errorf("contexts: %q", words)
	}
	delete(env, "DATASTORE_TYPE")
	if words, _ := completed(t, env, "explain", "node", "--context", "good", ""); strings.Join(words, " ") != "node-1 node-2" {
		t.Errorf("nodes: %q", words)
	}
}
