package supervise

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// The life of each daemon that there is: it starts when it may, hears signals,
// is started again whichever way it ended, and ends when it is told.
func TestLife(t *testing.T) {
	for name, program := range map[string]func(*testing.T) string{
		"bird 2.0":  func(t *testing.T) string { return testenv.Bird(t, "2.0.12") },
		"bird 1.6":  func(t *testing.T) string { return testenv.Bird(t, "1.6.8") },
		"bird6 1.6": func(t *testing.T) string { return testenv.Bird6(t, "1.6.8") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, program(t), foreground, Options{})
			r.run()
			// One that started too early would end for want of its configuration,
			// which the first event would tell.
			r.Signal(syscall.SIGHUP)
			r.configure(small)
			r.begin()
			r.Signal(syscall.SIGHUP)
			first := r.next(Started)
			r.birdc("show status", "up and running")
			if group, err := syscall.Getpgid(first.PID); group != first.PID || err != nil {
				t.Errorf("process group %d of process %d (%v): a Ctrl-C would reach it", group, first.PID, err)
			}

			r.configure(small + "protocol static named { }\n")
			if name == "bird 2.0" {
				r.configure(small + "protocol static named { ipv4; }\n")
			}
			r.Signal(syscall.SIGHUP)
			r.birdc("show protocols", "named")

			kill(t, first.PID)
			if e := r.next(Ended); e.Exit != "killed by signal 9 (killed)" || e.RetryIn <= 0 || e.Ran <= 0 {
				t.Errorf("killed: %+v", e)
			}
			second := r.next(Started)
			r.birdc("show protocols", "named")
			if second.PID == first.PID {
				t.Error("the same process")
			}

			if _, err := testenv.Birdc(r.socket, "down"); err != nil {
				t.Fatal(err)
			}
			if e := r.next(Ended); e.Exit != "exit code 0" || e.RetryIn <= 0 || !strings.HasSuffix(e.Output, "Shutdown completed") {
				t.Errorf("ended by an operator: %+v", e)
			}
			third := r.next(Started)
			r.birdc("show status", "up and running")

			r.stop()
			if e := r.next(Ended); e.Exit != "exit code 0" || e.RetryIn != 0 || lives(third.PID) {
				t.Errorf("told to end: %+v, lives %v", e, lives(third.PID))
			}
			if !strings.Contains(r.output.String(), "Started") || !strings.Contains(r.log.String(), "daemon="+r.Name()) {
				t.Error("what it printed, or its name, is missing")
			}
		})
	}
}

// A command that cannot run is reported with what there is to say, and tried
// again later; Retry means now.
func TestCannotRun(t *testing.T) {
	for command, want := range map[string][2]string{
		"/nonexistent -f":                    {"exit code 127: there is no such program", "/nonexistent"},
		"/etc/passwd":                        {"exit code 126: the program cannot be executed", "/etc/passwd"},
		"bird 'unfinished":                   {"exit code 2", "quot"},
		"sh -c 'echo one; echo two; exit 3'": {"exit code 3", "one\ntwo"},
		"BIRD -f -c CONFIG -s SOCKET":        {"exit code 1", "No such file"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			bird := ""
			if strings.HasPrefix(command, "BIRD") {
				bird = testenv.Bird(t, "2.0.12")
			}
			r := newRun(t, bird, command, Options{MinDelay: time.Hour, MaxDelay: time.Hour})
			r.run()
			r.begin()
			for range 2 {
				r.next(Started)
				e := r.next(Ended)
				if e.Exit != want[0] || !strings.Contains(strings.ToLower(e.Output), strings.ToLower(want[1])) || e.RetryIn != time.Hour {
					t.Errorf("%+v, want %q", e, want)
				}
				r.Retry()
			}
			r.stop() // does not wait for the hour to pass
		})
	}
}

// What does not end on SIGTERM is killed with its children; a script that does
// end takes the daemon that it started with it.
func TestStop(t *testing.T) {
	for name, c := range map[string]struct{ script, exit string }{
		"ignores": {"trap '' TERM; sleep 1000 & echo $! >pid.new; mv pid.new pid; while :; do sleep 1000; done", "killed by signal 9 (killed)"},
		"leaves":  {"sleep 1000 & echo $! >pid.new; mv pid.new pid; wait", "killed by signal 15 (terminated)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "", "sh script", Options{StopTimeout: 300 * time.Millisecond})
			r.command = "sh " + r.dir + "/script"
			if err := os.WriteFile(r.dir+"/script", []byte("cd "+r.dir+"\n"+c.script+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.run()
			r.begin()
			r.next(Started)
			pid := 0
			testenv.Eventually(t, patience, "the script's child", func() bool {
				pid = number(r.dir + "/pid")
				return pid != 0
			})
			r.stop()
			if e := r.next(Ended); e.Exit != c.exit {
				t.Errorf("%+v, want %q", e, c.exit)
			}
			gone(t, pid)
		})
	}
}

// A BIRD outlives the program that is killed; the next one takes it over, and
// starts its own where that ends, or ends it with itself.
func TestAdopts(t *testing.T) {
	for _, test := range []struct {
		version string
		told    bool
	}{{"2.0.12", true}, {"2.0.12", false}, {"1.6.8", true}} {
		t.Run(test.version, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, testenv.Bird(t, test.version), foreground, Options{})
			r.configure(small)
			survivor := survivor(t, r)
			r.run() // nobody says that it may start
			r.next(Adopted)
			r.Signal(syscall.SIGHUP)
			if test.told {
				r.stop()
				if e := r.next(Ended); e.RetryIn != 0 || lives(survivor) {
					t.Errorf("%+v, lives: %v", e, lives(survivor))
				}
				return
			}
			r.begin()
			r.birdc("show status", "up and running")
			kill(t, survivor)
			r.next(Ended)
			own := r.next(Started)
			r.birdc("show status", "up and running")
			r.stop()
			if r.next(Ended); lives(own.PID) {
				t.Error("our own did not end")
			}
		})
	}
}

// survivor is the process of a BIRD whose supervisor was killed.
func survivor(t *testing.T, r *run) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=supervisor", "COMMAND="+r.command, "SOCKET="+r.socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	r.birdc("show status", "up and running")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	pid := number(r.socket + ".pid")
	if pid == 0 {
		t.Fatal("BIRD has written no pid")
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	// It has much to say to nobody.
	for range 3 {
		r.birdc("configure", "Reconfigured")
	}
	return pid
}

// One that hangs is not run a second time, and its end is noticed.
func TestHungBIRD(t *testing.T) {
	t.Parallel()
	r := newRun(t, testenv.Bird(t, "2.0.12"), foreground, Options{})
	r.configure(small)
	pid := survivor(t, r)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.run()
	r.begin()
	testenv.Eventually(t, patience, "the log to tell", func() bool { return strings.Contains(r.log.String(), "does not answer") })
	kill(t, pid)
	r.next(Started)
	r.birdc("show status", "up and running")
}

// stuck takes nothing until it is closed.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

// A log that nobody takes does not stop BIRD.
func TestStuckLog(t *testing.T) {
	t.Parallel()
	out := make(stuck)
	r := newRun(t, testenv.Bird(t, "2.0.12"), foreground, Options{Output: out})
	r.configure(small)
	r.run()
	defer close(out)
	r.begin()
	r.next(Started)
	r.birdc("show status", "up and running")
	for printed := 0; printed < 200<<10; printed += 100 { // more than a pipe holds
		if _, err := testenv.Birdc(r.socket, "configure"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommands(t *testing.T) {
	for command, want := range map[string]string{
		"  bird -f ":                 "bird -f",
		"exec bird -f":               "bird -f",
		"bird -f -c $HOME/conf 2>&1": "bird -f -c $HOME/conf 2>&1",
		`sh -c 'mkdir -p /run/bird && exec bird -f'`: `sh -c 'mkdir -p /run/bird && exec bird -f'`,
		`bird -c "a;b" -s a\;b`:                      `bird -c "a;b" -s a\;b`,
		"":                                           "",
		" exec  ":                                    "",
		"X=1 bird -f":                                "",
		"mkdir -p /run/bird && bird -f":              "",
		"bird -f &":                                  "",
		"bird -f; bird6 -f":                          "",
		"bird -f\nbird6 -f":                          "",
		"bird -f | logger":                           "",
		`bird "it's" && true`:                        "",
		"bird\x00":                                   "",
	} {
		c, err := New(command, Options{})
		if (err == nil) != (want != "") || err == nil && c.command != want {
			t.Errorf("%q: %+v, %v", command, c, err)
		}
	}
	if c, err := New("'/usr/sbin/bird' -f", Options{}); err != nil || c.Name() != "bird" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestDelays(t *testing.T) {
	d := newDelays(1, 5, 100)
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := d.after(99); got != want {
			t.Errorf("pause %d is %d, want %d", i, got, want)
		}
	}
	if got := d.after(100); got != 1 {
		t.Errorf("after a long run: %d", got)
	}
}
