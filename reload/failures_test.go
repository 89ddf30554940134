package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
	"confd/reload/control"
)

// bench is a BIRD that uses generation A of a set, which an Applier has applied.
type bench struct {
	t                         *testing.T
	ctx                       context.Context
	dir, main, socket, binary string
	version                   string
	d                         *daemon
	a                         *Applier
}

func newBench(t *testing.T, binary, version string) *bench {
	dir, run := testFolder(t), testFolder(t)
	b := &bench{
		t: t, ctx: testContext(t), dir: dir, main: filepath.Join(dir, "bird.cfg"), socket: filepath.Join(run, "s"),
		binary: binary, version: version, a: New(Options{Logger: testLogger(t)}),
	}
	write(t, b.main, named("zero"))
	b.start()
	b.apply("A")
	return b
}

func (b *bench) start() {
	b.t.Helper()
	b.d = startBIRD(b.t, b.binary, b.main, b.socket)
}

// named is a configuration that shows in BIRD's list of protocols.
func named(generation string) string {
	return "router id 10.0.0.1;\nprotocol device gen_" + generation + " {}\n"
}

func (b *bench) set(generation string) Set {
	return set([]File{file(b.main, named(generation))}, b.main, b.socket, b.binary)
}

// apply must end with BIRD using the generation, and nothing to repair.
func (b *bench) apply(generation string) {
	b.t.Helper()
	s := b.set(generation)
	res, err := b.a.Apply(b.ctx, s)
	if err == nil && res.State == Installed {
		res, err = b.a.Reconfigure(b.ctx, s)
	}
	if err != nil || res.State != Confirmed || res.Hash != s.Hash() || res.Reconfigured.IsZero() || res.Rebooted.IsZero() {
		b.t.Fatalf("generation %s: %+v, %v", generation, res, err)
	}
	b.wantOnDisk(generation)
	b.wantRunning(generation)
	if drift, err := b.a.Verify(b.ctx, s); err != nil || drift.Any() || drift.BIRD != control.Up {
		b.t.Errorf("generation %s has drifted: %+v, %v", generation, drift, err)
	}
}

func (b *bench) wantOnDisk(generation string) {
	b.t.Helper()
	if got := read(b.t, b.main); got != named(generation) {
		b.t.Errorf("on disk is %q, want generation %s", got, generation)
	}
}

func (b *bench) wantRunning(generation string) {
	b.t.Helper()
	c, err := control.Dial(b.ctx, b.socket)
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.Close()
	protocols, err := protocolsOf(b.ctx, c)
	if _, there := protocols["gen_"+generation]; err != nil || !there {
		b.t.Errorf("BIRD runs %q, %v; want generation %s", protocols, err, generation)
	}
}

// A BIRD that was started with another file does not use what was written, and
// that is not called confirmed. Where it reads a copy it does.
func TestOtherFile(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.6.8", "2.0.12"} {
		t.Run(version, func(t *testing.T) {
			binary := testenv.Bird(t, version)
			b := newBench(t, binary, version)
			b.d.kill()
			other := filepath.Join(testFolder(t), "other.cfg")
			write(t, other, named("other"))
			b.d = startBIRD(t, binary, other, b.socket)
			if res, err := b.a.Apply(b.ctx, b.set("B")); !errors.Is(err, ErrOtherFile) || !strings.Contains(err.Error(), other) {
				t.Errorf("%+v, %v; want %v", res, err, ErrOtherFile)
			}
			b.wantRunning("other")
			write(t, other, named("B"))
			b.apply("B")
		})
	}
}

func wantError(target error) func(Result, error) bool {
	return func(_ Result, err error) bool { return errors.Is(err, target) }
}

func wantWords(words string) func(Result, error) bool {
	return func(_ Result, err error) bool { return err != nil && strings.Contains(err.Error(), words) }
}

func wantRefused(_ Result, err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Undone
}

// After each failure what stands on disk is whole, and when its cause is gone
// the same set is applied.
func TestFailures(t *testing.T) {
	mountHere := func(b *bench, args ...string) {
		b.t.Helper()
		needRoot(b.t)
		mount(b.t, args...)
	}
	mend := func(b *bench, name string, args ...string) func() {
		return func() {
			b.t.Helper()
			if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
				b.t.Fatalf("%s: %v: %s", name, err, out)
			}
		}
	}
	for _, test := range []struct {
		name string
		// cause is given the set to be applied, and returns what takes it away.
		cause  func(b *bench, s *Set) func()
		want   func(Result, error) bool
		onDisk string // the generation after the failure
		lives  bool   // BIRD goes on with A
	}{
		{"refused", func(b *bench, s *Set) func() {
			s.Files[0].Data = append(s.Files[0].Data, "bogus;\n"...)
			s.Daemon.Binary = b.blindChecker()
			return func() {}
		}, wantRefused, "A", true},
		{"killed in the middle", func(b *bench, s *Set) func() {
			s.Daemon.Socket = relay(b.t, b.socket, func(command string) {
				if strings.HasPrefix(command, "configure") {
					b.d.cmd.Process.Signal(syscall.SIGSTOP)
					b.d.cmd.Process.Kill()
				}
			})
			return func() { b.d.cmd.Wait(); b.start() }
		}, wantError(control.ErrWentAway), "B", false},
		{"socket gone", func(b *bench, s *Set) func() {
			if err := os.Rename(b.socket, b.socket+".away"); err != nil {
				b.t.Fatal(err)
			}
			return func() { os.Rename(b.socket+".away", b.socket) }
		}, func(res Result, err error) bool { return err == nil && res.State == Installed }, "B", false},
		{"hung", func(b *bench, s *Set) func() {
			b.d.cmd.Process.Signal(syscall.SIGSTOP)
			b.a.opts.ReloadTimeout = 200 * time.Millisecond
			return func() { b.a.opts.ReloadTimeout = patience; b.d.cmd.Process.Signal(syscall.SIGCONT) }
		}, wantError(control.ErrHung), "B", false},
		{"disk full", func(b *bench, s *Set) func() {
			mountHere(b, "-t", "tmpfs", "-o", "size=32k", "none", b.dir)
			b.remake()
			fill := filepath.Join(b.dir, "fill")
			if err := os.WriteFile(fill, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
				b.t.Fatal(err)
			}
			return func() { os.Remove(fill) }
		}, wantWords("free space"), "A", true},
		{"read-only folder", func(b *bench, s *Set) func() {
			mountHere(b, "-t", "tmpfs", "none", b.dir)
			b.remake()
			mend(b, "mount", "-o", "remount,ro", b.dir)()
			return mend(b, "mount", "-o", "remount,rw", b.dir)
		}, wantWords("writable"), "A", true},
		{"read-only mounted file", func(b *bench, s *Set) func() {
			mountHere(b, "--bind", b.main, b.main)
			mend(b, "mount", "-o", "remount,bind,ro", b.main)()
			return mend(b, "mount", "-o", "remount,bind,rw", b.main)
		}, wantWords("writable"), "A", true},
		{"refused with a mounted file", func(b *bench, s *Set) func() {
			mountHere(b, "--bind", b.main, b.main)
			s.Files[0].Data = append(s.Files[0].Data, "bogus;\n"...)
			s.Daemon.Binary = b.blindChecker()
			return func() {}
		}, wantRefused, "A", true},
		{"folder gone", func(b *bench, s *Set) func() {
			away := b.dir + ".away"
			if err := os.Rename(b.dir, away); err != nil {
				b.t.Fatal(err)
			}
			return func() { os.Rename(away, b.dir) }
		}, wantWords("create the folder"), "", true},
		{"checker of another version", func(b *bench, s *Set) func() {
			if strings.HasPrefix(b.version, "1.") {
				b.t.Skip("the syntax that divides the two is that of BIRD 2")
			}
			s.Daemon.Binary = birdBinary(b.t, "2.17.6/bird")
			s.Files[0].Data = append(s.Files[0].Data, "function f() -> bool { return true; }\n"...)
			return func() {}
		}, func(_ Result, err error) bool {
			var failed *CheckError
			return errors.As(err, &failed) && failed.Line == 3
		}, "A", true},
	} {
		for _, name := range []string{"1.6.8/bird", "2.0.12/bird"} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, birdBinary(t, name), filepath.Dir(name))
				s := b.set("B")
				takeAway := test.cause(b, &s)
				res, err := b.a.Apply(b.ctx, s)
				if !test.want(res, err) {
					t.Errorf("%+v, %v", res, err)
				}
				if test.onDisk != "" {
					b.wantOnDisk(test.onDisk)
				}
				if test.lives {
					b.wantRunning("A")
				}
				takeAway()
				b.apply("B")
				b.apply("C")
			})
		}
	}
}

// blindChecker is a program that says that it is BIRD and finds nothing wrong.
func (b *bench) blindChecker() string {
	path := filepath.Join(testFolder(b.t), "checker")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho BIRD version "+b.version+"\n"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// remake writes what was in the folder after something was mounted over it, and
// applies it anew.
func (b *bench) remake() {
	b.t.Helper()
	b.a = New(*b.a.opts)
	b.apply("A")
}

// relay stands between a client and BIRD, and calls hook with each command
// before BIRD gets it.
func relay(t *testing.T, socket string, hook func(string)) string {
	path := filepath.Join(testFolder(t), "relay")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			if out, err := net.Dial("unix", socket); err == nil {
				carry(in, out, hook)
			}
			in.Close()
		}
	}()
	return path
}

// carry returns when both sides have ended.
func carry(in, out net.Conn, hook func(string)) {
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(in, out)
		in.Close()
	}()
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			break
		}
		hook(string(buffer[:n]))
		if _, err := io.Copy(out, bytes.NewReader(buffer[:n])); err != nil {
			break
		}
	}
	out.Close()
	<-back
}

// A file gets the owner that is asked for, even one that nobody has; where BIRD
// cannot read it, what it can read comes back.
func TestUnreadable(t *testing.T) {
	needRoot(t)
	const nobody, unknown = 65534, 424242
	ctx, dir, run := testContext(t), testFolder(t), testFolder(t)
	main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(run, "s")
	binary := birdOfOthers(t, "2.0.12/bird")
	owned := func(generation string, uid, gid int) Set {
		f := file(main, named(generation))
		f.UID, f.GID = uid, gid
		return set([]File{f}, main, socket, binary)
	}
	a := New(Options{Logger: testLogger(t)})
	if _, err := a.Apply(ctx, owned("A", unknown, nobody)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(main); err != nil || info.Sys().(*syscall.Stat_t).Uid != unknown {
		t.Errorf("the owner is not the one that was asked for: %v", err)
	}
	if err := os.Chmod(run, 0o777); err != nil {
		t.Fatal(err)
	}
	d := exec.Command(binary, "-c", main, "-s", socket, "-P", socket+".pid", "-f")
	d.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Process.Kill(); d.Wait() })
	eventually(t, func() error {
		return greets(socket)
	})
	if _, err := a.Reconfigure(ctx, owned("A", unknown, nobody)); err != nil {
		t.Fatal(err)
	}
	_, err := a.Apply(ctx, owned("B", 0, 0))
	var refused *RefusedError
	if !errors.As(err, &refused) || !refused.Undone || !strings.Contains(refused.Message, "Permission denied") || read(t, main) != named("A") {
		t.Errorf("%v", err)
	}
	if res, err := a.Apply(ctx, owned("B", 0, nobody)); err != nil || res.State != Confirmed {
		t.Errorf("%+v, %v", res, err)
	}
}

// A configuration that BIRD has queued is not taken for one that it uses, and
// one that it does not get through in time is not confirmed.
func TestQueued(t *testing.T) {
	for _, name := range []string{"1.6.8/bird", "2.0.12/bird", "3.1.8/bird"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary := birdBinary(t, name)
			b := &bench{t: t, ctx: testContext(t), main: filepath.Join(testFolder(t), "bird.cfg"), socket: filepath.Join(testFolder(t), "s"), binary: binary}
			many := named("many") + manyRoutes(name)
			write(t, b.main, many)
			b.start()
			first, second := client(t, b.socket), client(t, b.socket)
			if strings.HasPrefix(name, "3.") {
				if err := letSettle(b.ctx, first); err != nil {
					t.Fatal(err)
				}
			}
			queued := 0
			for try := 0; queued < 2 && try < 10; try++ {
				write(t, b.main, many)
				b.configure(first)
				write(t, b.main, named("first"))
				if _, err := first.Configure(b.ctx); err != nil {
					t.Fatal(err)
				}
				write(t, b.main, named("second"))
				sent := time.Now()
				answer, err := second.Configure(b.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if answer == control.Queued {
					queued++
					if queued == 1 {
						b.wantBusy(second)
					}
				}
				if _, err := New(Options{}).bird.waitConfigured(b.ctx, second, sent); err != nil {
					t.Fatal(err)
				}
				b.wantRunning("second")
			}
			if queued == 0 {
				t.Skip("BIRD was too quick to queue anything")
			}
		})
	}
}

func manyRoutes(bird string) string {
	var b strings.Builder
	b.WriteString("protocol static many {")
	if !strings.HasPrefix(bird, "1.") {
		b.WriteString(" ipv4;")
	}
	count := 100000
	if strings.HasPrefix(bird, "1.") {
		count = 30000 // it is slow to take them
	}
	for i := range count {
		fmt.Fprintf(&b, "\nroute 10.%d.%d.%d/32 blackhole;", i>>16, i>>8&255, i&255)
	}
	return b.String() + "\n}\n"
}

func (b *bench) configure(c *control.Client) {
	b.t.Helper()
	sent := time.Now()
	if _, err := c.Configure(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	if _, err := New(Options{}).bird.waitConfigured(b.ctx, c, sent); err != nil {
		b.t.Fatal(err)
	}
}

// wantBusy fails where a wait that is too short is not called one for a busy
// BIRD, unless BIRD was quick enough.
func (b *bench) wantBusy(c *control.Client) {
	b.t.Helper()
	now, err := New(Options{}).bird.observe(b.ctx, c)
	if err != nil || !now.status.InProgress() {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Millisecond)
	defer cancel()
	other := client(b.t, b.socket) // the wait breaks its connection
	if _, err := New(Options{}).bird.waitConfigured(ctx, other, time.Now()); err != nil && !errors.Is(err, control.ErrBusy) && !errors.Is(err, control.ErrHung) {
		b.t.Errorf("a short wait: %v", err)
	} else {
		b.t.Logf("a short wait: %v", err)
	}
}
