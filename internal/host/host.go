// Package host is what is around the loop on this machine: the BIRDs of the node,
// their folder, and the commands that are run for them.
package host

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"

	"confd/internal/agent"
	"confd/internal/birds"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// Host is an agent.World.
type Host struct {
	BIRD birds.Settings
	// Reload are the options of what is done to each set.
	Reload reload.Options
}

// Find finds out which BIRD there is, and where.
func (h Host) Find(ctx context.Context) (birds.Daemons, error) { return birds.Find(ctx, h.BIRD) }

// Left reads what a program has left in a folder that ran here before.
func (h Host) Left(folder string) agent.Left {
	var l agent.Left
	var errReport, errRecords error
	l.Report, errReport = report.ReadOwn(folder)
	l.Records, errRecords = reload.Records(folder)
	if errors.Is(errRecords, fs.ErrNotExist) {
		errRecords = nil
	}
	l.Err = errors.Join(errReport, errRecords)
	return l
}

// Target is what is done to a set.
func (h Host) Target(string) agent.Target { return reload.New(h.Reload) }

// Sessions are the names of the sessions that are established at a control socket.
// A BIRD that is not there has none.
func (h Host) Sessions(ctx context.Context, socket string) ([]string, error) {
	c, err := control.Dial(ctx, socket)
	if errors.Is(err, control.ErrNotRunning) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	sessions, err := c.SessionsBrief(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range sessions {
		if s.Established() {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// Watch tells of the BIRD of a control socket coming and going.
func (h Host) Watch(ctx context.Context, socket string, out chan<- control.Event) {
	control.Watch(ctx, socket, out, slog.New(slog.DiscardHandler))
}

// Run runs reload commands.
func (h Host) Run(ctx context.Context, commands []string) error {
	return reload.RunCommands(ctx, commands, h.Reload.ReloadTimeout)
}

// Approved says whether what has that token was approved.
func (h Host) Approved(folder, token string) bool {
	return report.Approved(folder, token)
}

// Forget takes approvals away.
func (h Host) Forget(folder string) { report.Forget(folder) }
