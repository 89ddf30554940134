package diff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"confd/backends"
	"confd/backends/file"
	"confd/backends/workload"
	"confd/internal/settings"
	"confd/reload"
)

// states are those before and after; the one before is nil for what is on disk.
type states struct{ from, to *backends.State }

// states reads both states.
func (d Differ) states(ctx context.Context, o Options) (states, error) {
	var s states
	var over []backends.Event
	var err error
	want := Wanted{AllNodes: o.AllNodes}
	if o.IsOverlay() {
		if over, err = d.load(ctx, o.To); err != nil {
			return s, err
		}
		want.Beside = laid(backends.NewState(), over)
	}
	if o.From != Disk {
		if s.from, err = d.read(ctx, o.From, want); err != nil {
			return s, err
		}
	}
	if !o.IsOverlay() {
		s.to, err = d.read(ctx, o.To, want)
		return s, err
	}
	level := slog.LevelInfo
	if want.Beside.Nodes[d.Planner.Settings.BGP.Node] != nil { // few write that by hand
		level = slog.LevelWarn
	}
	d.Log.Log(ctx, level, "the state after is laid over the state before: what it lacks stays. If it is a whole state, give --whole",
		"state", o.To, "over", o.From, "resources", len(over))
	s.to = laid(s.from.Clone(), over)
	return s, nil
}

// read reads a state: the live one, or what is in files, together with this node's
// local workloads.
func (d Differ) read(ctx context.Context, name string, want Wanted) (*backends.State, error) {
	if name == Live {
		return d.Live(ctx, want)
	}
	events, err := d.load(ctx, name)
	if err != nil {
		return nil, err
	}
	workloads, err := workload.Load(ctx, d.Statuses)
	if err != nil {
		return nil, err
	}
	return laid(backends.NewState(), slices.Concat(events, workloads)), nil
}

// load reads the resources of a path. A document that cannot be read is an error.
func (d Differ) load(ctx context.Context, path string) ([]backends.Event, error) {
	events, err := file.Load(ctx, []string{path}, d.Log)
	if err != nil {
		return nil, settings.Error{Err: fmt.Errorf("state %s: %w", path, err)}
	}
	for _, e := range events {
		if e.Key.Kind == file.KindFile && e.Err != nil {
			return nil, settings.Error{Err: fmt.Errorf("state %s: %s: %w", path, e.Key, e.Err)}
		}
	}
	return events, nil
}

// laid applies events to a state.
func laid(state *backends.State, events []backends.Event) *backends.State {
	for _, e := range events {
		state.Apply(e)
	}
	return state
}

// onDisk reads what is in the place of the files of sets now.
func onDisk(sets []reload.Set) (side, error) {
	out := side{name: Disk}
	for _, s := range sets {
		s.Files = slices.Clone(s.Files)
		for i, f := range s.Files {
			data, err := os.ReadFile(f.Dest)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return out, fmt.Errorf("reading what BIRD has: %w", err)
			}
			s.Files[i].Data = data
		}
		out.sets = append(out.sets, s)
	}
	return out, nil
}
