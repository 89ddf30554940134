package reload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These variables make the test binary a child that applies sets until it is killed.
const (
	childFolder = "RELOAD_TEST_FOLDER"
	childBinary = "RELOAD_TEST_BINARY"
)

func applyForEver(folder, binary string) {
	main := filepath.Join(folder, "bird.cfg")
	a := New(Options{})
	for i := 0; ; i++ {
		s := set(threeFiles(folder, string(rune('A'+i%2))), main, filepath.Join(folder, "s"), binary)
		if _, err := a.Apply(context.Background(), s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// Whenever the process is killed, what is on disk is one generation, and passes.
func TestKilled(t *testing.T) {
	t.Parallel()
	binary := birdBinary(t, "2.0.12/bird")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	for round := range 40 {
		if round%4 == 0 { // from plain files, for the way to links
			dir = testFolder(t)
			for _, f := range threeFiles(dir, "P") {
				write(t, f.Dest, string(f.Data))
			}
		}
		// A checker that is quick leaves more rounds in which files are moved.
		checker := binary
		if round%2 == 0 {
			checker = "/bin/true"
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childFolder+"="+dir, childBinary+"="+checker)
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(int(120 * time.Millisecond))))
		cmd.Process.Kill()
		cmd.Wait()
		if out.Len() > 0 {
			t.Fatalf("round %d: %s", round, &out)
		}
		wantOneGeneration(t, dir, binary)
	}
	a := New(Options{Logger: testLogger(t)})
	s := set(threeFiles(dir, "Z"), filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s"), binary)
	if _, err := a.Apply(testContext(t), s); err != nil {
		t.Fatal(err)
	}
	wantOneGeneration(t, dir, binary)
	removeNew(t, dir)
	before := theRecord(t, dir).Before.Folder // as no BIRD has agreed to anything
	wantEntries(t, dir, before, ".confd-bird", ".confd-record-bird.json", "aggr.cfg", "aggr.cfg.orig", "bird.cfg", "bird.cfg.orig", "ipam.cfg", "ipam.cfg.orig")
}

// removeNew removes files that a killed process was writing: one that is an hour old
// goes by itself.
func removeNew(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".confd-new-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func wantOneGeneration(t *testing.T, dir, binary string) {
	t.Helper()
	if out, err := exec.Command(binary, "-p", "-c", filepath.Join(dir, "bird.cfg")).CombinedOutput(); err != nil {
		t.Errorf("bird -p: %v: %s", err, out)
	}
	first := func(name string) string {
		line, _, _ := strings.Cut(read(t, filepath.Join(dir, name)), "\n")
		return line
	}
	if main := first("bird.cfg"); main != first("aggr.cfg") || main != first("ipam.cfg") {
		t.Errorf("generations are mixed: %s, %s, %s", main, first("aggr.cfg"), first("ipam.cfg"))
	}
}

func TestMode(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	path := filepath.Join(dir, "one")
	write(t, path, "A")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	a := New(Options{})
	for _, mode := range []os.FileMode{0, 0o600, 0o644} {
		f := file(path, "A")
		f.Mode = mode
		if res, err := a.Apply(ctx, Set{Name: "x", Files: []File{f}}); err != nil || len(res.Changed) != 1 {
			t.Errorf("%+v, %v", res, err)
		}
		if mode == 0 {
			mode = 0o640
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
	}
}

// A BIRD that runs as another user reads the staged and the installed files,
// and others do not.
func TestOtherUser(t *testing.T) {
	needRoot(t)
	ctx, dir := testContext(t), testFolder(t)
	const nobody = 65534
	main, run := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "run")
	socket := filepath.Join(run, "s")
	if err := os.Mkdir(run, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(run, 0o777); err != nil {
		t.Fatal(err)
	}
	files := func(generation string) []File {
		list := threeFiles(dir, generation)
		for i := range list {
			list[i].UID, list[i].GID, list[i].Mode = 0, nobody, 0o640
		}
		return list
	}
	a := New(Options{Logger: testLogger(t)})
	if res, err := a.Apply(ctx, set(files("A"), main, socket, "")); err != nil || res.State != Installed {
		t.Fatalf("%+v, %v", res, err)
	}
	cmd := exec.Command(birdOfOthers(t, "2.0.12/bird"), "-c", main, "-s", socket, "-P", socket+".pid", "-f")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out := &strings.Builder{}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	eventually(t, func() error {
		return greets(socket)
	})
	if res, err := a.Apply(ctx, set(files("B"), main, socket, "")); err != nil || res.State != Confirmed || res.Unchecked {
		t.Errorf("%+v, %v, %s", res, err, out)
	}
	// Owners that are left open stay.
	if res, err := a.Apply(ctx, set(threeFiles(dir, "C"), main, socket, "")); err != nil || res.State != Confirmed {
		t.Errorf("%+v, %v", res, err)
	}
	info, err := os.Stat(filepath.Join(dir, ".confd-bird", "current"))
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the set's folder: %v, %v", info.Mode(), err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", args[len(args)-1]).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

func TestDiskFull(t *testing.T) {
	needRoot(t)
	ctx, dir := testContext(t), testFolder(t)
	mount(t, "-t", "tmpfs", "-o", "size=64k", "none", dir)
	a := New(Options{Logger: testLogger(t)})
	s := Set{Name: "x", Files: []File{file(dir+"/one", "A"), file(dir+"/two", "A")}}
	if _, err := a.Apply(ctx, s); err != nil {
		t.Fatal(err)
	}
	s.Files[1].Data = make([]byte, 1<<20)
	if _, err := a.Apply(ctx, s); err == nil || !strings.Contains(err.Error(), "free space") {
		t.Errorf("%v", err)
	}
	if read(t, dir+"/one") != "A" || read(t, dir+"/two") != "A" {
		t.Error("the old files are gone")
	}
	wantEntries(t, dir, ".confd-x", "one", "two")
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Files[1].Data = []byte("B")
	if _, err := a.Apply(ctx, s); err == nil || !strings.Contains(err.Error(), "writable") {
		t.Errorf("%v", err)
	}
}

// A file that is a mount point is written in place, alone and in a set, and
// undone in place.
func TestMountPoint(t *testing.T) {
	needRoot(t)
	ctx, dir := testContext(t), testFolder(t)
	for _, name := range []string{"source", "one", "two"} {
		write(t, filepath.Join(dir, name), "old and long")
	}
	mount(t, "--bind", dir+"/source", dir+"/one")
	a := New(Options{Logger: testLogger(t)})
	apply := func(files ...File) {
		t.Helper()
		if _, err := a.Apply(ctx, Set{Name: "x", Files: files}); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if got := read(t, f.Dest); got != string(f.Data) {
				t.Errorf("%s is %q", f.Dest, got)
			}
		}
		if got := read(t, dir+"/source"); got != string(files[0].Data) {
			t.Errorf("the mounted file is %q", got)
		}
	}
	apply(file(dir+"/one", "new"))
	apply(file(dir+"/one", "newer"), file(dir+"/two", "newer"))
	apply(file(dir+"/one", "newest of all"), file(dir+"/two", "newest"))

	targets, err := readTargets(Set{Files: []File{file(dir+"/one", "bad"), file(dir+"/two", "bad")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := Set{Name: "x"}
	st, err := a.disk.stage(s, targets)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close(false)
	back, err := a.disk.swap(s, st)
	if err != nil || read(t, dir+"/one") != "bad" || read(t, dir+"/two") != "bad" {
		t.Fatal(err)
	}
	if err := back.undo(); err != nil || read(t, dir+"/one") != "newest of all" || read(t, dir+"/two") != "newest" {
		t.Errorf("%v, %q, %q", err, read(t, dir+"/one"), read(t, dir+"/two"))
	}
}

// Includes find files of the set in folders below, and files that are not of
// the set at all; files that have left the set stay.
func TestIncludes(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	binary := birdBinary(t, "2.0.12/bird")
	main := filepath.Join(dir, "bird.cfg")
	for _, folder := range []string{"sub/deep", "own"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir+"/own/mine.cfg", "define OWN = 1;\n")
	write(t, dir+"/sub/theirs.cfg", "define THEIRS = 1;\n")
	text := small + `include "own/*.cfg";
include "sub/*.cfg";
include "sub/deep/x.cfg";
include "extra.cfg";
filter uses { if OWN = THEIRS && SUB = DEEP && EXTRA = 1 then accept; reject; }
`
	files := []File{
		file(dir+"/sub/sub.cfg", "define SUB = 1;\n"),
		file(dir+"/sub/deep/x.cfg", "define DEEP = 1;\n"),
		file(dir+"/extra.cfg", "define EXTRA = 1;\n"),
		file(main, text),
	}
	a := New(Options{Logger: testLogger(t)})
	if res, err := a.Apply(ctx, set(files, main, dir+"/s", binary)); err != nil || res.State != Installed {
		t.Fatalf("%+v, %v", res, err)
	}
	files = []File{file(main, text+"# 2\n")} // extra.cfg has left, and is still included
	if _, err := a.Apply(ctx, set(files, main, dir+"/s", binary)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "-p", "-c", main).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	wantEntries(t, dir, ".confd-bird", ".confd-record-bird.json", "bird.cfg", "extra.cfg", "own", "sub")
}

// Somebody who looks all the time sees whole generations only: what a kill at
// that moment would leave behind.
func TestObserved(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	stop, ended := make(chan struct{}), make(chan struct{})
	seen := map[string]bool{}
	next := make(chan string)
	go func() {
		defer close(ended)
		var dir string
		select {
		case <-stop:
			return
		case dir = <-next:
		}
		for {
			select {
			case <-stop:
				return
			case dir = <-next:
			default:
			}
			before, _ := os.Readlink(dir + "/.confd-bird/current")
			var lines []string
			for _, name := range []string{"bird.cfg", "aggr.cfg", "ipam.cfg"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				line, _, _ := strings.Cut(string(data), "\n")
				lines = append(lines, fmt.Sprint(line, err))
			}
			if after, _ := os.Readlink(dir + "/.confd-bird/current"); after != before {
				continue // swapped while we looked
			}
			if lines[0] != lines[1] || lines[0] != lines[2] {
				t.Errorf("generations are mixed: %q", lines)
				return
			}
			seen[lines[0]] = true
		}
	}()
	defer func() {
		close(stop)
		<-ended
		if len(seen) != 3 {
			t.Errorf("saw %v", seen)
		}
	}()
	for range 4 {
		folder := testFolder(t)
		for _, f := range threeFiles(folder, "P") {
			write(t, f.Dest, string(f.Data))
		}
		select {
		case next <- folder:
		case <-ended:
			return
		}
		a := New(Options{})
		for i := range 6 {
			s := set(threeFiles(folder, string(rune('A'+i%2))), folder+"/bird.cfg", folder+"/s", "/bin/true")
			if _, err := a.Apply(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
	}
}
