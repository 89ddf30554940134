package watch

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never is a poll that does not come while a test runs.
const never = time.Hour

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run has look called while the test runs; seen is what it said last.
func run(t *testing.T, o Options, look func() (Targets, string)) (seen func() string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done, said := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(done)
		Run(ctx, o, func() Targets {
			targets, what := look()
			select {
			case <-said:
			default:
			}
			said <- what
			return targets
		})
	}()
	t.Cleanup(func() { stop(); <-done })
	last := ""
	return func() string {
		select {
		case last = <-said:
		default:
		}
		return last
	}
}

func await(t *testing.T, seen func() string, want string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "it to see "+want, func() bool { return seen() == want })
}

// reading is a look that reads one file, by its name.
func reading(path string) func() (Targets, string) {
	return func() (Targets, string) {
		t := NewTargets()
		t.AddName(path)
		text, err := os.ReadFile(path)
		if err != nil {
			return t, "none"
		}
		return t, string(text)
	}
}

// A folder that takes the place of another, which is moved away, is watched in its place,
// and so are those in it.
func TestExchangedFolder(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a")
	path := filepath.Join(dir, "b", "file")
	write := func(path, text string) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write(path, "one")
	write(filepath.Join(top, "new", "b", "file"), "two")
	seen := run(t, Options{Poll: never}, func() (Targets, string) {
		targets, text := reading(path)()
		targets.AddName(dir)
		return targets, text
	})
	await(t, seen, "one")
	must(t, os.Rename(dir, filepath.Join(top, "old")))
	await(t, seen, "none")
	must(t, os.Rename(filepath.Join(top, "new"), dir))
	await(t, seen, "two")
	write(path, "three")
	await(t, seen, "three")
}

// A file is seen to come, change, be exchanged and go, also when it is folders that
// do.
func TestName(t *testing.T) {
	for name, o := range map[string]Options{"kernel": {Poll: never}, "poll": {Poll: time.Millisecond, Settle: time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "a", "b")
			path := filepath.Join(dir, "file")
			seen := run(t, o, reading(path))
			await(t, seen, "none")
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(path, []byte("one"), 0o600))
			await(t, seen, "one")
			must(t, os.WriteFile(path, []byte("two"), 0o600))
			await(t, seen, "two")
			must(t, os.WriteFile(path+".new", []byte("three"), 0o600))
			must(t, os.Rename(path+".new", path))
			await(t, seen, "three")
			must(t, os.RemoveAll(filepath.Join(top, "a")))
			await(t, seen, "none")
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(path, []byte("four"), 0o600))
			await(t, seen, "four")
		})
	}
}

// What happens beside the target is not looked at.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var looks atomic.Int32
	look := reading(path)
	seen := run(t, Options{Poll: never}, func() (Targets, string) { looks.Add(1); return look() })
	await(t, seen, "none")
	for range 100 {
		must(t, os.WriteFile(path+"x", []byte("x"), 0o600))
	}
	must(t, os.WriteFile(path, []byte("now"), 0o600))
	await(t, seen, "now")
	if n := looks.Load(); n > 10 {
		t.Errorf("it looked %d times at one file", n)
	}
}

// The text of all files in a tree, in the order of their names.
func tree(root string) func() (Targets, string) {
	return func() (Targets, string) {
		t := NewTargets()
		t.AddName(root)
		t.AddTree(root)
		var all string
		files, _ := filepath.Glob(filepath.Join(root, "*"))
		more, _ := filepath.Glob(filepath.Join(root, "*", "*"))
		for _, f := range append(files, more...) {
			text, _ := os.ReadFile(f)
			all += string(text)
		}
		return t, all
	}
}

// A tree is watched with the folders that come, and through the link that it is.
func TestTree(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	must(t, os.MkdirAll(filepath.Join(top, "1", ".hidden"), 0o755))
	must(t, os.WriteFile(filepath.Join(top, "1", "a"), []byte("a"), 0o600))
	must(t, os.Symlink("1", root))
	seen := run(t, Options{Poll: never}, tree(root))
	await(t, seen, "a")
	must(t, os.Mkdir(filepath.Join(root, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "sub", "b"), []byte("b"), 0o600))
	await(t, seen, "ab")
	must(t, os.WriteFile(filepath.Join(root, "sub", "b"), []byte("B"), 0o600))
	await(t, seen, "aB")
	// As Kubernetes exchanges a folder.
	must(t, os.Mkdir(filepath.Join(top, "2"), 0o755))
	must(t, os.WriteFile(filepath.Join(top, "2", "a"), []byte("c"), 0o600))
	must(t, os.Symlink("2", root+".new"))
	must(t, os.Rename(root+".new", root))
	await(t, seen, "c")
	must(t, os.WriteFile(filepath.Join(top, "2", "a"), []byte("d"), 0o600))
	await(t, seen, "d")
}

func TestFor(t *testing.T) {
	path := filepath.Join(testenv.SocketDir(t), "run", "ctl")
	For(t.Context(), path, time.Millisecond) // nothing happens
	done := make(chan struct{})
	go func() { defer close(done); For(t.Context(), path, never) }()
	for waiting := true; waiting; {
		// It may not watch yet, so it comes again and again.
		must(t, os.RemoveAll(filepath.Dir(path)))
		must(t, os.Mkdir(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o600))
		select {
		case <-done:
			waiting = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	go stop()
	For(ctx, path, never)
}

// TestFolderGoesUnseen: a watched folder that has gone, with the one above it, before it is
// watched again is to be looked for, once.
func TestFolderGoesUnseen(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "above", "dir")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := New(Options{})
	defer w.Close()
	targets := NewTargets()
	targets.AddDir(dir)
	if !w.Watch(targets) || w.Watch(targets) {
		t.Error("it is new once")
	}
	if err := os.Rename(filepath.Join(base, "above"), filepath.Join(base, "away")); err != nil {
		t.Fatal(err)
	}
	if !w.Watch(targets) || w.Watch(targets) {
		t.Error("it is gone once")
	}
}
