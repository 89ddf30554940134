package reload

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/reload/control"
)

// reader is somebody who has BIRD show routes, and does not read on.
func reader(t *testing.T, socket string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Write([]byte("show route all\n")); err != nil {
		t.Fatal(err)
	}
	// The first routes come when BIRD is at it.
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	return c
}

// routesToRead are more than fits between BIRD and its reader.
func routesToRead() string {
	var b strings.Builder
	b.WriteString("protocol static many { ipv4;")
	for i := range 10000 {
		fmt.Fprintf(&b, "\nroute 10.0.%d.%d/32 blackhole;", i>>8, i&255)
	}
	return b.String() + "\n}\n"
}

// TestBIRD3Held: who shows routes in a pager holds a reconfiguration of a BIRD 3 up, and
// the BIRD dies of two more. It is told once, and again when it is through.
func TestBIRD3Held(t *testing.T) {
	t.Parallel()
	binary := birdBinary(t, "3.1.8/bird")
	dir := testFolder(t)
	main, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	text := func(generation string) string { return named(generation) + routesToRead() }
	write(t, main, text("one"))
	startBIRD(t, binary, main, socket)
	a := New(Options{ReloadTimeout: 4 * time.Second})
	apply := func(generation string) error {
		_, err := a.Apply(testContext(t), set([]File{file(main, text(generation))}, main, socket, binary))
		return err
	}
	if err := apply("one"); err != nil {
		t.Fatal(err)
	}
	c := reader(t, socket)
	for _, generation := range []string{"two", "three", "four"} {
		// Where the time is over in the middle of a question, BIRD does not answer.
		if err := apply(generation); !errors.Is(err, control.ErrBusy) && !errors.Is(err, control.ErrHung) {
			t.Fatalf("%s, while somebody reads: %v", generation, err)
		}
	}
	c.Close()
	eventually(t, func() error { return apply("four") })
	(&bench{t: t, ctx: testContext(t), socket: socket}).wantRunning("four")
}

// TestBIRD3HeldOnTrial: a BIRD 3 dies of going back by itself while it is held up, too. It
// is told to stay, and gets the files from before when it is through.
func TestBIRD3HeldOnTrial(t *testing.T) {
	t.Parallel()
	r := newTrialRig(t, "3.1.8")
	two, three := r.text("two")+routesToRead(), r.text("three")+routesToRead()
	if _, err := r.a.Apply(r.ctx, set([]File{file(r.main, two)}, r.main, r.socket, r.binary)); err != nil {
		t.Fatal(err)
	}
	r.a.opts.ReloadTimeout, r.a.opts.TrialMargin = 10*time.Second, 20*time.Second
	c := reader(t, r.socket)
	s := r.set(three, "b", "c")
	if res, err := r.a.Apply(r.ctx, s); err != nil || res.State != OnTrial {
		t.Fatalf("%+v, %v", res, err)
	}
	_, err := r.end(s)
	r.wantLapsed(s, err, two)
	if waiting, err := client(t, r.socket).Confirm(r.ctx); waiting || err != nil {
		t.Errorf("BIRD still waits for a word: %v", err)
	}
	c.Close()
	eventually(t, func() error {
		_, err := r.a.Reconfigure(r.ctx, r.set(two))
		return err
	})
	r.wantSettled(two)
}
