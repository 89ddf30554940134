package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Init runs this program once more, with the same arguments, as a child, and
// returns its exit code. It is for process 1 of a container, with which
// everything in the container ends: it does next to nothing, so that nothing in
// it can fail, and what must survive a crash of the program does.
//
// The child is passed every signal, and started again where it crashes (which
// BIRD does not notice). Processes that nobody else waits for are reaped; to do
// that without taking another's, this process must start no others.
func Init(logger *slog.Logger) (exitCode int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("finding the program to run again as a child of process 1: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	delay := newDelays(200*time.Millisecond, 30*time.Second, time.Minute)
	for {
		began := time.Now()
		status, told, err := runChild(program, signals)
		if err != nil {
			return 0, err
		}
		if told || !crashed(status, time.Since(began)) {
			return codeOf(status), nil
		}
		pause := delay.after(time.Since(began))
		logger.Error("crashed: started again", "exit", exitText(status), "ran", time.Since(began).Round(time.Millisecond), "retry_in", pause)
		if stopped(signals, pause) {
			return codeOf(status), nil
		}
	}
}

// early is when a program still finds out that it is used wrongly: it then ends
// with 2, as one does that panics.
const early = 10 * time.Second

func crashed(status syscall.WaitStatus, ran time.Duration) bool {
	return status.Signaled() || status.ExitStatus() == 2 && ran > early
}

// codeOf is the exit code as shells count it.
func codeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// runChild runs the program until it ends; told says that a signal asked it to.
func runChild(program string, signals <-chan os.Signal) (status syscall.WaitStatus, told bool, err error) {
	// In a group of its own, so that a Ctrl-C comes once, through us.
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return 0, false, fmt.Errorf("running %s as a child of process 1: %w", program, err)
	}
	ended := make(chan syscall.WaitStatus)
	go func() { ended <- reap(pid) }()
	for {
		select {
		case status = <-ended:
			return status, told, nil
		case s := <-signals:
			told = told || stops(s)
			_ = syscall.Kill(pid, s.(syscall.Signal)) // fails only where it is gone
		}
	}
}

// reap waits for any child, until it was pid.
func reap(pid int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		if got == pid || errors.Is(err, syscall.ECHILD) {
			return status
		}
	}
}

func stops(s os.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
}

// stopped waits for d, and says whether a signal that ends us came meanwhile.
func stopped(signals <-chan os.Signal, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return false
		case s := <-signals:
			if stops(s) {
				return true
			}
		}
	}
}
