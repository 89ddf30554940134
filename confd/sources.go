package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"confd/backends"
	"confd/backends/etcd"
	"confd/backends/file"
	"confd/backends/kubernetes"
	"confd/backends/workload"
	"confd/internal/diff"
	"confd/internal/inbox"
	"confd/internal/settings"
)

// newSources makes the backends that the settings ask for.
func newSources(s settings.Settings, log *slog.Logger) ([]inbox.Source, error) {
	store, err := newStore(s, log)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	endpoints, err := workload.New(workload.Config{
		Dir:    filepath.Join(s.BGP.EndpointStatusPrefix, "endpoint-status"),
		Logger: log,
	})
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	sources := []inbox.Source{store, {Name: "workload", Backend: endpoints}}
	if s.Datastore == settings.DatastoreEtcd && apiInReach(s.Kubernetes) {
		beside, err := newKubernetes(s, false, log)
		if err != nil {
			return nil, settings.Error{Err: err}
		}
		sources = append(sources, beside)
	}
	return sources, nil
}

// apiInReach says whether there is an API server to ask: then
// Services, EndpointSlices and Secrets come from there, whatever the datastore.
func apiInReach(k settings.Kubernetes) bool {
	return k.Kubeconfig != "" || k.APIEndpoint != "" || k.InCluster
}

// newKubernetes reads the API server; without calico, only what etcd does not
// have.
func newKubernetes(s settings.Settings, calico bool, log *slog.Logger) (inbox.Source, error) {
	k := s.Kubernetes
	b, err := kubernetes.New(kubernetes.Config{
		Kubeconfig: k.Kubeconfig, APIEndpoint: k.APIEndpoint, KeyFile: k.KeyFile, CertFile: k.CertFile, CAFile: k.CAFile,
		QPS: k.QPS, Burst: k.Burst, UsePodCIDR: k.UsePodCIDR, APIGroup: k.APIGroup,
		Node: s.Node, AllNodes: s.AllNodes, SecretNamespace: k.Namespace, CalicoResources: calico, Logger: log,
	})
	return inbox.Source{Name: "kubernetes", Backend: b}, err
}

func newStore(s settings.Settings, log *slog.Logger) (inbox.Source, error) {
	switch s.Datastore {
	case settings.DatastoreFile:
		b, err := file.New(file.Config{Paths: s.Data, Logger: log})
		return inbox.Source{Name: "file", Backend: b}, err
	case settings.DatastoreEtcd:
		b, err := etcd.New(etcd.Config{
			Endpoints: s.Etcd.Endpoints, DiscoverySRV: s.Etcd.DiscoverySRV,
			Username: s.Etcd.Username, Password: string(s.Etcd.Password),
			KeyFile: s.Etcd.KeyFile, CertFile: s.Etcd.CertFile, CACertFile: s.Etcd.CAFile,
			Node: s.Node, AllNodes: s.AllNodes, Logger: log,
		})
		return inbox.Source{Name: "etcd", Backend: b}, err
	default:
		return newKubernetes(s, true, log)
	}
}

// gatherOnce reads the whole state from all sources, and stops them.
func gatherOnce(ctx context.Context, s settings.Settings, log *slog.Logger) (*backends.State, error) {
	return gather(ctx, s, inboxOptions(s, log))
}

// liveState reads the live state as confd diff wants it.
func liveState(s settings.Settings, log *slog.Logger) func(context.Context, diff.Wanted) (*backends.State, error) {
	return func(ctx context.Context, want diff.Wanted) (*backends.State, error) {
		o := inboxOptions(s, log)
		if want.Beside != nil {
			o.More = want.Beside.Needs(o.SecretNamespace, o.ClusterIPs)
		}
		s := s
		s.AllNodes = want.AllNodes
		return gather(ctx, s, o)
	}
}

func gather(ctx context.Context, s settings.Settings, o inbox.Options) (*backends.State, error) {
	log := o.Log
	sources, err := newSources(s, log)
	if err != nil {
		return nil, err
	}
	// A daemon waits for files to appear; who renders once has mistyped a name.
	for _, path := range s.Data {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
	}
	return inbox.Gather(ctx, sources, o, s.Timing.SyncTimeout)
}

// inboxOptions say what of the state decides on what else is needed.
func inboxOptions(s settings.Settings, log *slog.Logger) inbox.Options {
	return inbox.Options{SecretNamespace: s.Kubernetes.Namespace, ClusterIPs: len(s.BGP.ClusterIPs) > 0, Log: log}
}

// usageOf is the source that can read the use of the IP pools; nil: none can.
func usageOf(sources []inbox.Source) backends.UsageReader {
	for _, s := range sources {
		if r, ok := s.Backend.(backends.UsageReader); ok {
			return r
		}
	}
	return nil
}
