package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"confd/backends"
	"confd/backends/file"
	"confd/backends/kubernetes"
	"confd/backends/workload"
	"confd/internal/diff"
	"confd/internal/inbox"
	"confd/internal/settings"
	"confd/internal/terminal"
)

// newSources makes the backends that the settings ask for.
func newSources(s settings.Settings, log *slog.Logger) ([]inbox.Source, error) {
	stores, err := newStores(s, log)
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
	return append(stores, inbox.Source{Name: "workload", Backend: endpoints}), nil
}

// newStores makes what the cluster's state is read from: the datastore, or Typha
// and what that does not carry, and the API server besides.
func newStores(s settings.Settings, log *slog.Logger) ([]inbox.Source, error) {
	switch {
	case s.Datastore == settings.DatastoreFile:
		b, err := file.New(file.Config{Paths: s.Data, Logger: log})
		return []inbox.Source{{Name: "file", Backend: b}}, err
	case s.Typha.InUse():
		return newTypha(s, log)
	case s.Datastore == settings.DatastoreKubernetes:
		b, err := newKubernetes(s, everything, log)
		return []inbox.Source{{Name: "kubernetes", Backend: b}}, err
	}
	b, err := newEtcd(s, everything, log)
	sources := []inbox.Source{{Name: "etcd", Backend: b}}
	if err == nil && apiInReach(s.Kubernetes) {
		var beside *kubernetes.Backend
		beside, err = newKubernetes(s, nothing, log)
		sources = append(sources, inbox.Source{Name: "kubernetes", Backend: beside})
	}
	return sources, err
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
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		if !info.Mode().IsRegular() && !info.IsDir() {
			return nil, fmt.Errorf("--data: %s is neither a file nor a folder: write what a pipe brings into a file first", path)
		}
	}
	done := terminal.Waiting(ctx, "reading from "+storeName(s))
	state, err := inbox.Gather(ctx, sources, o, s.Timing.SyncTimeout)
	done()
	return state, withOrigin(s, err)
}

// storeName is what the cluster's state is read from, for people.
func storeName(s settings.Settings) string {
	switch {
	case s.Datastore == settings.DatastoreFile:
		return strings.Join(s.Data, ", ")
	case s.Typha.InUse():
		return typhaPlace(s.Typha)
	case s.Datastore == settings.DatastoreKubernetes:
		return "Kubernetes: the API server is " + apiServer(s).Origin()
	}
	return "etcd at " + cmp.Or(strings.Join(s.Etcd.Endpoints, ", "), s.Etcd.DiscoverySRV)
}

// typhaPlace is which Typha is meant, for people.
func typhaPlace(t settings.Typha) string {
	return "Typha at " + cmp.Or(t.Addr, "the endpoints of Service "+t.Service)
}

// withOrigin says of an error which API server it is about: several files and contexts
// may be meant.
func withOrigin(s settings.Settings, err error) error {
	if err != nil && s.Typha.InUse() && s.Datastore != settings.DatastoreFile {
		err = fmt.Errorf("%w (%s is asked: does it answer there? Its port is 5473 in most clusters)", err, typhaPlace(s.Typha))
	}
	if err == nil || s.Datastore != settings.DatastoreKubernetes {
		return err
	}
	return fmt.Errorf("%w (the API server is %s)", err, apiServer(s).Origin())
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
