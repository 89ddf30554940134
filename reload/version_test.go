package reload

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// program writes a script that says to be a version of BIRD, and counts its runs.
func program(t *testing.T, path, version string) {
	t.Helper()
	text := "#!/bin/sh\necho run >>" + shellQuote(path+".runs") + "\necho 'BIRD version " + version + "' >&2\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func wantVersion(t *testing.T, v versions, binary, want string) {
	t.Helper()
	if got := v.of(t.Context(), time.Minute, binary); got != want {
		t.Errorf("the version of %s: %q, want %q", binary, got, want)
	}
}

// settle waits until a file has been as it is for so long that its fingerprint is
// relied on.
func settle(t *testing.T, path string) {
	t.Helper()
	for {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		print, _ := fingerprintOf(info)
		if time.Since(time.Unix(print.ctime.Unix())) > printSettles {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestVersionOfAProgramIsKeptByItsFile(t *testing.T) {
	dir, v := t.TempDir(), versions{}
	own, err := os.Executable() // a program that is no script
	if err != nil {
		t.Fatal(err)
	}
	settle(t, own)
	binary := filepath.Join(dir, "bird")
	if err := os.Symlink(own, binary); err != nil {
		t.Fatal(err)
	}
	file, lasts := programFile(binary)
	if !lasts {
		t.Fatalf("%s is taken for a script", own)
	}
	v[binary] = saidVersion{file, "2.0.12"}
	wantVersion(t, v, binary, "2.0.12")

	other := filepath.Join(dir, "other")
	program(t, other, "2.17.6")
	if err := os.Rename(other, binary); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, v, binary, "2.17.6")
	if err := os.Remove(binary); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, v, binary, "")
}

// A script may run another program each time, and says nothing of it by its own file.
func TestVersionOfAScriptIsNotKept(t *testing.T) {
	binary, v := filepath.Join(t.TempDir(), "bird"), versions{}
	program(t, binary, "2.0.12")
	settle(t, binary)
	wantVersion(t, v, binary, "2.0.12")
	wantVersion(t, v, binary, "2.0.12")
	if runs, err := os.ReadFile(binary + ".runs"); err != nil || string(runs) != "run\nrun\n" {
		t.Errorf("runs: %q, %v", runs, err)
	}
	if len(v) > 0 {
		t.Errorf("kept: %v", v)
	}
}
