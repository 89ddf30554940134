package reload

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"confd/reload/control"
)

// word is what BIRD takes for a name.
var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// mayLose says why a BIRD 3 cannot be told of a set just now: 3.1.8 dies where a
// session goes that its recovery from a graceful restart waits for. That is over soon
// (graceful restart wait), so that it counts as busy until then.
func mayLose(ctx context.Context, c *control.Client, s Set) error {
	if !isBIRD3(c) {
		return nil
	}
	status, err := c.Status(ctx)
	if err != nil || !status.Recovery.InProgress {
		return err
	}
	sessions, err := c.Sessions(ctx)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, f := range s.Files {
		for _, name := range word.FindAllString(string(f.Data), -1) {
			has[name] = true
		}
	}
	for _, session := range sessions {
		if session.Awaited && !has[session.Name] {
			return fmt.Errorf("control socket %s: %w: it recovers from a graceful restart for %v at most, and waits for %s, which goes: a BIRD 3 would die of that, so it is told afterwards",
				c.Path(), control.ErrBusy, status.Recovery.Left.Round(time.Second), session.Name)
		}
	}
	return nil
}
