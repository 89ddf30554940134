package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubeconfigOfTheUser: as kubectl finds it, where nothing else says how to reach
// the API server.
func TestKubeconfigOfTheUser(t *testing.T) {
	home, empty := t.TempDir(), t.TempDir()
	path := filepath.Join(home, ".kube", "config")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	type given map[string]string
	for name, c := range map[string]struct {
		env       given
		flags     Layer
		file      string // Kubeconfig
		fromHome  bool
		datastore Datastore
		wrong     string
	}{
		"laptop":               {env: given{"HOME": home, "DATASTORE_TYPE": "kubernetes"}, file: path, fromHome: true, datastore: DatastoreKubernetes},
		"named":                {env: given{"HOME": home, "DATASTORE_TYPE": "kubernetes", "KUBECONFIG": "/x:/y"}, file: "/x:/y", datastore: DatastoreKubernetes},
		"pod":                  {env: given{"HOME": home, "DATASTORE_TYPE": "kubernetes", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, datastore: DatastoreKubernetes},
		"endpoint":             {env: given{"HOME": home, "DATASTORE_TYPE": "kubernetes", "K8S_API_ENDPOINT": "https://a"}, datastore: DatastoreKubernetes},
		"none there":           {env: given{"HOME": empty, "DATASTORE_TYPE": "kubernetes"}, datastore: DatastoreKubernetes},
		"no home":              {env: given{"DATASTORE_TYPE": "kubernetes"}, datastore: DatastoreKubernetes},
		"etcd":                 {env: given{"HOME": home, "ETCD_ENDPOINTS": "http://a"}, datastore: DatastoreEtcd},
		"context":              {env: given{"HOME": home}, flags: flag1("context", "prod"), file: path, fromHome: true, datastore: DatastoreKubernetes},
		"context of etcd":      {env: given{"HOME": home, "ETCD_ENDPOINTS": "http://a", "DATASTORE_TYPE": "etcdv3"}, flags: flag1("context", "prod"), datastore: DatastoreEtcd},
		"context and files":    {env: given{"HOME": home, "CONFD_DATA": "/a", "CONFD_CONTEXT": "prod"}, datastore: DatastoreFile},
		"context of nothing":   {env: given{"HOME": empty}, flags: flag1("context", "prod"), wrong: "--context names a context, but there is no kubeconfig"},
		"context of the pod":   {env: given{"HOME": home, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "CONFD_CONTEXT": "prod"}, wrong: "variable CONFD_CONTEXT names a context"},
		"nothing at all":       {env: given{"HOME": home}, wrong: "give --datastore kubernetes, or --data"},
		"context of one's own": {env: given{"HOME": empty, "KUBECONFIG": "/x"}, flags: flag1("context", "prod"), file: "/x", datastore: DatastoreKubernetes},
	} {
		s, err := load(t, "", c.env, c.flags)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || s.Kubernetes.Kubeconfig != c.file || s.Kubernetes.FromHome != c.fromHome || s.Datastore != c.datastore:
			t.Errorf("%s: %v %+v %s", name, err, s.Kubernetes, s.Datastore)
		}
	}
}
