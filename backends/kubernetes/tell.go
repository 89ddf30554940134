package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"confd/backends"
)

// tell sends events and where the backend stands, if there is anything new in
// that. It is false where ctx has ended.
func (h *hub) tell(ctx context.Context, events []backends.Event, revision string) bool {
	u := backends.Update{Source: source, InSync: h.inStep(), Err: h.blame(), Revision: revision, Serves: h.serves()}
	if len(h.held) > 0 {
		events, h.held = append(h.held, events...), nil
	}
	if u.InSync {
		h.ending, h.overdue = false, nil
	}
	if h.holding() {
		h.held, events = events, nil
		u.Serves = h.told.Serves // what is held has not been told
	}
	if len(events) == 0 && !h.isNews(u) {
		return true
	}
	h.noteStep(u)
	told := u
	h.told, h.class = &told, classOf(u.Err)
	u.Events = events
	return backends.Send(ctx, h.out, u)
}

func (h *hub) isNews(u backends.Update) bool {
	return h.told == nil || h.told.InSync != u.InSync || h.class != classOf(u.Err) || !h.told.Serves.Equal(*u.Serves)
}

// classOf is what makes an error another one: not the ports in its text.
func classOf(err error) string {
	if err == nil {
		return ""
	}
	return "status " + strconv.Itoa(codeOf(err))
}

// inStep says whether all that is always read has been told, and nothing of
// what was told is out of date. What is needed besides is waited for by Serves.
func (h *hub) inStep() bool {
	for _, s := range h.standing {
		if !s.needed && !s.loaded || s.failing() {
			return false
		}
	}
	return true
}

// noteEnding finds the moment when the first collection is back after an
// outage, and when that was none, since another one has failed. It is called
// before err becomes what s says.
func (h *hub) noteEnding(s *standing, err error) {
	switch {
	case err != nil && !s.failing() && len(h.held) == 0:
		h.ending = false
	case err == nil && s.failing() && !h.ending && h.outage:
		h.ending = true
		h.hold()
	}
}

// hold begins a time in which changes wait until all is in step. One collection
// that does not come back at all holds the others up for no longer than that.
func (h *hub) hold() {
	h.holdUntil, h.overdue = time.Now().Add(endPatience), time.After(endPatience)
}

func (h *hub) holding() bool {
	return h.outage && time.Now().Before(h.holdUntil) && !h.inStep()
}

// failing is false for a Secret that was told as unreadable: that is all that
// is to be known of it.
func (s *standing) failing() bool {
	return s.err != nil && (s.loaded || !s.unreadable)
}

// blame is why it is not in step. Of many reasons it is always the same one, as
// long as that holds.
func (h *hub) blame() error {
	if s, ok := h.standing[h.culprit]; ok && s.failing() {
		return s.err
	}
	for _, name := range slices.Sorted(maps.Keys(h.standing)) {
		if s := h.standing[name]; s.failing() {
			h.culprit = name
			return s.err
		}
	}
	h.culprit = ""
	return nil
}

// serves is which of the needs have been settled.
func (h *hub) serves() *backends.Needs {
	settled := func(c collection) bool {
		s, ok := h.standing[c.name]
		return ok && (s.loaded || s.unreadable)
	}
	n := &backends.Needs{Services: h.wanted.Services}
	for _, c := range serviceCollections() {
		n.Services = n.Services && settled(c)
	}
	for _, k := range h.wanted.Secrets {
		if settled(secretCollection(k, h.cfg.SecretNamespace)) {
			n.Secrets = append(n.Secrets, k)
		}
	}
	return n
}

// noteStep notes the beginning and the end of a time out of step.
func (h *hub) noteStep(u backends.Update) {
	switch {
	case u.InSync:
		h.outage = false
	case !h.outage && h.told != nil && h.told.InSync:
		h.outage = true
		h.hold()
	}
}
