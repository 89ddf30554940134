// Package workload is the backend for the endpoint status folder, in which
// Calico's agent says which local workloads take part in BGP: a file each.
package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"confd/backends"
	"confd/backends/internal/folder"
	"confd/internal/watch"
)

// Source is the backend's name in updates.
const Source = "workload"

// maxFileBytes bounds one file; they have some hundred bytes.
const maxFileBytes = 1 << 20

// Config says what to read.
type Config struct {
	// Dir is the folder. Where it is not there, no workload takes part in BGP.
	Dir string
	// Logger gets problems of watching; nil: nobody does.
	Logger *slog.Logger
	// PollInterval is how often the folder is looked at where the kernel does
	// not tell of changes; 0: every 10 s.
	PollInterval time.Duration
}

// Backend reads the folder. Create it with New.
type Backend struct {
	cfg Config
}

// New checks cfg and returns the backend.
func New(cfg Config) (*Backend, error) {
	if cfg.Dir == "" {
		return nil, errors.New("workload backend: no folder to read")
	}
	cfg.Dir = filepath.Clean(cfg.Dir)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = 10 * time.Second
	}
	return &Backend{cfg: cfg}, nil
}

// Load reads the folder once and returns the events that lead to its state.
func Load(ctx context.Context, dir string) ([]backends.Event, error) {
	b, err := New(Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	return folder.Load(ctx, &reader{dir: b.cfg.Dir})
}

// Run sends the state of the folder and then the differences, until ctx ends.
// While it cannot be read, what was last known stays.
func (b *Backend) Run(ctx context.Context, out chan<- backends.Update) error {
	o := folder.Options{Source: Source, Log: b.cfg.Logger, Poll: b.cfg.PollInterval}
	return folder.Run(ctx, o, &reader{dir: b.cfg.Dir}, out)
}

// reader holds what was last read.
type reader struct {
	dir   string
	files map[string]file
}

type file struct {
	stamp folder.Stamp
	event *backends.Event // nil: takes no part in BGP
}

// Read reads the files that changed.
func (r *reader) Read(ctx context.Context) (t watch.Targets, moving bool, err error) {
	t = watch.NewTargets()
	t.AddName(r.dir)
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		r.files = nil
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("cannot read the endpoint status folder: %w", err)
	}
	t.AddDir(r.dir)
	files := make(map[string]file, len(entries))
	for _, e := range entries {
		f, err := r.readFile(e.Name())
		if errors.Is(err, errSkip) {
			continue
		}
		if err != nil || ctx.Err() != nil {
			return t, false, errors.Join(err, ctx.Err())
		}
		files[e.Name()] = f
		moving = moving || f.event != nil && f.event.Err != nil && f.stamp.BeingWritten()
	}
	r.files = files
	return t, moving, nil
}

// State is every workload that takes part in BGP by its key.
func (r *reader) State() map[backends.Key]backends.Event {
	state := map[backends.Key]backends.Event{}
	for _, f := range r.files {
		if f.event != nil {
			state[f.event.Key] = *f.event
		}
	}
	return state
}

// errSkip is for what is no file, or went away meanwhile.
var errSkip = errors.New("no file")

func (r *reader) readFile(name string) (file, error) {
	if strings.HasPrefix(name, ".") {
		return file{}, errSkip
	}
	path := filepath.Join(r.dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, errSkip
	}
	if err != nil {
		return file{}, fmt.Errorf("cannot look at an endpoint status file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return file{}, errSkip
	}
	stamp := folder.NewStamp(info)
	if old, known := r.files[name]; known && old.stamp.Unchanged(stamp) {
		return old, nil
	}
	data, err := readLimited(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, errSkip
	}
	if err != nil {
		return file{}, fmt.Errorf("cannot read an endpoint status file: %w", err)
	}
	return file{stamp: stamp, event: newEvent(name, data)}, nil
}

// readLimited reads a file, and of a huge one enough to see that it is.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

func newEvent(name string, data []byte) *backends.Event {
	event := &backends.Event{Key: backends.Key{Kind: backends.KindEndpointStatus, Name: name}}
	if len(data) > maxFileBytes {
		event.Err = fmt.Errorf("is larger than %d bytes", maxFileBytes)
		return event
	}
	status, err := backends.DecodeEndpointStatus(name, data)
	switch {
	case errors.Is(err, backends.ErrNotOurs):
		return nil
	case err != nil:
		event.Err = err
	default:
		event.Resource = status
	}
	return event
}

var _ backends.Backend = (*Backend)(nil)
