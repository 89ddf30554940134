package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrCannotCheck says that there is no way to check a set now: no binary to do
// it with, and no BIRD that answers. A set that is installed already stays; try again
// when BIRD is up.
var ErrCannotCheck = errors.New("cannot check the configuration")

// File is one file of a set.
type File struct {
	Dest string // where it is installed: an absolute path
	Data []byte
	Mode fs.FileMode // 0 stands for 0640
	// UID and GID are the owner; -1 leaves what the installed file has.
	UID, GID int
	// CheckCmd is run by the shell before anything is installed, with {{.src}}
	// replaced by the path of the staged file. ReloadCmd is run after BIRD was
	// told. Both may be empty.
	CheckCmd, ReloadCmd string
}

// Set is the files of one BIRD: checked together, swapped together.
//
// Includes with a relative path find the new versions while the set is checked;
// an include with an absolute path finds the file that is installed.
type Set struct {
	Name      string // letters, digits, dots, dashes, underscores
	Files     []File
	Daemon    *Daemon // nil: there are only commands
	KeepStage bool    // leave the staging folder, and log where it is
}

// Daemon is the BIRD that reads a set.
type Daemon struct {
	// Main is the Dest of the file that BIRD was started with. Where BIRD in
	// fact reads another file, it confirms that one, and nobody can know.
	Main string
	// Socket is the control socket's path. Empty: there is none, and commands
	// are all there is to tell BIRD.
	Socket string
	// Binary is run as "Binary -p -c FILE" to check a set. Empty: the daemon
	// itself is asked, over the socket; its user must be able to read the staged
	// files, which get the mode and owner that the set gives.
	Binary string
}

// Options are the settings of an Applier. Zero values stand for the defaults.
type Options struct {
	Logger        *slog.Logger     // default: nothing is logged
	CheckTimeout  time.Duration    // for each check; default 30 s
	ReloadTimeout time.Duration    // for BIRD to take a set, and for each reload command; default 30 s
	Now           func() time.Time // for the times in Result; default time.Now
}

// State is how far a set has come.
type State int

// The states. In a Result with an error the state says nothing.
const (
	Unchanged State = iota // on disk already, and confirmed before: nothing was done
	Installed              // on disk; BIRD was not up, and reads it when it starts
	Confirmed              // BIRD says that it uses it; without a control socket: the commands succeeded
)

// String is the state's name, in lower case.
func (s State) String() string {
	return [...]string{"unchanged", "installed", "confirmed"}[s]
}

// Result is what Apply and Reconfigure have done. Times are zero for what was
// not done.
type Result struct {
	Changed   []string // the Dests that were not on disk as they should be
	State     State
	Unchecked bool   // installed without a check, where nothing was installed yet
	Version   string // of the BIRD that was told; empty where none was up

	Staged, Checked, Swapped, Confirmed time.Time
}

// Applier installs sets and remembers what BIRD has confirmed. It is for one
// goroutine.
type Applier struct {
	opts Options
	log  *slog.Logger
	sets map[string]*memory
}

// memory is what an Applier knows of a set between two calls.
type memory struct {
	confirmed bool
	waits     bool // BIRD was not up: Reconfigure tells it when it is
	version   string
	backup    *backup // the way back to what was there when BIRD last agreed
}

// New makes an Applier.
func New(opts Options) *Applier {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CheckTimeout <= 0 {
		opts.CheckTimeout = 30 * time.Second
	}
	if opts.ReloadTimeout <= 0 {
		opts.ReloadTimeout = 30 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Applier{opts: opts, log: opts.Logger, sets: map[string]*memory{}}
}

// Apply installs a set where it differs from what is on disk, after a check of
// the set as a whole, and has BIRD read it. Whenever the process dies, BIRD
// finds the old set or the new one, where all files of the set are in one
// folder and no file is a mount point. A Dest that is a symbolic link of
// somebody else's is replaced, not followed. One process at a time may apply a
// set.
//
// Errors: *CheckError (nothing was changed), ErrCannotCheck (nothing was
// changed), *RefusedError (the old files are back), ErrHung (the files are in
// place, BIRD has not answered); others name the file and the step. After an
// error Apply may be called again with the same set.
func (a *Applier) Apply(ctx context.Context, s Set) (Result, error) {
	res, err := a.apply(ctx, s)
	var failed *CheckError
	if errors.As(err, &failed) {
		return res, err // it names the set itself
	}
	if err != nil {
		return res, fmt.Errorf("set %s: %w", s.Name, err)
	}
	return res, nil
}

func (a *Applier) apply(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	targets, err := readTargets(s)
	if err != nil {
		return Result{}, err
	}
	res := Result{Changed: changed(targets)}
	mem := a.memory(s.Name)
	if len(res.Changed) > 0 {
		if err := a.install(ctx, s, targets, mem, &res); err != nil {
			return res, err
		}
	} else if mem.confirmed {
		res.Version = mem.version
		return res, nil
	} else if mem.waits {
		res.State = Installed
		return res, nil
	}
	return a.tell(ctx, s, mem, res)
}

// Reconfigure has BIRD read the set that is on disk again: after BIRD was
// restarted, or came up late. Its errors are those of Apply.
func (a *Applier) Reconfigure(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, fmt.Errorf("set %s: %w", s.Name, err)
	}
	res, err := a.tell(ctx, s, a.memory(s.Name), Result{})
	if err != nil {
		return res, fmt.Errorf("set %s: %w", s.Name, err)
	}
	return res, nil
}

func (a *Applier) memory(name string) *memory {
	mem := a.sets[name]
	if mem == nil {
		mem = &memory{}
		a.sets[name] = mem
	}
	return mem
}

// install stages, checks and swaps.
func (a *Applier) install(ctx context.Context, s Set, targets []*target, mem *memory, res *Result) error {
	st, err := a.stage(s, targets)
	if err != nil {
		return err
	}
	defer st.close(s.KeepStage)
	res.Staged = a.opts.Now()
	if err := a.checked(ctx, s, st, targets, res); err != nil {
		return err
	}
	if s.KeepStage { // the swap uses a staging folder up
		a.log.Info("the staged files are kept", "set", s.Name, "folder", st.dirs[0].path)
		if st, err = a.stage(s, targets); err != nil {
			return err
		}
		defer st.close(false)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	back, err := a.swap(s, st)
	if err != nil {
		return err
	}
	res.Swapped = a.opts.Now()
	mem.confirmed = false
	if mem.backup == nil {
		mem.backup = back
	}
	a.collect(s, mem)
	return nil
}

// checked checks the staged set. Where that is not possible it is an error
// unless nothing is installed yet, when any set is better than none.
func (a *Applier) checked(ctx context.Context, s Set, st *stage, targets []*target, res *Result) error {
	err := a.check(ctx, s, st)
	if err == nil {
		res.Checked = a.opts.Now()
		return nil
	}
	if !errors.Is(err, ErrCannotCheck) || targets[0].was != nil {
		return err
	}
	a.log.Warn("installing a first set without a check", "set", s.Name, "error", err)
	res.Unchecked = true
	return nil
}

var setName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// hiddenPrefix starts the names of all that we put beside the files.
const hiddenPrefix = ".confd-"

func (s Set) validate() error {
	if !setName.MatchString(s.Name) {
		return fmt.Errorf("the name %q: want letters, digits, dots, dashes, underscores", s.Name)
	}
	seen := map[string]bool{}
	for _, f := range s.Files {
		if !filepath.IsAbs(f.Dest) || filepath.Clean(f.Dest) != f.Dest || strings.HasPrefix(filepath.Base(f.Dest), hiddenPrefix) {
			return fmt.Errorf("file %q: want an absolute path, without .. and not a hidden one of ours", f.Dest)
		}
		if seen[f.Dest] {
			return fmt.Errorf("file %s is there twice", f.Dest)
		}
		seen[f.Dest] = true
	}
	switch {
	case len(seen) == 0:
		return errors.New("it has no files")
	case s.Daemon != nil && !seen[s.Daemon.Main]:
		return fmt.Errorf("the file that BIRD reads, %q, is not one of its files", s.Daemon.Main)
	}
	return nil
}

// onDisk is a file as it is now.
type onDisk struct {
	data     []byte
	mode     fs.FileMode
	uid, gid int
}

// target is a file of a set, and what is in its place; nil where nothing is.
type target struct {
	File
	base string
	was  *onDisk
}

// readTargets looks at what is installed. The main file comes first.
func readTargets(s Set) ([]*target, error) {
	var targets []*target
	for _, f := range s.Files {
		was, err := readOnDisk(f.Dest)
		if err != nil {
			return nil, err
		}
		if f.Mode = f.Mode.Perm(); f.Mode == 0 {
			f.Mode = 0o640
		}
		t := &target{File: f, base: filepath.Base(f.Dest), was: was}
		if s.Daemon != nil && f.Dest == s.Daemon.Main {
			targets = slices.Insert(targets, 0, t)
		} else {
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// readOnDisk reads a file through symbolic links; nil where there is none.
func readOnDisk(path string) (*onDisk, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is in the way: it is not a regular file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	was := &onDisk{data: data, mode: info.Mode().Perm(), uid: -1, gid: -1}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		was.uid, was.gid = int(sys.Uid), int(sys.Gid)
	}
	return was, nil
}

func changed(targets []*target) []string {
	var list []string
	for _, t := range targets {
		if t.was == nil || t.was.mode != t.Mode || !bytes.Equal(t.was.data, t.Data) ||
			t.UID >= 0 && t.UID != t.was.uid || t.GID >= 0 && t.GID != t.was.gid {
			list = append(list, t.Dest)
		}
	}
	slices.Sort(list)
	return list
}
