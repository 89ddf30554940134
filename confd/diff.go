package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"confd/internal/birds"
	"confd/internal/diff"
	"confd/internal/settings"
	"confd/internal/terminal"
	"confd/reload/control"
)

// The forms of what confd diff prints.
const (
	diffText = "text"
	diffJSON = "json"
)

// diffOptions are the flags of confd diff that are no settings.
type diffOptions struct {
	diff.Options
	output   string
	exitCode bool
}

const diffHelp = `Show what would change on this node, or on all nodes: each file as a unified
diff, with passwords hidden, and what that means for sessions and routes.

--from and --to name states: a YAML file or a folder of them (as confd export,
calicoctl and kubectl write them), "live" for the datastore that the settings
name, or, for --from, "disk" for the files that BIRD has now. Without either,
the files that BIRD has are compared with the live datastore.

What --to names may be a few resources: they are laid over the state of --from,
and what is not among them stays. With --whole they are all there is. (Compared
with "disk" they are that, too: there is nothing to lay them over.)`

// diffCommand is confd diff.
func (p program) diffCommand() *cobra.Command {
	var o diffOptions
	flags := settings.Layer{}
	cmd := &cobra.Command{
		Use:   settings.CommandDiff,
		Short: "Show what would change on this node or on all, or between two states of the cluster",
		Long:  diffHelp, Example: diffExamples,
		Args: noArguments,
	}
	f := cmd.Flags()
	p.table.addFlags(f, settings.CommandDiff, flags)
	f.StringVar(&o.From, "from", "", "state before: disk, live, or a path of YAML (default: live where --to is given, else disk)")
	f.StringVar(&o.To, "to", diff.Live, "state after: live, or a path of YAML, which is laid over the state before")
	f.BoolVar(&o.Whole, "whole", false, "what --to names is the whole state after: what is not in it is gone")
	f.BoolVar(&o.AllNodes, "all-nodes", false, "compare for all nodes of the cluster; those of which the same becomes are shown together")
	f.StringVarP(&o.output, "output", "o", diffText, "form of what is printed: text or json")
	f.BoolVar(&o.exitCode, "exit-code", false, "end with 1 where something differs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.From == "" {
			o.From = diff.Disk
			if cmd.Flags().Changed("to") {
				o.From = diff.Live
			}
		}
		s, err := diffSettings(flags, p.around, o)
		if err != nil {
			return err
		}
		return p.runDiff(cmd.Context(), s, o)
	}
	return cmd
}

// diffSettings reads the settings. Where no state is the live one, nobody needs
// to say how to reach a datastore.
func diffSettings(flags settings.Layer, around settings.Surroundings, o diffOptions) (settings.Settings, error) {
	if err := checkWord("output", o.output, diffText, diffJSON); err != nil {
		return settings.Settings{}, err
	}
	switch {
	case o.To == diff.Disk:
		return settings.Settings{}, settings.Error{Err: errors.New("--to: disk: only --from can be what BIRD has now")}
	case o.From != diff.Live && o.To != diff.Live:
		flags = settings.Merged(flags, settings.Layer{
			"datastore": settings.Given{Text: string(settings.DatastoreFile), From: "--to"},
			"data":      settings.Given{Text: o.To, From: "--to"},
		})
	}
	return settings.LoadForAnswer(flags, around)
}

// runDiff compares, and prints what has come of it.
func (p program) runDiff(ctx context.Context, s settings.Settings, o diffOptions) error {
	log := newLogger(ctx, s.Log)
	n, err := newNode(s, log)
	if err != nil {
		return err
	}
	d, err := birds.Find(ctx, s.BIRD)
	if err != nil {
		return err
	}
	differ := diff.Differ{
		Planner: n.Planner, Birds: d, Statuses: filepath.Join(s.BGP.EndpointStatusPrefix, "endpoint-status"),
		Live: liveState(s, log), Log: log,
		Sessions: func(ctx context.Context) []control.SessionState { return sessionsAt(ctx, d.Sockets()) },
	}
	done := terminal.Waiting(ctx, "comparing")
	report, err := differ.Compare(ctx, o.Options)
	done()
	if err != nil {
		return err
	}
	n.logProblems(report.Problems)
	if o.output == diffJSON {
		err = report.JSON(p.stdout)
	} else {
		err = report.Text(p.stdout, terminal.Colours(p.stdout, p.around.LookupEnv))
	}
	if err == nil {
		err = n.strict(report.Problems)
	}
	if err != nil || !o.exitCode || report.Changed() == 0 {
		return err
	}
	if o.AllNodes {
		return fmt.Errorf("%d of %d nodes change", report.Changed(), report.Nodes)
	}
	return fmt.Errorf("%d of %d files differ", len(report.Groups[0].Files), report.Files)
}
