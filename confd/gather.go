package main

import (
	"context"
	"log/slog"

	"confd/backends"
	"confd/internal/diff"
	"confd/internal/settings"
)

// liveState reads the live state as confd diff wants it.
func liveState(s settings.Settings, log *slog.Logger) func(context.Context, diff.Wanted) (*backends.State, error) {
	return func(ctx context.Context, want diff.Wanted) (*backends.State, error) {
		s.AllNodes = want.AllNodes
		sources, err := newSources(s, log)
		if err != nil {
			return nil, err
		}
		if want.Beside != nil {
			more := want.Beside.Needs(s.Kubernetes.Namespace, len(s.BGP.ClusterIPs) > 0)
			for i, source := range sources {
				if n, ok := source.backend.(needer); ok {
					sources[i].backend = needsMore{source.backend, n, more}
				}
			}
		}
		return gatherFrom(ctx, sources, s, log)
	}
}

// needsMore is a backend of which more is needed than the state that it tells
// asks for.
type needsMore struct {
	backends.Backend
	needer needer
	more   backends.Needs
}

// Need asks for what is needed, and for more.
func (n needsMore) Need(needs backends.Needs) { n.needer.Need(needs.With(n.more)) }
