// Package guard is the judgement on a candidate: may it go live, and which
// sessions must stay up while it is on trial.
//
// It is pure. All that it goes by comes in as a Question, the time too, and a
// Verdict comes out; nothing is read or kept, and there are no errors: what is not
// known is part of the question.
//
// What is judged are outcomes: which sessions that were established within the
// last minutes would be gone or made anew, and which routes, although what is
// behind them is still there. What changed, and how, matters only for giving
// things their names.
//
// The way through: of a Question (question.go) a judgement is made, which finds the
// sessions that count and what becomes of each (judgement.go, sessions.go). Sessions
// and routes that go are findings (losses.go, told.go, taken.go). Where there are
// some, the objects behind them are looked for (reasons.go), those that are announced
// are left as they were, and what is left is held (hold.go), under an ID (id.go) and
// described (describe.go). What a trial goes by comes from what differs
// (differences.go), but for what is meant to go (excuse.go).
package guard

// Judge judges q.Candidate.
func Judge(q Question) Verdict {
	if q.Running != nil && q.Running.Hash == q.Candidate.Hash {
		return Verdict{Same: true, Outline: q.Running.Outline}
	}
	v := Verdict{Outline: q.outlineOf(), Watch: map[string]Watch{}}
	q.changes(&v)
	j := q.judgement(q.Candidate.Config, q.Candidate.State, v.Outline, v.Changes)
	q.hold(&v, j)
	q.excuse(&v, j)
	return v
}
