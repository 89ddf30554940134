package guard

import (
	"confd/backends"
	"confd/bgp"
	"confd/internal/guard/outline"
)

// Verdict is the judgement.
type Verdict struct {
	// Same: the candidate is what runs. There is nothing to judge, or to watch.
	Same bool
	// Held: it must not go live, unless somebody approves ID.
	Held bool
	// Approved: it would be held, but for that.
	Approved bool
	// Announced are objects whose changes would have it held, but for what their
	// annotations say.
	Announced []backends.Key
	// ID names what is held. It comes from the objects that are the reason, and is
	// the same on every node that they have the same effect on, as far as can be.
	ID string
	// Why says in one line what the candidate would do, Objects what changed and is
	// the reason, the likely cause first, one line each.
	Why     string
	Objects []string
	// Lost are the sessions that count as established and would be gone or made
	// anew, sorted; Remade are those of them that would be made anew.
	Lost, Remade []string
	// Pardoned are the sessions and routes that go with an approval or by an
	// announcement: they do not count in what is judged later (History.Replaced).
	Pardoned []string
	// NeedRoutes: with Question.Routes, and the counts and neighbors of sessions, which
	// cost as much, the judgement may be another one. Ask again.
	NeedRoutes bool
	// Ask are established sessions whose import filter becomes another: BIRD makes them
	// anew where Question.Deaf says that the neighbor cannot send its routes again.
	Ask []string
	// Ended are those of them that it makes anew.
	Ended []string
	// Notes are what the operator should know besides, a line each.
	Notes []string
	// Outline is the candidate's, to be kept with it; nil where it is what runs and
	// that has none.
	Outline *outline.Outline
	// Changes are what the candidate does differently, as far as Question.Deaf tells;
	// Known says whether that is known of all sets.
	Changes bgp.Changes
	Known   bool
	// Watch says, by set, what a trial of the candidate goes by. A set that is
	// missing cannot be tried: nobody knows what was there before.
	Watch map[string]Watch
}

// Watch are the sessions of one set that a trial is judged on.
type Watch struct {
	// Stay are the sessions that the candidate leaves as they are and can bring
	// down all the same (bgp.Touched): they are established, and must stay up.
	Stay []string
	// Return are the sessions that it remakes by intent: they are established, and
	// must be again when the trial ends. Not among them are those whose loss is
	// announced or approved: their other ends may change later.
	Return []string
}
