// Package testenv gives tests real servers to run against: BIRD in several
// versions, etcd, a Kubernetes API server, network namespaces, and clusters of
// any size. What a machine lacks makes a test skip, and the skip names it.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Root returns the absolute path of the repository: the nearest folder above
// the working directory that holds go.mod.
func Root(tb testing.TB) string {
	tb.Helper()
	wd, err := os.Getwd()
	if err != nil {
		tb.Fatalf("working directory: %v", err)
	}
	root, err := FindRoot(wd)
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

// FindRoot is Root for programs that are no tests: it starts at dir.
func FindRoot(dir string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		_, err := os.Stat(filepath.Join(d, "go.mod"))
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository above %s: %w", dir, err)
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod in %s or above it: run this inside the repository", dir)
		}
	}
}

// Eventually polls cond until it holds, and fails the test where it does not
// within limit. what completes the sentence "timed out waiting for ...".
func Eventually(tb testing.TB, limit time.Duration, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(limit); !cond(); {
		if time.Now().After(end) {
			tb.Fatalf("timed out after %s waiting for %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// SocketDir returns a new folder whose path is short enough for Unix sockets
// (their paths hold some 100 bytes; t.TempDir is often longer). It is removed
// with the test.
func SocketDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "confd")
	if err != nil {
		tb.Fatalf("folder for sockets: %v", err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
