package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/internal/export"
	"confd/internal/settings"
)

const exportHelp = `Write the resources that this node's configuration comes from, as YAML.

What was written is a datastore: confd --data FILE reads it and renders the same
files. The values of Secrets are replaced by "hidden" unless --secrets is given, and those that
cannot be passwords by others that cannot.`

// exportCommand is confd export.
func (p program) exportCommand() *cobra.Command {
	var secrets bool
	cmd := p.settingsCommand(settings.CommandExport, &cobra.Command{
		Use:   settings.CommandExport,
		Short: "Write the resources that this node's configuration comes from, as YAML",
		Long:  exportHelp, Example: exportExamples,
	}, func(ctx context.Context, s settings.Settings) error {
		return exportLive(ctx, s, export.Options{Namespace: s.Kubernetes.Namespace, Secrets: secrets}, p.stdout)
	})
	cmd.Flags().BoolVar(&secrets, "secrets", false, "write the values of Secrets, too")
	return cmd
}

// exportLive writes the live state to stdout, or to the file of --output.
func exportLive(ctx context.Context, s settings.Settings, o export.Options, stdout io.Writer) error {
	log := newLogger(ctx, s.Log)
	state, err := gatherOnce(ctx, s, log)
	if err != nil {
		return err
	}
	warnOfLoss(log, state)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by confd export for node %s.\n", s.Node)
	if err := export.Write(&b, state, o); err != nil {
		return err
	}
	if s.Output == "" {
		_, err = stdout.Write(b.Bytes())
		return err
	}
	return writeOutput(s.Output, b.Bytes(), s.Templates.Mode)
}

// warnOfLoss names what is in the state and cannot be exported as it is.
func warnOfLoss(log *slog.Logger, state *backends.State) {
	for _, key := range slices.SortedFunc(maps.Keys(state.Invalid), backends.Key.Compare) {
		text := "not exported: it cannot be used"
		if _, stands := state.Get(key); stands {
			text = "it cannot be used: exported as what counts in its place"
		}
		log.Warn(text, "object", key.String(), "error", state.Invalid[key])
	}
	if n := len(state.EndpointStatuses); n > 0 {
		log.Warn("local workloads are not part of the datastore, and not exported", "count", n)
	}
}
