package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/internal/fleet"
	"confd/internal/inbox"
	"confd/internal/settings"
	"confd/internal/terminal"
)

// defaultPort is where the programs listen, as the documents have it.
const defaultPort = 9191

// fleetFlags are those of commands about all nodes.
type fleetFlags struct {
	all     bool
	port    uint16
	timeout time.Duration
}

func (f *fleetFlags) add(cmd *cobra.Command, what string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all-nodes", false, what)
	flags.Uint16Var(&f.port, "port", defaultPort, "with --all-nodes: the port that each node's program listens on (--listen)")
	flags.DurationVar(&f.timeout, "timeout", 4*time.Second, "with --all-nodes: how long a node may take to answer")
}

// refuse is about flags that mean nothing without --all-nodes, or with it.
func (f *fleetFlags) refuse(cmd *cobra.Command, with, without []string) error {
	names, word := append([]string{"port", "timeout"}, with...), "needs"
	if f.all {
		names, word = without, "does not go with"
	}
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return settings.Error{Err: fmt.Errorf("--%s %s --all-nodes", name, word)}
		}
	}
	switch {
	case f.port == 0:
		return settings.Error{Err: errors.New("--port: 0: expected a port, 1 to 65535")}
	case f.timeout <= 0:
		return settings.Error{Err: fmt.Errorf("--timeout: %s: expected a duration such as 4s, more than 0", f.timeout)}
	}
	return nil
}

// fleetSettings are those of a command that asks all nodes, of which the datastore
// tells.
func fleetSettings(flags settings.Layer, around settings.Surroundings) (settings.Settings, error) {
	return settings.LoadForAnswer(flags, around)
}

// ask asks all nodes.
func (f *fleetFlags) ask(ctx context.Context, s settings.Settings, targets []fleet.Target, o fleet.Options) (*fleet.View, error) {
	asker := fleet.Asker{Port: f.port, Timeout: f.timeout}
	if s.Watch.Certificates.InUse() {
		var err error
		if asker.TLS, err = s.Watch.Certificates.Client(); err != nil {
			return nil, settings.Error{Err: err}
		}
	}
	at := time.Now()
	done := terminal.Waiting(ctx, fmt.Sprintf("asking %d nodes", len(targets)))
	nodes := asker.Ask(ctx, targets)
	done()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return fleet.NewView(at, time.Since(at), nodes, o), nil
}

// storedAlone reads the state without Services and Secrets: whoever asks how the nodes
// are may not be allowed to read those.
func storedAlone(ctx context.Context, s settings.Settings, log *slog.Logger) (*backends.State, error) {
	sources, err := newStores(s, log)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	o := inboxOptions(s, log)
	o.Alone = true
	defer terminal.Waiting(ctx, "reading from "+storeName(s))()
	state, err := inbox.Gather(ctx, sources, o, s.Timing.SyncTimeout)
	if err != nil {
		return nil, fmt.Errorf("reading which nodes there are: %w", withOrigin(s, err))
	}
	return state, nil
}

// statusFleet is what confd status --all-nodes has besides.
type statusFleet struct {
	fleetFlags
	filters []string
	sort    string
	lines   int
}

func (f *statusFleet) add(cmd *cobra.Command) {
	f.fleetFlags.add(cmd, "ask the programs of all nodes, and show what is wrong first")
	flags := cmd.Flags()
	flags.StringArrayVar(&f.filters, "filter", nil, "with --all-nodes: show nodes alone of which this holds, such as state=held or node=rack7-*; again: of which both hold ("+strings.Join(fleet.FilterKeys(), ", ")+")")
	flags.StringVar(&f.sort, "sort", fleet.SortState, "with --all-nodes: sort by "+strings.Join(fleet.Orders(), ", "))
	flags.IntVar(&f.lines, "lines", 20, "with --all-nodes: lines of nodes at most, each for all nodes with which the same is wrong; 0: a line for each node")
}

// options are those of the view, and the form of the answer.
func (f *statusFleet) options(output string) (fleet.Options, string, error) {
	o := fleet.Options{Sort: f.sort, Lines: f.lines}
	forms := map[string]string{"table": answerText, "json": answerJSON, "yaml": answerYAML}
	if forms[output] == "" {
		return o, "", settings.Error{Err: fmt.Errorf("--output: %q: with --all-nodes expected table, json or yaml", output)}
	}
	if f.lines < 0 {
		return o, "", settings.Error{Err: fmt.Errorf("--lines: %d: expected 0 or more", f.lines)}
	}
	if err := checkWord("sort", f.sort, fleet.Orders()...); err != nil {
		return o, "", err
	}
	for _, text := range f.filters {
		filter, err := fleet.ParseFilter(text)
		if err != nil {
			return o, "", settings.Error{Err: fmt.Errorf("--filter: %w", err)}
		}
		o.Filters = append(o.Filters, filter)
	}
	return o, forms[output], nil
}

// showFleet is confd status --all-nodes.
func (p program) showFleet(ctx context.Context, flags settings.Layer, f *statusFleet, output string) error {
	o, form, err := f.options(output)
	if err != nil {
		return err
	}
	s, err := fleetSettings(flags, p.around)
	if err != nil {
		return err
	}
	state, err := storedAlone(ctx, s, newLogger(ctx, s.Log))
	if err != nil {
		return err
	}
	v, err := f.ask(ctx, s, fleet.Targets(state.Nodes), o)
	if err != nil {
		return err
	}
	if err := p.answer(v, form); err != nil {
		return err
	}
	if !v.AllGood {
		return errNotAllUp
	}
	return nil
}
