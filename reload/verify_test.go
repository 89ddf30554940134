package reload

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"confd/reload/control"
)

// What is changed behind our back is noticed, each for what it is, and can be
// put right; what is not changed never shows.
func TestVerify(t *testing.T) {
	for _, name := range []string{"1.6.8/bird", "2.0.12/bird", "3.1.8/bird"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, birdBinary(t, name), filepath.Dir(name))
			s := b.set("A")
			verify := func(want string, health control.Health) {
				t.Helper()
				drift, err := b.a.Verify(b.ctx, s)
				if err != nil || drift.String() != want || drift.Any() != (want != "") || drift.BIRD != health {
					t.Errorf("%q, %v, %v; want %q, %v", drift, drift.BIRD, err, want, health)
				}
			}
			awaitVerify := func(want string) {
				t.Helper()
				for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
					if drift, err := b.a.Verify(b.ctx, s); err == nil && drift.String() == want || time.Now().After(end) {
						break
					}
				}
				verify(want, control.Up)
			}
			reconfigure := func() {
				t.Helper()
				if res, err := b.a.Reconfigure(b.ctx, s); err != nil || res.State != Confirmed {
					t.Fatalf("%+v, %v", res, err)
				}
				verify("", control.Up)
				b.wantRunning("A")
			}
			for range 6 { // nothing shows while time passes
				verify("", control.Up)
				time.Sleep(500 * time.Millisecond)
			}
			if len(b.a.keeper("bird").prints) != 1 {
				t.Error("the file is read each time")
			}
			for what, change := range map[string]func() error{
				"text": func() error { return os.WriteFile(b.main, []byte(named("X")), 0) },
				"mode": func() error { return os.Chmod(b.main, 0o666) },
				"gone": func() error { return os.Remove(b.main) },
			} {
				if err := change(); err != nil {
					t.Fatal(err)
				}
				verify("file changed: "+b.main, control.Up)
				if res, err := b.a.Apply(b.ctx, s); err != nil || len(res.Changed) != 1 {
					t.Errorf("%s: %+v, %v", what, res, err)
				}
				verify("", control.Up)
			}
			write(t, b.main, named("A")) // the same again
			verify("", control.Up)

			time.Sleep(proofSlack + ageSlack) // what comes sooner after ours is not noticed, by BIRDs that count seconds
			other := filepath.Join(b.dir, "other.cfg")
			write(t, other, named("other"))
			reply, err := client(t, b.socket).Do(b.ctx, `configure "`+other+`"`)
			if err != nil || reply.Code >= 8000 {
				t.Fatalf("%+v, %v", reply, err)
			}
			awaitVerify("BIRD was reconfigured by somebody else")
			reconfigure()
			b.d.kill()
			verify("", control.Absent)
			b.start()
			awaitVerify("BIRD was restarted")
			reconfigure()

			b.d.cmd.Process.Signal(syscall.SIGSTOP)
			verify("", control.Hung)
			b.d.cmd.Process.Signal(syscall.SIGCONT)
			awaitVerify("")

			// BIRD is away when the set is applied, and nobody has said that it came.
			b.d.kill()
			s = b.set("A")
			s.Files[0].Data = append(s.Files[0].Data, "# 2\n"...)
			if res, err := b.a.Apply(b.ctx, s); err != nil || res.State != Installed {
				t.Fatalf("%+v, %v", res, err)
			}
			b.start()
			verify("BIRD was restarted", control.Up)
			reconfigure()
		})
	}
}

// A set that nobody has applied, or that has no BIRD, has not drifted.
func TestVerifyNothing(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main := filepath.Join(dir, "bird.cfg")
	a := New(Options{})
	s := set([]File{file(main, "x")}, main, filepath.Join(dir, "s"), "")
	if drift, err := a.Verify(ctx, s); err != nil || drift.Any() || drift.BIRD != control.Absent {
		t.Errorf("%+v, %v", drift, err)
	}
	s.Daemon = nil
	if res, err := a.Apply(ctx, s); err != nil || res.State != Confirmed {
		t.Fatal(err)
	}
	if drift, err := a.Verify(ctx, s); err != nil || drift.Any() || drift.BIRD != control.HealthUnknown {
		t.Errorf("%+v, %v", drift, err)
	}
	write(t, main, "y")
	if drift, err := a.Verify(ctx, s); err != nil || drift.String() != "file changed: "+main {
		t.Errorf("%+v, %v", drift, err)
	}
}
