package reload

import (
	"errors"
	"path/filepath"
	"testing"

	"confd/reload/control"
)

// TestBIRD3Recovers has a session go that a BIRD 3 waits for after a graceful restart:
// 3.1.8 dies of that. It is told when it waits no longer; what keeps all sessions it is
// told at once.
func TestBIRD3Recovers(t *testing.T) {
	t.Parallel()
	binary := birdBinary(t, "3.1.8/bird")
	dir := testFolder(t)
	main, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	const head = "router id 10.0.0.1;\ngraceful restart wait 10;\nprotocol device {}\n"
	session := func(name, address string) string {
		return "protocol bgp " + name + " { local 127.0.0.1 port 1790 as 64512; neighbor " + address + " port 1 as 64512; multihop; graceful restart on; ipv4; }\n"
	}
	one, two := session("Mesh_127_1_1_1", "127.1.1.1"), session("Mesh_127_1_1_2", "127.1.1.2")
	write(t, main, head+one+two)
	startBIRD(t, binary, main, socket, "-R")
	a := New(Options{})
	apply := func(text string) error {
		_, err := a.Apply(testContext(t), set([]File{file(main, text)}, main, socket, binary))
		return err
	}
	if err := apply(head + one + two + session("Mesh_127_1_1_3", "127.1.1.3")); err != nil {
		t.Fatal("a session more:", err)
	}
	if err := apply(head + one); !errors.Is(err, control.ErrBusy) {
		t.Fatalf("a session less, that it waits for: %v", err)
	}
	eventually(t, func() error { return apply(head + one) })
	sessions, err := client(t, socket).SessionsBrief(testContext(t))
	if err != nil || len(sessions) != 1 {
		t.Errorf("BIRD has %+v, %v", sessions, err)
	}
}
