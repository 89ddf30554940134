package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/internal/birds"
	"confd/internal/explain"
	"confd/internal/host"
	"confd/internal/settings"
	"confd/internal/status"
	"confd/reload/control"
)

// askCommand makes cmd one that answers a question about the cluster: with the
// settings of the named command, and the form of the answer.
func (p program) askCommand(name string, cmd *cobra.Command, ask func(context.Context, settings.Settings, []string) (answer, error)) *cobra.Command {
	output := answerText
	flags := settings.Layer{}
	p.table.addFlags(cmd.Flags(), name, flags)
	cmd.Flags().StringVarP(&output, "output", "o", output, "form of the answer: text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkForm(output); err != nil {
			return err
		}
		s, err := settings.LoadForAnswer(flags, p.around)
		if err != nil {
			return err
		}
		a, err := ask(cmd.Context(), s, args)
		if a == nil {
			return err
		}
		if printErr := p.answer(a, output); printErr != nil {
			return printErr
		}
		return err
	}
	return cmd
}

// wholeState reads the state of the cluster with what concerns other nodes.
func wholeState(ctx context.Context, s settings.Settings, log *slog.Logger) (*backends.State, error) {
	s.AllNodes = true
	return gatherOnce(ctx, s, log)
}

// majorOf is the major version of this node's BIRD; 0: there is none that tells it.
func majorOf(ctx context.Context, s birds.Settings) int {
	d, err := birds.Find(ctx, s)
	if err != nil {
		return 0
	}
	return d.Version.Major
}

// liveTimeout is how long BIRD may take to say how things are.
const liveTimeout = 5 * time.Second

// birdQuestion is what this node's BIRDs are asked besides their sessions: whether
// they have routes to a net, and tell of it in sessions.
type birdQuestion struct {
	net      netip.Prefix // not valid: nothing
	sessions []string
	// anothers says whether a router ID is another node's (areAnothers); nil: that is not
	// looked at.
	anothers func(netip.Addr) bool
}

// areAnothers says whether a BIRD here has a router ID that is another node's: this is that
// node's machine then, whoever --node names.
func areAnothers(ctx context.Context, s birds.Settings, anothers func(netip.Addr) bool) bool {
	return slices.ContainsFunc(statusSockets(s), func(socket string) bool {
		id := routerID(ctx, socket)
		return id.IsValid() && anothers(id)
	})
}

// routerID is that of a BIRD; not valid: it does not answer.
func routerID(ctx context.Context, socket string) netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	status, err := c.Status(ctx)
	if err != nil {
		return netip.Addr{}
	}
	return status.RouterID
}

// askBirds asks this node's BIRDs; nil: there is none that answers.
func askBirds(ctx context.Context, s birds.Settings, q birdQuestion) *explain.Live {
	if q.anothers != nil && areAnothers(ctx, s, q.anothers) {
		return nil
	}
	var live *explain.Live
	for _, socket := range statusSockets(s) {
		one := askBird(ctx, socket, q)
		switch {
		case one == nil:
		case live == nil:
			live = one
		default: // BIRD 1.6: a second daemon for IPv6
			live.Sessions, live.Routes = append(live.Sessions, one.Sessions...), append(live.Routes, one.Routes...)
			live.Asked, live.Told = append(live.Asked, one.Asked...), append(live.Told, one.Told...)
		}
	}
	return live
}

func askBird(ctx context.Context, socket string, q birdQuestion) *explain.Live {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return nil
	}
	defer c.Close()
	sessions, err := c.Sessions(ctx)
	if err != nil {
		return nil
	}
	live := &explain.Live{}
	for _, x := range sessions {
		live.Sessions = append(live.Sessions, explain.LiveSession{
			Name: x.Name, Up: x.Established(), State: x.State, Since: x.Since, Info: x.Info, LastError: x.LastError, Meaning: status.Meaning(x),
		})
	}
	if !q.net.IsValid() {
		return live
	}
	found, err := c.RoutesTo(ctx, q.net)
	if err != nil {
		return live
	}
	live.Routes = host.Routes(found)
	for _, name := range q.sessions {
		tells, err := c.Tells(ctx, q.net, name)
		if err != nil {
			continue // it is down, or the other daemon has it
		}
		live.Asked = append(live.Asked, name)
		if tells {
			live.Told = append(live.Told, name)
		}
	}
	return live
}
