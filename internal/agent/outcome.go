package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"confd/bgp"
	"confd/internal/hold"
	"confd/internal/plan"
	"confd/internal/rollout"
	"confd/reload/control"
)

// errNoTemplates is why nothing is rendered where the templates were broken when
// the program was started, and still are.
var errNoTemplates = errors.New("templates that work: those of the configuration folder are broken")

// outcomes end a rollout: what it came to, and what follows.
type outcomes struct {
	*desk
	*judge
	rollout rollout.Rollout
	journal *journal
	care    *care
	after   *aftermath
	// waiting is what is waited for besides the datastore; empty: nothing.
	waiting string
}

// idle says whether no rollout is under way.
func (c *outcomes) idle() bool { return c.rollout.Stage() == rollout.Idle }

// isStuck says that what the datastore tells cannot be put in place. A BIRD that
// hangs would hang with other files, too.
func (c *outcomes) isStuck() bool {
	return c.failures.failing() && !c.known.AnyIs(control.Hung) || c.waiting != "" || c.isHeld()
}

// live notes that BIRD uses a candidate, or will when it starts. sure says that all
// of it is in place.
func (c *outcomes) live(candidate *plan.Candidate, sure bool) {
	was := c.runs.Running()
	if r, ok := c.recalled(); ok {
		c.memory.live(time.Now(), candidate, was, &r)
	} else {
		c.memory.live(time.Now(), candidate, was, nil)
	}
	c.runs.Live(candidate, sure)
	if !candidate.IsRest() {
		c.inbox.Trust.Restore()
		c.memory.settled(candidate.State, candidate.Times.Began)
	}
	c.edition.Worked(candidate.Templates)
	c.care.live()
	c.children.InPlace()
	c.news = true
}

// restDone ends a rollout of which something is held: what else there was is in
// place.
func (c *outcomes) restDone(now time.Time) {
	if c.rollout.Part() == rollout.WithoutFailed && c.hold.State() == hold.Approved {
		c.holdOver(c.hold)
	}
	c.inbox.Return(c.rollout.Batch())
	c.rollout.End()
	c.recovered(now)
	c.care.notInPlace(now)
}

// succeeded notes that what the state asks for is in place, on trial at least.
func (c *outcomes) succeeded(now time.Time) {
	c.rollout.End()
	if c.waiting != "" {
		c.log.Info("nothing is waited for any more", "was", c.waiting)
	}
	c.waiting, c.news = "", true
	c.settled()
	for _, h := range c.holds() {
		h.Live()
		c.holdOver(h)
	}
	c.recovered(now)
}

// holdOver notes that one of the holds holds nothing any more. An approval holds for
// one time.
func (c *outcomes) holdOver(h *hold.Hold) {
	was := h.Over()
	if was == nil {
		return
	}
	if c.isHeld() {
		c.log.Info("it is no longer held back; something else is", "hash", was.Hash)
		return
	}
	c.log.Info("nothing is held back any more", "hash", was.Hash)
	c.world.Forget(c.birds.daemon.Dir)
}

// stop ends a rollout that cannot go on: the last good configuration stays.
func (c *outcomes) stop(now time.Time, err error) {
	c.inbox.Return(c.rollout.Batch())
	c.rollout.End()
	c.news = true
	switch {
	case errors.Is(err, context.Canceled):
		return
	case errors.Is(err, bgp.ErrUnknownNode), errors.Is(err, errNoTemplates):
		c.wait(err)
	default:
		c.fail(now, err)
	}
	c.care.notInPlace(now)
}

// wait says once what is waited for, which comes with a change. Which other nodes
// there are meanwhile is no news.
func (c *outcomes) wait(err error) {
	still := errors.Is(err, bgp.ErrUnknownNode) && strings.Contains(c.waiting, bgp.ErrUnknownNode.Error())
	if !still && err.Error() != c.waiting {
		c.log.Warn("waiting: the last good configuration stays", "for", err)
	}
	c.waiting = err.Error()
}
