package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
)

// stayEnv makes TestStaysUp do something: it is the process that TestKilled kills.
const stayEnv = "CONFD_LAB_STAY"

// TestStaysUp has a cluster of one host, and stays.
func TestStaysUp(t *testing.T) {
	if os.Getenv(stayEnv) == "" {
		t.Skip("this is what TestKilled runs")
	}
	l := lab.New(t)
	hosts, _ := build(l, m1())
	l.Start()
	fmt.Println("up:", hosts[0].Name)
	time.Sleep(10 * time.Minute)
}

// TestKilled: of a test process that is killed nothing stays, whatever it has started.
func TestKilled(t *testing.T) {
	t.Parallel()
	l := lab.New(t) // skips where there is no laboratory
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestStaysUp$", "-test.v")
	cmd.Env = append(lab.OutsideEnvironment(), stayEnv+"=yes")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	up := false
	for in := bufio.NewScanner(out); !up && in.Scan(); {
		up = strings.HasPrefix(in.Text(), "up:")
	}
	family := descendants(t, cmd.Process.Pid)
	if !up || len(family) < 4 { // the process inside, etcd, confd, BIRD
		t.Fatalf("the laboratory in the laboratory does not come up: processes %v", family)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	l.Await("the end of all processes", func() error {
		for pid, name := range family {
			// What has ended stays as a zombie where its parent does not ask.
			if text, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(text), ") Z ") {
				return fmt.Errorf("%s (%s) is still there", pid, name)
			}
		}
		return nil
	})
}

// descendants are the processes that come of one, by number, with their names.
func descendants(t *testing.T, of int) map[string]string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents, names := map[string]string{}, map[string]string{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(text), " (")
		name, fields, _ := strings.Cut(rest, ") ")
		if f := strings.Fields(fields); len(f) > 1 {
			parents[pid], names[pid] = f[1], name
		}
	}
	family := map[string]string{}
	for pid := range parents {
		for p := pid; p != ""; p = parents[p] {
			if p != pid && p == fmt.Sprint(of) {
				family[pid] = names[pid]
			}
		}
	}
	return family
}
