package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaiting(t *testing.T) {
	for took, want := range map[time.Duration]string{
		900 * time.Millisecond:  "",
		2500 * time.Millisecond: "\r\x1b[Kreading? (1 s)\r\x1b[Kreading? (2 s)\r\x1b[K",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			done := Waiting(WithProgress(t.Context(), &out), "reading\x1b")
			time.Sleep(took)
			done()
			if out.String() != want {
				t.Errorf("%s: %q", took, out.String())
			}
		})
	}
}

// TestWaitingBesideALog: lines of a log stand for themselves.
func TestWaitingBesideALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx := WithProgress(t.Context(), &out)
		log := LogWriter(ctx, io.Discard)
		done := Waiting(ctx, "reading")
		fmt.Fprintln(log, "one")
		time.Sleep(1500 * time.Millisecond)
		fmt.Fprintln(log, "two")
		fmt.Fprintln(log, "three")
		done()
		if want := "one\n\r\x1b[Kreading (1 s)\r\x1b[Ktwo\nthree\n"; out.String() != want {
			t.Errorf("%q", out.String())
		}
	})
}

// TestNobodyWatches: without a terminal nothing is said, and a log goes where it did.
func TestNobodyWatches(t *testing.T) {
	Waiting(context.Background(), "reading")()
	var out bytes.Buffer
	if LogWriter(context.Background(), &out) != io.Writer(&out) {
		t.Error("the log goes elsewhere")
	}
}

func TestWaitingIsNoWiderThanItsTerminal(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{w: &out, width: 10}
	p.show("reading a lot of things")
	if want := "\r\x1b[Kreading a"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
