package backends

import "testing"

// A warning is news once, and again only where it is another one.
func TestStateKnowsWarnings(t *testing.T) {
	s := NewState()
	key := Key{Kind: KindBGPPeer, Name: "p"}
	event := func(texts ...string) Event {
		e := Event{Key: key, Resource: &BGPPeer{Name: "p"}}
		for _, text := range texts {
			e.Warnings = append(e.Warnings, Warning{Code: UnknownField, Text: text})
		}
		return e
	}
	for i, step := range []struct {
		event Event
		news  bool
		count int
	}{
		{event("a"), true, 1}, {event("a"), false, 1}, {event("a", "b"), true, 2}, {event(), true, 0}, {event(), false, 0},
		{Event{Key: key, Warnings: []Warning{{Code: UnknownKind, Text: "k"}}}, true, 1}, {Event{Key: key}, true, 0}, {Event{Key: key}, false, 0},
	} {
		if news := s.Apply(step.event); news != step.news || len(s.Warnings[key]) != step.count {
			t.Errorf("step %d: news %t, %v", i, news, s.Warnings[key])
		}
	}
	s.Apply(event("a"))
	c := s.Clone()
	s.Apply(event())
	if len(c.Warnings[key]) != 1 {
		t.Error("a clone shares its warnings")
	}
}
