// Package inbox gathers what the sources of the cluster's state tell: the state as
// it has arrived, where each source stands, and which objects changed since they
// were last looked at.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/internal/report"
)

// Source is a backend with the name that its updates carry.
type Source struct {
	Name    string
	Backend backends.Backend
}

// needer is a backend that reads some things only while they are needed.
type needer interface{ Need(backends.Needs) }

// Options say what of the state decides on what else is needed.
type Options struct {
	SecretNamespace string // of the Secrets that hold passwords
	ClusterIPs      bool   // service ranges are given by settings
	// Alone has nothing be needed but what the sources read by themselves.
	Alone bool
	// More is needed besides what the state and these settings ask for.
	More backends.Needs
	// KeepGood has the last good version of an object stay where a later one cannot
	// be used: what it asked for is still wanted, as far as anybody knows.
	KeepGood bool
	Log      *slog.Logger
}

// Inbox is what has arrived so far. It is for one goroutine.
type Inbox struct {
	opts    Options
	state   *backends.State
	sources map[string]*source
	// needers are the sources that must be told what is needed, which depends on
	// the state; needs are what they have been told.
	needers map[string]needer
	needs   backends.Needs
	// whole is set once the state has been complete.
	whole   bool
	changed map[backends.Key]bool
	since   time.Time
	Trust   Trust
}

// source is where one source stands.
type source struct {
	inSync   bool
	everSync bool
	since    time.Time // when inSync became what it is
	err      error
	revision string
	cluster  string
	server   *backends.Server // that it reads through; nil: none
	// serves is what a needer has settled; nil: nothing yet.
	serves *backends.Needs
}

// New makes an empty Inbox for some sources, and tells them what is needed.
func New(sources []Source, o Options) *Inbox {
	in := &Inbox{
		opts: o, state: backends.NewState(), sources: map[string]*source{}, needers: map[string]needer{},
		changed: map[backends.Key]bool{},
	}
	for _, s := range sources {
		in.sources[s.Name] = &source{}
		if n, ok := s.Backend.(needer); ok {
			in.needers[s.Name] = n
		}
	}
	in.ask(true)
	return in
}

// Start runs the sources in g until ctx ends, and returns where their updates
// arrive.
func Start(ctx context.Context, g *errgroup.Group, sources []Source) <-chan backends.Update {
	updates := make(chan backends.Update, 64)
	for _, s := range sources {
		g.Go(func() error {
			if err := s.Backend.Run(ctx, updates); err != nil {
				return fmt.Errorf("datastore %s: %w", s.Name, err)
			}
			return nil
		})
	}
	return updates
}

// State is the state as it has arrived. Take changes it.
func (in *Inbox) State() *backends.State { return in.state }

// Take applies an update, and says whether it changed the state, or made it
// whole.
func (in *Inbox) Take(u backends.Update) bool {
	was, changed := in.Complete(), false
	for _, e := range u.Events {
		if in.state.Apply(in.kept(e)) {
			changed = true
		}
	}
	in.hear(u)
	if changed {
		in.ask(false)
	}
	if !changed && was == in.Complete() {
		return false
	}
	in.note(u)
	in.whole = in.whole || in.Complete()
	return true
}

// kept is an event; of an object that cannot be used any more with its last good
// version. A filter closes instead: what it has been told to keep out by now,
// nobody knows.
func (in *Inbox) kept(e backends.Event) backends.Event {
	if !in.opts.KeepGood || e.Err == nil || e.Key.Kind == backends.KindBGPFilter {
		return e
	}
	good, there := in.state.Get(e.Key)
	if _, invalid := in.state.Invalid[e.Key]; there && (!invalid || in.state.Stale[e.Key]) {
		e.Resource, e.Stale = good, true
	}
	return e
}

// Recall has objects that cannot be used be what they were in a state from before,
// where nothing better is known.
func (in *Inbox) Recall(before *backends.State) {
	for key, err := range in.state.Invalid {
		if in.state.Stale[key] || key.Kind == backends.KindSecret || key.Kind == backends.KindBGPFilter {
			continue
		}
		if r, ok := before.Get(key); ok {
			in.state.Apply(backends.Event{Key: key, Resource: r, Err: err, Stale: true})
		}
	}
}

// note remembers what has changed, and when the first change came.
func (in *Inbox) note(u backends.Update) {
	if in.whole {
		for _, e := range u.Events {
			in.changed[e.Key] = true
		}
	}
	if in.since.IsZero() {
		in.since = u.At
	}
}

// ask tells the needers what is needed, where that is new.
func (in *Inbox) ask(first bool) {
	needs := in.state.Needs(in.opts.SecretNamespace, in.opts.ClusterIPs).With(in.opts.More)
	if in.opts.Alone {
		needs = backends.Needs{}
	}
	if !first && needs.Equal(in.needs) {
		return
	}
	in.needs = needs
	for _, n := range in.needers {
		n.Need(needs)
	}
}

// hear notes where the source of an update stands.
func (in *Inbox) hear(u backends.Update) {
	s, ok := in.sources[u.Source]
	if !ok {
		s = &source{}
		in.sources[u.Source] = s
	}
	switch {
	case u.InSync && !s.inSync && s.everSync:
		in.opts.Log.Info("datastore is in step again", append(place(u), "after", u.At.Sub(s.since).Round(time.Millisecond))...)
	case u.InSync && !s.inSync:
		in.opts.Log.Info("datastore is in step", place(u)...)
	case s.inSync && !u.InSync:
		in.opts.Log.Warn("datastore is out of step: the last good configuration stays", "source", u.Source, "error", u.Err)
	case u.Err != nil && (s.err == nil || s.err.Error() != u.Err.Error()):
		in.opts.Log.Warn("datastore is not in step yet: it is tried until it is", "source", u.Source, "error", u.Err)
	}
	if s.inSync != u.InSync || s.since.IsZero() {
		s.since = u.At
	}
	s.inSync, s.everSync, s.err, s.server = u.InSync, s.everSync || u.InSync, u.Err, u.Server
	in.doubted(u, s)
	if u.Revision != "" {
		s.revision = u.Revision
	}
	if u.Serves != nil {
		s.serves = u.Serves
	}
}

// doubted looks whether an update is of an older store than before, or of another.
// Servers between may lag behind each other, and know no revision but those of what
// is there: what they say is no reason.
func (in *Inbox) doubted(u backends.Update, s *source) {
	if u.Server != nil {
		return
	}
	now := Store{u.Cluster, u.Revision}
	in.Trust.compare(u.Source, Store{s.cluster, s.revision}, now)
	if u.Cluster != "" {
		s.cluster = u.Cluster
	}
}

// place names a source, and the revision where it has one.
func place(u backends.Update) []any {
	if u.Revision == "" {
		return []any{"source", u.Source}
	}
	return []any{"source", u.Source, "revision", u.Revision}
}

// InSync says whether a source is in step.
func (in *Inbox) InSync(name string) bool { return in.sources[name] != nil && in.sources[name].inSync }

// Revision is what the store of Calico's resources calls the state that has
// arrived; empty where it has no word for it.
func (in *Inbox) Revision() string {
	for _, name := range []string{"typha", "etcd", "kubernetes"} {
		if s, ok := in.sources[name]; ok && s.revision != "" {
			return s.revision
		}
	}
	return ""
}

// Complete says whether every source has told its whole state once, and what is
// needed now (a Secret that a new password is in). What a source tells later is
// a difference to that, so the state stays whole even while a source is out of
// step.
func (in *Inbox) Complete() bool {
	for name, s := range in.sources {
		if !s.everSync || !in.served(name) {
			return false
		}
	}
	return true
}

// served says whether a source has settled what is needed of it.
func (in *Inbox) served(name string) bool {
	if _, asked := in.needers[name]; !asked {
		return true
	}
	serves := in.sources[name].serves
	return serves != nil && serves.Covers(in.needs)
}

// Missing says what the inbox waits for; nil: nothing.
func (in *Inbox) Missing() error {
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

// Report says where the sources stand, by name.
func (in *Inbox) Report() []report.Source {
	var list []report.Source
	for _, name := range slices.Sorted(maps.Keys(in.sources)) {
		s := in.sources[name]
		row := report.Source{Name: name, InSync: s.inSync, Since: s.since, Revision: s.revision}
		if s.err != nil {
			row.Error = s.err.Error()
		}
		if s.server != nil {
			row.Server = &report.Server{Address: s.server.Address, Version: s.server.Version, Since: s.server.Since, LagSeconds: s.server.Lag.Seconds()}
		}
		list = append(list, row)
	}
	return list
}

// Needs are what the sources have been told that is needed.
func (in *Inbox) Needs() backends.Needs { return in.needs }
