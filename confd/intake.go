package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/backends/etcd"
	"confd/backends/file"
	"confd/backends/kubernetes"
	"confd/backends/workload"
	"confd/internal/settings"
)

// source is a backend with the name that its updates carry.
type source struct {
	name    string
	backend backends.Backend
}

// newSources makes the backends that the settings ask for.
func newSources(s settings.Settings, log *slog.Logger) ([]source, error) {
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
	sources := []source{store, {"workload", endpoints}}
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
func newKubernetes(s settings.Settings, calico bool, log *slog.Logger) (source, error) {
	k := s.Kubernetes
	b, err := kubernetes.New(kubernetes.Config{
		Kubeconfig: k.Kubeconfig, APIEndpoint: k.APIEndpoint, KeyFile: k.KeyFile, CertFile: k.CertFile, CAFile: k.CAFile,
		QPS: k.QPS, Burst: k.Burst, UsePodCIDR: k.UsePodCIDR, APIGroup: k.APIGroup,
		Node: s.Node, SecretNamespace: k.Namespace, CalicoResources: calico, Logger: log,
	})
	return source{"kubernetes", b}, err
}

func newStore(s settings.Settings, log *slog.Logger) (source, error) {
	switch s.Datastore {
	case settings.DatastoreFile:
		b, err := file.New(file.Config{Paths: s.Data, Logger: log})
		return source{"file", b}, err
	case settings.DatastoreEtcd:
		b, err := etcd.New(etcd.Config{
			Endpoints: s.Etcd.Endpoints, DiscoverySRV: s.Etcd.DiscoverySRV,
			Username: s.Etcd.Username, Password: string(s.Etcd.Password),
			KeyFile: s.Etcd.KeyFile, CertFile: s.Etcd.CertFile, CACertFile: s.Etcd.CAFile,
			Node: s.Node, Logger: log,
		})
		return source{"etcd", b}, err
	default:
		return newKubernetes(s, true, log)
	}
}

// start runs the sources in g until ctx ends, and returns where their updates
// arrive.
func start(ctx context.Context, g *errgroup.Group, sources []source) <-chan backends.Update {
	updates := make(chan backends.Update, 64)
	for _, s := range sources {
		g.Go(func() error {
			if err := s.backend.Run(ctx, updates); err != nil {
				return fmt.Errorf("datastore %s: %w", s.name, err)
			}
			return nil
		})
	}
	return updates
}

// intake is what has arrived so far: the cluster's state, and where each source
// stands.
type intake struct {
	state   *backends.State
	sources map[string]*standing
	log     *slog.Logger
	// needers are the sources that must be told what is needed, which depends on
	// the state; needs are what they have been told.
	needers map[string]needer
	needs   backends.Needs
	// secretNamespace and clusterIPs are the settings that needs depend on.
	secretNamespace string
	clusterIPs      bool
}

// needer is a backend that reads some things only while they are needed.
type needer interface{ Need(backends.Needs) }

// standing is where one source stands.
type standing struct {
	inSync   bool
	everSync bool
	since    time.Time // when inSync became what it is
	err      error
	revision string
	// serves is what a needer has settled; nil: nothing yet.
	serves *backends.Needs
}

func newIntake(sources []source, s settings.Settings, log *slog.Logger) *intake {
	in := &intake{
		state: backends.NewState(), sources: map[string]*standing{}, log: log, needers: map[string]needer{},
		secretNamespace: s.Kubernetes.Namespace, clusterIPs: len(s.BGP.ClusterIPs) > 0,
	}
	for _, s := range sources {
		in.sources[s.name] = &standing{}
		if n, ok := s.backend.(needer); ok {
			in.needers[s.name] = n
		}
	}
	in.ask(true)
	return in
}

// ask tells the needers what is needed, where that is new.
func (in *intake) ask(first bool) {
	needs := in.state.Needs(in.secretNamespace, in.clusterIPs)
	if !first && needs.Equal(in.needs) {
		return
	}
	in.needs = needs
	for _, n := range in.needers {
		n.Need(needs)
	}
}

// take applies an update, and says whether it changed the state, or made it
// whole.
func (in *intake) take(u backends.Update) bool {
	was := in.complete()
	changed := false
	for _, e := range u.Events {
		if in.state.Apply(e) {
			changed = true
		}
	}
	in.stand(u)
	if changed {
		in.ask(false)
	}
	return changed || was != in.complete()
}

func (in *intake) stand(u backends.Update) {
	s, ok := in.sources[u.Source]
	if !ok {
		s = &standing{}
		in.sources[u.Source] = s
	}
	switch {
	case u.InSync && !s.inSync:
		in.log.Info("datastore is in step", in.place(u)...)
	case s.inSync && !u.InSync:
		in.log.Warn("datastore is out of step: the last good configuration stays", "source", u.Source, "error", u.Err)
	case u.Err != nil && (s.err == nil || s.err.Error() != u.Err.Error()):
		in.log.Warn("datastore is not in step yet", "source", u.Source, "error", u.Err)
	}
	if s.inSync != u.InSync || s.since.IsZero() {
		s.since = u.At
	}
	s.inSync, s.everSync, s.err = u.InSync, s.everSync || u.InSync, u.Err
	if u.Revision != "" {
		s.revision = u.Revision
	}
	if u.Serves != nil {
		s.serves = u.Serves
	}
}

// place names a source, and the revision where it has one.
func (in *intake) place(u backends.Update) []any {
	if u.Revision == "" {
		return []any{"source", u.Source}
	}
	return []any{"source", u.Source, "revision", u.Revision}
}

// revision is what the store of Calico's resources calls the state that has
// arrived; empty where it has no word for it.
func (in *intake) revision() string {
	for _, name := range []string{"etcd", "kubernetes"} {
		if s, ok := in.sources[name]; ok && s.revision != "" {
			return s.revision
		}
	}
	return ""
}

// complete says whether every source has told its whole state once, and what is
// needed now (a Secret that a new password is in). What a source tells later is
// a difference to that, so the state stays whole even while a source is out of
// step.
func (in *intake) complete() bool {
	for name, s := range in.sources {
		if !s.everSync || !in.served(name) {
			return false
		}
	}
	return true
}

// served says whether a source has settled what is needed of it.
func (in *intake) served(name string) bool {
	if _, asked := in.needers[name]; !asked {
		return true
	}
	serves := in.sources[name].serves
	return serves != nil && serves.Covers(in.needs)
}

// missing says what the intake waits for.
func (in *intake) missing() error {
	var errs []error
	for name, s := range in.sources {
		if !s.everSync || !in.served(name) {
			why := s.err
			if why == nil {
				why = errors.New("has not told its whole state")
			}
			errs = append(errs, fmt.Errorf("datastore %s: %w", name, why))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// gatherOnce reads the whole state from all sources, and stops them.
func gatherOnce(ctx context.Context, s settings.Settings, log *slog.Logger) (*backends.State, error) {
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
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, s.Timing.SyncTimeout)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	updates := start(ctx, g, sources)
	in := newIntake(sources, s, log)
	began := time.Now()
	for !in.complete() {
		select {
		case u := <-updates:
			in.take(u)
		case <-ctx.Done():
			if err := g.Wait(); err != nil {
				return nil, err
			}
			if outer.Err() != nil {
				return nil, errors.New("stopped before the cluster's state had arrived")
			}
			return nil, fmt.Errorf("the cluster's state did not arrive within %s: %w", s.Timing.SyncTimeout, in.missing())
		}
	}
	cancel()
	log.Debug("cluster's state is known", "took", time.Since(began).Round(time.Millisecond), "nodes", len(in.state.Nodes))
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return in.state, nil
}

// usageOf is the source that can read the use of the IP pools; nil: none can.
func usageOf(sources []source) backends.UsageReader {
	for _, s := range sources {
		if r, ok := s.backend.(backends.UsageReader); ok {
			return r
		}
	}
	return nil
}
