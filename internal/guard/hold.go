package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"confd/bgp"
)

// hold says whether the candidate takes most of the sessions away that count as
// established, although what is behind them is still there.
func (q Question) hold(v *Verdict) {
	if q.Running != nil && q.Running.Config != nil && !q.OtherTemplates && len(v.Changes.Removed) == 0 {
		return // what else is lost has been so before
	}
	id := q.id(v.Changes.Removed)
	impact := bgp.ImpactOf(q.established(id), q.config(), q.Candidate.Config, q.Candidate.State)
	if !impact.TooMuch() {
		return
	}
	v.ID, v.Lost = id, impact.Lost
	v.Why = fmt.Sprintf("it would take away %d of %d established sessions", len(impact.Lost), impact.Counted)
	v.Approved = slices.Contains(q.Approved, id)
	v.Held = !v.Approved
	v.Objects = q.objects(impact.Lost)
}

func (q Question) config() *bgp.Config {
	if q.Running == nil {
		return nil
	}
	return q.Running.Config
}

func (q Question) objects(lost []string) []string {
	var texts []string
	side := Side{}
	if q.Running != nil {
		side = *q.Running
	}
	for _, c := range bgp.Causes(side.Config, side.State, q.Candidate.State, q.Node, lost) {
		texts = append(texts, c.Text)
	}
	return texts
}

// established are the sessions that count as such, sorted by name.
func (q Question) established(id string) []string {
	var names []string
	for _, s := range q.Seen {
		if q.counts(s) {
			names = append(names, s.Name)
		}
	}
	if q.Held != nil && q.Held.ID == id {
		names = append(names, q.Held.Lost...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// id names what is held: the sessions that would go. What changes besides does
// not make it something else.
func (q Question) id(removed []string) string {
	if len(removed) == 0 {
		removed = q.gone()
	}
	if len(removed) == 0 {
		return q.Candidate.Hash
	}
	return shortHash(strings.Join(removed, "\n"))
}

// gone are the sessions that were seen and that the candidate does not have, where
// nothing else is known of what was there.
func (q Question) gone() []string {
	has := map[string]bool{}
	for _, f := range q.Candidate.Config.Families() {
		for _, s := range f.Sessions {
			has[s.Name] = true
		}
	}
	var names []string
	for _, s := range q.Seen {
		if !has[s.Name] {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// shortHash is 16 hexadecimal digits of the text's SHA-256.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}
