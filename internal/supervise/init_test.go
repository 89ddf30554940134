package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"confd/internal/testenv"
)

// initOf is process 1, or the child that it runs, which notes its process and
// ends with 7 when it is told.
func initOf() {
	if os.Getpid() == 1 {
		code, err := Init(slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	// The shell's child is nobody's when the shell ends.
	if err := exec.Command("/bin/sh", "-c", "sleep 0.1 &").Run(); err != nil {
		panic(err)
	}
	note, err := os.OpenFile(os.Getenv("NOTE"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	_, _ = note.WriteString("up\n")
	<-told
	os.Exit(7)
}

// Process 1 starts a child that crashed again, reaps what nobody waits for, and
// ends as the child does that was told to.
func TestInit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a process namespace takes root")
	}
	note := filepath.Join(t.TempDir(), "note")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=init", "NOTE="+note)
	var log buffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skipf("process namespaces cannot be made here: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log:\n%s", &log)
		}
	})
	up := func(times int) {
		t.Helper()
		testenv.Eventually(t, patience, "the child", func() bool {
			text, _ := os.ReadFile(note)
			return strings.Count(string(text), "up") == times
		})
	}
	up(1)
	testenv.Eventually(t, patience, "the orphan to be reaped", func() bool { return len(childrenOf(t, cmd.Process.Pid)) == 1 })
	first := childrenOf(t, cmd.Process.Pid)[0]
	kill(t, first)
	up(2)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-done
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(log.String(), "crashed: started again") {
		t.Error("the crash was not logged")
	}
}

// childrenOf are the processes, dead ones too, whose parent is pid.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	for _, f := range folders {
		status, err := os.ReadFile(f + "/status")
		if err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			child, _ := strconv.Atoi(filepath.Base(f))
			children = append(children, child)
		}
	}
	return children
}
