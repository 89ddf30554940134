package nodeevents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"golang.org/x/time/rate"

	"confd/internal/report"
)

func reasons(list []Event) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Reason)
	}
	return out
}

func TestWhatThereIsToTell(t *testing.T) {
	r := &report.Report{
		Held:        &report.Held{Hash: "6f1c", Token: "A", Why: "it would take away 3 of 3 sessions", Objects: []string{"BGPConfiguration default: \x1b[2J"}},
		Tried:       &report.Held{Hash: "77aa", Token: "B", Why: "session Mesh_10_0_0_2 went down", Trial: true},
		Quarantined: []report.Problem{{Object: "BGPPeer x", Text: strings.Repeat("é", 2000)}},
	}
	list := Of(r)
	if got := reasons(list); !slices.Equal(got, []string{Held, Undone, Quarantined}) {
		t.Fatalf("%q", got)
	}
	if !strings.Contains(list[0].Text, "6f1c") || !strings.Contains(list[0].Text, "3 of 3") || strings.Contains(list[0].Text, "\x1b") {
		t.Errorf("%q", list[0].Text)
	}
	if n := len(list[2].Text); n > 1024 || n < 900 || strings.Contains(list[2].Text, "\uFFFD") {
		t.Errorf("%d bytes: %q", n, list[2].Text)
	}
	if list := Of(&report.Report{Ready: true}); len(list) > 0 {
		t.Errorf("there is nothing to tell, but %q", list)
	}
}

// TestOnce tells of each thing once for as long as it is, and again where it comes
// again; and no more than the limit has room for.
func TestOnce(t *testing.T) {
	var sent []Event
	now := &report.Report{}
	fail := error(nil)
	w := &Watcher{
		Newest: func() *report.Report { return now }, Log: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, e Event) error { sent = append(sent, e); return fail },
	}
	limit := rate.NewLimiter(0, burst)
	look := func(r *report.Report, want ...string) {
		t.Helper()
		sent, now = nil, r
		w.look(t.Context(), limit)
		if got := reasons(sent); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	held := func(token, why string) *report.Report {
		return &report.Report{Held: &report.Held{Hash: "6f1c", Token: token, Why: why}}
	}
	look(nil)
	look(held("A", "3 of 3"), Held)
	look(held("A", "2 of 2")) // the same hold, said otherwise
	look(&report.Report{})
	fail = errors.New("forbidden")
	look(held("B", "3 of 3"), Held)
	look(held("B", "3 of 3"))
	many := &report.Report{}
	for i := range 50 {
		many.Quarantined = append(many.Quarantined, report.Problem{Object: fmt.Sprint("BGPPeer ", i)})
	}
	look(many, slices.Repeat([]string{Quarantined}, burst-2)...)
	look(many)
}
