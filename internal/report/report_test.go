package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/internal/foreign"
	"confd/internal/testenv"
)

// must fails the test where an error comes out of what it is to be about.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// names are the names of what is in a folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func held(token string) *Held {
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return &Held{Hash: "ab", Token: token, Since: since, Until: since.Add(10 * time.Minute), Why: "why"}
}

func TestWrittenIsRead(t *testing.T) {
	folder := t.TempDir()
	for _, read := range []func(string) (*Report, error){Read, ReadOwn} {
		if r, err := read(folder); r != nil || err != nil {
			t.Errorf("before one is written: %v, %v", r, err)
		}
		if r, err := read(folder + "/none"); r != nil || err != nil {
			t.Errorf("without the folder: %v, %v", r, err)
		}
	}
	for _, node := range []string{"a", "b"} {
		r := &Report{Program: "1", Node: node, Held: held("T1")}
		must(t, r.Write(folder, -1))
		if r.Format != 0 {
			t.Error("a report was changed that somebody may be reading")
		}
		r.Format = Format
		for _, read := range []func(string) (*Report, error){Read, ReadOwn} {
			got, err := read(folder)
			must(t, err)
			if diff := cmp.Diff(r, got); diff != "" {
				t.Error(diff)
			}
		}
	}
	if got := names(t, folder); !slices.Equal(got, []string{File}) {
		t.Errorf("the folder has %v", got)
	}
	err := (&Report{}).Write(folder+"/none", -1)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

// The sessions lie in a file of their own, which is written where they change.
func TestSessionsApart(t *testing.T) {
	folder := t.TempDir()
	var w Writer
	write := func(node string, sessions ...Session) fs.FileInfo {
		t.Helper()
		r := &Report{Node: node, Sessions: sessions}
		must(t, w.Write(r, folder, -1))
		r.Format = Format
		for _, read := range []func(string) (*Report, error){Read, ReadOwn} {
			got, err := read(folder)
			must(t, err)
			if diff := cmp.Diff(r, got); diff != "" {
				t.Error(diff)
			}
		}
		info, _ := os.Stat(filepath.Join(folder, SessionsFile))
		return info
	}
	one, two := Session{Name: "one", Why: "<a>"}, Session{Name: "two"}
	if info := write("a"); info != nil {
		t.Error("without sessions there is a file for them")
	}
	first := write("a", one, two)
	if again := write("b", one, two); !os.SameFile(first, again) {
		t.Error("the same sessions were written again")
	}
	if other := write("b", one); os.SameFile(first, other) {
		t.Error("other sessions were not written")
	}
	write("c")
	write("d", two)

	must(t, os.Remove(filepath.Join(folder, SessionsFile)))
	if r, err := Read(folder); err != nil || r.Node != "d" || r.Sessions != nil {
		t.Errorf("without the sessions' file: %+v, %v", r, err)
	}
	must(t, os.WriteFile(filepath.Join(folder, SessionsFile), []byte("{"), 0o600))
	if r, err := Read(folder); err == nil || !strings.Contains(err.Error(), SessionsFile) {
		t.Errorf("with a broken sessions' file: %+v, %v", r, err)
	}
	must(t, os.Remove(filepath.Join(folder, SessionsFile)), os.Symlink("/etc/passwd", filepath.Join(folder, SessionsFile)))
	if r, err := Read(folder); !errors.Is(err, foreign.ErrInTheWay) {
		t.Errorf("with a link in its place: %+v, %v", r, err)
	}
	// What a program wrote that had them in the report itself can still be read.
	must(t, os.WriteFile(filepath.Join(folder, File), []byte(`{"format":1,"sessions":[{"name":"one","why":"<a>"}]}`), 0o600))
	if r, err := Read(folder); err != nil || !slices.Equal(r.Sessions, []Session{one}) {
		t.Errorf("sessions in the report: %+v, %v", r, err)
	}
}

// many are sessions as reports have them, in their order.
func many() (list []Session) {
	for _, family := range []int{4, 6} {
		for i := range manySessions {
			list = append(list, Session{Name: fmt.Sprintf("s%03d", i), Family: family, AS: 64512})
		}
	}
	return list
}

// What is read is what was written, whatever was before it; the sessions' file stays where
// few are others, and what is in the report instead is of a format that says so.
func TestSessionsSince(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	folder := t.TempDir()
	var w Writer
	all, left, files, changed := many(), map[int]bool{}, 0, 0
	var last fs.FileInfo
	for step := range 120 {
		all[r.IntN(len(all))].AS++
		which := r.IntN(len(all))
		left[which] = !left[which]
		var list []Session
		for i, s := range all {
			if !left[i] {
				list = append(list, s)
			}
		}
		if r.IntN(40) == 0 {
			r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		}
		must(t, w.Write(&Report{Sessions: list}, folder, -1))
		got, err := Read(folder)
		must(t, err)
		if got.Format != Format || !slices.Equal(got.Sessions, list) {
			t.Fatalf("step %d: format %d: %v\nwant %v", step, got.Format, got.Sessions, list)
		}
		info, err := os.Stat(filepath.Join(folder, SessionsFile))
		must(t, err)
		if last == nil || !os.SameFile(info, last) {
			files, last = files+1, info
		}
		text, err := os.ReadFile(filepath.Join(folder, File))
		must(t, err)
		has := strings.Contains(string(text), "sessions_since")
		if is := strings.Contains(string(text), fmt.Sprintf(`"format":%d,`, changedFormat)); is != has {
			t.Fatalf("step %d: of the format with what differs: %v: %s", step, is, text)
		}
		if has {
			changed++
		}
	}
	if files < 10 || files > 60 || changed < 60 {
		t.Errorf("the sessions' file was written %d times, and the report had what differs %d times", files, changed)
	}
}

// Whoever reads gets the sessions of one moment, wherever the writer is, or was killed.
func TestSessionsOfOneMoment(t *testing.T) {
	folder := t.TempDir()
	of := func(name string) string { return filepath.Join(folder, name) }
	var w Writer
	list := many()
	must(t, w.Write(&Report{Sessions: list}, folder, -1))
	must(t, w.Write(&Report{Sessions: list[1:]}, folder, -1))
	before, err := os.ReadFile(of(File))
	must(t, err)
	if !strings.Contains(string(before), "sessions_since") {
		t.Fatalf("the report does not have what differs: %s", before)
	}
	newest := list[100:]
	must(t, w.Write(&Report{Sessions: newest}, folder, -1))
	must(t, os.WriteFile(of(File), before, 0o600)) // as if the new one had not been written yet
	if r, err := Read(folder); err != nil || !slices.Equal(r.Sessions, newest) {
		t.Errorf("a report of before, and sessions of now: %v, %+v", err, r)
	}

	must(t, os.Remove(of(SessionsFile)))
	must(t, w.Write(&Report{Sessions: newest[1:]}, folder, -1))
	if r, err := Read(folder); err != nil || !slices.Equal(r.Sessions, newest[1:]) {
		t.Errorf("after somebody has removed the sessions' file: %v, %+v", err, r)
	}

	text, err := os.ReadFile(of(SessionsFile))
	must(t, err)
	since := fmt.Sprintf(`{"format":2,"sessions_apart":true,"sessions_since":{"of":"%s","drop":[99999]}}`, sumOf(text))
	must(t, os.WriteFile(of(File), []byte(since), 0o600))
	if r, err := Read(folder); err == nil || !strings.Contains(err.Error(), "place 99999") {
		t.Errorf("what differs cannot be: %v, %+v", err, r)
	}
}

func TestNoReport(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "is the disk full?",
		"{":                                    "not a report",
		"[]":                                   "not a report",
		`{"sets":7}`:                           "not a report",
		`{"format":"\u001b[2J"}`:               "not a report",
		`{"format":99,"program":"4.0"}`:        `format 99, by version "4.0"`,
		`{"format":3,"program":"\u001b[31mx"}`: `"\x1b[31mx"`,
	} {
		folder := t.TempDir()
		must(t, os.WriteFile(filepath.Join(folder, File), []byte(text), 0o600))
		for _, read := range []func(string) (*Report, error){Read, ReadOwn} {
			r, err := read(folder)
			if r != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s: %v, %v", text, r, err)
			}
		}
	}
}

// What somebody puts in the report's place is not followed, blocks nobody, and
// makes room for a report.
func TestPlanted(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(`{"node":"secret"}`), 0o600))
	for name, plant := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(secret, path) },
		"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder":    func(path string) error { return os.Mkdir(path, 0o755) },
		"huge file": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			must(t, plant(filepath.Join(folder, File)))
			for _, read := range []func(string) (*Report, error){Read, ReadOwn} {
				if r, err := read(folder); r != nil || !errors.Is(err, foreign.ErrInTheWay) {
					t.Errorf("%+v, %v", r, err)
				}
			}
			must(t, (&Report{Node: "n"}).Write(folder, -1))
			if r, err := ReadOwn(folder); err != nil || r.Node != "n" {
				t.Errorf("%+v, %v", r, err)
			}
			if text, err := os.ReadFile(secret); err != nil || string(text) != `{"node":"secret"}` {
				t.Errorf("what a link leads to holds %q, %v", text, err)
			}
		})
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// Anybody's report is shown; the program goes by its own alone.
func TestReportOfAStranger(t *testing.T) {
	needRoot(t)
	folder := t.TempDir()
	must(t, (&Report{Node: "forged"}).Write(folder, -1), os.Chown(filepath.Join(folder, File), 65534, 65534))
	if r, err := Read(folder); err != nil || r.Node != "forged" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := ReadOwn(folder); r != nil || !errors.Is(err, foreign.ErrInTheWay) {
		t.Errorf("%+v, %v", r, err)
	}
}

// smallDisk is a folder with that much room.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	needRoot(t)
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", folder).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return folder
}

// fill takes all the room that is left.
func fill(t *testing.T, folder string) {
	t.Helper()
	if err := os.WriteFile(folder+"/fill", make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}

// A report finds room where the one before was; what is too large even for that
// leaves none that says what is no longer so.
func TestDiskFull(t *testing.T) {
	folder := smallDisk(t, "1m")
	must(t, (&Report{Node: "old", Failure: strings.Repeat("x", 100<<10)}).Write(folder, -1))
	fill(t, folder)
	must(t, (&Report{Node: "new", Failure: strings.Repeat("x", 90<<10)}).Write(folder, -1))
	if r, err := Read(folder); err != nil || r.Node != "new" {
		t.Errorf("%+v, %v", r, err)
	}
	err := (&Report{Node: "large", Failure: strings.Repeat("x", 2<<20)}).Write(folder, -1)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if r, err := Read(folder); r != nil || err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("the old report lies: %+v, %v", r, err)
	}
	must(t, os.Remove(folder+"/fill"), (&Report{Node: "again"}).Write(folder, -1))
	if r, err := Read(folder); err != nil || r.Node != "again" {
		t.Errorf("%+v, %v", r, err)
	}
}

// An approval is of one hold: not of another, nor of the same thing held again,
// whatever the clock says meanwhile.
func TestApproval(t *testing.T) {
	folder := t.TempDir()
	first, second := held(NewToken()), held(NewToken())
	is := func(h *Held, want bool) {
		t.Helper()
		if got := Approved(folder, h.Token); got != want {
			t.Errorf("approved: %t", got)
		}
	}
	is(first, false)
	must(t, Approve(folder, *first), Approve(folder, *first))
	is(first, true)
	is(second, false)
	past := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, os.Chtimes(filepath.Join(folder, Approval+first.Token), past, past))
	is(first, true)
	must(t, Approve(folder, *second))
	Forget(folder)
	Forget(folder)
	is(first, false)
	is(second, false)
	if got := names(t, folder); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

func TestApprovalOfNothing(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Mkdir(folder+"/below", 0o755))
	for _, token := range []string{"", ".", "../x", "/etc/x", "a b", "\x1b[2J", strings.Repeat("x", 101)} {
		if err := Approve(folder+"/below", *held(token)); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", token, err)
		}
		if Approved(folder+"/below", token) {
			t.Errorf("%q is approved", token)
		}
	}
	if got := append(names(t, folder), names(t, folder+"/below")...); !slices.Equal(got, []string{"below"}) {
		t.Errorf("left: %v", got)
	}
	if err := Approve(folder+"/none", *held("T")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}
	must(t, syscall.Mkfifo(filepath.Join(folder, Approval+"T"), 0o666))
	if err := Approve(folder, *held("T")); !errors.Is(err, fs.ErrExist) || Approved(folder, "T") {
		t.Errorf("a FIFO in the way: %v, approved %t", err, Approved(folder, "T"))
	}
	Forget(folder)
	if got := names(t, folder); !slices.Equal(got, []string{"below"}) {
		t.Errorf("left: %v", got)
	}
}

// Who may not write to the folder is told so.
func TestApprovalWithoutTheRight(t *testing.T) {
	folder := testenv.SocketDir(t) // in which others may look
	for _, mode := range []fs.FileMode{0o555, 0o000} {
		must(t, os.Chmod(folder, mode))
		err := asStranger(t, func() error { return Approve(folder, *held("T")) })
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "write to "+folder+": run this as root") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

// asStranger does something without the rights of root.
func asStranger(t *testing.T, do func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return do()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		const same, stranger = ^uintptr(0), 65534
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, same, stranger, same); e != 0 {
			done <- e
			return
		}
		done <- do()
	}()
	return <-done
}

// TestGroup: the report is for the group that may read BIRD's files.
func TestGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files to groups that it is not in")
	}
	folder := t.TempDir()
	for _, group := range []int{4, 27} {
		must(t, (&Report{}).Write(folder, group))
		info, err := os.Stat(filepath.Join(folder, File))
		must(t, err)
		if sys := info.Sys().(*syscall.Stat_t); int(sys.Gid) != group || sys.Uid != 0 || info.Mode() != 0o640 {
			t.Errorf("user %d, group %d, mode %v", sys.Uid, sys.Gid, info.Mode())
		}
	}
}
