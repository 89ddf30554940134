// Package file is the backend for YAML and JSON files: resources as calicoctl
// and kubectl print them, in files and folders that may change at any time.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"confd/backends"
	"confd/backends/internal/folder"
	"confd/internal/watch"
)

// Source is the backend's name in updates.
const Source = "file"

// KindFile is the kind of the key under which a document that cannot be read
// is reported. The name is "PATH, document N", or "PATH, document N, item N".
const KindFile = backends.KindFile

// Config says what to read.
type Config struct {
	// Paths are files, and folders whose *.yaml, *.yml and *.json files count,
	// in sub folders too. Where two objects have one name the later one counts:
	// later in Paths, then in the order of file names, then in the file.
	Paths []string
	// Logger gets warnings about what is in the files; nil: nobody does.
	Logger *slog.Logger
	// PollInterval is how often files are looked at where the kernel does not
	// tell of changes; 0: every 10 s.
	PollInterval time.Duration
}

// Backend reads files. Create it with New.
type Backend struct {
	cfg Config
}

// New checks cfg and returns the backend.
func New(cfg Config) (*Backend, error) {
	if len(cfg.Paths) == 0 {
		return nil, errors.New("file backend: no path to read: name a file or a folder")
	}
	for _, p := range cfg.Paths {
		if p == "" {
			return nil, errors.New("file backend: an empty path")
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = 10 * time.Second
	}
	return &Backend{cfg: cfg}, nil
}

// Load reads the paths once, as Run does at first, and returns the events that
// lead to their state. A path that is not there is an error.
func Load(ctx context.Context, paths []string, log *slog.Logger) ([]backends.Event, error) {
	b, err := New(Config{Paths: paths, Logger: log})
	if err != nil {
		return nil, err
	}
	return folder.Load(ctx, newReader(b.cfg))
}

// Run sends the state of the files and then the differences, until ctx ends.
// While a file or folder cannot be read, what was last known stays.
func (b *Backend) Run(ctx context.Context, out chan<- backends.Update) error {
	o := folder.Options{Source: Source, Log: b.cfg.Logger, Poll: b.cfg.PollInterval}
	return folder.Run(ctx, o, newReader(b.cfg), out)
}

// reader holds what was last read, and what was last said about it.
type reader struct {
	cfg   Config
	files map[string]*parsedFile
	said  map[string]bool
	// What was read last, until State takes it for true.
	next  map[string]*parsedFile
	order []string
}

func newReader(cfg Config) *reader { return &reader{cfg: cfg} }

// Read reads the files that changed.
func (r *reader) Read(ctx context.Context) (t watch.Targets, moving bool, err error) {
	l, err := list(r.cfg.Paths)
	if err != nil {
		return l.targets, false, err
	}
	files := make(map[string]*parsedFile, len(l.files))
	for _, path := range l.files {
		before := r.files[path]
		f, err := readFile(ctx, path, r.next[path])
		if err != nil {
			return l.targets, errors.Is(err, fs.ErrNotExist), err
		}
		files[path] = f
		moving = moving || f != before && f.stamp.BeingWritten() && f.lost(before)
	}
	r.next, r.order = files, l.files
	return l.targets, moving, nil
}

// State is every object of the files by its key.
func (r *reader) State() map[backends.Key]backends.Event {
	r.files = r.next
	state := map[backends.Key]backends.Event{}
	where := map[backends.Key]entry{}
	n := notices{log: r.cfg.Logger, before: r.said, now: map[string]bool{}}
	for _, path := range r.order {
		for _, e := range r.files[path].entries(path) {
			n.entry(e)
			event := e.result()
			if event == nil {
				continue
			}
			if other, twice := where[event.Key]; twice {
				n.say(slog.LevelWarn, "an object is there twice; the later one counts",
					"object", event.Key.String(), "first", other.place(), "later", e.place())
			}
			where[event.Key] = e
			state[event.Key] = *event
		}
	}
	r.said = n.now
	return state
}

// notices logs each thing once for as long as it is so.
type notices struct {
	log         *slog.Logger
	before, now map[string]bool
}

func (n notices) entry(e entry) {
	for _, w := range e.warnings {
		n.say(slog.LevelWarn, "a part of an object makes no sense and counts as absent", "problem", w, "place", e.place())
	}
	if e.ignored != "" {
		n.say(slog.LevelDebug, "objects of this kind do not matter here", "kind", e.ignored, "path", e.path)
	}
}

func (n notices) say(level slog.Level, text string, args ...any) {
	id := fmt.Sprint(append([]any{text}, args...)...)
	if !n.before[id] && !n.now[id] {
		n.log.Log(context.Background(), level, text, args...)
	}
	n.now[id] = true
}

var _ backends.Backend = (*Backend)(nil)
