package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRenderMode: rendered files hold passwords. They have the mode that was asked
// for, whatever was there before: a file that all may read, or a link to one.
func TestRenderMode(t *testing.T) {
	r := newDiffRig(t, "")
	out := r.path("out")
	file := filepath.Join(out, "bird.conf")
	mode := func() fs.FileMode {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	render := []string{"render", "--data", r.path("before.yaml"), "--output", out}
	put(t, file, "old") // with mode 0644
	wants(t, r.run(render[0], render[1:]...), exitGood, nil)
	if mode() != 0o640 {
		t.Errorf("by default: %v", mode())
	}
	wants(t, r.run(render[0], append(render[1:], "--file-mode", "0604")...), exitGood, nil)
	if mode() != 0o604 {
		t.Errorf("with --file-mode 0604: %v", mode())
	}
	put(t, r.path("real"), "old")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.path("real"), file); err != nil {
		t.Fatal(err)
	}
	wants(t, r.run(render[0], append(render[1:], "--file-mode", "0600")...), exitGood, nil)
	if info, err := os.Lstat(file); err != nil || info.Mode().IsRegular() || mode() != 0o600 {
		t.Errorf("behind a link: %v, %v", mode(), err)
	}
	snapshot := r.path("snapshot.yaml")
	put(t, snapshot, "old")
	wants(t, r.run("export", "--data", r.path("before.yaml"), "--secrets", "--output", snapshot, "--file-mode", "0600"), exitGood, nil)
	if info, err := os.Stat(snapshot); err != nil || info.Mode() != 0o600 {
		t.Errorf("of an export: %v, %v", info.Mode(), err)
	}
}

// TestDataOfAPipe: what a pipe brings is gone once it is read. That is said at once, and not
// when the time is over in which files may appear.
func TestDataOfAPipe(t *testing.T) {
	r := newDiffRig(t, "")
	pipe := r.path("pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	c := r.run("render", "--data", pipe)
	if want := "--data: " + pipe + " is neither a file nor a folder"; c.code != exitFailed || !strings.Contains(c.stderr, want) {
		t.Errorf("exit code %d and %q, want %q", c.code, c.stderr, want)
	}
}
