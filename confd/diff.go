package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/backends/file"
	"confd/backends/workload"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/birdtext"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/reload"
)

// The states that have a name; any other one is a path.
const (
	sideLive = "live"
	sideDisk = "disk"
)

// diffOptions are the flags of confd diff that are no settings.
type diffOptions struct {
	from, to string
	exitCode bool
}

const diffHelp = `Show what would change on this node: each file as a unified diff, with
passwords hidden, and what that means for sessions and routes.

--from and --to name states: a YAML file or a folder of them (as confd export,
calicoctl and kubectl write them), "live" for the datastore that the settings
name, or, for --from, "disk" for the files that BIRD has now. Without either,
the files that BIRD has are compared with the live datastore.`

// diffCommand is confd diff.
func (p program) diffCommand() *cobra.Command {
	var o diffOptions
	flags := settings.Layer{}
	cmd := &cobra.Command{
		Use:   settings.CommandDiff,
		Short: "Show what would change on this node, or between two states of the cluster",
		Long:  diffHelp,
		Args:  noArguments,
	}
	f := cmd.Flags()
	addFlags(f, settings.CommandDiff, flags)
	f.StringVar(&o.from, "from", "", "state before: disk, live, or a path of YAML (default: live where --to is given, else disk)")
	f.StringVar(&o.to, "to", sideLive, "state after: live, or a path of YAML")
	f.BoolVar(&o.exitCode, "exit-code", false, "end with 1 where something differs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.from == "" {
			o.from = sideDisk
			if cmd.Flags().Changed("to") {
				o.from = sideLive
			}
		}
		s, err := diffSettings(flags, p.around, o)
		if err != nil {
			return err
		}
		w := diffWriter{w: p.stdout, colours: isTerminal(p.stdout, p.around.LookupEnv)}
		return runDiff(cmd.Context(), s, o, w)
	}
	return cmd
}

// diffSettings reads the settings. Where no state is the live one, nobody needs
// to say how to reach a datastore.
func diffSettings(flags settings.Layer, around settings.Surroundings, o diffOptions) (settings.Settings, error) {
	if o.to == sideDisk {
		return settings.Settings{}, settings.Error{Err: errors.New("--to: disk: only --from can be what BIRD has now")}
	}
	if o.from != sideLive && o.to != sideLive {
		flags = settings.Merged(flags, settings.Layer{"datastore": settings.Given{Text: string(settings.DatastoreFile), From: "--to"}, "data": settings.Given{Text: o.to, From: "--to"}})
	}
	return settings.Load(flags, around)
}

// runDiff prints how the one state becomes the other.
func runDiff(ctx context.Context, s settings.Settings, o diffOptions, w diffWriter) error {
	log := newLogger(s.Log)
	n, err := newNode(s, log)
	if err != nil {
		return err
	}
	d, err := birds.Find(ctx, s.BIRD)
	if err != nil {
		return err
	}
	to, err := newSide(ctx, n, d, o.to, log)
	if err != nil {
		return err
	}
	n.logProblems(to.config.Problems)
	var from side
	if o.from == sideDisk {
		from, err = diskSide(to.sets)
	} else {
		from, err = newSide(ctx, n, d, o.from, log)
	}
	if err != nil {
		return err
	}
	different := w.files(from, to)
	if different > 0 {
		w.summary(compareSides(from, to, d.Version.Major))
	}
	if w.err == nil && o.exitCode && different > 0 {
		return fmt.Errorf("%d of %d files differ", different, to.count())
	}
	return w.err
}

// side is one of the two states, as this node's files.
type side struct {
	name string
	// config is nil for what is on disk.
	config *bgp.Config
	sets   []reload.Set
}

func (s side) count() int {
	n := 0
	for _, set := range s.sets {
		n += len(set.Files)
	}
	return n
}

// newSide renders a state.
func newSide(ctx context.Context, n *node, d birds.Daemons, name string, log *slog.Logger) (side, error) {
	out := side{name: name}
	state, err := sideState(ctx, n.settings, name, log)
	if err != nil {
		return out, err
	}
	if out.config, err = n.Compute(state); err != nil {
		return out, fmt.Errorf("state %s: %w", name, err)
	}
	files, err := n.Render(ctx, out.config, state, d.Version)
	if err != nil {
		return out, fmt.Errorf("state %s: %w", name, err)
	}
	out.sets = n.Sets(files, d)
	return out, nil
}

// sideState reads a state: the live one, or what is in files, together with
// this node's local workloads.
func sideState(ctx context.Context, s settings.Settings, name string, log *slog.Logger) (*backends.State, error) {
	if name == sideLive {
		return gatherOnce(ctx, s, log)
	}
	events, err := file.Load(ctx, []string{name}, log)
	if err != nil {
		return nil, settings.Error{Err: fmt.Errorf("state %s: %w", name, err)}
	}
	workloads, err := workload.Load(ctx, filepath.Join(s.BGP.EndpointStatusPrefix, "endpoint-status"))
	if err != nil {
		return nil, err
	}
	state := backends.NewState()
	for _, e := range append(events, workloads...) {
		if e.Key.Kind == file.KindFile && e.Err != nil {
			return nil, settings.Error{Err: fmt.Errorf("state %s: %s: %w", name, e.Key, e.Err)}
		}
		state.Apply(e)
	}
	return state, nil
}

// diskSide reads what is in the place of the files of sets now.
func diskSide(sets []reload.Set) (side, error) {
	out := side{name: sideDisk}
	for _, s := range sets {
		s.Files = slices.Clone(s.Files)
		for i, f := range s.Files {
			data, err := os.ReadFile(f.Dest)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return out, fmt.Errorf("reading what BIRD has: %w", err)
			}
			s.Files[i].Data = data
		}
		out.sets = append(out.sets, s)
	}
	return out, nil
}

// compareSides says what differs in the words of the model. Of what is on disk
// only the text is known.
func compareSides(from, to side, bird int) bgp.Changes {
	if from.config == nil {
		return birdtext.Compare(plan.Texts(from.sets), plan.Texts(to.sets), bird)
	}
	return bgp.Compare(from.config, to.config, bird)
}

// diffWriter prints, until the first error.
type diffWriter struct {
	w       io.Writer
	colours bool
	err     error
}

func (d *diffWriter) print(text string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.w, text)
	}
}

// files prints the diff of each file, and says how many differ. Both sides have
// the same files: they come from the same templates.
func (d *diffWriter) files(from, to side) (different int) {
	for i, set := range to.sets {
		for j, f := range set.Files {
			old := from.sets[i].Files[j]
			text := diffTexts(f.Dest+" ("+from.name+")", string(old.Data), f.Dest+" ("+to.name+")", string(f.Data))
			if text == "" {
				continue
			}
			different++
			if d.colours {
				text = coloured(text)
			}
			d.print(text)
		}
	}
	return different
}

// summary prints what the difference means, with names.
func (d *diffWriter) summary(c bgp.Changes) {
	d.print(fmt.Sprintf("\n%s\n", c))
	for _, s := range c.Sessions() {
		d.list("sessions "+s.How, s.Names)
	}
	for _, f := range c.Families {
		family := fmt.Sprintf("IPv%d ", f.Version)
		d.list(family+"static routes gained", texts(f.StaticsGained, routeText))
		d.list(family+"static routes lost", texts(f.StaticsLost, routeText))
		d.list(family+"blocks gained", texts(f.BlocksGained, netip.Prefix.String))
		d.list(family+"blocks lost", texts(f.BlocksLost, netip.Prefix.String))
	}
}

func (d *diffWriter) list(title string, names []string) {
	const most = 20
	if len(names) == 0 {
		return
	}
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += fmt.Sprintf(", and %d more", len(names)-most)
	}
	d.print(fmt.Sprintf("  %s: %s\n", title, text))
}

func texts[T any](list []T, text func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = text(x)
	}
	return out
}

func routeText(r bgp.StaticRoute) string {
	if r.Via.IsValid() {
		return fmt.Sprintf("%s via %s", r.Net, r.Via)
	}
	return fmt.Sprintf("%s blackhole", r.Net)
}
