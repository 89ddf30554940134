package backends

import (
	"strings"
	"testing"
)

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

// TestLongNames: messages show no more of a name than a name may have.
func TestLongNames(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("x", 300):        "BGPPeer " + strings.Repeat("x", 300),
		strings.Repeat("x", 100_000):    "BGPPeer " + strings.Repeat("x", 300) + "...",
		strings.Repeat("é", 1000) + "x": "BGPPeer " + strings.Repeat("é", 150) + "...",
		"x" + strings.Repeat("é", 1000): "BGPPeer x" + strings.Repeat("é", 149) + "...",
	} {
		if got := (Key{Kind: KindBGPPeer, Name: name}).String(); got != want {
			t.Errorf("got %d bytes, %.20q..., want %d", len(got), got, len(want))
		}
	}
	if got := (Key{Kind: KindBGPPeer, Name: strings.Repeat("\n", 1000)}).String(); len(got) > 330 || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}
