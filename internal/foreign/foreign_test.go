package foreign

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stranger is a user who is neither root nor we.
const stranger = 65534

const limit = 1 << 10

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to another user")
	}
}

// must fails the test where an error comes out of what it is to be about.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *Folder {
	t.Helper()
	d, err := Open(path)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// wantFile fails unless a file, which is no link, holds text.
func wantFile(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		t.Errorf("%s: %v, %v", path, info, err)
		return
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != text {
		t.Errorf("%s holds %q, %v; want %q", path, data, err, text)
	}
}

// plants are what somebody may put under one of our names; secret is a file
// outside of the folder.
func plants(secret string) map[string]func(path string) error {
	return map[string]func(string) error{
		"a symbolic link":  func(path string) error { return os.Symlink(secret, path) },
		"a dangling link":  func(path string) error { return os.Symlink(secret+"-none", path) },
		"a link inside":    func(path string) error { return os.Symlink("other", path) },
		"a FIFO":           func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"hard links":       func(path string) error { return os.Link(secret, path) },
		"a folder":         func(path string) error { return os.Mkdir(path, 0o755) },
		"a large file":     func(path string) error { return os.WriteFile(path, make([]byte, limit+1), 0o600) },
		"a link to itself": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	}
}

// Whatever lies under our name: it is not read, and an error says what it is;
// writing replaces it, and removing removes it, and nothing else.
func TestPlanted(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "secret")
	for what, plant := range plants(secret) {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "ours")
			write(t, filepath.Join(dir, "other"), "other")
			must(t, plant(path))
			if data, _, err := ReadFile(path, limit); !errors.Is(err, ErrInTheWay) || !strings.Contains(err.Error(), path) {
				t.Errorf("read %q, %v", data, err)
			}
			err := WriteFile(path, []byte("new"), Attr{0o640, -1, -1})
			if what == "a folder" {
				if !errors.Is(err, ErrInTheWay) {
					t.Errorf("written: %v", err)
				}
			} else {
				must(t, err)
				wantFile(t, path, "new")
				must(t, os.Remove(path), plant(path))
			}
			must(t, Remove(path), Remove(path))
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			wantFile(t, secret, "secret")
			wantFile(t, filepath.Join(dir, "other"), "other")
		})
	}
}

func TestReadAndWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ours")
	if _, _, err := ReadFile(path, limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, text := range []string{"one", strings.Repeat("x", limit), ""} {
		must(t, WriteFile(path, []byte(text), Attr{0o644, -1, -1}))
		data, info, err := ReadFile(path, limit)
		if err != nil || string(data) != text || info.Mode() != 0o644 || info.ModTime().IsZero() {
			t.Errorf("%q, %v, %v", data, info, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\x00b"} {
		d := open(t, dir)
		if err := d.Write(name, nil, Attr{0o600, -1, -1}); err == nil {
			t.Errorf("wrote %q", name)
		}
		if err := d.Remove(name); err == nil {
			t.Errorf("removed %q", name)
		}
	}
	if entries, err := open(t, dir).Entries(); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	for _, path := range []string{path, filepath.Join(dir, "none")} {
		if err := WriteFile(filepath.Join(path, "x"), nil, Attr{0o600, -1, -1}); err == nil {
			t.Errorf("wrote below %s", path)
		}
	}
}

// A file has a text, or not, whatever it grows or shrinks to.
func TestHas(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	long := strings.Repeat("0123456789", 10_000)
	for _, c := range []struct{ is, text string }{
		{"", ""}, {"a", "a"}, {long, long}, {"", "a"}, {"a", ""}, {"a", "b"}, {long, long[1:]}, {long, long + "0"}, {long[:99_999] + "x", long}, {"x" + long[1:], long},
	} {
		must(t, os.WriteFile(filepath.Join(dir, "file"), []byte(c.is), 0o600))
		info, has, err := d.Has("file", []byte(c.text))
		if err != nil || has != (c.is == c.text) || info.Size() != int64(len(c.is)) {
			t.Errorf("%d bytes for %d: %v, %v, %v", len(c.is), len(c.text), has, info, err)
		}
	}
	if _, has, err := d.Has("none", nil); has || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v, %v", has, err)
	}
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	if _, has, err := d.Has("link", []byte("x"+long[1:])); has || !errors.Is(err, ErrInTheWay) {
		t.Errorf("a link: %v, %v", has, err)
	}
	// It is cut short, or grows, after it was opened.
	if !isText(strings.NewReader(long), []byte(long)) || isText(strings.NewReader(long[:40_000]), []byte(long)) || isText(strings.NewReader(long+"0"), []byte(long)) {
		t.Error("what is read is not compared whole")
	}
}

// A file gets a second name where it is the one that was looked at, and no others may write
// into it.
func TestSecondName(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	d, in := open(t, dir), open(t, to)
	path, second := filepath.Join(dir, "file"), filepath.Join(to, "0")
	look := func(mode fs.FileMode) fs.FileInfo {
		t.Helper()
		must(t, errors.Join(os.WriteFile(path, []byte("text"), 0o600), os.Chmod(path, mode)))
		info, err := d.Lstat("file")
		must(t, err)
		return info
	}
	was := look(0o640)
	must(t, d.SecondName("file", was, in, "0"))
	must(t, WriteFile(path, []byte("new"), Attr{0o600, -1, -1}))
	wantFile(t, second, "text")
	wantFile(t, path, "new")
	if err := d.SecondName("file", look(0o600), in, "0"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is taken: %v", err)
	}
	wantFile(t, second, "text")
	must(t, os.Remove(second))
	for what, err := range map[string]error{
		"another one":        d.SecondName("file", was, in, "0"),
		"writable by others": d.SecondName("file", look(0o602), in, "0"),
		"by a group":         d.SecondName("file", look(0o660), in, "0"),
		"no name":            d.SecondName("file", look(0o600), in, "a/b"),
	} {
		if err == nil {
			t.Errorf("%s got a second name", what)
		}
	}
	must(t, os.Link(path, filepath.Join(dir, "another")))
	if d.SecondName("file", look(0o600), in, "0") == nil {
		t.Error("a file with two names got a third one")
	}
	must(t, os.Remove(filepath.Join(dir, "another")))
	if os.Geteuid() == 0 {
		must(t, os.Chown(path, 65534, 65534))
		if d.SecondName("file", look(0o600), in, "0") == nil {
			t.Error("a stranger's file got a second name")
		}
	}
	if entries, err := in.Entries(); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// What is there stays, whatever it is, and links are not followed.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fill := func(f *os.File) error { _, err := f.WriteString("new"); return err }
	if err := d.Keep("fresh", fill); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600), os.Symlink(elsewhere, filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fresh", "old", "link", "folder"} {
		if err := d.Keep(name, fill); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	failed := errors.New("disk full")
	if err := d.Keep("failed", func(*os.File) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("a link was followed")
	}
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"folder", "fresh", "link", "old"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// What another user has put there is not ours, unless the caller does not mind.
func TestStrangers(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path, sub := filepath.Join(dir, "ours"), filepath.Join(dir, "sub")
	write(t, path, "forged")
	must(t, os.Mkdir(sub, 0o700), os.Chown(path, stranger, stranger), os.Chown(sub, stranger, stranger), os.Chown(dir, stranger, stranger))
	d := open(t, dir)
	if _, _, err := d.Read("ours", limit); !errors.Is(err, ErrInTheWay) || !strings.Contains(err.Error(), "user 65534") {
		t.Errorf("read: %v", err)
	}
	if err := d.Check("ours"); !errors.Is(err, ErrInTheWay) {
		t.Errorf("checked: %v", err)
	}
	if data, _, err := d.ReadOfAnyone("ours", limit); err != nil || string(data) != "forged" {
		t.Errorf("read of anyone: %q, %v", data, err)
	}
	if _, err := d.Sub("sub"); !errors.Is(err, ErrInTheWay) {
		t.Errorf("opened: %v", err)
	}
	anyones, err := d.SubOfAnyone("sub")
	must(t, err, anyones.Close())
	must(t, d.Write("ours", []byte("ours"), Attr{0o640, -1, stranger}))
	info, err := os.Stat(path)
	if sys := info.Sys().(*syscall.Stat_t); err != nil || sys.Uid != 0 || sys.Gid != stranger || info.Mode() != 0o640 {
		t.Errorf("written as %+v, %v", sys, err)
	}
	must(t, d.Check("ours"))
}

// A folder that is not one, or not ours, is not entered.
func TestSub(t *testing.T) {
	outside := t.TempDir()
	for what, plant := range map[string]func(string) error{
		"a link outside": func(path string) error { return os.Symlink(outside, path) },
		"a link inside":  func(path string) error { return os.Symlink("real", path) },
		"a FIFO":         func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"a file":         func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "real"), 0o755), plant(filepath.Join(dir, "sub")))
		if sub, err := open(t, dir).Sub("sub"); !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s: %v, %v", what, sub, err)
		}
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	sub, err := open(t, dir).Sub("sub")
	must(t, err)
	defer sub.Close()
	// It stays the folder that was opened, whatever its name leads to now.
	must(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "away")), os.Symlink(outside, filepath.Join(dir, "sub")))
	must(t, sub.Write("x", []byte("x"), Attr{0o600, -1, -1}), sub.Sync())
	wantFile(t, filepath.Join(dir, "away", "x"), "x")
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("written outside: %v, %v", entries, err)
	}
}

// Links on the way to a folder count where they are ours.
func TestWay(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "a", "real")
	must(t, os.MkdirAll(real, 0o755), syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	write(t, filepath.Join(real, "x"), "x")
	for name, to := range map[string]string{
		"absolute": real, "relative": "a/real", "up": "a/real/../../a/./real/", "chain": "absolute",
		"loop": "loop", "dangling": "none", "file": "absolute/x", "above": strings.Repeat("../", 40) + real[1:],
	} {
		must(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	for _, name := range []string{"a/real", "absolute", "relative", "up", "chain", "above"} {
		path := filepath.Join(dir, name)
		if data, _, err := ReadFile(filepath.Join(path, "x"), limit); err != nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		if got, err := Resolve(path); err != nil || got != real {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if got, err := Resolve(filepath.Join(dir, "file")); err != nil || got != filepath.Join(real, "x") {
		t.Errorf("a link to a file is %q, %v", got, err)
	}
	for name, want := range map[string]error{
		"loop": syscall.ELOOP, "dangling": fs.ErrNotExist, "none": fs.ErrNotExist, "file": syscall.ENOTDIR, "fifo": syscall.ENOTDIR,
	} {
		if _, err := Open(filepath.Join(dir, name)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	needRoot(t)
	must(t, os.Lchown(filepath.Join(dir, "absolute"), stranger, stranger))
	for _, name := range []string{"absolute", "chain", "file"} {
		path := filepath.Join(dir, name)
		if _, err := Open(path); !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s by a stranger's link: %v", name, err)
		}
		if _, err := Resolve(path); !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s by a stranger's link: %v", name, err)
		}
	}
}

// A folder through which one may go, and not look into, is no obstacle.
func TestWayWithoutReading(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for path := dir; path != "/tmp" && path != "/"; path = filepath.Dir(path) {
		must(t, os.Chmod(path, 0o711))
	}
	in := filepath.Join(dir, "in")
	must(t, os.Mkdir(in, 0o755))
	asStranger(t, func() error {
		d, err := Open(in)
		if err == nil {
			d.Close()
		}
		return err
	})
}

// asStranger calls f in a thread whose file system checks are a stranger's.
func asStranger(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and it ends with the goroutine
		if err := syscall.Setfsuid(stranger); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	must(t, <-done)
}

func TestTidy(t *testing.T) {
	dir := t.TempDir()
	old, fresh, other := filepath.Join(dir, tempPrefix+"a"), filepath.Join(dir, tempPrefix+"b"), filepath.Join(dir, "c")
	long := time.Now().Add(-2 * staleAfter)
	for _, path := range []string{old, fresh, other} {
		write(t, path, "x")
	}
	must(t, os.Chtimes(old, long, long), os.Chtimes(other, long, long))
	open(t, dir).Tidy()
	entries, err := open(t, dir).Entries()
	if err != nil || len(entries) != 2 || entries[0].Name() != filepath.Base(fresh) || entries[1].Name() != "c" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// A write that fails leaves what was there, and nothing else.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x"), "old")
	failed := errors.New("disk full")
	if err := open(t, dir).Replace("x", func(*os.File) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	wantFile(t, filepath.Join(dir, "x"), "old")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// Whoever exchanges names all the time does not have us write outside.
func TestExchanged(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	sub, away, link := filepath.Join(dir, "sub"), filepath.Join(dir, "away"), filepath.Join(dir, "link")
	must(t, os.Mkdir(sub, 0o755), os.Symlink(outside, link))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(sub, away)
			_ = os.Rename(link, sub)
			_ = os.Rename(sub, link)
			_ = os.Rename(away, sub)
		}
	}()
	d := open(t, dir)
	entered := 0
	for end := time.Now().Add(20 * time.Second); entered < 100 && time.Now().Before(end); {
		if s, err := d.Sub("sub"); err == nil {
			entered++
			must(t, s.Write("x", []byte("x"), Attr{0o600, -1, -1}), s.Close())
		}
	}
	close(stop)
	<-stopped
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 || entered == 0 {
		t.Errorf("entered %d times, written outside: %v, %v", entered, entries, err)
	}
}

// Errors name what the caller knows, and are the same each time: temporary names
// are not in them.
func TestErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	must(t, os.Mkdir(dir, 0o755))
	d := open(t, dir)
	must(t, os.Remove(dir)) // in a folder that was removed nothing can be made
	path := filepath.Join(dir, "x")
	for what, do := range map[string]func() error{
		"write": func() error { return d.Write("x", nil, Attr{0o600, -1, -1}) },
		"link":  func() error { return d.Link("y", "x") },
		"read":  func() error { _, _, err := d.Read("x", limit); return err },
		"make":  func() error { _, err := d.Make("x"); return err },
		"sub":   func() error { _, err := d.Sub("x"); return err },
		"move":  func() error { return d.Move("y", d, "x") },
	} {
		err := do()
		if again := do(); err == nil || again == nil || err.Error() != again.Error() || !strings.Contains(err.Error(), path) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", what, err, again)
		}
	}
	if _, err := d.MakeTemp("x-"); err == nil || !strings.Contains(err.Error(), path+"-*: ") {
		t.Errorf("make with a random name: %v", err)
	}
}

// Trees are made, moved and removed without a look beyond a link.
func TestTree(t *testing.T) {
	outside, d := t.TempDir(), open(t, t.TempDir())
	write(t, filepath.Join(outside, "kept"), "kept")
	one, err := d.MakeTemp("one-")
	must(t, err)
	two, err := d.Make("two")
	must(t, err)
	must(t, one.Give(Attr{0o750, -1, -1}), one.Symlink(outside, "link"), one.Write("x", []byte("x"), Attr{0o640, -1, -1}))
	if info, err := one.root.Stat("."); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info, err)
	}
	must(t, two.Link("old", "current"), two.Link("new", "current"))
	if to := two.Readlink("current"); to != "new" || two.Readlink("none") != "" || one.Readlink("x") != "" {
		t.Errorf("the link says %q", to)
	}
	must(t, one.Move("x", two, "y"), d.Move(one.Name(), two, "moved"))
	wantFile(t, filepath.Join(two.Path(), "y"), "x")
	if err := two.Move("y", two, "moved"); !errors.Is(err, ErrInTheWay) {
		t.Errorf("a file in the place of a folder: %v", err)
	}
	if _, err := d.Make("two"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	must(t, d.RemoveAll("two"), d.RemoveAll("two"), one.Close(), two.Close())
	wantFile(t, filepath.Join(outside, "kept"), "kept")
	if entries, err := d.Entries(); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
