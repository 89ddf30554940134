// Package lab is a laboratory for tests: whole clusters on one machine. Each host
// is a network namespace with real BIRDs and the program itself; bridges and
// routers join them; a real etcd or Kubernetes API server says what the cluster
// is; workloads hang on the hosts as Felix would program them.
//
// A test is a story: make a Lab, add hosts, start them, change the cluster, break
// something, and say what sessions, tables, kernels and pings must show.
package lab

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	// insideEnv is set in the process that has namespaces of its own; where it
	// says why not, all tests that take a Lab are skipped.
	insideEnv = "CONFD_LAB_INSIDE"
	inside    = "yes"
	// privateDir is a folder in memory that ends with the namespaces.
	privateDir = "/run"
)

// Main runs a package's tests inside namespaces of their own, and exits: call it
// from TestMain. Processes, network, mounts and files of the tests end with the
// test process, even where that is killed. Without root, or where namespaces
// are forbidden, the tests run as they are, and those that take a Lab are skipped.
func Main(m *testing.M) {
	if os.Getenv(insideEnv) == inside {
		if err := errors.Join(settleIn(), manyAtOnce()); err != nil {
			fmt.Fprintln(os.Stderr, "laboratory:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := runInside()
	if err != nil {
		_ = os.Setenv(insideEnv, "no: "+err.Error()) // New skips, and says it
		code = m.Run()
	}
	os.Exit(code)
}

// runInside runs this program again, in new namespaces, and returns its exit code.
// The error says why that cannot be.
func runInside() (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("the laboratory takes root")
	}
	// The child is killed when the thread that made it ends.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"="+inside)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("namespaces cannot be made here: %w", err)
	}
	_ = cmd.Wait() // how it ended is its exit code
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, nil // killed
}

// settleIn makes the new namespaces fit to live in.
func settleIn() error {
	for _, m := range []struct {
		what, target, kind string
		flags              uintptr
	}{
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", privateDir, "tmpfs", 0},
	} {
		if err := syscall.Mount(m.what, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.what, m.target, err)
		}
	}
	tmp := filepath.Join(privateDir, "tmp")
	for _, dir := range []string{tmp, filepath.Join(privateDir, "netns")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Setenv("TMPDIR", tmp); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("loopback interface: %w: %s", err, out)
	}
	return nil
}

// atOnce is how many tests run at a time: most of what they do is to wait for timers.
const atOnce = 10

// manyAtOnce has so many tests run at a time, unless one after the other was asked for.
func manyAtOnce() error {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if parallel.Value.String() == "1" {
		return nil
	}
	return parallel.Value.Set(strconv.Itoa(atOnce))
}

// OutsideEnvironment is the environment without what Main has put there: a test program
// that is started with it makes namespaces of its own.
func OutsideEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, insideEnv+"=") })
}

// requireInside skips the test where Main has found no namespaces.
func requireInside(tb testing.TB) {
	tb.Helper()
	switch reason := os.Getenv(insideEnv); reason {
	case inside:
	case "":
		tb.Fatal("this package has no TestMain that calls lab.Main")
	default:
		tb.Skip(reason)
	}
}
