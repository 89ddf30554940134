package reload

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestHash(t *testing.T) {
	a, b := file("/x/a", "1"), file("/x/b", "2")
	base := Set{Name: "x", Files: []File{a, b}}.Hash()
	if len(base) != 16 {
		t.Errorf("the hash is %q", base)
	}
	explicit := a
	explicit.Mode = 0o640
	if got := (Set{Name: "y", Mark: "m", Files: []File{b, explicit}}).Hash(); got != base {
		t.Errorf("the same files give %s and %s", base, got)
	}
	open := a
	open.Mode = 0o644
	for _, files := range [][]File{{a}, {a, file("/x/b", "3")}, {a, file("/x/c", "2")}, {open, b}, {file("/x/a", "2"), file("/x/b", "1")}} {
		if got := (Set{Files: files}).Hash(); got == base {
			t.Errorf("%+v gives the same hash", files)
		}
	}
}

// theRecord is the only record in a folder.
func theRecord(t *testing.T, folder string) Record {
	t.Helper()
	records, err := Records(folder)
	if err != nil || len(records) != 1 {
		t.Fatalf("records: %+v, %v", records, err)
	}
	return records[0]
}

// hashes are those of a record's generations; confirmed ones have a star.
func hashes(r Record) string {
	var words []string
	for _, g := range r.Generations {
		word := g.Mark + ":" + g.Hash
		if !g.Confirmed.IsZero() {
			word += "*"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// The record tells at each moment what may be on disk, and what BIRD confirmed.
func TestRecord(t *testing.T) {
	b := newBench(t, birdBinary(t, "2.0.12/bird"), "2.0.12")
	marked := func(generation string) Set {
		s := b.set(generation)
		s.Mark = generation
		return s
	}
	want := func(generations ...string) {
		t.Helper()
		var words []string
		for _, g := range generations {
			name, confirmed := strings.CutSuffix(g, "*")
			word := name + ":" + marked(name).Hash()
			if confirmed {
				word += "*"
			}
			words = append(words, word)
		}
		if got := hashes(theRecord(t, b.dir)); got != strings.Join(words, " ") {
			t.Errorf("the record has %s, want %s", got, strings.Join(words, " "))
		}
	}
	apply := func(generation string, state State) {
		t.Helper()
		if res, err := b.a.Apply(b.ctx, marked(generation)); err != nil || res.State != state {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	apply("B", Confirmed)
	want("B*")
	confirmed, _ := theRecord(t, b.dir).LastConfirmed()
	if confirmed.Version != "2.0.12" || confirmed.Checked.IsZero() {
		t.Errorf("%+v", confirmed)
	}
	info, err := os.Stat(filepath.Join(b.dir, recordName("bird")))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record: %v, %v", info.Mode(), err)
	}
	b.d.kill()
	for _, generation := range []string{"C", "D", "E"} {
		apply(generation, Installed)
	}
	want("E", "D", "B*")
	b.a = New(*b.a.opts) // as after a restart of ours
	apply("F", Installed)
	want("F", "E", "B*")
	b.start()
	bad := marked("G")
	bad.Files[0].Data = append(bad.Files[0].Data, "bogus;\n"...)
	bad.Daemon.Binary = b.blindChecker()
	if _, err := b.a.Apply(b.ctx, bad); !wantRefused(Result{}, err) {
		t.Fatal(err)
	}
	b.wantOnDisk("B") // which is what BIRD confirmed last
	if _, ok := theRecord(t, b.dir).Find(bad.Hash()); ok {
		t.Error("what was refused is still recorded")
	}
	apply("B", Confirmed)
	want("B*")

	// A record that cannot be written keeps nothing from being applied.
	path := filepath.Join(b.dir, recordName("bird"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	apply("H", Confirmed)
}

func TestBadRecords(t *testing.T) {
	dir := testFolder(t)
	good := `{"set": "%", "main": "` + dir + `/bird.cfg", "generations": [{"hash": "x", "files": [{"dest": "` + dir + `/bird.cfg"}]}]}`
	for name, text := range map[string]string{
		"good":    good,
		"empty":   "",
		"list":    "[]",
		"null":    "null",
		"number":  `{"set": 1}`,
		"renamed": strings.ReplaceAll(good, "%", "other"),
		"foreign": strings.ReplaceAll(good, dir, "/etc"),
		"nomain":  `{"set": "%", "main": "` + dir + `/bird.cfg", "generations": [{}]}`,
		"dots":    strings.Replace(good, `"dest": "`, `"dest": "../etc/passwd"}, {"dest": "`, 1),
		"..":      good,
	} {
		write(t, filepath.Join(dir, recordName(name)), strings.ReplaceAll(text, "%", name))
	}
	write(t, filepath.Join(dir, "unrelated.json"), "")
	records, err := Records(dir)
	if len(records) != 1 || records[0].Set != "good" {
		t.Errorf("records %+v", records)
	}
	if err == nil || strings.Count(err.Error(), "remove the file") != 9 {
		t.Errorf("%v", err)
	}
	if _, err := Records(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

// Without anybody to render a set, BIRD runs on what lies on disk, where that is
// a whole generation that passes its check.
func TestBoot(t *testing.T) {
	eachBIRD(t, func(t *testing.T, binary, version string) {
		t.Parallel()
		ctx, dir := testContext(t), testFolder(t)
		main, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		a := New(Options{Logger: testLogger(t)})
		one, two := set(threeFiles(dir, "A"), main, socket, binary), set(threeFiles(dir, "B"), main, socket, binary)
		one.Mark = "rev 1"
		if _, err := a.Apply(ctx, one); err != nil {
			t.Fatal(err)
		}
		boot := func(a *Applier) (Result, error) {
			return a.Boot(ctx, theRecord(t, dir), Daemon{Socket: socket, Binary: binary})
		}
		a = New(*a.opts)
		if res, err := boot(a); err != nil || res.State != Installed || res.Hash != one.Hash() || res.Unchecked {
			t.Errorf("without BIRD: %+v, %v", res, err)
		}
		startBIRD(t, binary, main, socket)
		a = New(*a.opts)
		if res, err := boot(a); err != nil || res.State != Confirmed || res.Version != version {
			t.Errorf("with BIRD: %+v, %v", res, err)
		}
		if g, ok := theRecord(t, dir).LastConfirmed(); !ok || g.Mark != "rev 1" {
			t.Errorf("recorded %+v", g)
		}
		if drift, err := a.Verify(ctx, one); err != nil || drift.Any() {
			t.Errorf("after Boot: %+v, %v", drift, err)
		}
		if res, err := a.Apply(ctx, one); err != nil || res.State != Unchanged {
			t.Errorf("the same set after Boot: %+v, %v", res, err)
		}
		// A process that dies between the record and the swap.
		a.keeper("bird").noteChecked(two, newGeneration(two), nil, time.Now())
		a = New(*a.opts)
		if res, err := boot(a); err != nil || res.Hash != one.Hash() {
			t.Errorf("after a crash: %+v, %v", res, err)
		}
		if res, err := a.Apply(ctx, two); err != nil || res.State != Confirmed {
			t.Errorf("another set after Boot: %+v, %v", res, err)
		}

		aggr := filepath.Join(dir, "aggr.cfg")
		text := read(t, aggr)
		write(t, aggr, text+"# by hand\n")
		if _, err := boot(New(*a.opts)); err == nil || !strings.Contains(err.Error(), aggr+" was changed") {
			t.Errorf("a file changed by hand: %v", err)
		}
		write(t, aggr, text)
		if _, err := New(*a.opts).Boot(ctx, theRecord(t, dir), Daemon{Main: aggr}); err == nil {
			t.Error("another main file was taken")
		}
	})
}

// What is recorded may fail its check later, as when a file that it includes and
// that is not its own was changed.
func TestBootCheck(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	binary, main, own := birdBinary(t, "2.0.12/bird"), filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "own.cfg")
	write(t, own, "# nothing\n")
	a := New(Options{Logger: testLogger(t)})
	s := set([]File{file(main, small+"include \"own.cfg\";\n")}, main, filepath.Join(dir, "s"), binary)
	if _, err := a.Apply(ctx, s); err != nil {
		t.Fatal(err)
	}
	write(t, own, "bogus;\n")
	var failed *CheckError
	if _, err := New(*a.opts).Boot(ctx, theRecord(t, dir), *s.Daemon); !errors.As(err, &failed) || failed.File != own || failed.Line != 1 {
		t.Errorf("%v", err)
	}
	// Nobody can check it: it was checked once.
	d := *s.Daemon
	d.Binary = ""
	if res, err := New(*a.opts).Boot(ctx, theRecord(t, dir), d); err != nil || res.State != Installed || !res.Unchecked {
		t.Errorf("%+v, %v", res, err)
	}
}

// Check installs nothing, and a set that passed is not checked again at once.
func TestCheckOnly(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main, count := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "count")
	a := New(Options{Logger: testLogger(t)})
	s := func(text string) Set {
		f := file(main, text)
		f.CheckCmd = "echo x >>" + count + "; grep -q good {{.src}}"
		return Set{Name: "x", Files: []File{f}}
	}
	var failed *CheckError
	if err := a.Check(ctx, s("bad")); !errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
	if err := a.Check(ctx, s("good")); err != nil {
		t.Error(err)
	}
	wantEntries(t, dir, "count")
	if res, err := a.Apply(ctx, s("good")); err != nil || res.Checked.IsZero() || res.Unchecked {
		t.Errorf("%+v, %v", res, err)
	}
	if got := read(t, count); got != "x\nx\n" {
		t.Errorf("checked %d times", len(got)/2)
	}
	if _, err := a.Apply(ctx, s("bad")); !errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
	if _, err := a.Apply(ctx, s("good 2")); err != nil || read(t, count) != "x\nx\nx\nx\n" {
		t.Errorf("%v, %q", err, read(t, count))
	}
}

// A record of a newer program is not understood: that is said, and it counts for
// nothing. One of before records had versions is.
func TestRecordVersions(t *testing.T) {
	ctx, dir := testContext(t), testFolder(t)
	main := filepath.Join(dir, "bird.cfg")
	one := set([]File{file(main, "one")}, main, filepath.Join(dir, "s"), "/bin/true")
	if _, err := New(Options{}).Apply(ctx, one); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, recordName("bird"))
	text := read(t, path)
	version := func(v string) {
		t.Helper()
		changed := strings.Replace(text, `"version": 2,`, v, 1)
		if changed == text {
			t.Fatalf("the record has no version:\n%s", text)
		}
		write(t, path, changed)
	}
	version("")
	if r := theRecord(t, dir); len(r.Generations) != 1 || r.Version != 0 {
		t.Errorf("an old record: %+v", r)
	}
	for _, newer := range []string{`"version": 3,`, `"version": 3, "trial": "in a form of its own",`} {
		version(newer)
		if records, err := Records(dir); len(records) > 0 || !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), path) {
			t.Errorf("a newer record: %+v, %v", records, err)
		}
	}
	var log strings.Builder
	a := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	two := set([]File{file(main, "two")}, main, one.Daemon.Socket, "/bin/true")
	if res, err := a.Apply(ctx, two); err != nil || res.State != Installed || read(t, main) != "two" {
		t.Errorf("%+v, %v", res, err)
	}
	if !strings.Contains(log.String(), ErrNewer.Error()) {
		t.Errorf("it is not said: %s", &log)
	}
	if r := theRecord(t, dir); r.Version != recordVersion || len(r.Generations) != 1 {
		t.Errorf("%+v", r)
	}
}

// What is kept of the files from before can be read by who could read them, and
// comes back as it was; what somebody did to what is kept does not: what lay on disk since
// does. A file that others may write into is copied; else it is kept itself.
func TestBefore(t *testing.T) {
	needRoot(t)
	const nobody = 65534
	for _, c := range []struct {
		mode             fs.FileMode
		copied, tampered bool
	}{{mode: 0o600}, {mode: 0o620, copied: true}, {mode: 0o600, tampered: true}} {
		b := newBench(t, birdBinary(t, "2.0.12/bird"), "2.0.12")
		secret := file(b.main, named("secret")+"# password \"hush\"\n")
		secret.Mode, secret.GID = c.mode, nobody
		if res, err := b.a.Apply(b.ctx, set([]File{secret}, b.main, b.socket, b.binary)); err != nil || res.State != Confirmed {
			t.Fatalf("%+v, %v", res, err)
		}
		b.d.kill()
		was, err := os.Stat(b.main)
		must(t, err)
		if res, err := b.a.Apply(b.ctx, b.set("B")); err != nil || res.State != Installed {
			t.Fatalf("%+v, %v", res, err)
		}
		record := filepath.Join(b.dir, recordName("bird"))
		r := theRecord(t, b.dir)
		folder := filepath.Join(b.dir, r.Before.Folder)
		kept := filepath.Join(folder, "0")
		in, err := os.Stat(folder)
		must(t, err)
		info, err := os.Stat(kept)
		if err != nil || in.Mode().Perm() != 0o700 || info.Mode().Perm() != c.mode || !r.Before.Agreed || os.SameFile(info, was) == c.copied {
			t.Errorf("%v, %v, %v; %+v", in.Mode(), info.Mode(), err, r.Before)
		}
		if strings.Contains(read(t, record), "hush") {
			t.Error("the record has a password in it")
		}
		if c.tampered {
			write(t, kept, "something else")
		}
		b.a = New(*b.a.opts)
		b.start()
		bad := b.set("C")
		bad.Files[0].Data = append(bad.Files[0].Data, "bogus;\n"...)
		bad.Daemon.Binary = b.blindChecker()
		_, err = b.a.Apply(b.ctx, bad)
		if c.tampered {
			if !wantRefused(Result{}, err) || read(t, b.main) != named("B") {
				t.Errorf("what is kept was changed: %v, on disk is %q", err, read(t, b.main))
			}
			continue
		}
		info, statErr := os.Stat(b.main)
		if !wantRefused(Result{}, err) || read(t, b.main) != string(secret.Data) || statErr != nil || info.Mode() != c.mode || info.Sys().(*syscall.Stat_t).Gid != nobody {
			t.Errorf("%v, %q, %v", err, read(t, b.main), info)
		}
		wantEntries(t, b.dir, recordName("bird"), "bird.cfg", "bird.cfg.orig")
	}
}

// A file that keeps another name when it is replaced, as somebody has linked to it, can be
// written under that name later: it is copied, so that what lay there still comes back.
func TestBeforeWithAnotherName(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(from, to string) error{"symbolic link": os.Symlink, "hard link": os.Link} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, birdBinary(t, "2.0.12/bird"), "2.0.12")
			other := filepath.Join(b.dir, "other.cfg")
			must(t, os.Rename(b.main, other))
			must(t, link(other, b.main))
			b.d.kill()
			if res, err := b.a.Apply(b.ctx, b.set("B")); err != nil || res.State != Installed {
				t.Fatalf("%+v, %v", res, err)
			}
			write(t, other, "something else")
			b.a = New(*b.a.opts)
			b.start()
			bad := b.set("C")
			bad.Files[0].Data = append(bad.Files[0].Data, "bogus;\n"...)
			bad.Daemon.Binary = b.blindChecker()
			if _, err := b.a.Apply(b.ctx, bad); !wantRefused(Result{}, err) || read(t, b.main) != named("A") {
				t.Errorf("%v, on disk is %q", err, read(t, b.main))
			}
		})
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"version": 2, "set": "x", "main": "/x/bird.cfg", "generations": [{"hash": "x", "files": [{"dest": "/x/bird.cfg", "mode": 416}]}],
		"before": {"agreed": true, "folder": ".confd-before-x-1", "files": [{"dest": "/x/bird.cfg", "uid": 0, "gid": -1}]},
		"trial": {"hash": "x", "told": "2026-11-25T10:00:00Z", "ends": "2026-11-25T10:00:30Z", "deadline": "2026-11-25T10:00:45Z", "stay": {"b": "10:00:00"}, "reconfigured": "2026-11-25T10:00:00Z"}}`))
	f.Add([]byte(`{"version": 3}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		if err := r.validate("/x", "x"); err != nil {
			return
		}
		for _, g := range r.Generations {
			for _, f := range g.Files {
				if !validDest(f.Dest) {
					t.Errorf("%q is taken for a file", f.Dest)
				}
			}
		}
		if r.Before != nil && strings.Contains(r.Before.Folder, "/") {
			t.Errorf("%q is taken for a folder beside the files", r.Before.Folder)
		}
		if r.Trial == nil {
			return
		}
		if tr, _ := r.Trial.resumed(aLook(time.Minute)); tr != nil {
			proof := birdAt(toldAt, -time.Hour, 0)
			tr.judge(aLook(2*time.Minute), &proof)
		}
	})
}
