package settings

import (
	"strings"
	"testing"
)

const calicoHead = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata:\nspec:\n"

func TestCalicoAPIPrecedence(t *testing.T) {
	path := write(t, "calico.yaml", calicoHead+`
  datastoreType: "etcdv3"
  etcdEndpoints: "http://file:2379,http://file2:2379"
  etcdUsername: file
  etcdPassword: "123"
  etcdCACertFile: /file/ca
  etcdKeyFile: ""
  k8sUsePodCIDR: true
  k8sClientQPS: 1000000
`)
	env := map[string]string{
		"DATASTORE_TYPE": "kubernetes", "ETCD_ENDPOINTS": "http://env:2379", "ETCD_USERNAME": "env", "ETCD_PASSWORD": "env",
		"ETCD_KEY_FILE": "/env/key", "ETCD_CERT_FILE": "/env/cert", "CONFD_CALICOCONFIG": path,
	}
	s, err := load(t, "etcd-cert-file = \"/toml/cert\"\n", env, flag1("etcd-username", "flag"))
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Datastore: DatastoreEtcd,
		Etcd: Etcd{
			Endpoints: []string{"http://file:2379", "http://file2:2379"}, Username: "flag", Password: "123",
			CAFile: "/file/ca", KeyFile: "/env/key", CertFile: "/env/cert",
		},
	}
	if s.Datastore != want.Datastore || strings.Join(s.Etcd.Endpoints, ",") != strings.Join(want.Etcd.Endpoints, ",") {
		t.Errorf("got %s %s", s.Datastore, s.Etcd.Endpoints)
	}
	s.Etcd.Endpoints, want.Etcd.Endpoints = nil, nil
	if s.Etcd.Username != "flag" || s.Etcd.Password != "123" || s.Etcd.CAFile != "/file/ca" ||
		s.Etcd.KeyFile != "/env/key" || s.Etcd.CertFile != "/env/cert" {
		t.Errorf("got %+v, want %+v", s.Etcd, want.Etcd)
	}
	if !s.Kubernetes.UsePodCIDR || s.Kubernetes.QPS != 1e6 {
		t.Errorf("got %+v", s.Kubernetes)
	}
}

func TestCalicoAPIErrors(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"kind":        {"apiVersion: projectcalico.org/v3\nkind: Node\n", "calico.yaml: kind: expected CalicoAPIConfig"},
		"old version": {"apiVersion: v1\nkind: calicoApiConfig\n", "calico.yaml: apiVersion: expected projectcalico.org/v3"},
		"empty":       {"", "apiVersion: expected"},
		"outside":     {"etcdEndpoints: x\n" + calicoHead, "etcdEndpoints: unknown field; settings stand under spec"},
		"unknown":     {calicoHead + "  etcdEndpoint: x\n", "spec.etcdEndpoint: this program has no such setting"},
		"inline key":  {calicoHead + "  etcdKey: hunter2\n", "spec.etcdKey: this program has no such setting"},
		"type":        {calicoHead + "  etcdEndpoints: {a: b}\n", "spec.etcdEndpoints: expected a list"},
		"value":       {calicoHead + "  k8sUsePodCIDR: perhaps\n", `spec.k8sUsePodCIDR: "perhaps": expected true or false`},
		"spec":        {"apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec: x\n", "spec: expected fields"},
		"twice":       {calicoHead + "  etcdUsername: a\n  etcdUsername: b\n", `"etcdUsername" already set`},
		"secret":      {calicoHead + "  etcdPassword: *hunter2\n", "not valid YAML"},
		"secret map":  {calicoHead + "  etcdPassword: {hunter2: x}\n", "spec.etcdPassword: expected text"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "calico.yaml", c.content)
			_, err := load(t, "", nil, flag1("calicoconfig", path))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("shows a secret, or is not one line: %v", err)
			}
		})
	}
	_, err := load(t, "", nil, flag1("calicoconfig", "/nowhere/x.yaml"))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/x.yaml") {
		t.Errorf("got %v", err)
	}
}
