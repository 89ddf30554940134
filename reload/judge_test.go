package reload

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"confd/reload/control"
)

// told is when the trials of these tests begin: they end after 30 s, and BIRD goes
// back by itself after 45 s.
var toldAt = time.Date(2026, 11, 25, 10, 0, 0, 0, time.Local)

func birdAt(at time.Time, booted, loaded time.Duration) observation {
	return observation{from: at, to: at, status: control.Status{
		Current: at, LastReboot: toldAt.Add(booted), LastReconfiguration: toldAt.Add(loaded), State: "Daemon is up and running",
	}}
}

func sessionAt(name string, since time.Duration) control.SessionState {
	return control.SessionState{Name: name, State: "up", BGPState: "Established", Since: toldAt.Add(since).Format("15:04:05.000")}
}

// aTrial is one with a session that must stay up and one that must come back, and
// BIRD's word for it.
func aTrial() (*trial, *observation) {
	stay := sessionAt("stay", -time.Hour)
	guard := Guard{Within: 30 * time.Second, Stay: []string{"stay"}, Return: []string{"back"}}
	proof := birdAt(toldAt, -time.Hour, 0)
	return newTrial("x", guard, 15*time.Second, proof.status, []control.SessionState{stay}, toldAt), &proof
}

// aLook is one at which all is well, after so long.
func aLook(after time.Duration) look {
	at := toldAt.Add(after)
	return look{
		began: at, ended: at, bird: birdAt(at, -time.Hour, 0),
		sessions: []control.SessionState{sessionAt("stay", -time.Hour), sessionAt("back", time.Second)},
	}
}

// The table at the top of judge.go is what the code does.
func TestJudgeTable(t *testing.T) {
	shows := map[string]func(l *look, tr *trial, proof **observation){
		"BIRD does not run":    func(l *look, _ *trial, _ **observation) { l.err = fmt.Errorf("x: %w", control.ErrNotRunning) },
		"BIRD does not answer": func(l *look, _ *trial, _ **observation) { l.err = control.ErrHung },
		"BIRD was restarted": func(l *look, _ *trial, _ **observation) {
			l.bird = birdAt(l.began, l.began.Sub(toldAt)-time.Second, l.began.Sub(toldAt)-time.Second)
		},
		"BIRD has not taken the set yet": func(l *look, _ *trial, proof **observation) {
			l.bird, *proof = birdAt(l.began, -time.Hour, -time.Hour), nil
		},
		"the same of a BIRD 3, when the time is over": func(l *look, _ *trial, proof **observation) {
			l.bird, *proof = birdAt(l.began, -time.Hour, -time.Hour), nil
			l.bird.status.Version, l.bird.status.State = "3.1.8", "Reconfiguration in progress"
		},
		"BIRD uses another configuration":                   func(l *look, _ *trial, _ **observation) { l.bird = birdAt(l.began, -time.Hour, -time.Hour) },
		"a session of Stay is down, or was":                 func(l *look, _ *trial, _ **observation) { l.sessions[0] = sessionAt("stay", 10*time.Second) },
		"the time is not over":                              func(l *look, _ *trial, _ **observation) { l.ended = toldAt.Add(29 * time.Second) },
		"a session of Return is not established at the end": func(l *look, _ *trial, _ **observation) { l.sessions = l.sessions[:1] },
		"sessions' times say nothing, and nobody looked for long": func(l *look, tr *trial, _ **observation) {
			l.sessions[0].Since = "today"
			tr.stay["stay"] = l.sessions[0]
		},
		"all is well": func(*look, *trial, **observation) {},
	}
	rows := tableOf(t, "judge.go", "what a look shows")
	if len(rows)-1 != len(shows) {
		t.Errorf("the table has %d rows, want %d", len(rows)-1, len(shows))
	}
	judged := func(show func(*look, *trial, **observation), after time.Duration) outcome {
		tr, proof := aTrial()
		l := aLook(after)
		show(&l, tr, &proof)
		v := tr.judge(l, proof)
		if (v.outcome == failed || v.outcome == lapsed) != (v.reason != "") {
			t.Errorf("%+v", v)
		}
		return v.outcome
	}
	for _, row := range rows[1:] {
		show := shows[row[0]]
		if show == nil {
			t.Errorf("no look for %q", row[0])
			continue
		}
		early, late := judged(show, 35*time.Second).String(), judged(show, 46*time.Second).String()
		switch row[0] {
		case "BIRD does not answer":
			late = "goes on, or " + askedAllTheTime(t) + " where it was asked all the time"
		case "the time is not over":
			late = "-"
		}
		if early != row[1] || late != row[2] {
			t.Errorf("%s: before the deadline %s, after it %s; the table says %q", row[0], early, late, row)
		}
	}
	wantInDocs(t, rows)
}

// askedAllTheTime is the outcome where BIRD was asked each second, and has never
// answered.
func askedAllTheTime(t *testing.T) string {
	tr, proof := aTrial()
	for after := time.Second; after < time.Minute; after += time.Second {
		l := aLook(after)
		l.err = control.ErrHung
		if v := tr.judge(l, proof); v.outcome != goesOn {
			if !v.deaf || after < 45*time.Second {
				t.Errorf("after %v: %+v", after, v)
			}
			return v.outcome.String()
		}
	}
	return "goes on"
}

// Silence counts from when BIRD was asked first, and only where nobody was away.
func TestJudgeSilence(t *testing.T) {
	silent := func(tr *trial, proof *observation, after time.Duration) outcome {
		l := aLook(after)
		l.err = control.ErrHung
		return tr.judge(l, proof).outcome
	}
	tr, proof := aTrial()
	for _, after := range []time.Duration{44, 60, 74} {
		if o := silent(tr, proof, after*time.Second); o != goesOn {
			t.Errorf("after %d s: %v", after, o)
		}
	}
	// It answers again.
	if v := tr.judge(aLook(75*time.Second), proof); v.outcome != passed {
		t.Errorf("%+v", v)
	}
	if o := silent(tr, proof, 76*time.Second); o != goesOn || !tr.silent.Equal(toldAt.Add(76*time.Second)) {
		t.Errorf("%v, silent since %v", o, tr.silent)
	}
	l := aLook(77 * time.Second)
	l.err = errors.Join(control.ErrNotRunning)
	if v := tr.judge(l, proof); v.outcome != lapsed || !v.deaf {
		t.Errorf("%+v", v)
	}
}
