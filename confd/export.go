package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"confd/backends"
	"confd/internal/settings"
)

// hiddenSecret stands for a secret's value. BIRD takes it for a password, so
// that what was exported can be rendered and checked.
const hiddenSecret = "hidden"

const exportHelp = `Write the resources that this node's configuration comes from, as YAML.

What was written is a datastore: confd --data FILE reads it and renders the same
files. The values of Secrets are replaced by "hidden" unless --secrets is given.`

// exportCommand is confd export.
func (p program) exportCommand() *cobra.Command {
	var secrets bool
	cmd := p.settingsCommand(settings.CommandExport, &cobra.Command{
		Use:   settings.CommandExport,
		Short: "Write the resources that this node's configuration comes from, as YAML",
		Long:  exportHelp,
	}, func(ctx context.Context, s settings.Settings) error {
		return export(ctx, s, exportOptions{node: s, secrets: secrets}, p.stdout)
	})
	cmd.Flags().BoolVar(&secrets, "secrets", false, "write the values of Secrets, too")
	return cmd
}

// export writes the live state to stdout, or to the file of --output.
func export(ctx context.Context, s settings.Settings, o exportOptions, stdout io.Writer) error {
	log := newLogger(s.Log)
	state, err := gatherOnce(ctx, s, log)
	if err != nil {
		return err
	}
	warnOfLoss(log, state)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by confd export for node %s.\n", s.Node)
	if err := writeState(&b, state, o); err != nil {
		return err
	}
	if s.Output == "" {
		_, err = stdout.Write(b.Bytes())
		return err
	}
	return writeOutput(s.Output, b.Bytes(), s.Templates.Mode)
}

// warnOfLoss names what is in the state and cannot be exported.
func warnOfLoss(log *slog.Logger, state *backends.State) {
	for _, key := range slices.SortedFunc(maps.Keys(state.Invalid), backends.Key.Compare) {
		log.Warn("not exported: it cannot be used", "object", key.String(), "error", state.Invalid[key])
	}
	if n := len(state.EndpointStatuses); n > 0 {
		log.Warn("local workloads are not part of the datastore, and not exported", "count", n)
	}
}

// exportOptions say how a state is written.
type exportOptions struct {
	// node are the settings of the node that the state is for: they say where
	// the Secrets are that it may read.
	node settings.Settings
	// secrets is set where the values of Secrets are written, too.
	secrets bool
}

// writeState writes a state's resources as YAML documents, which the file
// backend reads back to the same ones: sorted, so that the same state gives the
// same bytes. Of Secrets only those keys are written that hold the password of
// a session; without o.secrets, with another value. Endpoint statuses, and what
// cannot be used, are left out.
func writeState(w io.Writer, state *backends.State, o exportOptions) error {
	for _, r := range exported(state, o) {
		text, err := backends.Encode(r)
		if err != nil {
			return err
		}
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("%s: %w", r.ResourceKey(), err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

func exported(state *backends.State, o exportOptions) []backends.Resource {
	var all []backends.Resource
	all = appendResources(all, state.Nodes)
	all = appendResources(all, state.BGPConfigurations)
	all = appendResources(all, state.BGPPeers)
	all = appendResources(all, state.BGPFilters)
	all = appendResources(all, state.IPPools)
	all = appendResources(all, state.BlockAffinities)
	all = appendResources(all, state.FelixConfigurations)
	all = appendResources(all, state.Services)
	all = appendResources(all, state.EndpointSlices)
	all = appendResources(all, exportedSecrets(state, o))
	order := backends.Kinds()
	slices.SortFunc(all, func(a, b backends.Resource) int {
		x, y := a.ResourceKey(), b.ResourceKey()
		return cmp.Or(cmp.Compare(slices.Index(order, x.Kind), slices.Index(order, y.Kind)), x.Compare(y))
	})
	return all
}

func appendResources[K comparable, R backends.Resource](all []backends.Resource, table map[K]R) []backends.Resource {
	for _, r := range table {
		all = append(all, r)
	}
	return all
}

// exportedSecrets are the passwords that sessions have, and nothing else that
// stands beside them.
func exportedSecrets(state *backends.State, o exportOptions) map[backends.Key]*backends.Secret {
	out := map[backends.Key]*backends.Secret{}
	for _, ref := range passwordRefs(state) {
		key := backends.Key{Kind: backends.KindSecret, Namespace: o.node.Kubernetes.Namespace, Name: ref.Name}
		s, ok := state.Secrets[key]
		if !ok {
			continue
		}
		value, ok := s.Data[ref.Key]
		if !ok {
			continue
		}
		if !o.secrets {
			value = hiddenSecret
		}
		if out[key] == nil {
			out[key] = &backends.Secret{Namespace: s.Namespace, Name: s.Name, Data: map[string]string{}}
		}
		out[key].Data[ref.Key] = value
	}
	return out
}

func passwordRefs(state *backends.State) []backends.SecretKeyRef {
	var refs []backends.SecretKeyRef
	if c := state.BGPConfigurations["default"]; c != nil && c.NodeMeshPassword != nil {
		refs = append(refs, *c.NodeMeshPassword)
	}
	for _, p := range state.BGPPeers {
		if p.Password != nil {
			refs = append(refs, *p.Password)
		}
	}
	return refs
}
