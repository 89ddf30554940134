package reload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/reload/control"
)

// The life of a set of three files: first install without BIRD, BIRD comes up,
// a change, nothing to do, a bad change.
func TestApply(t *testing.T) {
	t.Parallel()
	eachBIRD(t, func(t *testing.T, binary, version string) {
		ctx, dir := testContext(t), testFolder(t)
		main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		a := New(Options{Logger: testLogger(t)})
		expect := func(s Set, state State, changed int) {
			t.Helper()
			res, err := a.Apply(ctx, s)
			if err != nil || res.State != state || len(res.Changed) != changed || res.Unchecked {
				t.Fatalf("%+v, %v; want %v and %d changed", res, err, state, changed)
			}
			if (state == Confirmed) != (res.Version == version && !res.Confirmed.IsZero()) && state != Unchanged {
				t.Errorf("%+v", res)
			}
		}
		one, two := set(threeFiles(dir, "A"), main, socket, binary), set(threeFiles(dir, "B"), main, socket, "")
		expect(one, Installed, 3)
		expect(one, Installed, 0)
		d := startBIRD(t, binary, main, socket)
		if res, err := a.Reconfigure(ctx, one); err != nil || res.State != Confirmed {
			t.Fatalf("%+v, %v", res, err)
		}
		expect(one, Unchanged, 0)
		expect(two, Confirmed, 3) // checked over the socket
		expect(one, Confirmed, 3) // checked with the binary
		wantEntries(t, dir, ".confd-bird", ".confd-record-bird.json", "aggr.cfg", "bird.cfg", "ipam.cfg", "s", "s.pid")
		if entries, _ := os.ReadDir(filepath.Join(dir, ".confd-bird")); len(entries) != 2 {
			t.Errorf("the store holds %v", entries)
		}

		for _, binary := range []string{binary, ""} {
			bad := set(threeFiles(dir, "B"), main, socket, binary)
			bad.Files[0].Data = []byte("# one\n\tpassword \"hush\"; bogus;\n")
			var failed *CheckError
			_, err := a.Apply(ctx, bad)
			if !errors.As(err, &failed) || failed.File != filepath.Join(dir, "aggr.cfg") || failed.Line != 2 || failed.Col < 2 ||
				!strings.HasPrefix(failed.Message, "syntax error") || !strings.Contains(failed.Excerpt, "\n\t") || strings.Contains(failed.Excerpt, "hush") {
				t.Errorf("a bad set: %#v, %v", failed, err)
			}
			wantEntries(t, dir, ".confd-bird", ".confd-record-bird.json", "aggr.cfg", "bird.cfg", "ipam.cfg", "s", "s.pid")
			expect(one, Unchanged, 0)
		}
		d.kill()
		expect(set(threeFiles(dir, "C"), main, socket, binary), Installed, 3)
	})
}

// A BIRD that refuses what passed the check: the old files come back, whatever
// way they are installed.
func TestUndo(t *testing.T) {
	t.Parallel()
	eachBIRD(t, func(t *testing.T, binary, version string) {
		for _, single := range []bool{true, false} {
			ctx, dir := testContext(t), testFolder(t)
			main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
			// A checker that finds nothing.
			checker := filepath.Join(dir, "checker")
			if err := os.WriteFile(checker, []byte("#!/bin/sh\necho BIRD version "+version+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			files := func(generation string) []File {
				if single {
					return []File{file(main, small+"# "+generation+"\n")}
				}
				return threeFiles(dir, generation)
			}
			for _, f := range files("A") {
				write(t, f.Dest, string(f.Data)) // plain files, as they were before us
			}
			startBIRD(t, binary, main, socket)
			a := New(Options{Logger: testLogger(t)})
			bad := set(files("B"), main, socket, checker)
			for i, f := range bad.Files {
				if f.Dest == main {
					bad.Files[i].Data = append(bad.Files[i].Data, "bogus;\n"...)
				}
			}
			bad.Files = append(bad.Files, file(filepath.Join(dir, "new.cfg"), "# new\n"))
			if single {
				bad.Files = bad.Files[:1]
			}
			_, err := a.Apply(ctx, bad)
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.File != main || refused.Line == 0 || !refused.Undone {
				t.Fatalf("single %v: %v", single, err)
			}
			for _, f := range files("A") {
				if got := read(t, f.Dest); got != string(f.Data) {
					t.Errorf("single %v: %s is %q", single, f.Dest, got)
				}
			}
			if _, err := os.Lstat(filepath.Join(dir, "new.cfg")); err == nil {
				t.Error("the new file is left behind")
			}
			res, err := a.Apply(ctx, set(files("C"), main, socket, binary))
			if err != nil || res.State != Confirmed {
				t.Errorf("a good set after that: %+v, %v", res, err)
			}
		}
	})
}

// A BIRD that hangs has not confirmed; when it answers again it is told again,
// and if it refuses then, what it agreed to last comes back.
func TestHung(t *testing.T) {
	t.Parallel()
	ctx, dir := testContext(t), testFolder(t)
	binary := birdBinary(t, "2.0.12/bird")
	main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := New(Options{Logger: testLogger(t), ReloadTimeout: 200 * time.Millisecond, CheckTimeout: 200 * time.Millisecond})
	s := set([]File{file(main, small)}, main, socket, "")
	res, err := a.Apply(ctx, s)
	if !errors.Is(err, control.ErrHung) || !res.Unchecked || read(t, main) != small {
		t.Errorf("first set: %+v, %v", res, err)
	}
	s.Files[0].Data = []byte(small + "# 2\n")
	if _, err := a.Apply(ctx, s); !errors.Is(err, ErrCannotCheck) || !errors.Is(err, control.ErrHung) || read(t, main) != small {
		t.Errorf("second set: %v", err)
	}
	s.Daemon.Binary = binary
	a.opts.CheckTimeout = patience
	if res, err := a.Apply(ctx, s); !errors.Is(err, control.ErrHung) || res.Swapped.IsZero() || !res.Confirmed.IsZero() {
		t.Errorf("second set with a binary: %+v, %v", res, err)
	}
	l.Close()
	startBIRD(t, binary, main, socket)
	a.opts.ReloadTimeout = patience
	if res, err := a.Apply(ctx, s); err != nil || res.State != Confirmed || len(res.Changed) != 0 {
		t.Errorf("when BIRD is back: %+v, %v", res, err)
	}
}

func TestCannotCheck(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main := filepath.Join(dir, "bird.cfg")
	a := New(Options{Logger: testLogger(t)})
	s := set([]File{file(main, "one")}, main, filepath.Join(dir, "s"), "")
	if res, err := a.Apply(ctx, s); err != nil || !res.Unchecked || res.State != Installed || !res.Checked.IsZero() {
		t.Errorf("%+v, %v", res, err)
	}
	for _, binary := range []string{"", "/nonexistent"} {
		s := set([]File{file(main, "two")}, main, filepath.Join(dir, "s"), binary)
		if _, err := a.Apply(ctx, s); !errors.Is(err, ErrCannotCheck) || read(t, main) != "one" {
			t.Errorf("binary %q: %v", binary, err)
		}
	}
}

// A binary of another version than the daemon does not judge.
func TestOtherVersion(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
	write(t, main, small)
	startBIRD(t, birdBinary(t, "2.0.12/bird"), main, socket)
	text := small + "protocol static { ipv4; }\n" // 1.6 does not know that
	s := set([]File{file(main, text)}, main, socket, birdBinary(t, "1.6.8/bird"))
	if res, err := New(Options{Logger: testLogger(t)}).Apply(ctx, s); err != nil || res.State != Confirmed {
		t.Errorf("%+v, %v", res, err)
	}
}

// Removing many routes makes BIRD say that it is not through yet.
func TestInProgress(t *testing.T) {
	t.Parallel()
	eachBIRD(t, func(t *testing.T, binary, version string) {
		if strings.HasPrefix(version, "1.") {
			t.Skip("BIRD 1 has no such protocol syntax")
		}
		ctx, dir := testContext(t), testFolder(t)
		main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		var many strings.Builder
		many.WriteString(small + "protocol static many { ipv4;\n")
		for i := range 50000 {
			fmt.Fprintf(&many, "route 10.%d.%d.%d/32 blackhole;\n", i>>16, i>>8&255, i&255)
		}
		many.WriteString("}\n")
		write(t, main, small)
		startBIRD(t, binary, main, socket)
		a := New(Options{Logger: testLogger(t)})
		for _, text := range []string{many.String(), small, many.String(), small + "# 2\n"} {
			res, err := a.Apply(ctx, set([]File{file(main, text)}, main, socket, binary))
			if err != nil || res.State != Confirmed {
				t.Fatalf("%+v, %v", res, err)
			}
			if status, err := client(t, socket).Status(ctx); err != nil || status.InProgress() {
				t.Errorf("confirmed too early: %+v, %v", status, err)
			}
		}
	})
}

// ranNow runs the commands that a result asks for.
func ranNow(ctx context.Context, a *Applier, s Set, res Result, err error) (Result, error) {
	if err != nil || len(res.Commands) == 0 {
		return res, err
	}
	return a.Ran(ctx, s, RunCommands(ctx, res.Commands, patience))
}

func TestCommands(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	a := New(Options{Logger: testLogger(t)})
	log := filepath.Join(dir, "it's a log")
	made := func(text, check, reload string) Set {
		s := Set{Name: "x"}
		for _, name := range []string{"one", "two"} {
			f := file(filepath.Join(dir, name), text)
			f.CheckCmd, f.ReloadCmd = check, reload
			s.Files = append(s.Files, f)
		}
		return s
	}
	note := "echo reloaded >>" + shellQuote(log)
	s := made("A", "grep -q A {{ .src }} && echo checked >>"+shellQuote(log), note)
	res, err := a.Apply(ctx, s)
	if err != nil || res.State != Installed || len(res.Changed) != 2 || !slices.Equal(res.Commands, []string{note}) {
		t.Fatalf("%+v, %v", res, err)
	}
	if got := read(t, log); got != "checked\nchecked\n" {
		t.Errorf("ran %q", got)
	}
	if res, err = ranNow(ctx, a, s, res, err); err != nil || res.State != Confirmed || res.Confirmed.IsZero() {
		t.Errorf("%+v, %v", res, err)
	}
	if got := read(t, log); got != "checked\nchecked\nreloaded\n" {
		t.Errorf("ran %q", got)
	}
	var failed *CheckError
	s = made("B", "printf 'passwor%s \"%s\"\\n' d hus'h'; echo why {{.src}}; exit 3", note)
	if _, err = a.Apply(ctx, s); !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if !strings.Contains(failed.Message, "why "+dir+"/one") || strings.Contains(failed.Message, "hush") || read(t, filepath.Join(dir, "one")) != "A" {
		t.Errorf("failed check: %v", failed)
	}
	s = made("B", "", "echo no luck; false")
	if res, err = a.Apply(ctx, s); err != nil || len(res.Commands) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if again, err := a.Apply(ctx, s); err != nil || again.State != Installed || len(again.Commands) != 0 {
		t.Errorf("while the caller runs them: %+v, %v", again, err)
	}
	if _, err = ranNow(ctx, a, s, res, err); err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "set x: ") {
		t.Errorf("failed reload: %v", err)
	}
	s = made("B", "", note)
	if res, err = a.Apply(ctx, s); err != nil || len(res.Commands) != 1 {
		t.Errorf("the reload is to be tried again: %+v, %v", res, err)
	}
	if res, err = ranNow(ctx, a, s, res, err); err != nil || res.State != Confirmed || len(res.Changed) != 0 {
		t.Errorf("the reload is tried again: %+v, %v", res, err)
	}
	if res, err = a.Apply(ctx, s); err != nil || res.State != Unchanged || len(res.Commands) != 0 {
		t.Errorf("and not a third time: %+v, %v", res, err)
	}
	if res, err = a.Ran(ctx, made("A", "", note), nil); err != nil || res.State != Unchanged {
		t.Errorf("what came of commands from before counts: %+v, %v", res, err)
	}
}

// Commands see the staged file where nothing is in its place, and the file in its
// place later.
func TestCommandsPaths(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	a, log := New(Options{Logger: testLogger(t)}), filepath.Join(dir, "log")
	s := Set{Name: "x"}
	for _, name := range []string{"one", "it's two"} {
		f := file(filepath.Join(dir, name), "text of "+name)
		f.CheckCmd = "cat {{.src}}; test ! -e {{.dest}}"
		f.ReloadCmd = "cat {{ .src }} >>" + log + "; echo \" \"{{.dest}} >>" + log
		s.Files = append(s.Files, f)
	}
	res, err := a.Apply(ctx, s)
	if err != nil || len(res.Commands) != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	if res, err = ranNow(ctx, a, s, res, err); err != nil || res.State != Confirmed {
		t.Fatalf("%+v, %v", res, err)
	}
	if got, want := read(t, log), fmt.Sprintf("text of one %[1]s/one\ntext of it's two %[1]s/it's two\n", dir); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Where BIRD has confirmed a set, commands that fail are given again, and BIRD is
// not told again; its word is taken again after them.
func TestCommandsWithBIRD(t *testing.T) {
	t.Parallel()
	b := newBench(t, birdBinary(t, "2.0.12/bird"), "2.0.12")
	s := b.set("B")
	s.Files[0].ReloadCmd = "false"
	res, err := b.a.Apply(b.ctx, s)
	if err != nil || res.State != Confirmed || len(res.Commands) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	told := res.Reconfigured
	if _, err := ranNow(b.ctx, b.a, s, res, err); err == nil {
		t.Error("the command worked")
	}
	time.Sleep(proofSlack) // what comes sooner after ours is not noticed
	s.Files[0].ReloadCmd = "true"
	if res, err = b.a.Apply(b.ctx, s); err != nil || res.State != Unchanged || len(res.Commands) != 1 || !res.Reconfigured.Equal(told) {
		t.Errorf("%+v, %v", res, err)
	}
	// A command may be one that reconfigures BIRD.
	if _, err := client(t, b.socket).Configure(b.ctx); err != nil {
		t.Fatal(err)
	}
	if res, err = ranNow(b.ctx, b.a, s, res, err); err != nil || res.State != Confirmed || !res.Reconfigured.After(told) {
		t.Errorf("%+v, %v", res, err)
	}
	if drift, err := b.a.Verify(b.ctx, s); err != nil || drift.Any() {
		t.Errorf("%+v, %v", drift, err)
	}
}

// Whatever way BIRD was told to print times, a reconfiguration is confirmed.
func TestTimeFormats(t *testing.T) {
	t.Parallel()
	eachBIRD(t, func(t *testing.T, binary, version string) {
		ctx, dir := testContext(t), testFolder(t)
		config, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		write(t, config, small)
		startBIRD(t, binary, config, socket)
		a := New(Options{Logger: testLogger(t)})
		formats := []string{"iso short", "iso long", `"%d. %B, %H Uhr"`}
		if strings.HasPrefix(version, "1.") {
			formats = append(formats, "old short", "old long")
		}
		for _, format := range formats {
			s := set([]File{file(config, small+"timeformat base "+format+";\ntimeformat protocol iso long;\n")}, config, socket, binary)
			res, err := a.Apply(ctx, s)
			if err != nil || res.State != Confirmed {
				t.Errorf("%s: %+v, %v", format, res, err)
			}
		}
	})
}

// Cancelling ends a command with all its children, before anything is changed.
func TestCancel(t *testing.T) {
	dir := testFolder(t)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	f := file(filepath.Join(dir, "one"), "A")
	f.CheckCmd = "sleep 1000 & echo $! >" + dir + "/pid.tmp; mv " + dir + "/pid.tmp " + dir + "/pid; sleep 1000"
	done := make(chan error)
	go func() {
		_, err := New(Options{}).Apply(ctx, Set{Name: "x", Files: []File{f}})
		done <- err
	}()
	eventually(t, func() error { _, err := os.Stat(dir + "/pid"); return err })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, func() error {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(read(t, dir+"/pid")) + "/stat")
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return errors.New("the command's child lives on")
		}
		return nil
	})
	wantEntries(t, dir, "pid")

	f.CheckCmd = "sleep 1000"
	a := New(Options{CheckTimeout: 50 * time.Millisecond})
	if _, err := a.Apply(testContext(t), Set{Name: "x", Files: []File{f}}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a command that takes too long: %v", err)
	}
}

func TestKeepStage(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main := filepath.Join(dir, "bird.cfg")
	s := set(threeFiles(dir, "A"), main, filepath.Join(dir, "s"), birdBinary(t, "2.0.12/bird"))
	s.KeepStage = true
	a := New(Options{Logger: testLogger(t)})
	if _, err := a.Apply(ctx, s); err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(dir + "/.confd-stage-bird-*/bird.cfg")
	if len(kept) != 1 || read(t, kept[0]) != read(t, main) {
		t.Errorf("kept %v", kept)
	}
	next := set(threeFiles(dir, "B"), main, s.Daemon.Socket, s.Daemon.Binary)
	if _, err := a.Apply(ctx, next); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, dir, ".confd-bird", ".confd-record-bird.json", "aggr.cfg", "bird.cfg", "ipam.cfg")
}

func TestValidate(t *testing.T) {
	for _, s := range []Set{
		{Name: "../x", Files: []File{file("/tmp/a", "")}},
		{Name: "x"},
		{Name: "x", Files: []File{file("a", "")}},
		{Name: "x", Files: []File{file("/tmp/../a", "")}},
		{Name: "x", Files: []File{file("/tmp/a", ""), file("/tmp/a", "")}},
		{Name: "x", Files: []File{file("/tmp/a", "")}, Daemon: &Daemon{Main: "/tmp/b"}},
	} {
		if _, err := New(Options{}).Apply(testContext(t), s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

func TestExcerpt(t *testing.T) {
	text := "one\n\tbogus \"x\";\npassword\n  \"hush\"; bogus\n  password \"hu\"sh\"; bogus\n" + strings.Repeat("x", 500) + "\n\x1b[1mö!\n"
	for _, test := range []struct {
		line, col int
		want      string
	}{
		{2, 2, "\tbogus \"x\";\n\t^"},
		{4, 11, "***\n^"},
		{5, 16, "  password \"***\n            ^"},
		{5, 3, "  password \"***\n  ^"},
		{6, 400, strings.Repeat("x", 160) + "\n" + strings.Repeat(" ", 80) + "^"},
		{7, 5, "?[1mö!\n    ^"},
		{1, 0, "one"},
		{99, 1, ""},
	} {
		if got := excerpt([]byte(text), test.line, test.col); got != test.want {
			t.Errorf("%d:%d:\n%s\nwant\n%s", test.line, test.col, got, test.want)
		}
	}
}

func TestDest(t *testing.T) {
	s := Set{Files: []File{file("/etc/bird/bird.conf", "")}}
	for path, want := range map[string]string{"./bird.conf": "/etc/bird/bird.conf", "other": "other", "/x": "/x", "": ""} {
		if got := s.dest(path); got != want {
			t.Errorf("%q is %q", path, got)
		}
	}
}
