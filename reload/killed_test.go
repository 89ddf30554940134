package reload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// These variables make the test binary a child that has sets tried until it is
// killed.
const (
	childTries  = "RELOAD_TEST_TRY"
	childSocket = "RELOAD_TEST_SOCKET"
)

// triedSet is a set of two files on trial for a moment.
func triedSet(folder, socket, text string) Set {
	main := filepath.Join(folder, "bird.conf")
	s := set([]File{file(main, text), file(filepath.Join(folder, "more.conf"), text)}, main, socket, filepath.Join(filepath.Dir(socket), "checker"))
	s.Guard = &Guard{Within: 20 * time.Millisecond, Stay: []string{"b"}}
	return s
}

func tryForEver(folder, socket string) {
	a := New(Options{TrialMargin: time.Minute})
	for i := 0; ; i++ {
		s := triedSet(folder, socket, fmt.Sprintf("try %d", rand.Uint64()))
		res, err := a.Apply(context.Background(), s)
		for err == nil && res.State == OnTrial {
			time.Sleep(5 * time.Millisecond)
			res, err = a.Trial(context.Background(), s)
		}
		if err != nil && !errors.Is(err, ErrOnTrial) { // the first may be that of the process before
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// Whenever the process is killed in the middle of a trial, the next one goes on
// with it, or what BIRD had agreed to is back.
func TestKilledInTrial(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.two, s.bird.real, s.opts.Now = true, true, nil
	s.begin()
	s.bird.sessions["b"] = session{}
	s.do("apply", []string{"one"})
	s.checker()
	must(t, s.bird.start())
	if _, err := s.a.Reconfigure(t.Context(), s.set("one")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(proofSlack) // so that what comes after is told from it
	self, err := os.Executable()
	must(t, err)
	outcomes := map[string]int{}
	for range 30 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childTries+"="+s.dir, childSocket+"="+s.bird.socket)
		var out strings.Builder
		cmd.Stderr = &out
		must(t, cmd.Start())
		time.Sleep(time.Duration(rand.IntN(int(300 * time.Millisecond))))
		cmd.Process.Kill()
		cmd.Wait()
		if out.Len() > 0 {
			t.Fatal(out.String())
		}
		outcomes[s.afterKill()]++
	}
	t.Log(outcomes)
}

// afterKill goes on where a process was killed, and says how.
func (s *script) afterKill() string {
	s.begin()
	s.wantWhole()
	r := theRecord(s.t, s.dir)
	_, err := s.a.Resume(s.t.Context(), r, Daemon{Socket: s.bird.socket, Binary: s.checker()})
	lapsed := (*LapsedError)(nil)
	switch {
	case errors.Is(err, ErrNoTrial):
		return "no trial"
	case errors.As(err, &lapsed):
		s.wantAgreed()
		return "lapsed"
	case err != nil:
		s.t.Fatal(err)
	}
	// It goes on, and is as all trials are: a session that falls ends it.
	s.wantWhole()
	onDisk, _, err := r.OnDisk()
	must(s.t, err)
	onDisk.Daemon = s.set("one").Daemon
	s.bird.mu.Lock()
	s.bird.sessions["b"] = session{false, time.Now()}
	s.bird.mu.Unlock()
	if _, err := s.a.Trial(s.t.Context(), onDisk); !errors.As(err, new(*UndoneError)) {
		s.t.Errorf("a session fell, and: %v", err)
	}
	s.wantAgreed()
	s.bird.mu.Lock()
	s.bird.sessions["b"] = session{true, time.Now()}
	s.bird.mu.Unlock()
	return "on trial"
}

// wantWhole fails unless one set lies on disk.
func (s *script) wantWhole() {
	s.t.Helper()
	if text := s.onDisk(); strings.Contains(text, " and ") || text == "nothing" {
		s.t.Fatalf("on disk is %q", text)
	}
}

// wantAgreed fails unless what BIRD has agreed to lies on disk and is in use. Where
// it has just agreed to something else nobody may know of that.
func (s *script) wantAgreed() {
	s.t.Helper()
	text := s.onDisk()
	s.bird.mu.Lock()
	defer s.bird.mu.Unlock()
	if !slices.Contains(s.bird.agreed, text) || s.bird.uses.text != text || !s.bird.undoAt.IsZero() {
		s.t.Errorf("on disk is %q, BIRD uses %q and has agreed to %q", text, s.bird.uses.text, s.bird.agreed)
	}
}

// A file that the set on trial has brought goes with it, where the process was
// killed meanwhile.
func TestNewcomerGoes(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.bird.sessions["b"] = session{}
	more := filepath.Join(s.dir, "more.conf")
	if _, err := s.a.Apply(t.Context(), s.set("one")); err != nil {
		t.Fatal(err)
	}
	must(t, s.bird.start())
	s.do("reconfigure", []string{"one"})
	s.bird.pass(time.Minute)
	s.two = true
	if res, err := s.a.Apply(t.Context(), s.guarded([]string{"two", "stay=b"})); err != nil || res.State != OnTrial || read(t, more) != "two" {
		t.Fatalf("%+v, %v", res, err)
	}
	s.begin() // it was killed
	s.bird.pass(time.Hour)
	_, err := s.a.Resume(t.Context(), theRecord(t, s.dir), Daemon{Socket: s.bird.socket, Binary: s.checker()})
	if !errors.As(err, new(*LapsedError)) || read(t, s.bird.main) != "one" {
		t.Errorf("%v, on disk is %q", err, read(t, s.bird.main))
	}
	if _, err := os.Lstat(more); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new file is still there: %v", err)
	}
	s.two = false
	if res, err := s.a.Apply(t.Context(), s.set("one")); err != nil || res.State != Unchanged {
		t.Errorf("%+v, %v", res, err)
	}
}
