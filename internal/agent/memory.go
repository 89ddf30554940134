package agent

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/guard/recall"
	"confd/internal/plan"
	"confd/reload"
)

// rememberEvery is how often what was seen is written down while nothing changes, and
// rememberPause how long after the last time where something does: with thousands of
// sessions it is some megabytes.
const (
	rememberEvery = time.Minute
	rememberPause = 5 * time.Second
)

// memory is what the guard must know besides what runs now: what ran a while ago,
// what was announced, and what the program knew that ran here before. It is written
// down, so that the next one judges as if there had been no end.
//
//	state     event      next      besides
//	started   recall     recalled  what the program before knew counts, until Live
//	any       live       live      what ran is history
//	any       announced  the same
//	any       settled    the same  announcements that were taken away are over
type memory struct {
	node      string
	began     time.Time
	salt      outline.Salt
	left      *recall.Memory // of the program before; nil: nothing, or it is over
	exact     bool           // left is of what lies on disk
	history   guard.History
	announced guard.Announcements
	// outline is that of what runs, made once; nil: not made.
	outline *outline.Outline
	// verdict is that on the candidate of a hash and configuration, which is not live yet.
	verdict guard.Verdict
	of      string
	config  *bgp.Config
	writeAt time.Time // not before
	wrote   time.Time // when that was begun last
	writing bool
}

// newMemory knows nothing yet.
func newMemory(node string, began time.Time) *memory {
	return &memory{node: node, began: began, salt: outline.Salt(rand.Text())}
}

// remembered takes what a program has left that ran here before.
// Where it is not of what lies on disk, as of a program that was killed before it came
// to writing down its last change, it serves to judge by, and not to go back to.
func (m *memory) remembered(l Left) {
	m.left, m.exact = l.Memory, l.Disk != "" && l.Disk == recordedHash(l.Records)
	if len(l.Salt) > 0 {
		m.salt = l.Salt
	}
	if m.left != nil {
		m.announced = append(l.Memory.Announced, m.announced...)
	}
}

// note notes what objects that arrive announce.
func (m *memory) note(now time.Time, events []backends.Event) {
	for _, e := range events {
		if e.Resource != nil {
			m.announced = m.announced.Noted(e.Resource, now)
		}
	}
}

// recall is what the program before knew, as the state of now has it; false:
// nothing.
func (m *memory) recall(state *backends.State) (recall.Recalled, bool) {
	return m.left.Recall(m.node, state, m.began, m.salt)
}

// judged notes the verdict on a candidate.
func (m *memory) judged(c *plan.Candidate, v guard.Verdict) {
	m.verdict, m.of, m.config = v, c.Hash, c.Config
}

// live notes that a candidate is live in the place of another, nil where nothing is
// known of what that was.
func (m *memory) live(now time.Time, c, was *plan.Candidate, recalled *recall.Recalled) {
	before, verdict := m.outline, guard.Verdict{}
	if before == nil && was != nil {
		before = outline.Of(was.Config, m.salt)
	}
	if m.of == c.Hash {
		verdict = m.verdict
	}
	if m.config != c.Config { // that made the same files
		verdict.Outline = nil
	}
	if recalled != nil {
		m.history, before = recalled.History, recalled.Running.Outline
	}
	switch {
	case was == nil || was.Hash != c.Hash:
		m.history = m.history.Replaced(before, now, 0, verdict)
		m.outline = verdict.Outline
	case was.Config != c.Config: // it makes the same files
		m.outline = outline.Of(c.Config, m.salt)
	}
	m.left = nil
	m.writeSoon()
}

// settled notes that what runs was made from a state as it was at a time: what
// objects announced that do not any more is over.
func (m *memory) settled(s *backends.State, at time.Time) {
	left := m.announced.Settled(s, at)
	if len(left) < len(m.announced) {
		m.announced = left
		m.writeSoon()
	}
}

// writeSoon has it written down as soon as may be.
func (m *memory) writeSoon() { m.writeAt = time.Time{} }

// isTimeToWrite says whether to write the memory down now, and that this is done.
func (m *memory) isTimeToWrite(now time.Time) bool {
	if m.writing || now.Before(m.writeAt) || now.Sub(m.wrote) < rememberPause {
		return false
	}
	m.writeAt, m.wrote, m.writing = now.Add(rememberEvery), now, true
	return true
}

// mustWrite says that something has changed which is not being written down yet.
func (m *memory) mustWrite() bool { return m.writeAt.IsZero() && !m.writing }

// written notes that writing it down has ended.
func (m *memory) written() { m.writing = false }

// recordedHash names the sets that lie on disk, as they are recorded.
func recordedHash(records []reload.Record) string {
	var sets []reload.Set
	for _, r := range records {
		if set, _, err := r.OnDisk(); err == nil {
			sets = append(sets, set)
		}
	}
	return diskHash(sets)
}

// diskHash names sets that BIRDs read.
func diskHash(sets []reload.Set) string {
	sets = slices.Clone(sets)
	slices.SortFunc(sets, func(a, b reload.Set) int { return strings.Compare(a.Name, b.Name) })
	return plan.Hash(sets)
}
