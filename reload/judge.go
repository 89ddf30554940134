package reload

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"confd/reload/control"
)

// A trial is judged by what was seen while BIRD used the set, and by nothing else.
//
//	what a look shows                                        before the deadline    after it
//	BIRD does not run                                        failed                 lapsed
//	BIRD does not answer                                     goes on                goes on, or failed where it was asked all the time
//	BIRD was restarted                                       failed                 lapsed
//	BIRD has not taken the set yet                           goes on                lapsed
//	the same of a BIRD 3, when the time is over              lapsed                 lapsed
//	BIRD uses another configuration                          lapsed                 lapsed
//	a session of Stay is down, or was                        failed                 lapsed
//	the time is not over                                     goes on                -
//	a session of Return is not established at the end        failed                 lapsed
//	sessions' times say nothing, and nobody looked for long  lapsed                 lapsed
//	all is well                                              passed                 passed
//
// The deadline is when BIRD goes back by itself. That a session has stayed up is
// known from the time that BIRD gives for it, so that looks may be far apart.

// trial is a set that BIRD uses until further notice.
type trial struct {
	hash     string
	told     time.Time
	ends     time.Time                       // when the sessions have stayed up for long enough
	deadline time.Time                       // when BIRD goes back by itself
	stay     map[string]control.SessionState // the sessions that must stay up, as they were before
	back     []string                        // those that must be up at the end
	looked   time.Time                       // when the last look ended
	silent   time.Time                       // since when BIRD was asked and has not answered; zero: it has
	noted    control.Status                  // BIRD's, when stay was noted: its clock may be set
	blind    bool                            // a look came too late for a session whose time says nothing
}

// newTrial begins a trial of which BIRD is told now; its status and its sessions are from
// just before.
func newTrial(hash string, g Guard, margin time.Duration, noted control.Status, sessions []control.SessionState, now time.Time) *trial {
	t := &trial{
		hash: hash, noted: noted, told: now, looked: now, ends: now.Add(g.Within), deadline: now.Add(g.Within + margin),
		stay: map[string]control.SessionState{}, back: slices.Clone(g.Return),
	}
	for _, s := range sessions {
		if s.Established() && slices.Contains(g.Stay, s.Name) {
			t.stay[s.Name] = s
		}
	}
	return t
}

// look is what was seen of BIRD, or why nothing was.
type look struct {
	began, ended time.Time
	bird         observation
	sessions     []control.SessionState
	err          error
}

// outcome is what a look says about a trial.
type outcome int

const (
	goesOn outcome = iota
	passed         // the sessions have stayed up for the whole time
	failed         // they have not, or BIRD has not
	lapsed         // nobody knows
)

func (o outcome) String() string {
	return [...]string{"goes on", "passed", "failed", "lapsed"}[o]
}

// verdict is an outcome, and why.
type verdict struct {
	outcome  outcome
	reason   string
	sessions []string
	deaf     bool // BIRD cannot be told anything
	stays    bool // BIRD must not go back by itself
}

// maxGap is how long after another a look counts as the next one.
const maxGap = 3 * time.Second

// taken says that a look shows that BIRD has taken the set.
func (t *trial) taken(l look) bool {
	if l.err != nil || l.bird.status.InProgress() || t.restarted(l, nil) {
		return false
	}
	age, known := l.bird.status.ConfigAge()
	return !known || age <= l.bird.to.Sub(t.told)+ageSlack
}

// judge says what a look means. proof is BIRD's word for the set that it uses; nil:
// it was told, and has not taken it yet.
func (t *trial) judge(l look, proof *observation) verdict {
	gap := l.began.Sub(t.looked)
	t.looked = l.ended
	if gap > maxGap {
		t.silent = time.Time{}
		t.blind = t.blind || t.timeless()
	}
	if l.err != nil {
		return t.judgeSilence(l)
	}
	t.silent = time.Time{}
	late := !l.ended.Before(t.deadline)
	if v := t.judgeBIRD(l, proof, late); v.outcome != goesOn {
		return v
	}
	if l.ended.Before(t.ends) || proof == nil {
		return verdict{}
	}
	if missing := t.missing(l.sessions); len(missing) > 0 {
		return t.lateOr(late, verdict{outcome: failed, reason: "sessions that it restarts have not come up again", sessions: missing})
	}
	if t.blind {
		return verdict{outcome: lapsed, reason: "nobody looked for some time, and BIRD prints times of sessions in a format of its own"}
	}
	return verdict{outcome: passed}
}

// judgeSilence is judge where BIRD does not answer.
func (t *trial) judgeSilence(l look) verdict {
	late := !l.ended.Before(t.deadline)
	if errors.Is(l.err, control.ErrNotRunning) {
		return t.lateOr(late, verdict{outcome: failed, reason: "BIRD ended", deaf: true})
	}
	if t.silent.IsZero() {
		t.silent = l.began
	}
	if late && l.ended.Sub(t.silent) >= t.deadline.Sub(t.ends) {
		return verdict{outcome: failed, reason: fmt.Sprintf("BIRD has not answered until it went back by itself: %v", l.err), deaf: true}
	}
	return verdict{}
}

// judgeBIRD says whether BIRD uses the set as it did, with the sessions that it had.
func (t *trial) judgeBIRD(l look, proof *observation, late bool) verdict {
	if t.restarted(l, proof) {
		return t.lateOr(late, verdict{outcome: failed, reason: "BIRD was restarted"})
	}
	switch {
	case proof == nil && t.mustStay(l):
		return verdict{outcome: lapsed, reason: "BIRD has not taken it in time, as something holds its reconfiguration up (a birdc that shows routes in a pager?)", stays: true}
	case proof == nil && late:
		return verdict{outcome: lapsed, reason: "BIRD has not taken it in time"}
	case proof == nil:
		return verdict{}
	}
	if proof.replaced(l.bird) {
		return t.lateOr(late, verdict{outcome: lapsed, reason: "somebody else has had BIRD use another configuration"})
	}
	if fallen := t.fallen(l.sessions, t.noted.Stepped(l.bird.status)); len(fallen) > 0 {
		return t.lateOr(late, verdict{outcome: failed, reason: "sessions that it should not have touched went down", sessions: fallen})
	}
	return verdict{}
}

// mustStay says that BIRD has to be told to stay, though the trial has not passed: a
// BIRD 3 that is still reconfiguring when it goes back by itself dies (3.1.8, 3.4.0).
func (t *trial) mustStay(l look) bool {
	return l.bird.status.InProgress() && strings.HasPrefix(l.bird.status.Version, "3.") && !l.ended.Before(t.ends)
}

func (t *trial) restarted(l look, proof *observation) bool {
	if proof != nil {
		return proof.restarted(l.bird)
	}
	up, known := l.bird.status.UpFor()
	return known && up < l.bird.from.Sub(t.told)-proofSlack
}

// lateOr is a verdict, unless it comes when BIRD may have gone back by itself.
func (t *trial) lateOr(late bool, v verdict) verdict {
	if !late {
		return v
	}
	return t.tooLate(v.deaf)
}

func (t *trial) tooLate(deaf bool) verdict {
	return verdict{outcome: lapsed, reason: "nobody looked until BIRD went back by itself", deaf: deaf}
}

// fallen are the sessions that are not up, or were not for a moment, sorted.
// stepped is by how much BIRD's clock was set meanwhile.
func (t *trial) fallen(now []control.SessionState, stepped time.Duration) []string {
	up := established(now)
	var names []string
	for name, was := range t.stay {
		if is, there := up[name]; !there || !is.SameSince(was, stepped) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// missing are the sessions that are not up again.
func (t *trial) missing(now []control.SessionState) []string {
	up := established(now)
	var names []string
	for _, name := range t.back {
		if _, there := up[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func established(sessions []control.SessionState) map[string]control.SessionState {
	up := map[string]control.SessionState{}
	for _, s := range sessions {
		if s.Established() {
			up[s.Name] = s
		}
	}
	return up
}

// timeless says that BIRD's time for a session may stay the same though it went
// down: it is printed in a format that we do not know.
func (t *trial) timeless() bool {
	for _, s := range t.stay {
		if !s.Timed() {
			return true
		}
	}
	return false
}
