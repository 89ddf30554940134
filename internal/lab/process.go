package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// logTail is how much of a process's log a failed test shows.
const logTail = 6000 // bytes

// Process is a program that runs on a host. Its output is shown where the test
// failed.
type Process struct {
	// Name is what messages call it, as in "k8s-m1 confd".
	Name string

	tb     testing.TB
	log    string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startProcess starts cmd, with its output in a file of dir.
func startProcess(tb testing.TB, name, dir string, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{Name: name, tb: tb, cmd: cmd, exited: make(chan struct{})}
	out, err := os.CreateTemp(dir, "log-"+filepath.Base(strings.ReplaceAll(name, " ", "-"))+"-")
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	p.log = out.Name()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	tb.Cleanup(func() {
		end := name + " was still running"
		if err := p.ended(); err != nil {
			end = err.Error()
		}
		p.Kill()
		if tb.Failed() {
			text := p.Log()
			tb.Logf("%s, and printed:\n%s", end, text[max(0, len(text)-logTail):])
		}
	})
	return p
}

// Log is what the process has printed.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// AwaitLog waits until the process has printed a line with the text.
func (p *Process) AwaitLog(text string) {
	p.tb.Helper()
	testenv.Eventually(p.tb, patience, fmt.Sprintf("%s to print %q", p.Name, text), func() bool { return strings.Contains(p.Log(), text) })
}

// AwaitEnd waits until the process has ended by itself.
func (p *Process) AwaitEnd() {
	p.tb.Helper()
	testenv.Eventually(p.tb, patience, p.Name+" to end", func() bool { return !p.Running() })
}

// Running says whether the process is there.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Kill ends the process as a crash does (SIGKILL), and waits for that.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// Stop ends the process in order (SIGTERM), and waits for that; the test fails
// where it does not within patience.
func (p *Process) Stop() {
	p.tb.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.tb.Fatalf("%s does not end on SIGTERM", p.Name)
	}
}

// Freeze stops the process where it is (SIGSTOP): its sockets stay open and
// nobody answers on them. Thaw lets it go on.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

// HangUp sends SIGHUP.
func (p *Process) HangUp() { p.signal(syscall.SIGHUP) }

func (p *Process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Errorf("signal %v to %s: %v", s, p.Name, err)
	}
}

// ended is an error where the process is not there any more.
func (p *Process) ended() error {
	if p.Running() {
		return nil
	}
	return fmt.Errorf("%s has ended: %s", p.Name, p.cmd.ProcessState)
}
