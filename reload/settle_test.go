package reload

import (
	"path/filepath"
	"testing"
)

// TestBIRD3JustStarted gives a BIRD 3 that has just started the change that
// 3.1.8 dies of when it comes too early.
func TestBIRD3JustStarted(t *testing.T) {
	binary := birdBinary(t, "3.1.8/bird")
	dir := testFolder(t)
	main, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	conf := func(filter string) string {
		return "router id 10.0.0.1;\nprotocol device {}\nfilter f { " + filter + " }\n" +
			"protocol kernel { kernel table 4242; ipv4 { import none; export filter f; }; }\n"
	}
	write(t, main, conf("reject;"))
	startBIRD(t, binary, main, socket)
	changed := file(main, conf("if net ~ 10.0.0.0/8 then reject; accept;"))
	r, err := New(Options{}).Apply(testContext(t), set([]File{changed}, main, socket, binary))
	if err != nil || r.State != Confirmed {
		t.Fatalf("got state %v, error %v", r.State, err)
	}
	client(t, socket) // it is still there
}
