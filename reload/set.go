package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// File is one file of a set.
type File struct {
	Dest string // where it is installed: an absolute path
	Data []byte
	// Sum is Sum(Data), where somebody has made it already: a large file takes a while.
	Sum  string
	Mode fs.FileMode // 0 stands for 0640
	// UID and GID are the owner; -1 leaves what the installed file has.
	UID, GID int
	// CheckCmd is run by the shell before anything is installed, with {{.src}}
	// replaced by the path of the staged file, and {{.dest}} by Dest. ReloadCmd is
	// to be run after BIRD was told, with both replaced by Dest; of a set on trial, when the trial has ended well: see
	// Result.Commands. Both may be empty.
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
	// Mark is the caller's word for what the set was made from, such as the
	// datastore's revision. It is kept in the set's Record.
	Mark string
	// Guard puts the set on trial where BIRD is up; nil: it counts at once.
	Guard *Guard
}

// Guard says how a set is tried: it counts when the sessions have stayed up. The
// names of sessions are those of BIRD's protocols.
type Guard struct {
	Within time.Duration // how long the trial lasts; 0 or less: there is none
	// Stay are the sessions that must not go down, be it for a moment: those that
	// the change can have touched, and should not take down. The ones that are not
	// established beforehand are not watched.
	Stay []string
	// Return are the sessions that the change makes or remakes by intent, and that
	// must be established when the trial ends.
	Return []string
	// Where there is nothing to watch for the set counts at once.
}

// Daemon is the BIRD that reads a set.
type Daemon struct {
	// Main is the Dest of the file that BIRD was started with. That BIRD in fact
	// reads another one is ErrOtherFile.
	Main string
	// Socket is the control socket's path. Empty: there is none, and commands
	// are all there is to tell BIRD.
	Socket string
	// Binary is run as "Binary -p -c FILE" to check a set. Empty: the daemon
	// itself is asked, over the socket; its user must be able to read the staged
	// files, which get the mode and owner that the set gives.
	Binary string
}

// State is how far a set has come.
type State int

// The states. In a Result with an error the state says nothing.
const (
	Unchanged State = iota // on disk already, and confirmed before: nothing was done
	Installed              // on disk; BIRD was not up, and reads it when it starts; or there is no control socket, and the commands have not run
	Confirmed              // BIRD says that it uses it; without a control socket: the commands succeeded
	OnTrial                // BIRD uses it, and goes back by itself unless Trial confirms it
)

// String is the state's name, in lower case.
func (s State) String() string {
	return [...]string{"unchanged", "installed", "confirmed", "on trial"}[s]
}

// Result is what Apply, Reconfigure, Trial, Ran, Boot and Resume have done. Times are zero
// for what was not done.
type Result struct {
	Hash      string   // of the set: see Set.Hash
	Changed   []string // the Dests that were not on disk as they should be
	State     State
	Unchecked bool   // installed without a check
	Version   string // of the BIRD that was told; empty where none was up
	// Commands are the reload commands that are to be run now, each once, in
	// order: give them to RunCommands, and tell Ran what came of it.
	Commands []string

	Staged, Checked, Swapped, Confirmed time.Time

	TrialEnds time.Time // where State is OnTrial
	// Reconfigured and Rebooted are BIRD's own word for when it took the
	// configuration that it uses, and when it started, by its clock: the proof
	// that it uses the set. Zero where BIRD prints times in a format of its own.
	Reconfigured, Rebooted time.Time
}

func (s Set) socket() string {
	if s.Daemon == nil {
		return ""
	}
	return s.Daemon.Socket
}

func (f File) mode() fs.FileMode {
	if mode := f.Mode.Perm(); mode != 0 {
		return mode
	}
	return 0o640
}

// setName is what a set's name is, in no more than longestName bytes. (To compile a
// pattern that counts them takes a program that starts ten times as long.)
var setName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

const longestName = 64

// hiddenPrefix starts the names of all that we put beside the files.
const hiddenPrefix = ".confd-"

func (s Set) validate() error {
	if err := validName(s.Name); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range s.Files {
		if !validDest(f.Dest) {
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

// ours are beginnings of names that are not those of sets, but of what else we put
// beside the files.
func ours() []string { return []string{"record-", "stage-", "before-", "new-", "lock"} }

// validName says whether a set may have that name.
func validName(name string) error {
	taken := slices.ContainsFunc(ours(), func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	if len(name) > longestName || !setName.MatchString(name) || taken {
		return fmt.Errorf("the name %q: want letters, digits, dots, dashes, underscores, not starting with %s", name, strings.Join(ours(), ", "))
	}
	return nil
}

func validDest(dest string) bool {
	return filepath.IsAbs(dest) && filepath.Clean(dest) == dest && !strings.ContainsRune(dest, 0) && !strings.HasPrefix(filepath.Base(dest), hiddenPrefix)
}

// dest is the file of the set that BIRD means by a path that is relative, as in
// "bird -c bird.conf".
func (s Set) dest(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	for _, f := range s.Files {
		if strings.HasSuffix(f.Dest, "/"+filepath.Clean(path)) {
			return f.Dest
		}
	}
	return path
}
