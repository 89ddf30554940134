package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
)

// Gather reads the whole state from the sources once, within a time, and stops
// them.
func Gather(ctx context.Context, sources []Source, o Options, within time.Duration) (*backends.State, error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	updates := Start(ctx, g, sources)
	in := New(sources, o)
	began := time.Now()
	for !in.Complete() {
		select {
		case u := <-updates:
			in.Take(u)
		case <-ctx.Done():
			if err := g.Wait(); err != nil {
				return nil, err
			}
			if outer.Err() != nil {
				return nil, errors.New("stopped before the cluster's state had arrived")
			}
			return nil, fmt.Errorf("the cluster's state did not arrive within %s: %w", within, in.Missing())
		}
	}
	cancel()
	o.Log.Debug("cluster's state is known", "took", time.Since(began).Round(time.Millisecond), "nodes", len(in.state.Nodes))
	return in.state, g.Wait()
}
