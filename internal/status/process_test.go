package status

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// waits has this test program say that it runs, and wait for the end of its input.
const waits = "CONFD_TEST_WAITS"

// TestProcessSeen has a process of this very program run, end, and be waited for: one
// that has ended keeps its number until somebody waits for it.
func TestProcessSeen(t *testing.T) {
	if os.Getenv(waits) != "" {
		os.Stdout.WriteString("runs\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestProcessSeen$")
	cmd.Env = append(os.Environ(), waits+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if !processSeen(cmd.Process.Pid) {
		t.Error("it runs, and is not seen")
	}
	in.Close()
	_, _ = io.Copy(io.Discard, out)
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if processSeen(cmd.Process.Pid) {
		t.Error("it has ended, and is seen")
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if processSeen(cmd.Process.Pid) {
		t.Error("it is gone, and is seen")
	}
}
