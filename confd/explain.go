package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/cobra"

	"confd/bgp"
	"confd/internal/explain"
	"confd/internal/settings"
)

const explainHelp = `Say why things are as they are, from the cluster's resources: of the live datastore,
or of files (--data), as confd export writes them. Questions about a route are of
the node that --node names. Where that is this machine and its BIRD answers, what
BIRD says is shown, too, and where it differs from the resources.`

// explainCommand is confd explain, with a command for each kind of question.
func (p program) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: settings.CommandExplain, Short: "Say why there is a session, what becomes of a route, and where an address is",
		Long: explainHelp, Example: explainExamples, Args: noArguments,
	}
	cmd.AddCommand(
		p.explainSessionCommand(), p.explainRouteCommand(),
		p.explainOne("pod IP", "Where an address is, who announces it, and where packets to it are lost", explainPodExamples, func(a *explain.Asker, text string) (answer, error) {
			return whereIs(a, a.Workload, text)
		}),
		p.explainOne("block CIDR", "Whose a block is, who announces it, and who is told", explainBlockExamples, func(a *explain.Asker, text string) (answer, error) {
			return whereIs(a, a.Block, text)
		}),
		p.explainOne("node NAME", "What a node is to speak, and why", explainNodeExamples, func(a *explain.Asker, text string) (answer, error) { return found(a.Node(text)) }),
		p.explainFilterCommand(),
	)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func whereIs(a *explain.Asker, read func(string) (netip.Prefix, error), text string) (answer, error) {
	net, err := read(text)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	return found(a.Place(net))
}

// explainOne is a command with one argument.
func (p program) explainOne(use, short, examples string, ask func(*explain.Asker, string) (answer, error)) *cobra.Command {
	return p.askCommand(settings.CommandExplain, &cobra.Command{Use: use, Short: short, Example: examples, Args: needArguments("one argument")}, func(ctx context.Context, s settings.Settings, args []string) (answer, error) {
		a, err := newAsker(ctx, s)
		if err != nil {
			return nil, err
		}
		a.Live = askBirds(ctx, s.BIRD, birdQuestion{anothers: a.IsAnothers})
		return ask(a, args[0])
	})
}

func (p program) explainSessionCommand() *cobra.Command {
	return p.askCommand(settings.CommandExplain, &cobra.Command{
		Use:     "session A B",
		Short:   "Why two have a session, or none: nodes by name or address, routers by address",
		Example: explainSessionExamples,
		Args:    needArguments("A", "B"),
	}, func(ctx context.Context, s settings.Settings, args []string) (answer, error) {
		asker, err := newAsker(ctx, s)
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
		if a.Node == s.Node || b.Node == s.Node {
			asker.Live = askBirds(ctx, s.BIRD, birdQuestion{anothers: asker.IsAnothers})
		}
		return found(asker.Session(a, b))
	})
}

const routeHelp = `Say what becomes of a route at a node, rule by rule: told to a peer (--to), taken
from one (--from), put into the kernel (--kernel); without these, all of it in short.

ROUTE is a net or an address. Where the node has the route from follows from the
cluster's blocks and services; attributes say otherwise, each after a comma:
  10.0.0.0/26,peer,community=65000:1,path=65000 65001,priority=512
localpref, metric, interface and nexthop are others; peer: a BGP peer told it.`

func (p program) explainRouteCommand() *cobra.Command {
	var to, from string
	var kernel bool
	cmd := p.askCommand(settings.CommandExplain, &cobra.Command{
		Use: "route ROUTE", Short: "What becomes of a route at a node, rule by rule", Long: routeHelp, Example: explainRouteExamples, Args: needArguments("ROUTE"),
	}, func(ctx context.Context, s settings.Settings, args []string) (answer, error) {
		q := explain.RouteQuestion{Node: s.Node, Kernel: kernel}
		var err error
		if q.Route, q.Given, err = explain.ParseRoute(args[0]); err != nil {
			return nil, settings.Error{Err: err}
		}
		if to != "" && (from != "" || kernel) || from != "" && kernel {
			return nil, settings.Error{Err: errors.New("--to, --from and --kernel ask for different things: give one of them")}
		}
		asker, err := newAsker(ctx, s)
		if err != nil {
			return nil, err
		}
		if q.To, err = party(asker, to); err != nil {
			return nil, err
		}
		if q.From, err = party(asker, from); err != nil {
			return nil, err
		}
		ask := birdQuestion{net: q.Route.Net, anothers: asker.IsAnothers}
		if q.To != nil {
			ask.sessions = asker.SessionsWith(s.Node, bgp.VersionOf(q.Route.Net.Addr()), *q.To)
		}
		asker.Live = askBirds(ctx, s.BIRD, ask)
		return found(asker.Route(q))
	})
	cmd.Flags().StringVar(&to, "to", "", "peer that may be told: a node, an address, or a session's name")
	cmd.Flags().StringVar(&from, "from", "", "peer that tells of it")
	cmd.Flags().BoolVar(&kernel, "kernel", false, "whether it goes into the kernel")
	return cmd
}

// party is who a flag names; nil: nobody.
func party(a *explain.Asker, text string) (*explain.Party, error) {
	if text == "" {
		return nil, nil
	}
	p, err := a.Party(text)
	return &p, err
}

func (p program) explainFilterCommand() *cobra.Command {
	var route string
	cmd := p.askCommand(settings.CommandExplain, &cobra.Command{
		Use: "filter NAME", Short: "Whom a BGPFilter concerns, and what it makes of a route", Example: explainFilterExamples, Args: needArguments("NAME"),
	}, func(ctx context.Context, s settings.Settings, args []string) (answer, error) {
		var r *bgp.Route
		if route != "" {
			parsed, _, err := explain.ParseRoute(route)
			if err != nil {
				return nil, settings.Error{Err: err}
			}
			r = &parsed
		}
		asker, err := newAsker(ctx, s)
		if err != nil {
			return nil, err
		}
		return found(asker.Filter(args[0], r))
	})
	cmd.Flags().StringVar(&route, "route", "", "route to try it on: CIDR[,attribute=value...], as confd explain route has it")
	return cmd
}

// newAsker reads the cluster's state.
func newAsker(ctx context.Context, s settings.Settings) (*explain.Asker, error) {
	state, err := wholeState(ctx, s, newLogger(ctx, s.Log))
	if err != nil {
		return nil, err
	}
	asker := explain.New(state, s.Plan().BGP)
	asker.BIRD1 = majorOf(ctx, s.BIRD) == 1
	return asker, nil
}

// found is an answer, or none where there was an error.
func found[A answer](a A, err error) (answer, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}
