package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

// tb is a testing.TB outside of tests, which is what testenv's servers take.
// The methods that are not here are not to be called.
type tb struct {
	testing.TB
	work     string
	cleanups []func()
}

// failure is what Fatal and Skip panic with.
type failure struct{ text string }

// run calls f, and then ends what that has started; also where this program is
// interrupted meanwhile, since network namespaces would stay.
func (t *tb) run(f func() error) (err error) {
	interrupted, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	stop := context.AfterFunc(interrupted, func() {
		t.cleanUp()
		_ = os.RemoveAll(t.work) // as far as servers that still run let it
		os.Exit(1)
	})
	defer func() {
		stop()
		cancel()
		if r := recover(); r != nil {
			fail, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%s", fail.text)
		}
		t.cleanUp()
	}()
	return f()
}

func (t *tb) cleanUp() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func (t *tb) Helper()          {}
func (t *tb) Failed() bool     { return false }
func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *tb) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

func (t *tb) Fatal(args ...any)                 { panic(failure{fmt.Sprint(args...)}) }
func (t *tb) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (t *tb) Skip(args ...any)                  { panic(failure{fmt.Sprint(args...)}) }
func (t *tb) Skipf(format string, args ...any)  { panic(failure{fmt.Sprintf(format, args...)}) }

func (t *tb) TempDir() string {
	dir, err := os.MkdirTemp(t.work, "server")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
