package guard_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/internal/birdtext"
	"confd/internal/guard"
)

// TestWithoutAPast judges where the program has just started, and remembers
// nothing: what BIRD has only its names tell.
func TestWithoutAPast(t *testing.T) {
	seen := func(names ...string) func(*guard.Question) {
		return func(q *guard.Question) {
			q.Running, q.Seen = nil, nil
			for _, name := range names {
				q.Seen = append(q.Seen, guard.Seen{Name: name, Set: "bird", Established: true})
			}
		}
	}
	all := seen("Mesh_10_0_0_2", "Mesh_10_0_0_3", "Global_192_0_2_1")
	state := func() *backends.State {
		s := mesh(3, false)
		put(s, router(1))
		return s
	}
	for name, test := range map[string]struct {
		change  func(*backends.State)
		ask     func(*guard.Question)
		want    string
		objects []string
	}{
		"seen twice": {off, func(q *guard.Question) {
			all(q)
			for _, s := range q.Seen {
				q.Seen = append(q.Seen, guard.Seen{Name: s.Name, Last: ago(time.Minute)})
			}
		}, "it would take away 2 of 3 established sessions", nil},
		"nothing changed": {func(*backends.State) {}, all, goesLive, nil},
		"mesh off": {off, all, "it would take away 2 of 3 established sessions",
			[]string{"BGPConfiguration default: the mesh is switched off"}},
		"no BGPPeer": {without(backends.KindBGPPeer, "router-1"), all, "it would take away 1 of 1 established Global sessions",
			[]string{"there is no BGPPeer at all"}},
		"nodes gone":     {without(backends.KindNode, "node-2", "node-3"), all, goesLive, nil},
		"addresses gone": {addressless("node-2", "node-3"), all, "it would take away 2 of 3 established sessions", nil},
		"the same neighbor by another object": {func(s *backends.State) {
			off(s)
			for _, ip := range []string{"10.0.0.2", "10.0.0.3"} {
				put(s, &backends.BGPPeer{Name: "n" + ip, PeerIP: addrs(ip)[0]})
			}
		}, all, "it would remake 2 of 3 established sessions", []string{"BGPConfiguration default: the mesh is switched off"}},
		"a user's own names, without texts": {off, seen("uplink", "lab"), goesLive, nil},
		"a user's own names": {off, func(q *guard.Question) {
			seen("uplink", "lab")(q)
			q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp uplink { }\nprotocol bgp lab { }"))
		}, goesLive, nil},
		"a user's templates that come out empty": {off, func(q *guard.Question) {
			seen("uplink", "lab")(q)
			q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp lab { }"))
		}, goesLive, nil},
		"and with nothing": {off, func(q *guard.Question) {
			seen("uplink", "lab")(q)
			q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp other { }"))
		}, "it would take away 2 of 2 established sessions", nil},
		"an address that no interface has": {func(*backends.State) {}, func(q *guard.Question) {
			all(q)
			q.Local = addrs("10.0.0.9")
		}, "no interface of this machine has the address 10.0.0.1, which its Node says is its own: it would remake 3 of 3 established IPv4 sessions", nil},
		"announced": {func(s *backends.State) {
			off(s)
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { announce(c, inAnHour) })
		}, all, goesLive, nil},
		"only in part announced": {func(s *backends.State) {
			off(s)
			change(s.Nodes, "node-2", func(n *backends.Node) { announce(n, inAnHour) })
		}, all, "it would take away 2 of 3 established sessions", []string{"BGPConfiguration default: the mesh is switched off"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := question(t, state(), test.change)
			test.ask(&q)
			v := guard.Judge(q)
			if got := heldText(v); v.Held != (test.want != goesLive) || v.Held && got != test.want {
				t.Errorf("held %t: %s", v.Held, got)
			}
			if diff := cmp.Diff(test.objects, v.Objects, cmpopts.EquateEmpty()); diff != "" && test.objects != nil {
				t.Error(diff)
			}
			if v.Held && v.ID == "" {
				t.Error("it has no ID")
			}
		})
	}
}

// TestForeignSessionsThatWent judges what comes after a takeover: sessions of files that
// somebody else wrote went with what is confirmed by now, and are no loss of what follows.
func TestForeignSessionsThatWent(t *testing.T) {
	const mine = "protocol bgp Mesh_10_0_0_2 {}\nprotocol bgp Mesh_10_0_0_3 {}\nprotocol bgp Mesh_10_0_0_4 {}"
	foreign := func(established bool) []guard.Seen {
		var list []guard.Seen
		for _, name := range []string{"a", "b", "c", "d"} {
			list = append(list, guard.Seen{Name: name, Set: "bird", Established: established, Last: ago(time.Minute)})
		}
		return list
	}
	for name, test := range map[string]struct {
		running     string
		established bool
		change      func(*backends.State)
		want        string
	}{
		"a block more":                {mine, false, func(s *backends.State) { put(s, affinity("10.128.2.0/26")) }, goesLive},
		"the mesh off":                {mine, false, off, "it would take away 3 of 3 established sessions"},
		"they are up after all":       {mine, true, func(*backends.State) {}, "it would take away 4 of 7 established sessions"},
		"their files run, and a flap": {mine + "\n" + `protocol bgp a {} protocol bgp b {} protocol bgp c {} protocol bgp d {}`, false, func(*backends.State) {}, "it would take away 4 of 7 established sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			q := question(t, mesh4(), test.change)
			q.Seen = append(q.Seen, foreign(test.established)...)
			q.Running.Sets = []birdtext.Set{textSet("bird", test.running)}
			q.Candidate.Sets, q.Candidate.Hash = []birdtext.Set{textSet("bird", mine)}, "another"
			if got := heldText(guard.Judge(q)); got != test.want {
				t.Error(got)
			}
		})
	}
}

// TestTheSameIDWithoutAPast has one hold named the same before and after a restart
// that forgot everything.
func TestTheSameIDWithoutAPast(t *testing.T) {
	q := question(t, mesh4(), off)
	known := guard.Judge(q)
	q.Running = nil
	if v := guard.Judge(q); v.ID != known.ID {
		t.Errorf("%s, and was %s", v.ID, known.ID)
	}
}

// TestOtherTemplates has templates leave sessions out.
func TestOtherTemplates(t *testing.T) {
	q := question(t, mesh4(), func(*backends.State) {})
	q.OtherTemplates = true
	text := "protocol bgp Mesh_10_0_0_2 {}\nprotocol bgp Mesh_10_0_0_3 {}\nprotocol bgp Mesh_10_0_0_4 {}"
	q.Running.Sets = []birdtext.Set{textSet("bird", text)}
	q.Candidate.Sets, q.Candidate.Hash = q.Running.Sets, "another"
	if v := guard.Judge(q); v.Held {
		t.Error(heldText(v))
	}
	q.Candidate.Sets = []birdtext.Set{textSet("bird", "# nothing")}
	v := guard.Judge(q)
	if diff := cmp.Diff([]string{"the templates leave these sessions out"}, v.Objects); diff != "" || v.Why != "it would take away 3 of 3 established sessions" {
		t.Errorf("%s: %s", heldText(v), diff)
	}
}

// TestNeedRoutes says when BIRD's routes matter.
func TestNeedRoutes(t *testing.T) {
	for name, test := range map[string]struct {
		before func() *backends.State
		change func(*backends.State)
		want   bool
	}{
		"mesh off":      {mesh4, off, false},
		"a filter":      {filtered, withFilter(backends.FilterRule{CIDR: addrPrefix("10.0.0.0/8"), Match: backends.MatchIn}), true},
		"a closed one":  {filtered, withFilter(backends.FilterRule{}), true},
		"no blocks":     {routed, without(backends.KindBlockAffinity, "10.128.1.0/26"), true},
		"another block": {routed, func(s *backends.State) { put(s, affinity("10.128.2.0/26")) }, false},
	} {
		q := newWorld(t, test.before()).routes(2)
		q.write(test.change)
		if v := guard.Judge(q.question()); v.NeedRoutes != test.want {
			t.Errorf("%s: %t", name, v.NeedRoutes)
		}
	}
}

// TestPassedOn has a node that tells only of the routes of others be silenced. How
// many it tells of is not known before somebody asks for the routes.
func TestPassedOn(t *testing.T) {
	before := filtered()
	drop(before, backends.KindBlockAffinity, "10.128.1.0/26")
	w := newWorld(t, before)
	w.write(func(s *backends.State) {
		put(s, &backends.BGPFilter{Name: "rules", ExportV4: []backends.FilterRule{{}}})
	})
	if v := guard.Judge(w.question()); v.Held || !v.NeedRoutes {
		t.Errorf("%s, routes are needed: %t", heldText(v), v.NeedRoutes)
	}
	w.routes(2)
	if v := guard.Judge(w.question()); v.Why != "no IPv4 route would be told to any peer" {
		t.Error(heldText(v))
	}
	if v := guard.Judge(w.routes(0).question()); v.Held {
		t.Errorf("it told of nothing before: %s", heldText(v))
	}
}

// TestHeldLost has the sessions that are held come up, and the change grow less:
// what is down since long counts only as long as it is to go.
func TestHeldLost(t *testing.T) {
	w := newWorld(t, peered(3)())
	w.try(without(backends.KindBGPPeer, "router-1", "router-2"))
	w.down("Global_192_0_2_1", "Global_192_0_2_2").wait(time.Hour)
	if v := w.try(nil); v.Why != "it would take away 2 of 3 established sessions" {
		t.Error(heldText(v))
	}
	if v := w.try(func(s *backends.State) { put(s, router(2)) }); v.Held {
		t.Errorf("one of two is left, and nothing else is lost: %s", heldText(v))
	}
}

// TestWhatFollowedASessionThatWasNeverUp: a session counts that is up, though nobody has
// seen the one up that it came in the place of, a moment ago.
func TestWhatFollowedASessionThatWasNeverUp(t *testing.T) {
	w := newWorld(t, mesh(4, false))
	clear(w.seen)
	if v := w.try(func(s *backends.State) { reflecting("node-2")(s); withReflectors(s); off(s) }); v.Held {
		t.Fatalf("nothing was up, and it is held: %s", v.Why)
	}
	w.settle().wait(10 * time.Second)
	v := w.try(func(s *backends.State) {
		change(s.Nodes, "node-2", func(n *backends.Node) { n.Labels = nil })
	})
	if want := "it would take away 1 of 1 established sessions"; !v.Held || v.Why != want {
		t.Errorf("held %t: %s", v.Held, heldText(v))
	}
}

// TestWhatRunsInTheirPlace goes from the mesh to reflectors and takes their labels away, at
// once or an hour later: what is held names the sessions that there are, and is the same.
// Where it is approved neither they nor those of the mesh count any more.
func TestWhatRunsInTheirPlace(t *testing.T) {
	ids := map[string]bool{}
	for _, rest := range []time.Duration{0, time.Hour} {
		store := mesh(6, false)
		for i := range 3 {
			put(store, router(i+1))
		}
		w := newWorld(t, store)
		if v := toReflectors(w, "node-2", "node-3"); v.Held {
			t.Fatal(heldText(v))
		}
		w.wait(rest)
		v := w.try(func(s *backends.State) {
			for _, name := range []string{"node-2", "node-3"} {
				change(s.Nodes, name, func(n *backends.Node) { n.Labels = nil })
			}
		})
		lost := slices.DeleteFunc(slices.Clone(v.Lost), func(name string) bool { return strings.HasPrefix(name, "Mesh_") && rest == 0 })
		if want := []string{"Node_10_0_0_2", "Node_10_0_0_3"}; !v.Held || !slices.Equal(lost, want) {
			t.Errorf("after %s: held %t, %q", rest, v.Held, v.Lost)
		}
		if want := []string{"Node node-2: label rr is gone", "Node node-3: label rr is gone"}; !slices.Equal(v.Objects, want) {
			t.Errorf("after %s: %q", rest, v.Objects)
		}
		ids[v.ID] = true
		w.ask = func(q *guard.Question) { q.Approved = []string{v.ID} }
		if v := w.try(nil); v.Held || !v.Approved {
			t.Errorf("after %s, approved: %s", rest, heldText(v))
		}
		w.ask = nil
		w.settle().wait(10 * time.Second)
		if v := w.try(without(backends.KindBGPPeer, "router-1")); v.Held {
			t.Errorf("after %s, one router of three less: %s", rest, heldText(v))
		}
	}
	if len(ids) != 1 {
		t.Errorf("it has several IDs: %v", ids)
	}
}

// TestUndone has somebody approve or announce a change that takes all sessions down, and
// undo it minutes later: what has not come up since is no loss. What has is one.
func TestUndone(t *testing.T) {
	for name, test := range map[string]struct {
		announced, up bool
		want          string
	}{
		"nothing came up":                {},
		"nothing came up, and announced": {announced: true},
		"all came up":                    {up: true, want: "it would remake 3 of 3 established sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, peered(3)())
			as := func(number uint32, announced bool) func(*backends.State) {
				return func(s *backends.State) {
					change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) {
						if c.ASNumber, c.Intent = number, (backends.Intent{}); announced {
							announce(c, inAnHour)
						}
					})
				}
			}
			v := w.try(as(64600, test.announced))
			if v.Held == test.announced {
				t.Fatal(heldText(v))
			}
			w.ask = func(q *guard.Question) { q.Approved = []string{v.ID} }
			w.try(nil)
			w.ask = nil
			if test.up {
				w.settle()
			}
			w.wait(time.Minute).restart(time.Second)
			v = w.try(as(0, false))
			if v.Why != test.want || v.Held != test.up {
				t.Errorf("held %t: %s", v.Held, heldText(v))
			}
		})
	}
}
