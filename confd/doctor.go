package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/internal/doctor"
	"confd/internal/explain"
	"confd/internal/report"
	"confd/internal/settings"
	"confd/internal/terminal"
	"confd/reload/control"
)

const doctorHelp = `Look at the whole cluster and say what is wrong with it: sessions that cannot come
up, objects that mean nothing, pools that run out of blocks. Each kind of finding
has a code with a page in the documentation (docs/doctor.md).

It ends with 4 where there is an error and with 3 where there is a warning.`

// doctorCommand is confd doctor.
func (p program) doctorCommand() *cobra.Command {
	var ignore []string
	failOn := string(doctor.Warning)
	cmd := p.askCommand(settings.CommandDoctor, &cobra.Command{
		Use: settings.CommandDoctor, Short: "Look at the whole cluster and say what is wrong with it", Long: doctorHelp, Example: doctorExamples, Args: noArguments,
	}, func(ctx context.Context, s settings.Settings, _ []string) (answer, error) {
		if err := checkWord("fail-on", failOn, string(doctor.Error), string(doctor.Warning)); err != nil {
			return nil, err
		}
		ignored, err := doctor.Ignored(ignore)
		if err != nil {
			return nil, settings.Error{Err: fmt.Errorf("--ignore: %w", err)}
		}
		report, err := examine(ctx, s, ignored)
		if err != nil {
			return nil, err
		}
		return report, verdict(report, failOn)
	})
	cmd.Flags().StringSliceVar(&ignore, "ignore", nil, "codes of which nothing is said: numbers or names")
	cmd.Flags().StringVar(&failOn, "fail-on", failOn, "least severity that it does not end with 0 for: error or warning")
	return cmd
}

// verdict is what the command ends with.
func verdict(r *doctor.Report, failOn string) error {
	switch worst := r.Worst(); {
	case worst == doctor.Error:
		return foundError{exitErrors, "the cluster has errors (see above)"}
	case worst == doctor.Warning && failOn == string(doctor.Warning):
		return foundError{exitFound, "the cluster has warnings (see above)"}
	}
	return nil
}

func examine(ctx context.Context, s settings.Settings, ignore map[string]bool) (*doctor.Report, error) {
	log := newLogger(ctx, s.Log)
	state, err := wholeState(ctx, s, log)
	if err != nil {
		return nil, err
	}
	if len(state.Nodes) == 0 {
		return nil, errors.New("there is no node to look at: is it the right datastore, or file?")
	}
	q := doctor.Question{State: state, Options: s.Plan().BGP, Ignore: ignore, BIRD: majorOf(ctx, s.BIRD)}
	if s.Datastore != settings.DatastoreFile {
		if state.Nodes[s.Node] != nil {
			q.Live = thisMachine(ctx, s, explain.New(state, q.Options).IsAnothers)
		}
		q.Usage = readUsage(ctx, s, log)
	}
	defer terminal.Waiting(ctx, fmt.Sprintf("looking at %d nodes", len(state.Nodes)))()
	return doctor.Examine(ctx, q)
}

// readUsage reads the IPAM blocks; nil: this datastore has none, or they may not be
// read.
func readUsage(ctx context.Context, s settings.Settings, log *slog.Logger) *backends.Usage {
	sources, err := newSources(s, log)
	if err != nil {
		return nil
	}
	reader := usageOf(sources)
	if reader == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timing.SyncTimeout)
	defer cancel()
	usage, err := reader.Usage(ctx, s.Node)
	if err != nil {
		log.Debug("the IPAM blocks cannot be read: nothing is said of borrowed addresses", "error", err)
		return nil
	}
	return &usage
}

// thisMachine is what this machine and its BIRDs say; nil: a BIRD has a router ID that is
// another node's, so that this is not the machine of the node that is asked about.
func thisMachine(ctx context.Context, s settings.Settings, anothers func(netip.Addr) bool) *doctor.Live {
	if areAnothers(ctx, s.BIRD, anothers) {
		return nil
	}
	live := &doctor.Live{BIRD: askBirds(ctx, s.BIRD, birdQuestion{}), Held: heldHere(ctx, s)}
	if addresses, err := net.InterfaceAddrs(); err == nil {
		live.Addresses = []netip.Addr{}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				live.Addresses = append(live.Addresses, p.Addr())
			}
		}
	}
	for _, socket := range statusSockets(s.BIRD) {
		askHealth(ctx, socket, live)
	}
	return live
}

// heldHere says why changes are held back, as the program reports that runs here; nil where
// there is no report.
func heldHere(ctx context.Context, s settings.Settings) []string {
	folder, err := reportFolder(ctx, s)
	if err != nil {
		return nil
	}
	r, err := report.Read(folder)
	if r == nil || err != nil {
		return nil
	}
	var why []string
	for _, h := range r.AllHeld() {
		why = append(why, h.String())
	}
	return why
}

// askHealth adds what one BIRD says of itself.
func askHealth(ctx context.Context, socket string, live *doctor.Live) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return
	}
	defer c.Close()
	if status, err := c.Status(ctx); err == nil {
		live.Recovering = live.Recovering || status.Recovery.InProgress
	}
	if routes, err := c.Unreachable(ctx); err == nil {
		for _, r := range routes {
			live.Unreachable = append(live.Unreachable, r.Net)
		}
	}
}
