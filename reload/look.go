package reload

import (
	"context"
	"log/slog"
	"time"

	"confd/reload/control"
)

// lookTimeout is how long a look at BIRD may take: it comes every few seconds.
const lookTimeout = 2 * time.Second

// probeTimeout is for a look at whether BIRD is up, where there is another way
// to check than asking it.
const probeTimeout = 3 * time.Second

// talker talks to BIRDs.
type talker struct {
	opts   *Options
	log    *slog.Logger
	within func(context.Context, time.Duration) (context.Context, context.CancelFunc) // as context.WithTimeout
}

// observe asks for BIRD's status.
func (t *talker) observe(ctx context.Context, c *control.Client) (observation, error) {
	from := t.opts.Now()
	status, err := c.Status(ctx)
	return observation{status, from, t.opts.Now()}, err
}

// look asks BIRD how it is.
func (t *talker) look(ctx context.Context, socket string) (observation, string, error) {
	ctx, cancel := t.within(ctx, lookTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return observation{}, "", err
	}
	defer c.Close()
	now, err := t.observe(ctx, c)
	return now, c.Version(), err
}

// probe returns the version of the BIRD that runs, or nothing.
func (t *talker) probe(ctx context.Context, socket string) string {
	if socket == "" {
		return ""
	}
	ctx, cancel := t.within(ctx, probeTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.Version()
}

// lookAtTrial is one look at BIRD and its sessions.
func (t *talker) lookAtTrial(ctx context.Context, socket string) look {
	ctx, cancel := t.within(ctx, lookTimeout)
	defer cancel()
	l := look{began: t.opts.Now()}
	c, err := control.Dial(ctx, socket)
	if err == nil {
		defer c.Close()
		l.bird, l.sessions, err = t.sessions(ctx, c)
	}
	l.ended, l.err = t.opts.Now(), err
	return l
}

// sessions asks for BIRD's status and its sessions, with times of one clock: where it is
// set between the two, both are asked for again.
func (t *talker) sessions(ctx context.Context, c *control.Client) (observation, []control.SessionState, error) {
	before, err := t.observe(ctx, c)
	if err != nil {
		return before, nil, err
	}
	for {
		sessions, err := c.SessionsBrief(ctx)
		if err != nil {
			return before, nil, err
		}
		after, err := t.observe(ctx, c)
		if err != nil || before.stepped(after).Abs() <= proofSlack {
			return before, sessions, err
		}
		before = after
	}
}
