package guard_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/internal/guard"
)

// heldForRefresh and freeOfRefresh are scenes with neighbors that cannot send their routes
// again.
func heldForRefresh() []scene {
	return []scene{
		{"an import filter changes, and most of the neighbors cannot send their routes again (route refresh)", filtered,
			func(w *world) guard.Verdict { return w.deaf("Global_192_0_2_1", "Global_192_0_2_3").try(otherImport) },
			"it would remake 2 of 3 established sessions", []string{"BGPFilter rules changed"}},
		{"BGPPeers at such neighbors get other import filters one by one, seconds apart: from the second of three on", filtered, func(w *world) guard.Verdict {
			w.deaf("Global_192_0_2_1", "Global_192_0_2_2", "Global_192_0_2_3").try(unfiltered("router-1"))
			return w.down("Global_192_0_2_1").wait(time.Second).try(unfiltered("router-2"))
		}, "it would remake 2 of 3 established sessions, with what changed in the 5 minutes before", []string{`BGPPeer router-2: filters was "rules", is not set`}},
	}
}

func freeOfRefresh() []scene {
	return []scene{
		{"an import filter changes, and one neighbor of three cannot send its routes again", filtered,
			func(w *world) guard.Verdict { return w.deaf("Global_192_0_2_1").try(otherImport) }, goesLive, nil},
		{"an export filter changes, and no neighbor can", filtered, func(w *world) guard.Verdict {
			return w.deaf("Global_192_0_2_1", "Global_192_0_2_2", "Global_192_0_2_3").try(func(s *backends.State) {
				change(s.BGPFilters, "rules", func(f *backends.BGPFilter) { f.ExportV4 = nil })
			})
		}, goesLive, nil},
		{"such neighbors one by one, each once the one before is up again", filtered, func(w *world) guard.Verdict {
			w.deaf("Global_192_0_2_1", "Global_192_0_2_2", "Global_192_0_2_3").try(unfiltered("router-1"))
			w.down("Global_192_0_2_1").wait(time.Minute).settle().try(unfiltered("router-2"))
			return w.down("Global_192_0_2_2").wait(time.Minute).settle().try(unfiltered("router-3"))
		}, goesLive, nil},
	}
}

// otherImport has sessions take other routes, and tell the same.
func otherImport(s *backends.State) {
	change(s.BGPFilters, "rules", func(f *backends.BGPFilter) {
		f.ImportV4 = []backends.FilterRule{{CIDR: netip.MustParsePrefix("203.0.113.0/25"), Match: backends.MatchIn}}
	})
}

// unfiltered takes the filters of a BGPPeer away.
func unfiltered(name string) func(*backends.State) {
	return func(s *backends.State) {
		change(s.BGPPeers, name, func(p *backends.BGPPeer) { p.Filters = nil })
	}
}

// A trial waits for sessions that BIRD makes anew as their neighbor cannot send its routes
// again, and has the others stay; where that is not known it is asked for.
func TestAsk(t *testing.T) {
	const one, two, three = "Global_192_0_2_1", "Global_192_0_2_2", "Global_192_0_2_3"
	for name, test := range map[string]struct {
		change    func(*backends.State)
		deaf      map[string]bool
		templates bool
		down      string
		ask       []string
		watch     guard.Watch
	}{
		"not known":       {otherImport, nil, false, "", []string{one, two, three}, guard.Watch{Stay: []string{one, two, three}}},
		"one cannot":      {otherImport, map[string]bool{two: true}, false, "", []string{one, two, three}, guard.Watch{Stay: []string{one, three}, Return: []string{two}}},
		"it is down":      {otherImport, map[string]bool{two: true}, false, two, []string{one, three}, guard.Watch{Stay: []string{one, three}}},
		"one session":     {unfiltered("router-2"), nil, false, "", []string{two}, guard.Watch{Stay: []string{one, two, three}}},
		"other templates": {otherImport, map[string]bool{two: true}, true, "", nil, guard.Watch{}},
		"priority": {func(s *backends.State) {
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { c.IPv4NormalPriority = new(uint32) })
		}, nil, false, "", []string{one, two, three}, guard.Watch{Stay: []string{one, two, three}}},
	} {
		q := question(t, filtered(), test.change)
		q.Deaf, q.OtherTemplates = test.deaf, test.templates
		q.Seen = slices.DeleteFunc(q.Seen, func(s guard.Seen) bool { return s.Name == test.down })
		v := guard.Judge(q)
		if diff := cmp.Diff(test.ask, v.Ask); diff != "" {
			t.Errorf("%s: asked for: %s", name, diff)
		}
		if diff := cmp.Diff(test.watch, v.Watch["bird"]); diff != "" {
			t.Errorf("%s: watched: %s", name, diff)
		}
		if diff := cmp.Diff(test.watch.Return, v.Ended); diff != "" && len(test.watch.Return)+len(v.Ended) > 0 {
			t.Errorf("%s: ended: %s", name, diff)
		}
	}
}
