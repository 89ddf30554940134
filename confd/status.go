package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confd/internal/birds"
	"confd/internal/report"
	"confd/internal/settings"
	"confd/internal/status"
	"confd/internal/terminal"
)

const statusHelp = `Show the BGP sessions of this node: what BIRD says of them, why each of them is
there, what its last error means, and whether BIRD runs what it should.

It asks BIRD over its control socket, and reads the report that the program
leaves in BIRD's folder; neither needs the datastore. It ends with 1 where not
all expected sessions are up, or something is wrong with routes.

With --all-nodes it asks the programs of all nodes that the datastore has, over
HTTP, where they listen (--listen): it needs the datastore, and shows what is wrong
first. It ends with 1 where not all nodes are as they should be.`

// statusCommand is confd status.
func (p program) statusCommand() *cobra.Command {
	o := status.Options{Format: string(status.Table)}
	flags := settings.Layer{}
	cmd := &cobra.Command{
		Use: settings.CommandStatus, Short: "Show this node's sessions, why they are there, and whether all is as it should be",
		Long: statusHelp, Example: statusExamples, Args: noArguments,
	}
	f := cmd.Flags()
	p.table.addFlags(f, settings.CommandStatus, flags)
	var all statusFleet
	all.add(cmd)
	f.StringVarP(&o.Format, "output", "o", o.Format, "form of what is printed: "+strings.Join(status.Formats(), ", ")+"; with --all-nodes: table, json, yaml")
	f.DurationVarP(&o.Watch, "watch", "w", 0, "show it again and again, after this time each")
	f.Lookup("watch").NoOptDefVal = "2s"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := all.refuse(cmd, []string{"filter", "sort", "lines"}, []string{"watch"}); err != nil {
			return err
		}
		if all.all {
			return p.showFleet(cmd.Context(), flags, &all, o.Format)
		}
		if err := checkWord("output", o.Format, status.Formats()...); err != nil {
			return err
		}
		if cmd.Flags().Changed("watch") && o.Watch < 100*time.Millisecond {
			return settings.Error{Err: fmt.Errorf("--watch: %s: expected a duration such as 2s, 100ms or more", o.Watch)}
		}
		s, err := localSettings(flags, p.around)
		if err != nil {
			return err
		}
		o.Clear = terminal.Colours(p.stdout, p.around.LookupEnv)
		return showStatus(cmd.Context(), s, o, p.stdout)
	}
	return cmd
}

// watchTime joins --watch and the time behind it. The time may be left out, so that
// the flag by itself takes none that stands apart.
func watchTime(args []string) []string {
	if !slices.Contains(args, settings.CommandStatus) {
		return args
	}
	var out []string
	for i := 0; i < len(args); i++ {
		if after, ok := strings.CutPrefix(args[i], "-w"); ok && after != "" && after[0] >= '0' && after[0] <= '9' {
			out = append(out, "--watch="+after)
			continue
		}
		if (args[i] == "--watch" || args[i] == "-w") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			out = append(out, "--watch="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

func showStatus(ctx context.Context, s settings.Settings, o status.Options, w io.Writer) error {
	var err error
	if o.Folder, err = reportFolder(ctx, s); err != nil {
		return err
	}
	o.Sockets = statusSockets(s.BIRD)
	if r, _ := report.Read(o.Folder); r == nil || len(r.Sets) == 0 { // an error shows where it is read again
		if d, err := birds.Find(ctx, s.BIRD); err == nil {
			o.Sockets = d.Sockets()
		}
	}
	up, err := status.Show(ctx, w, o)
	if err == nil && !up {
		err = errNotAllUp
	}
	return err
}
