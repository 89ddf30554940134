package reload

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBIRD3JustStarted gives a BIRD 3 that has just started the change that
// 3.1.8 dies of when it comes too early.
func TestBIRD3JustStarted(t *testing.T) {
	t.Parallel()
	binary := birdBinary(t, "3.1.8/bird")
	dir := testFolder(t)
	main, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	conf := func(filter string) string {
		return "router id 10.0.0.1;\nprotocol device {}\nfilter f { " + filter + " }\n" +
			"protocol kernel { kernel table 4242; ipv4 { import none; export filter f; }; }\n"
	}
	write(t, main, conf("reject;"))
	startBIRD(t, binary, main, socket)
	changed := file(main, conf("if net ~ 10.0.0.0/8 then reject; accept;"))
	r, err := New(Options{}).Apply(testContext(t), set([]File{changed}, main, socket, binary))
	if err != nil || r.State != Confirmed {
		t.Fatalf("got state %v, error %v", r.State, err)
	}
	client(t, socket) // it is still there
}

// TestBIRDIsAway: a set that waits for BIRD is not installed, and its commands
// are not run, again and again.
func TestBIRDIsAway(t *testing.T) {
	dir := testFolder(t)
	main, ran := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ran")
	f := file(main, "protocol device {}\n")
	f.ReloadCmd = "echo once >>" + ran
	s := set([]File{f}, main, filepath.Join(dir, "nobody"), birdBinary(t, "2.0.12/bird"))
	a := New(Options{})
	for range 3 {
		r, err := a.Apply(testContext(t), s)
		if r, err = ranNow(testContext(t), a, s, r, err); err != nil || r.State != Installed {
			t.Fatalf("got state %v, error %v", r.State, err)
		}
	}
	if got := read(t, ran); got != "once\n" {
		t.Errorf("the reload command wrote %q", got)
	}
	r, err := a.Reconfigure(testContext(t), s)
	if _, err = ranNow(testContext(t), a, s, r, err); err != nil {
		t.Fatal(err)
	}
	if got := read(t, ran); got != "once\nonce\n" {
		t.Errorf("after Reconfigure the command had written %q", got)
	}
}

// TestHangingCheck: a check that hangs is no reason to go without one.
func TestHangingCheck(t *testing.T) {
	dir := testFolder(t)
	main, binary := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "bird")
	write(t, binary, "#!/bin/sh\nsleep 60\n")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	s := set([]File{file(main, "protocol device {}\n")}, main, filepath.Join(dir, "nobody"), binary)
	_, err := New(Options{CheckTimeout: 100 * time.Millisecond}).Apply(testContext(t), s)
	if err == nil || errors.Is(err, ErrCannotCheck) {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(main); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the set was installed: %v", err)
	}
}
