package agent

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/internal/report"
)

var long = flag.Bool("long", false, "fail each step of each history in every way")

// TestFaultsAtEachStep runs the histories of testdata/faults again and again, and each
// time something else goes wrong: one step fails, or the program is killed at it, or
// stands still for long, from "faults" on. When all works again, BIRD must run what it runs where nothing
// goes wrong; and whatever happens, no session is lost that the history says it keeps.
func TestFaultsAtEachStep(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			h := history{commandsOf(string(text))}
			good := h.run(t, mishap{}, nil)
			if good.steps < 10 || good.held == "" && !good.ready {
				t.Fatalf("where nothing goes wrong it ends as %+v", good)
			}
			step := 1
			if testing.Short() {
				step = 5
			}
			for n := 1; n <= good.steps; n += step {
				for _, m := range mishaps(n) {
					h.try(t, good, m)
				}
			}
		})
	}
}

// mishap is what goes wrong at the step of a number; 0: nothing does.
type mishap struct {
	step int
	what string
}

// mishaps are those that are tried at a step: all, or the kills and one of the others.
func mishaps(step int) []mishap {
	var list []mishap
	ways := append(names(errWords), "slow", "frozen")
	ways = slices.DeleteFunc(ways, func(w string) bool { return w == "ok" })
	for i, way := range ways {
		if *long || i == step%len(ways) {
			list = append(list, mishap{step, way})
		}
	}
	return append(list, mishap{step, "killed before"}, mishap{step, "killed after"})
}

var errKilled = errors.New("killed")

// happen has it happen to a script's program.
func (m mishap) happen(s *script) func(n int, step, set string) fault {
	return func(n int, step, set string) fault {
		if n != m.step {
			return fault{}
		}
		switch m.what {
		case "killed before":
			s.cancel()
			return fault{err: errKilled}
		case "killed after":
			time.AfterFunc(cost(step, set)+time.Nanosecond, s.cancel)
			return fault{}
		case "slow":
			return fault{takes: 45 * time.Second}
		case "frozen":
			s.freeze(45 * time.Second)
			return fault{}
		}
		return fault{err: errWords[m.what]}
	}
}

// ending is how a history ends.
type ending struct {
	steps int
	ready bool
	held  string // why
	why   string // it is not ready
	disk  []string
	uses  []string // the texts of BIRDs
	up    []string // sessions
	lost  []string // sessions that should have been kept
}

// as says whether it ends as another one.
func (e ending) as(o ending) bool {
	return e.ready == o.ready && e.held == o.held && slices.Equal(e.uses, o.uses) && slices.Equal(e.disk, o.disk) && slices.Equal(e.up, o.up) && len(e.lost) == 0
}

// history is a script of which only the end counts.
type history struct{ commands []command }

func (h history) try(t *testing.T, good ending, m mishap) {
	t.Helper()
	is := h.run(t, m, &good)
	fail := func(what string, got, want any) {
		t.Helper()
		t.Errorf("step %d, %s: %s\n%v, want\n%v\n(not ready: %s)", m.step, m.what, what, got, want, is.why)
	}
	switch {
	case len(is.lost) > 0:
		fail("sessions were lost", is.lost, "none")
	case is.ready != good.ready || is.held != good.held:
		fail("it ends", fmt.Sprint(is.ready, " ", is.held), fmt.Sprint(good.ready, " ", good.held))
	case !slices.Equal(is.uses, good.uses):
		t.Errorf("step %d, %s: BIRD uses something else\n%s", m.step, m.what, cmp.Diff(good.uses, is.uses))
	case !slices.Equal(is.disk, good.disk):
		t.Errorf("step %d, %s: on disk is something else\n%s", m.step, m.what, cmp.Diff(good.disk, is.disk))
	case !slices.Equal(is.up, good.up):
		fail("established are", is.up, good.up)
	}
}

// run runs it, with something that goes wrong in between.
// It is over when it has ended as it should, good, or after minutes.
func (h history) run(t *testing.T, m mishap, good *ending) (end ending) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, dir)
		var args []string
		for _, c := range h.commands {
			if c.command == "" {
				continue
			}
			words := strings.Fields(c.command)
			if words[0] == "start" {
				args = words[1:]
			}
			switch words[0] {
			case "wait":
				s.live(s.duration(words[1]), args)
			case "faults":
				s.world.faults.hook(m.happen(s))
			default:
				s.do(c.command, c.body)
			}
		}
		end.steps = s.world.faults.steps()
		s.world.faults.clear()
		for i := range 20 { // it has its time to get over it
			s.live(20*time.Second, args)
			if end = s.ending(end.steps); i > 0 && good != nil && end.as(*good) {
				break
			}
		}
		s.stop()
		s.world.end()
	})
	return end
}

// live has time pass, in which the program is started again where it was killed.
func (s *script) live(d time.Duration, args []string) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(100*time.Millisecond, time.Until(end)))
		s.revive(args)
	}
}

// revive starts the program again where it was killed.
func (s *script) revive(args []string) {
	if s.cancel == nil {
		return
	}
	select {
	case err := <-s.ended:
		if !errors.Is(err, context.Canceled) {
			s.t.Errorf("it ended with %v", err)
		}
		s.cancel = nil
		s.start(args)
	default:
	}
}

// ending is how it stands.
func (s *script) ending(steps int) ending {
	end := ending{steps: steps}
	r, err := report.ReadOwn(s.dir)
	if err != nil || r == nil {
		r = &report.Report{NotReady: []string{fmt.Sprint("there is no report: ", err)}}
	}
	end.ready, end.why = r.Ready, strings.Join(r.NotReady, "; ")
	if r.Held != nil {
		end.held = r.Held.Why
	}
	for _, socket := range s.world.daemons.Sockets() {
		is := s.world.birds[socket].status()
		end.uses, end.disk = append(end.uses, is.text), append(end.disk, textOf(s.world.mainFile(socket)))
		end.up = append(end.up, is.established()...)
		end.lost = append(end.lost, s.world.birds[socket].lostOf()...)
	}
	return end
}
