package reload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// How often BIRD is asked whether a reconfiguration is through, and how much
// older than the command its configuration may look: BIRD 1 counts seconds,
// and not precisely.
const (
	statusPoll = 50 * time.Millisecond
	ageSlack   = 2 * time.Second
)

// bird3Settles is how long a BIRD 3 that has just started is left alone: 3.1.8
// dies of a reconfiguration that changes a kernel protocol's export filter
// within its first second.
const bird3Settles = 2 * time.Second

// tell has BIRD read what is on disk, and runs the reload commands. Where BIRD
// refuses, the files go back to what they were when it last agreed.
func (a *Applier) tell(ctx context.Context, s Set, mem *memory, res Result) (Result, error) {
	mem.confirmed, mem.waits = false, false
	res.State = Confirmed
	if s.Daemon != nil && s.Daemon.Socket != "" {
		version, err := a.tellDaemon(ctx, s.Daemon.Socket)
		res.Version = version
		var refused *RefusedError
		switch {
		case errors.As(err, &refused):
			refused.File = s.dest(refused.File)
			return res, a.undo(s, mem, refused)
		case errors.Is(err, ErrNotRunning):
			a.log.Info("BIRD is not up: it will read the set when it starts", "set", s.Name, "error", err)
			res.State = Installed
		case err != nil:
			return res, err
		}
	}
	if err := a.reloadCommands(ctx, s); err != nil {
		return res, err
	}
	mem.waits = res.State == Installed
	if res.State == Confirmed {
		res.Confirmed = a.opts.Now()
		mem.confirmed, mem.version, mem.backup = true, res.Version, nil
		a.collect(s, mem)
	}
	return res, nil
}

// dest is the file of the set that BIRD means by a path that is relative, as in
// "bird -c bird.conf".
func (s Set) dest(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	for _, f := range s.Files {
		if strings.HasSuffix(f.Dest, "/"+filepath.Clean(path)) {
			return f.Dest
		}
	}
	return path
}

// undo puts the old files back.
func (a *Applier) undo(s Set, mem *memory, refused *RefusedError) error {
	if mem.backup == nil {
		return refused
	}
	err := mem.backup.undo()
	if err != nil {
		return errors.Join(refused, fmt.Errorf("putting the old files back: %w", advise(err)))
	}
	mem.backup = nil
	a.collect(s, mem)
	refused.Undone = true
	a.log.Warn("BIRD refused a set that had passed its check: the old files are back", "set", s.Name, "error", refused)
	return refused
}

// tellDaemon sends "configure" and waits until BIRD uses what it has read.
func (a *Applier) tellDaemon(ctx context.Context, socket string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.ReloadTimeout)
	defer cancel()
	c, err := Dial(ctx, socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.letSettle(ctx); err != nil {
		return c.Version(), err
	}
	sent := time.Now()
	answer, err := c.Configure(ctx)
	if err != nil {
		return c.Version(), err
	}
	a.log.Debug("BIRD was told to reconfigure", "socket", socket, "answer", answer)
	if answer == ShuttingDown {
		return c.Version(), fmt.Errorf("control socket %s: %w: it is shutting down", socket, ErrNotRunning)
	}
	return c.Version(), c.waitConfigured(ctx, sent)
}

// letSettle waits where this is a BIRD 3 that has just started.
func (c *Client) letSettle(ctx context.Context) error {
	if !strings.HasPrefix(c.Version(), "3.") {
		return nil
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	up, known := status.upFor()
	if !known || up >= bird3Settles {
		return nil
	}
	if err := sleep(ctx, bird3Settles-up); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// waitConfigured waits until BIRD is through with reconfiguring and uses a
// configuration that it took after sent. BIRD's own two times are compared, so
// that its clock does not matter.
func (c *Client) waitConfigured(ctx context.Context, sent time.Time) error {
	for {
		status, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if status.ShuttingDown() {
			return fmt.Errorf("control socket %s: %w: it is shutting down", c.path, ErrNotRunning)
		}
		age, known := status.configAge()
		if !status.InProgress() && (!known || age <= time.Since(sent)+ageSlack) {
			return nil
		}
		if sleep(ctx, statusPoll) == nil {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return context.Cause(ctx)
		}
		return fmt.Errorf("control socket %s: BIRD has not taken the configuration in time: it says %q, and its configuration is %v old",
			c.path, status.State, age)
	}
}

// reloadCommands runs each distinct reload command once.
func (a *Applier) reloadCommands(ctx context.Context, s Set) error {
	ran := map[string]bool{}
	for _, f := range s.Files {
		if f.ReloadCmd == "" || ran[f.ReloadCmd] {
			continue
		}
		ran[f.ReloadCmd] = true
		out, err := run(ctx, a.opts.ReloadTimeout, "/bin/sh", "-c", f.ReloadCmd)
		if err != nil {
			return fmt.Errorf("reload command %q: %w: %s", f.ReloadCmd, err, lastLine(maskSecrets(out)))
		}
	}
	return nil
}
