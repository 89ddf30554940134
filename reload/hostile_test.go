package reload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"confd/internal/foreign"
)

// stranger owns the folder that BIRD's files are in.
const stranger = 65534

// hostile is a folder of another user, and what must not be touched.
type hostile struct {
	*testing.T
	dir, outside string
	binary       string
	a            *Applier
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	needRoot(t)
	h := &hostile{T: t, dir: testFolder(t), outside: testFolder(t), binary: "/bin/true", a: New(Options{Logger: testLogger(t)})}
	if err := os.Chown(h.dir, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "set-x", "current", "bird.cfg", "aggr.cfg"} {
		write(t, filepath.Join(h.outside, name), "secret")
	}
	if err := os.Chmod(h.outside, 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

// set is a set of one file or of three.
func (h *hostile) set(single bool, generation string) Set {
	files := threeFiles(h.dir, generation)
	if single {
		files = []File{file(filepath.Join(h.dir, "bird.cfg"), small+"# "+generation+"\n")}
	}
	return set(files, filepath.Join(h.dir, "bird.cfg"), filepath.Join(h.dir, "s"), h.binary)
}

// wantUntouched fails where something outside has changed.
func (h *hostile) wantUntouched() {
	h.Helper()
	entries, err := os.ReadDir(h.outside)
	if err != nil || len(entries) != 5 {
		h.Fatalf("outside is now %v, %v", entries, err)
	}
	for _, e := range entries {
		if text := read(h.T, filepath.Join(h.outside, e.Name())); text != "secret" {
			h.Errorf("%s outside is now %q", e.Name(), text)
		}
	}
	info, err := os.Stat(h.outside)
	if err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != 0 {
		h.Errorf("outside is now %v, %v", info, err)
	}
}

// must fails the test where something that is to be set up does not work.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// apply installs a set, or fails the test.
func (h *hostile) apply(s Set) {
	h.Helper()
	if res, err := h.a.Apply(testContext(h.T), s); err != nil || res.State != Installed {
		h.Fatalf("%+v, %v", res, err)
	}
	for _, f := range s.Files {
		if got := read(h.T, f.Dest); got != string(f.Data) {
			h.Errorf("%s is %q", f.Dest, got)
		}
	}
	h.wantUntouched()
}

// A link in the place of the folder with the generations leads nowhere: a set of
// one file does not need it, and one of several says that it is in the way.
func TestHostileStore(t *testing.T) {
	t.Parallel()
	for what, plant := range map[string]func(h *hostile, path string) error{
		"link outside": func(h *hostile, path string) error { return os.Symlink(h.outside, path) },
		"link inside":  func(h *hostile, path string) error { return os.Symlink(".", path) },
		"FIFO":         func(_ *hostile, path string) error { return syscall.Mkfifo(path, 0o666) },
		"file":         func(_ *hostile, path string) error { return os.WriteFile(path, nil, 0o666) },
		"folder": func(_ *hostile, path string) error {
			return errors.Join(os.Mkdir(path, 0o777), os.Chown(path, stranger, stranger))
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHostile(t)
			store := filepath.Join(h.dir, ".confd-bird")
			must(t, plant(h, store))
			for _, generation := range []string{"A", "B"} {
				h.apply(h.set(true, generation))
			}
			_, err := h.a.Apply(testContext(t), h.set(false, "C"))
			if !errors.Is(err, foreign.ErrInTheWay) || !strings.Contains(err.Error(), store) || !strings.Contains(err.Error(), "remove it") {
				t.Errorf("a set of several files: %v", err)
			}
			h.wantUntouched()
			if got := read(t, filepath.Join(h.dir, "bird.cfg")); got != small+"# B\n" {
				t.Errorf("on disk is %q", got)
			}
			must(t, os.RemoveAll(store))
			for _, generation := range []string{"D", "E"} {
				h.apply(h.set(false, generation))
			}
		})
	}
}

// What lies under names of ours is replaced or removed, and not followed.
func TestHostileNames(t *testing.T) {
	for _, single := range []bool{true, false} {
		h := newHostile(t)
		h.apply(h.set(single, "A"))
		record := filepath.Join(h.dir, recordName("bird"))
		for what, plant := range map[string]func() error{
			"link":      func() error { return os.Symlink(filepath.Join(h.outside, "secret"), record) },
			"hard link": func() error { return os.Link(filepath.Join(h.outside, "secret"), record) },
			"FIFO":      func() error { return syscall.Mkfifo(record, 0o666) },
		} {
			must(t, os.RemoveAll(record), plant())
			if records, err := Records(h.dir); len(records) > 0 || !errors.Is(err, foreign.ErrInTheWay) {
				t.Errorf("%s: %v, %v", what, records, err)
			}
			h.a = New(*h.a.opts)
			h.apply(h.set(single, what))
			theRecord(t, h.dir)
		}
		for _, name := range []string{".confd-stage-bird-1", ".confd-before-bird-1", ".confd-new-1"} {
			must(t, os.Symlink(h.outside, filepath.Join(h.dir, name)), os.Mkdir(filepath.Join(h.dir, name+"2"), 0o755),
				os.Symlink(h.outside, filepath.Join(h.dir, name+"2", "x")), syscall.Mkfifo(filepath.Join(h.dir, name+"3"), 0o600))
		}
		h.apply(h.set(single, "Z"))
	}
}

// What another user has put in a record's place is not believed.
func TestForgedRecord(t *testing.T) {
	h := newHostile(t)
	h.apply(h.set(true, "A"))
	must(t, os.Chown(filepath.Join(h.dir, recordName("bird")), stranger, stranger))
	if records, err := Records(h.dir); len(records) > 0 || !errors.Is(err, foreign.ErrInTheWay) {
		t.Errorf("%v, %v", records, err)
	}
	h.a = New(*h.a.opts)
	h.apply(h.set(true, "B"))
}

// A file's place is not waited for, nor followed where a link is another user's.
func TestHostileTargets(t *testing.T) {
	h := newHostile(t)
	main := filepath.Join(h.dir, "bird.cfg")
	for what, plant := range map[string]func() error{
		"FIFO": func() error { return syscall.Mkfifo(main, 0o666) },
		"link": func() error {
			return errors.Join(os.Symlink(filepath.Join(h.outside, "secret"), main), os.Lchown(main, stranger, stranger))
		},
		"folder": func() error { return os.Mkdir(main, 0o755) },
	} {
		for _, single := range []bool{true, false} {
			h.a = New(*h.a.opts)
			must(t, os.RemoveAll(main))
			h.apply(h.set(single, "A"))
			must(t, os.RemoveAll(main), plant())
			drift, err := h.a.Verify(testContext(t), h.set(single, "A"))
			if err != nil || !slices.Equal(drift.Files, []string{main}) {
				t.Errorf("%s: %+v, %v", what, drift, err)
			}
			for _, generation := range []string{"A", "B"} {
				if _, err := h.a.Apply(testContext(t), h.set(single, generation)); !errors.Is(err, foreign.ErrInTheWay) {
					t.Errorf("%s, single %v: %v", what, single, err)
				}
			}
			h.wantUntouched()
			must(t, os.RemoveAll(main))
			h.apply(h.set(single, "B"))
			must(t, os.RemoveAll(filepath.Join(h.dir, "aggr.cfg")), os.RemoveAll(filepath.Join(h.dir, "ipam.cfg")))
		}
	}
	// A link of root's is somebody's who may: it is read, and replaced.
	must(t, os.RemoveAll(main), os.Symlink(filepath.Join(h.outside, "secret"), main))
	h.a = New(*h.a.opts)
	h.apply(h.set(true, "C"))
	if info, err := os.Lstat(main); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

// A folder below is no way out, either.
func TestHostileFolderBelow(t *testing.T) {
	h := newHostile(t)
	sub := filepath.Join(h.dir, "sub")
	s := h.set(true, "A")
	s.Files = append(s.Files, file(filepath.Join(sub, "set-x"), "x"))
	must(t, os.Symlink(h.outside, sub), os.Lchown(sub, stranger, stranger))
	if _, err := h.a.Apply(testContext(t), s); !errors.Is(err, foreign.ErrInTheWay) {
		t.Errorf("%v", err)
	}
	h.wantUntouched()
	must(t, os.Remove(sub), os.Mkdir(sub, 0o755))
	h.apply(s)
}

// Where a link of another user's leads a check is not shown.
func TestHostileInclude(t *testing.T) {
	h := newHostile(t)
	h.binary = birdBinary(t, "2.0.12/bird")
	secret := filepath.Join(h.outside, "secret")
	must(t, os.WriteFile(secret, []byte("root:hash\n"), 0o600))
	own := filepath.Join(h.dir, "own.cfg")
	s := h.set(true, "A")
	s.Files[0].Data = append(s.Files[0].Data, "include \"own.cfg\";\n"...)
	for what, plant := range map[string]func() error{
		"link":      func() error { return errors.Join(os.Symlink(secret, own), os.Lchown(own, stranger, stranger)) },
		"hard link": func() error { return os.Link(secret, own) },
		"theirs": func() error {
			return errors.Join(os.WriteFile(own, []byte("root:hash\n"), 0o600), os.Chown(own, stranger, stranger))
		},
	} {
		must(t, plant())
		var failed *CheckError
		if _, err := h.a.Apply(testContext(t), s); !errors.As(err, &failed) || failed.File != own || failed.Excerpt != "" {
			t.Errorf("%s: %#v, %v", what, failed, err)
		}
		must(t, os.Remove(own))
	}
	must(t, os.WriteFile(own, []byte("root:hash\n"), 0o600))
	var failed *CheckError
	if _, err := h.a.Apply(testContext(t), s); !errors.As(err, &failed) || !strings.Contains(failed.Excerpt, "root:hash") {
		t.Errorf("root's own: %#v, %v", failed, err)
	}
}

// A BIRD that names a file which would block is not waited for.
func TestHostileOtherFile(t *testing.T) {
	h := newHostile(t)
	h.apply(h.set(true, "A"))
	fifo := filepath.Join(h.dir, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o666))
	if err := h.set(true, "A").otherFile(fifo); err != nil {
		t.Error(err)
	}
}

// Whoever exchanges all our folders for links while we work has nothing done
// outside.
func TestHostileExchange(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var exchanged atomic.Int64
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			exchanged.Add(int64(h.exchange()))
		}
	}()
	installed := 0
	for end := time.Now().Add(patience); time.Now().Before(end) && (installed < 5 || exchanged.Load() < 200); {
		for _, single := range []bool{true, false} {
			h.a = New(Options{})
			if _, err := h.a.Apply(testContext(t), h.set(single, string(rune('A'+installed%20)))); err == nil {
				installed++
			}
		}
	}
	close(stop)
	<-stopped
	h.wantUntouched()
	t.Logf("%d sets installed while %d names were exchanged", installed, exchanged.Load())
}

// exchange puts a link in the place of each folder of ours, and each folder back
// after that.
func (h *hostile) exchange() int {
	count := 0
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), hiddenPrefix) {
			continue
		}
		path := filepath.Join(h.dir, e.Name())
		if os.Rename(path, filepath.Join(h.dir, "away")) != nil || os.Symlink(h.outside, path) != nil {
			continue
		}
		count++
		if err := os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			_ = os.Rename(filepath.Join(h.dir, "away"), path)
		}
		_ = os.RemoveAll(filepath.Join(h.dir, "away"))
	}
	return count
}
