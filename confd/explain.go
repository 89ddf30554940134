package main

import (
	"context"

	"github.com/spf13/cobra"

	"confd/internal/explain"
	"confd/internal/settings"
)

const explainHelp = `Say why things are as they are, from the cluster's resources alone: from the live
datastore, or from files (--data). Where this node's BIRD answers, what it says of
its sessions and routes is shown, too.`

// explainCommand is confd explain, with a command for each kind of question.
func (p program) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: settings.CommandExplain, Short: "Say why there is a session, what becomes of a route, and where an address is",
		Long: explainHelp, Args: noArguments,
	}
	cmd.AddCommand(p.explainSessionCommand())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func (p program) explainSessionCommand() *cobra.Command {
	return p.askCommand(settings.CommandExplain, &cobra.Command{
		Use:   "session A B",
		Short: "Why two have a session, or none: nodes by name or address, routers by address",
		Args:  needArguments("A", "B"),
	}, func(ctx context.Context, s settings.Settings, args []string) (answer, error) {
		asker, err := newAsker(ctx, s, false)
		if err != nil {
			return nil, err
		}
		a, err := asker.Party(args[0])
		if err != nil {
			return nil, err
		}
		b, err := asker.Party(args[1])
		if err != nil {
			return nil, err
		}
		return found(asker.Session(a, b))
	})
}

// newAsker reads the cluster's state, and asks this node's BIRDs: for their routes,
// too, where routes is set.
func newAsker(ctx context.Context, s settings.Settings, routes bool) (*explain.Asker, error) {
	state, err := wholeState(ctx, s, newLogger(s.Log))
	if err != nil {
		return nil, err
	}
	var live *explain.Live
	if state.Nodes[s.Node] != nil {
		live = askBirds(ctx, s.BIRD, routes)
	}
	return explain.New(state, s.Plan().BGP, live), nil
}

// found is an answer, or none where there was an error.
func found[A answer](a A, err error) (answer, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}
