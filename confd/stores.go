package main

import (
	"log/slog"

	"confd/backends/etcd"
	"confd/backends/kubernetes"
	"confd/internal/settings"
)

// share is what of Calico's resources is read from a datastore.
type share int

const (
	nothing    share = iota
	felixAlone       // FelixConfigurations: the others come through Typha
	everything
)

// apiInReach says whether there is an API server to ask: then
// Services, EndpointSlices and Secrets come from there, whatever the datastore.
func apiInReach(k settings.Kubernetes) bool {
	return k.Kubeconfig != "" || k.APIEndpoint != "" || k.InCluster
}

func newKubernetes(s settings.Settings, calico share, log *slog.Logger) (*kubernetes.Backend, error) {
	cfg := apiServer(s)
	cfg.UsePodCIDR, cfg.Node, cfg.AllNodes, cfg.SecretNamespace, cfg.Logger = s.Kubernetes.UsePodCIDR, s.Node, s.AllNodes, s.Kubernetes.Namespace, log
	cfg.CalicoResources, cfg.FelixConfigurations = calico == everything, calico == felixAlone
	return kubernetes.New(cfg)
}

// apiServer says how to reach the API server, and which of its groups is Calico's.
func apiServer(s settings.Settings) kubernetes.Config {
	k := s.Kubernetes
	return kubernetes.Config{
		Kubeconfig: k.Kubeconfig, Context: k.Context, APIEndpoint: k.APIEndpoint, KeyFile: k.KeyFile, CertFile: k.CertFile, CAFile: k.CAFile,
		QPS: k.QPS, Burst: k.Burst, APIGroup: k.APIGroup,
	}
}

func newEtcd(s settings.Settings, calico share, log *slog.Logger) (*etcd.Backend, error) {
	cfg := etcdServer(s)
	cfg.AllNodes, cfg.Logger, cfg.FelixConfigurations = s.AllNodes, log, calico == felixAlone
	return etcd.New(cfg)
}

// etcdServer says how to reach etcd.
func etcdServer(s settings.Settings) etcd.Config {
	return etcd.Config{
		Endpoints: s.Etcd.Endpoints, DiscoverySRV: s.Etcd.DiscoverySRV,
		Username: s.Etcd.Username, Password: string(s.Etcd.Password),
		KeyFile: s.Etcd.KeyFile, CertFile: s.Etcd.CertFile, CACertFile: s.Etcd.CAFile, Node: s.Node,
	}
}
