package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one run of a daemon.
type process struct {
	cmd  *exec.Cmd
	tail *tail
	done chan struct{} // closed when it has ended, and all that it printed was passed on
}

// A signal that arrives before BIRD handles it would be the end of BIRD. Such
// signals wait until the shell runs for sure, and it has BIRD ignore them until
// BIRD says otherwise: reading a large configuration comes first.
const (
	shell       = "trap '' HUP USR1 USR2; exec "
	shellStarts = 500 * time.Millisecond
)

// startProcess starts command with the variables env, in a process group of its
// own, so that a Ctrl-C at the terminal reaches only us, who then tell it. Nothing
// ties its life to ours.
func startProcess(command string, env []string, out io.Writer) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot be started: %w", err)
	}
	p := &process{cmd: exec.Command("/bin/sh", "-c", shell+command), tail: &tail{out: out}, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, w, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.cmd.Start()
	neverBlock(w)
	w.Close()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("cannot be started: %w", err)
	}
	go p.wait(r)
	return p, nil
}

// neverBlock has a full pipe lose what is written rather than keep the writer
// waiting: BIRD must go on where we, or whoever takes our log, hang. (When we
// are gone, BIRD ignores that too.)
func neverBlock(w *os.File) {
	c, err := w.SyscallConn()
	if err == nil {
		err = c.Control(func(fd uintptr) { _ = syscall.SetNonblock(int(fd), true) })
	}
	_ = err // a closed file: there is no writer
}

func (p *process) wait(r *os.File) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(p.tail, r) // ends with the pipe, or the deadline
	}()
	_ = p.cmd.Wait() // how it ended is in ProcessState
	// What it leaves behind may hold the pipe open.
	_ = r.SetReadDeadline(time.Now().Add(time.Second))
	<-copied
	r.Close()
	close(p.done)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal does nothing where the process has ended.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// stop ends the process and waits until it is gone. It is false where the
// process had to be killed.
func (p *process) stop(limit time.Duration) bool {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	}
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.done
	return false
}

// sweep ends what is left of the process group: a script that started BIRD
// without "exec" ends before BIRD does.
func (p *process) sweep(limit time.Duration) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if errors.Is(syscall.Kill(-p.pid(), s), syscall.ESRCH) {
			return
		}
		for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if errors.Is(syscall.Kill(-p.pid(), 0), syscall.ESRCH) {
				return
			}
		}
		limit = time.Second // enough to die, and for init to take notice
	}
}

// exit says how the process ended; valid once done is closed.
func (p *process) exit() string { return exitText(p.cmd.ProcessState.Sys().(syscall.WaitStatus)) }

func exitText(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
	}
	switch code := status.ExitStatus(); code {
	case 126:
		return "exit code 126: the program cannot be executed"
	case 127:
		return "exit code 127: there is no such program"
	default:
		return fmt.Sprintf("exit code %d", code)
	}
}
