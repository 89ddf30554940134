package debian

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBothArchitecturesHaveTheSamePackages(t *testing.T) {
	names := func(architecture string) string {
		packages, err := Pinned(architecture)
		if err != nil {
			t.Fatal(err)
		}
		list := ""
		for _, p := range packages {
			list += " " + p.Name
		}
		return list
	}
	if one, other := names("amd64"), names("arm64"); one != other {
		t.Errorf("amd64 has%s, and arm64 has%s", one, other)
	}
	if _, err := Pinned("m68k"); err == nil {
		t.Error("there are packages for m68k")
	}
}

// TestWhatIsNotPinnedIsRefused: a file in the store that is another one is not used, and
// not fetched over.
func TestWhatIsNotPinnedIsRefused(t *testing.T) {
	packages, err := Pinned("amd64")
	if err != nil {
		t.Fatal(err)
	}
	store := Store{t.TempDir()}
	if err := store.check(packages[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a package that is not there: %v", err)
	}
	if err := os.WriteFile(store.path(packages[0]), []byte("another one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := store.Fetch(context.Background(), packages[:1]); err == nil || !strings.Contains(err.Error(), "its SHA-256 is") {
		t.Errorf("a package that is another one: %v", err)
	}
}

// TestAVersionThatIsGoneIsNamed: where the mirror has another version, the error says so,
// and what to do.
func TestAVersionThatIsGoneIsNamed(t *testing.T) {
	gone := Package{Architecture: "arm64", Name: "bird2", Version: "2.0.0-1", SHA256: strings.Repeat("0", 64)}
	store := Store{filepath.Join(t.TempDir(), "store")}
	err := store.Fetch(context.Background(), []Package{gone})
	if err == nil || !strings.Contains(err.Error(), "bird2 2.0.0-1 (arm64)") || !strings.Contains(err.Error(), "packaging pins") {
		t.Errorf("it says: %v", err)
	}
}

// TestADownloadThatLeavesNothing has an apt-get that says all is well and fetches nothing.
func TestADownloadThatLeavesNothing(t *testing.T) {
	dir, programs := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(programs, "apt-get"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	_, err := (&apt{dir: dir}).download(context.Background(), Package{Name: "bird2", Version: "2.17.6-1", Architecture: "amd64"})
	if want := "apt-get download bird2 has left 0 files of that name, and not one"; err == nil || err.Error() != want {
		t.Errorf("it says %v, not %s", err, want)
	}
}
