// Package file is the backend for YAML and JSON files: resources as calicoctl
// and kubectl print them, in files and folders that may change at any time.
package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"confd/backends"
	"confd/backends/internal/folder"
	"confd/internal/watch"
)

// Source is the backend's name in updates.
const Source = "file"

// Config says what to read.
type Config struct {
	// Paths are files, archives of files (*.tgz, *.tar.gz, *.tar), and folders
	// whose *.yaml, *.yml and *.json files count, in sub folders too. Where two objects have one name the later one counts:
	// later in Paths, then in the order of file names, then in the file.
	Paths []string
	// Logger gets warnings about what is in the files; nil: nobody does.
	Logger *slog.Logger
	// PollInterval is how often files are looked at where the kernel does not
	// tell of changes; 0: every 10 s.
	PollInterval time.Duration
	// settled is the constant of that name, or less for tests.
	settled time.Duration
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
	if cfg.settled == 0 {
		cfg.settled = settled
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

// settled is how long a file that was written in place must be quiet before it
// is believed that something is gone from it.
const settled = 3 * time.Second

// heldMost is how long a file that is always being written is waited for.
const heldMost = 30 * time.Second

// reader holds what was last read, and what was last said about it.
type reader struct {
	cfg       Config
	knowledge *knowledge
	files     map[string]*parsedFile
	// good is what each file had when all of it could be read, or what was kept
	// of that since.
	good map[string][]entry
	// held has since when files are not believed that lost something.
	held map[string]time.Time
	said map[string]bool
	// What was read last, until State takes it for true.
	next  map[string]*parsedFile
	order []string
}

func newReader(cfg Config) *reader {
	return &reader{cfg: cfg, knowledge: newKnowledge(), good: map[string][]entry{}, held: map[string]time.Time{}}
}

// Read reads the files that changed.
func (r *reader) Read(ctx context.Context) (t watch.Targets, moving bool, err error) {
	l, err := list(r.cfg.Paths)
	if err != nil {
		return l.targets, false, err
	}
	files := make(map[string]*parsedFile, len(l.files))
	for _, path := range l.files {
		before := r.files[path]
		f, err := readFile(ctx, path, r.next[path], r.knowledge)
		if err != nil {
			return l.targets, errors.Is(err, fs.ErrNotExist), err
		}
		files[path] = f
		if f == before {
			continue
		}
		if before == nil {
			moving = moving || f.stamp.BeingWritten() && f.lost(nil)
		} else if wait := r.hold(path, f, before); wait > 0 {
			files[path], l.targets.Again = before, wait
		}
	}
	r.next, r.order = files, l.files
	return l.targets, moving, nil
}

// hold says how long not to believe what a file has now: one that was written in
// place a moment ago, and lacks something, may be in the middle of that.
func (r *reader) hold(path string, now, before *parsedFile) time.Duration {
	wait := r.cfg.settled - now.stamp.Age()
	if wait <= 0 || !now.stamp.SameFile(before.stamp) || !now.less(before) {
		delete(r.held, path)
		return 0
	}
	since, ok := r.held[path]
	if !ok {
		r.held[path] = time.Now()
	} else if time.Since(since) > heldMost {
		return 0
	}
	return wait
}

// State is every object of the files by its key.
func (r *reader) State() map[backends.Key]backends.Event {
	r.files = r.next
	a := newAssembly()
	n := notices{log: r.cfg.Logger, before: r.said, now: map[string]bool{}}
	good := make(map[string][]entry, len(r.order))
	for _, path := range r.order {
		entries := r.files[path].entries()
		if k := kept(r.good[path], entries); len(k) > 0 {
			tellKept(entries, len(k))
			entries = append(k, entries...)
		}
		good[path] = entries
		for i := range entries {
			n.entry(&entries[i])
			a.add(&entries[i])
		}
	}
	r.said, r.good = n.now, good
	return a.finish()
}

// blocks are the IPAM blocks of what was read last; where one is there twice,
// the later one counts.
func (r *reader) blocks() map[string]*backends.Block {
	blocks := map[string]*backends.Block{}
	for _, path := range r.order {
		for _, e := range r.files[path].entries() {
			if e.block != nil {
				blocks[e.block.CIDR.String()] = e.block
			}
		}
	}
	return blocks
}

// notices logs each thing once for as long as it is so.
type notices struct {
	log         *slog.Logger
	before, now map[string]bool
}

func (n notices) entry(e *entry) {
	if e.ignored == "" {
		return
	}
	id := e.ignored + " " + e.path
	if !n.before[id] && !n.now[id] {
		n.log.Debug("objects of this kind do not matter here", "kind", e.ignored, "path", e.path)
	}
	n.now[id] = true
}

var _ backends.Backend = (*Backend)(nil)
