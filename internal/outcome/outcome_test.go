package outcome

import (
	"slices"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	start := time.Unix(0, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	names := func(list []Session) (out []string) {
		for _, s := range list {
			out = append(out, s.Name)
		}
		return out
	}
	w := &Watch{For: time.Minute}
	first := Change{Hash: "first", At: start}
	w.Applied(first, map[string][]string{"bird": {"a", "b", "gone"}}, map[string][]string{"bird": {"a", "b", "new"}})
	if lost, _ := w.Seen(at(10*time.Second), "bird", []string{"a"}); lost != nil {
		t.Errorf("%v are lost before the watch is over", names(lost))
	}
	w.Applied(Change{Hash: "second", At: at(20 * time.Second)}, map[string][]string{"bird": {"a", "c"}}, map[string][]string{"bird": {"a", "b", "c", "new"}})
	lost, _ := w.Seen(at(time.Minute), "bird", []string{"a"})
	if got := names(lost); !slices.Equal(got, []string{"b"}) || lost[0].Change.Hash != "first" {
		t.Errorf("lost after the first change: %v", lost)
	}
	if lost, _ := w.Seen(at(2*time.Minute), "bird6", nil); lost != nil {
		t.Errorf("what another BIRD has says %v", lost)
	}
	lost, back := w.Seen(at(2*time.Minute), "bird", []string{"a", "b"})
	if !slices.Equal(names(lost), []string{"c"}) || !slices.Equal(names(back), []string{"b"}) {
		t.Errorf("lost %v, back %v", names(lost), names(back))
	}
	w.Says("bird", map[string]string{"c": "Bad peer AS", "a": "nothing"})
	if l := w.Lost(); len(l) != 1 || l[0].Says != "Bad peer AS" || l[0].Change.Hash != "second" {
		t.Errorf("lost: %v", l)
	}
	w.Applied(Change{Hash: "third", At: at(3 * time.Minute)}, nil, map[string][]string{"bird": {"a"}})
	if w.Lost() != nil || w.Watching() {
		t.Errorf("what is not wanted any more is watched: %v", w.Lost())
	}
}

func TestWatchOff(t *testing.T) {
	w := &Watch{}
	w.Applied(Change{}, map[string][]string{"bird": {"a"}}, map[string][]string{"bird": {"a"}})
	if lost, _ := w.Seen(time.Unix(1, 0), "bird", nil); lost != nil || w.Watching() {
		t.Error("it watches")
	}
}
