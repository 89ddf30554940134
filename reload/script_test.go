package reload

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scripts say anew")

// TestScripts runs the histories in testdata/script: after each event, a line with
// ">", stands what came of it, which commands BIRD got, and what lies on disk and
// is in use then. Events are
//
//	apply NAME [stay=a,b] [return=c] [within=30s] [command=x]
//	reconfigure NAME, trial, verify NAME, boot, resume, ran [error]
//	kill                   the process is killed, and started again
//	wait DURATION          nobody looks meanwhile
//	edit NAME              somebody writes that on disk
//	session NAME up|down   a session of BIRD's
//	bird start|stop|hangs|answers|refuses|agrees|timeless
//	bird dies of COMMAND, bird hangs at|after COMMAND
//	birdc COMMAND          somebody else's
//	clock DURATION [at COMMAND]  BIRD's clock is set: now, or just before it does the command
//	zone DURATION          BIRD's clock shows another hour
//
// A set has one file, or two after the line "two files" at the top.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			want := read(t, path)
			got := newScript(t).run(want)
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("%s is now (give -update where that is right):\n%s", path, got)
			}
			write(t, path, got)
		})
	}
}

type script struct {
	t    *testing.T
	dir  string
	opts Options
	a    *Applier
	bird *fakeBIRD
	two  bool // files
	last Set
}

func newScript(t *testing.T) *script {
	dir := testFolder(t)
	s := &script{t: t, dir: dir, bird: newFakeBIRD(t, filepath.Join(dir, "bird.conf"))}
	s.opts = Options{Now: s.bird.clock, Logger: testLogger(t)}
	s.begin()
	return s
}

// begin starts the process. The time to wait for BIRD is over when BIRD hangs.
func (s *script) begin() {
	s.a = New(s.opts)
	s.a.bird.within = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		return context.WithCancel(s.bird.patient(ctx))
	}
}

// run returns the script with what happens now.
func (s *script) run(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		event, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			fmt.Fprintf(&out, "> %s\n%s", event, s.event(strings.Fields(event)))
		case line == "two files":
			s.two = true
			out.WriteString(line + "\n")
		case strings.HasPrefix(line, "#") || line == "":
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func (s *script) event(words []string) string {
	s.bird.calls = nil
	what := s.do(words[0], words[1:])
	if what == "" {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "    %s\n", s.plain(what))
	for _, call := range s.bird.calls {
		fmt.Fprintf(&out, "    BIRD gets: %s\n", call)
	}
	fmt.Fprintf(&out, "    disk: %s, BIRD: %s\n", s.onDisk(), s.running())
	return out.String()
}

var errnoText = regexp.MustCompile(` \((no such file or directory|connection refused)\)`)

// plain leaves out what differs from one run to the next.
func (s *script) plain(text string) string {
	text = strings.ReplaceAll(text, s.bird.socket, "SOCKET")
	text = strings.ReplaceAll(text, "waiting for the greeting: BIRD does not answer", "BIRD does not answer") // it depends on who is quicker
	for _, name := range []string{"one", "two", "three", "four"} {
		text = strings.ReplaceAll(text, s.set(name).Hash(), name)
	}
	return strings.ReplaceAll(errnoText.ReplaceAllString(text, ""), s.dir, "DIR")
}

// do says what came of an event; empty: there is nothing to say.
func (s *script) do(event string, args []string) string {
	ctx := s.t.Context()
	switch event {
	case "apply":
		s.last = s.guarded(args)
		return s.result(s.a.Apply(ctx, s.last))
	case "reconfigure":
		return s.result(s.a.Reconfigure(ctx, s.set(args[0])))
	case "trial":
		return s.result(s.a.Trial(ctx, s.last))
	case "ran":
		var err error
		if len(args) > 0 {
			err = errors.New(args[0])
		}
		return s.result(s.a.Ran(ctx, s.last, err))
	case "boot", "resume":
		records, err := Records(s.dir)
		if err != nil || len(records) != 1 {
			s.t.Fatalf("%v, %v", records, err)
		}
		d := Daemon{Socket: s.bird.socket, Binary: s.checker()}
		if s.last, _, err = records[0].OnDisk(); err == nil {
			s.last.Daemon = s.set("one").Daemon
		}
		if event == "boot" {
			return s.result(s.a.Boot(ctx, records[0], d))
		}
		return s.result(s.a.Resume(ctx, records[0], d))
	case "verify":
		drift, err := s.a.Verify(ctx, s.set(args[0]))
		text := fmt.Sprintf("BIRD is %v, found %q%s", drift.BIRD, drift, failure(err))
		if drift.Clock != nil {
			text += ", its clock was set"
		}
		return text
	case "kill":
		s.begin()
	case "edit":
		for _, f := range s.set(args[0]).Files {
			write(s.t, f.Dest, string(f.Data))
		}
	default:
		s.world(event, args)
	}
	return ""
}

// world is what happens to BIRD.
func (s *script) world(event string, args []string) {
	b := s.bird
	switch event {
	case "wait":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		b.pass(d)
		return
	case "birdc":
		b.obey("configure"+strings.TrimPrefix(strings.Join(args, " "), "configure"), false)
		return
	case "bird":
		switch args[0] {
		case "start":
			if err := b.start(); err != nil {
				s.t.Fatal(err)
			}
			return
		case "stop":
			b.stop()
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case event == "clock", event == "zone":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		if event == "clock" && len(args) > 1 {
			b.step, b.stepsAt = d, strings.Join(args[2:], " ")
		} else if event == "clock" {
			b.set += d
		} else {
			b.zone, b.zoneFrom = d, b.now.Add(b.set)
		}
	case event == "session":
		b.sessions[args[0]] = session{args[1] == "up", b.now}
	case event == "bird" && args[0] == "dies":
		b.diesOf = strings.Join(args[2:], " ")
	case event == "bird" && args[0] == "hangs" && len(args) > 2:
		if at := strings.Join(args[2:], " "); args[1] == "at" {
			b.hangsAt = at
		} else {
			b.hangsAfter = at
		}
	case event == "bird":
		switch args[0] {
		case "hangs", "answers":
			b.hangs, b.hangsAt, b.hangsAfter = args[0] == "hangs", "", ""
		case "refuses", "agrees":
			b.refuses = args[0] == "refuses"
		case "timeless":
			b.timeless = true
		default:
			s.t.Fatalf("bird %q", args)
		}
	default:
		s.t.Fatalf("event %q", event)
	}
}

func (s *script) result(res Result, err error) string {
	if err != nil {
		return strings.TrimPrefix(failure(err), ", ")
	}
	text := res.State.String()
	if res.State == OnTrial {
		text += fmt.Sprintf(", for %v", res.TrialEnds.Sub(s.bird.clock()))
	}
	if len(res.Commands) > 0 {
		text += fmt.Sprintf(", to be run: %q", res.Commands)
	}
	return text
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	kind := "error"
	switch {
	case errors.As(err, new(*UndoneError)):
		kind = "undone"
	case errors.As(err, new(*LapsedError)):
		kind = "lapsed"
	case errors.As(err, new(*RefusedError)):
		kind = "refused"
	}
	return fmt.Sprintf(", %s: %v", kind, err)
}

// set is the set of that name.
func (s *script) set(name string) Set {
	files := []File{file(s.bird.main, name)}
	if s.two {
		files = append(files, file(filepath.Join(s.dir, "more.conf"), name))
	}
	return set(files, s.bird.main, s.bird.socket, s.checker())
}

// checker is a program that says that it is this BIRD and finds nothing wrong.
func (s *script) checker() string {
	path := filepath.Join(filepath.Dir(s.bird.socket), "checker")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho BIRD version 2.0.12\n"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *script) guarded(args []string) Set {
	made := s.set(args[0])
	made.Guard = &Guard{Within: 30 * time.Second}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		list := strings.Split(value, ",")
		switch key {
		case "stay":
			made.Guard.Stay = list
		case "return":
			made.Guard.Return = list
		case "within":
			made.Guard.Within, _ = time.ParseDuration(value)
		case "command":
			made.Files[0].ReloadCmd = value
		}
	}
	return made
}

// onDisk is the name of the set that lies on disk.
func (s *script) onDisk() string {
	var names []string
	for _, f := range s.set("").Files {
		data, err := os.ReadFile(f.Dest)
		if err != nil {
			data = []byte("nothing")
		}
		if !slices.Contains(names, string(data)) {
			names = append(names, string(data))
		}
	}
	return strings.Join(names, " and ")
}

func (s *script) running() string {
	s.bird.mu.Lock()
	defer s.bird.mu.Unlock()
	switch {
	case s.bird.listener == nil:
		return "away"
	case s.bird.undoAt.IsZero():
		return s.bird.uses.text
	}
	return fmt.Sprintf("%s, else %s in %v", s.bird.uses.text, s.bird.before.text, s.bird.undoAt.Sub(s.bird.now))
}
