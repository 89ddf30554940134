package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"confd/internal/report"
	"confd/internal/settings"
	"confd/internal/terminal"
)

const approveHelp = `Let the change through that the program on this node holds back, because it
would take most of the established sessions away.

What is approved is that these very sessions go, once. A change that would take
others away, or the same ones later, is judged anew. Run it as a user who may write to BIRD's
folder, with the settings that the program has (its --bird-dir above all).

With --all-nodes it asks all nodes what they hold back, as confd status --all-nodes
does (or reads what that has said, --from), says what would be approved, asks, and
puts the change's ID into an annotation of BGPConfiguration default, which takes the
right to write to the datastore. Each node lets go of what has that very ID there, and
of nothing else. The annotation stays until --withdraw takes it away.`

// approveCommand is confd approve.
func (p program) approveCommand() *cobra.Command {
	flags := settings.Layer{}
	cmd := &cobra.Command{
		Use: settings.CommandApprove, Short: "Let a change through that is held back, on this node or on all", Long: approveHelp, Example: approveExamples, Args: noArguments,
	}
	p.table.addFlags(cmd.Flags(), settings.CommandApprove, flags)
	var all fleetApproval
	all.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := all.refuse(cmd, []string{"id", "from", "yes", "dry-run", "withdraw"}, nil); err != nil {
			return err
		}
		if all.all {
			return p.approveFleet(cmd.Context(), flags, &all)
		}
		s, err := localSettings(flags, p.around)
		if err != nil {
			return err
		}
		return approve(cmd.Context(), s, p.stdout)
	}
	return cmd
}

// approve approves what the report says is held.
func approve(ctx context.Context, s settings.Settings, stdout io.Writer) error {
	folder, err := reportFolder(ctx, s)
	if err != nil {
		return err
	}
	r, err := report.Read(folder)
	switch {
	case err != nil:
		return err
	case r == nil:
		return fmt.Errorf("there is no report in %s: does the program run on this node, with this --bird-dir?", folder)
	case r.Held == nil:
		_, err := fmt.Fprintln(stdout, "nothing is held back")
		return err
	}
	if err := report.Approve(folder, *r.Held); err != nil {
		return err
	}
	text := fmt.Sprintf("approved %s, held for %s: %s", r.Held.Hash, time.Since(r.Held.Since).Round(time.Second), r.Held)
	_, err = fmt.Fprintln(stdout, terminal.Line(text))
	return err
}
