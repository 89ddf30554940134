package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"confd/reload"
)

func TestLock(t *testing.T) {
	folder := t.TempDir()
	first, second := &Host{Node: "node-1"}, &Host{Node: "node-2"}
	defer first.Close()
	if err := first.Lock(folder); err != nil {
		t.Fatal(err)
	}
	if err := first.Lock(folder); err != nil {
		t.Errorf("once more: %v", err)
	}
	locked := (*reload.LockedError)(nil)
	if err := second.Lock(folder); !errors.As(err, &locked) || locked.Owner != "node-1" || locked.PID != os.Getpid() {
		t.Errorf("the second program: %v", err)
	}
	if err := second.Lock(filepath.Join(folder, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	first.Close()
	third := &Host{Node: "node-2"}
	defer third.Close()
	if err := third.Lock(folder); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}
