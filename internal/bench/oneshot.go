package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// usage is what a process took.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	rss  int64         // most memory at a time, in bytes
}

// measureOneShot renders the node's configuration once, again and again.
func measureOneShot(o options, c benchCase, s store) ([]usage, error) {
	var all []usage
	for range o.runs {
		u, err := oneShot(o, c, s)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func oneShot(o options, c benchCase, s store) (usage, error) {
	out := filepath.Join(o.work, "oneshot")
	cmd := exec.Command(o.confd, append([]string{"render", "--bird", "2", "--log-level", "error", "--output", out}, s.args...)...)
	cmd.Env = append(os.Environ(), "NODENAME="+c.node)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	u, err := measured(cmd)
	if err != nil {
		return usage{}, fmt.Errorf("confd render from %s: %w: %s", s.name, err, text.Bytes())
	}
	return u, os.RemoveAll(out)
}

// measured runs a command, and says what it took.
func measured(cmd *exec.Cmd) (usage, error) {
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	u := usage{wall: time.Since(began), rss: <-peak}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return u, err
}

// watchMemory delivers the peak of a process when it has ended. (What wait4
// says is at least the peak of this program: a process starts with its parent's
// as its own.)
func watchMemory(pid int) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		for now, err := peakMemory(pid); err == nil; now, err = peakMemory(pid) {
			most = now
			time.Sleep(2 * time.Millisecond)
		}
		peak <- most
	}()
	return peak
}
