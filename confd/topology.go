package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"confd/internal/explain"
	"confd/internal/settings"
	"confd/internal/terminal"
	"confd/internal/topology"
)

const topologyHelp = `Draw who speaks BGP with whom: as SVG, as one HTML page that needs nothing else
(zoom, search, colours, what each session is there for), or as text for Graphviz,
Mermaid or another program. Route reflectors stand above their clients; a full mesh
is a ring with a count. Sessions of this node that BIRD says are down are red.`

// topologyOptions are the flags of confd topology that are no settings.
type topologyOptions struct{ format, file, groupBy string }

// topologyCommand is confd topology.
func (p program) topologyCommand() *cobra.Command {
	var o topologyOptions
	flags := settings.Layer{}
	cmd := &cobra.Command{
		Use: settings.CommandTopology, Short: "Draw the cluster's BGP sessions: SVG, HTML, DOT, Mermaid or JSON",
		Long: topologyHelp, Example: topologyExamples, Args: noArguments,
	}
	f := cmd.Flags()
	p.table.addFlags(f, settings.CommandTopology, flags)
	f.StringVar(&o.format, "format", "", "svg, html, dot, mermaid or json (default: as --output ends, else svg)")
	f.StringVarP(&o.file, "output", "o", "", "file to write (default standard output)")
	f.StringVar(&o.groupBy, "group-by", "", "label of nodes to put them together by, such as topology.kubernetes.io/zone (default: their AS)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.complete(); err != nil {
			return settings.Error{Err: err}
		}
		s, err := settings.LoadForAnswer(flags, p.around)
		if err != nil {
			return err
		}
		return p.runTopology(cmd.Context(), s, o)
	}
	return cmd
}

// complete finds out which format is meant.
func (o *topologyOptions) complete() error {
	if o.format == "" {
		o.format = strings.TrimPrefix(filepath.Ext(o.file), ".")
		switch o.format {
		case "":
			o.format = topology.FormatSVG
		case "gv":
			o.format = topology.FormatDOT
		case "mmd":
			o.format = topology.FormatMermaid
		case "htm":
			o.format = topology.FormatHTML
		}
	}
	return checkWord("format", o.format, topology.Formats()...)
}

func (p program) runTopology(ctx context.Context, s settings.Settings, o topologyOptions) error {
	g, err := topologyOf(ctx, s, o.groupBy)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := g.Write(&b, o.format); err != nil {
		return err
	}
	if o.file == "" {
		_, err := p.stdout.Write(b.Bytes())
		return err
	}
	if err := renameio.WriteFile(o.file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the picture: %w", pathError(err))
	}
	return nil
}

// pathError leaves the names of files that are made on the way out of an error.
func pathError(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", filepath.Dir(p.Path), p.Err)
	}
	return err
}

// topologyOf reads the cluster, and asks this node's BIRDs.
func topologyOf(ctx context.Context, s settings.Settings, groupBy string) (*topology.Graph, error) {
	state, err := wholeState(ctx, s, newLogger(ctx, s.Log))
	if err != nil {
		return nil, err
	}
	o := topology.Options{BGP: s.Plan().BGP, GroupBy: groupBy}
	if state.Nodes[s.Node] != nil {
		if live := askBirds(ctx, s.BIRD, birdQuestion{anothers: explain.New(state, o.BGP).IsAnothers}); live != nil {
			o.Live = map[string]string{}
			for _, x := range live.Sessions {
				if !x.Up {
					o.Live[x.Name] = x.Info
				}
			}
		}
	}
	defer terminal.Waiting(ctx, fmt.Sprintf("drawing %d nodes", len(state.Nodes)))()
	return topology.Of(ctx, state, o)
}
