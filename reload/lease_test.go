package reload

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// These variables make the test binary a child that locks a folder, says so, and
// waits until its input ends.
const (
	childLocks = "RELOAD_TEST_LOCK"
	childOwner = "RELOAD_TEST_OWNER"
)

func lockForEver(folder, owner string) {
	if _, err := Lock(folder, owner); err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("locked\n")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0) // as if it were killed: the lease is not closed
}

// locker is another program that has locked a folder.
func locker(t *testing.T, folder, owner string, uid uint32) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Another user may not go where the test's program lies.
	program := filepath.Join(testFolder(t), "locker")
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), childLocks+"="+folder, childOwner+"="+owner)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the other program says %q, %v", line, err)
	}
	return cmd
}

func lock(t *testing.T, folder string) *Lease {
	t.Helper()
	l, err := Lock(folder, "we")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func wantLocked(t *testing.T, folder, owner string, pid int) {
	t.Helper()
	l, err := Lock(folder, "we")
	if err == nil {
		l.Close()
	}
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Owner != owner || locked.PID != pid {
		t.Fatalf("%v, want it locked by %q, %d", err, owner, pid)
	}
	if owner != "" && (!strings.Contains(err.Error(), strconv.Quote(owner)) || !strings.Contains(err.Error(), strconv.Itoa(pid))) {
		t.Errorf("the error does not say by whom: %v", err)
	}
}

// One program has a folder, by whatever path, and as long as it lives.
func TestLock(t *testing.T) {
	dir := testFolder(t)
	other := locker(t, dir, "node-\x1b2", 0)
	wantLocked(t, dir, "node-\x1b2", other.Process.Pid)
	link := filepath.Join(testFolder(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	wantLocked(t, link, "node-\x1b2", other.Process.Pid)
	other.Process.Kill()
	other.Wait()
	l := lock(t, dir)
	wantLocked(t, dir, "we", os.Getpid())
	if err := l.Renew(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wantEntries(t, dir)
	lock(t, dir)
	if _, err := Lock(filepath.Join(dir, "none"), "we"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Somebody removes the lock: it is taken again, or it is lost to who was quicker.
func TestLockRemoved(t *testing.T) {
	dir := testFolder(t)
	l := lock(t, dir)
	remove := func() {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	if err := l.Renew(); err != nil {
		t.Error(err)
	}
	wantLocked(t, dir, "we", os.Getpid())
	remove()
	other := locker(t, dir, "they", 0)
	if err := l.Renew(); !errors.As(err, new(*LockedError)) {
		t.Errorf("somebody else has it: %v", err)
	}
	wantLocked(t, dir, "they", other.Process.Pid)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wantLocked(t, dir, "they", other.Process.Pid)
}

// What others have planted in the lock's place is taken away, and what a link of
// any kind leads to is left alone; only a program of theirs keeps us out.
func TestLockPlanted(t *testing.T) {
	needRoot(t)
	const nobody = 65534
	secret := filepath.Join(testFolder(t), "secret")
	write(t, secret, "secret")
	for what, plant := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(secret, path) },
		"hard link": func(path string) error { return os.Link(secret, path) },
		"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder":    func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o755) },
		"file": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(`{"owner": "forged"}`), 0o666), os.Chown(path, nobody, nobody))
		},
		"odd file": func(path string) error { return os.WriteFile(path, []byte("\x00"), 0o600) },
	} {
		dir := testFolder(t)
		if err := errors.Join(os.Chown(dir, nobody, nobody), plant(filepath.Join(dir, lockName))); err != nil {
			t.Fatal(err)
		}
		l := lock(t, dir)
		wantLocked(t, dir, "we", os.Getpid())
		if read(t, secret) != "secret" {
			t.Fatalf("%s: written outside: %q", what, read(t, secret))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	dir := testFolder(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	theirs := locker(t, dir, "theirs", nobody)
	wantLocked(t, dir, "theirs", theirs.Process.Pid)
}
