package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/backends/etcd"
	"confd/backends/kubernetes"
	"confd/internal/fleet"
	"confd/internal/settings"
	"confd/internal/terminal"
)

// fleetApproval is what confd approve --all-nodes has besides.
type fleetApproval struct {
	fleetFlags
	ids      []string
	from     string
	yes      bool
	dryRun   bool
	withdraw bool
}

func (f *fleetApproval) add(cmd *cobra.Command) {
	f.fleetFlags.add(cmd, "approve on all nodes that hold the change back, by an annotation in the datastore")
	flags := cmd.Flags()
	flags.StringSliceVar(&f.ids, "id", nil, "with --all-nodes: ID of the change that is meant; needed where several are held back")
	flags.StringVar(&f.from, "from", "", "with --all-nodes: file with what confd status --all-nodes --output json has said (-: standard input), instead of asking the nodes")
	flags.BoolVarP(&f.yes, "yes", "y", false, "with --all-nodes: do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --all-nodes: say what would be approved, and change nothing")
	flags.BoolVar(&f.withdraw, "withdraw", false, "with --all-nodes: take the annotation away, when the nodes have let the change go")
}

// approvedOn is the object that approvals are written to.
func approvedOn() backends.Key {
	return backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
}

// approveFleet is confd approve --all-nodes.
func (p program) approveFleet(ctx context.Context, flags settings.Layer, f *fleetApproval) error {
	s, err := fleetSettings(flags, p.around)
	if err != nil {
		return err
	}
	if s.Datastore == settings.DatastoreFile {
		return settings.Error{Err: errors.New("--all-nodes approves in a live datastore, and --data names files")}
	}
	state, err := storedAlone(ctx, s, newLogger(ctx, s.Log))
	if err != nil {
		return err
	}
	before := state.BGPConfigurations[approvedOn().Name]
	if f.withdraw {
		return p.withdraw(ctx, s, before, f)
	}
	changes, nodes, err := f.held(ctx, s, state, p.stdin)
	if err != nil {
		return err
	}
	chosen, err := fleet.Approvable(changes, f.ids)
	if err != nil {
		return settings.Error{Err: err}
	}
	page := terminal.PageFor(p.stdout, p.around.LookupEnv)
	approvalText(page, chosen, changes, nodes)
	if _, err := io.WriteString(p.stdout, page.String()); err != nil || len(chosen) == 0 {
		return err
	}
	if before == nil {
		return fmt.Errorf("there is no %s to put the annotation on: annotate one of the objects that are the reason: %s=%s", approvedOn(), backends.AnnotationApproved, chosen[0].ID)
	}
	ids := before.Intent.ApprovedIDs()
	for _, c := range chosen {
		if !slices.Contains(ids, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return p.write(ctx, s, f, strings.Join(ids, ","),
		"approved: the nodes let it go within seconds. When they have (confd status --all-nodes): confd approve --all-nodes --withdraw")
}

// write sets the annotation, or says that it would.
func (p program) write(ctx context.Context, s settings.Settings, f *fleetApproval, value, done string) error {
	what := fmt.Sprintf("%s gets the annotation %s=%s", approvedOn(), backends.AnnotationApproved, value)
	if value == "" {
		what = fmt.Sprintf("%s loses the annotation %s", approvedOn(), backends.AnnotationApproved)
	}
	if f.dryRun {
		_, err := fmt.Fprintln(p.stdout, terminal.Line("would be done: "+what))
		return err
	}
	if err := p.confirm(terminal.Line(what), f); err != nil {
		return err
	}
	if err := annotate(ctx, s, value); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, done)
	return err
}

// errNotConfirmed is of somebody who does not say yes.
var errNotConfirmed = errors.New("nothing was changed: nobody said yes")

// confirm asks whether that is to be done.
func (p program) confirm(what string, f *fleetApproval) error {
	if f.yes {
		return nil
	}
	if p.stdin == nil || f.from == "-" {
		return settings.Error{Err: errors.New("nobody can be asked: give --yes, or --dry-run")}
	}
	if _, err := fmt.Fprintf(p.stdout, "%s\nApprove? [y/N] ", what); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))) {
		return errNotConfirmed
	}
	return nil
}

// annotate writes the annotation; empty takes it away.
func annotate(ctx context.Context, s settings.Settings, value string) error {
	if s.Datastore == settings.DatastoreEtcd {
		return etcd.Annotate(ctx, etcdServer(s), approvedOn(), backends.AnnotationApproved, value)
	}
	w, err := kubernetes.NewWriter(apiServer(s))
	if err != nil {
		return settings.Error{Err: err}
	}
	defer w.Close()
	return w.Annotate(ctx, approvedOn(), backends.AnnotationApproved, value)
}

func (p program) withdraw(ctx context.Context, s settings.Settings, before *backends.BGPConfiguration, f *fleetApproval) error {
	if before == nil || before.Intent.Approved == "" {
		_, err := fmt.Fprintln(p.stdout, "there is nothing to withdraw: nothing is approved on "+approvedOn().String())
		return err
	}
	return p.write(ctx, s, f, "", "withdrawn: "+terminal.Line(before.Intent.Approved))
}

// held are the changes that are held back, and what is known of all nodes.
func (f *fleetApproval) held(ctx context.Context, s settings.Settings, state *backends.State, stdin io.Reader) ([]fleet.Change, fleet.Totals, error) {
	if f.from == "" {
		v, err := f.ask(ctx, s, fleet.Targets(state.Nodes), fleet.Options{})
		if err != nil {
			return nil, fleet.Totals{}, err
		}
		return v.Changes, v.Totals, nil
	}
	return f.saidBefore(stdin)
}

// saidBefore is held, from what confd status has said.
func (f *fleetApproval) saidBefore(stdin io.Reader) ([]fleet.Change, fleet.Totals, error) {
	text, err := readFrom(f.from, stdin)
	if err != nil {
		return nil, fleet.Totals{}, fmt.Errorf("--from: %w", err)
	}
	var v fleet.View
	if err := json.Unmarshal(text, &v); err != nil || v.Totals.States == nil {
		return nil, fleet.Totals{}, settings.Error{Err: fmt.Errorf("--from: %s holds nothing that confd status --all-nodes --output json has said", f.from)}
	}
	return v.Changes, v.Totals, nil
}

// mostFrom bounds what is read of what nodes have said: 2 kB of a node are much.
const mostFrom = 256 << 20

func readFrom(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" && stdin != nil {
		return io.ReadAll(io.LimitReader(stdin, mostFrom))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, mostFrom))
}

// approvalText says what would be approved, and what not.
func approvalText(p *terminal.Page, chosen, all []fleet.Change, t fleet.Totals) {
	if len(chosen) == 0 {
		p.Text(0, terminal.Plain, "nothing is held back that could be approved for all nodes")
	}
	for _, c := range chosen {
		c.Text(p, 0)
		p.Text(2, terminal.Plain, fmt.Sprintf("%d of %d nodes do not hold it back", t.Nodes-len(c.Nodes)-t.States[fleet.Silent], t.Nodes))
	}
	if n := t.States[fleet.Silent]; n > 0 {
		p.Text(0, terminal.Odd, fmt.Sprintf("%d of %d nodes did not answer: what has the same ID there is approved, too, as long as the annotation stays", n, t.Nodes))
	}
	for _, c := range all {
		if c.Trial {
			p.Text(0, terminal.Odd, fmt.Sprintf("%s has failed its trial on %d nodes: that is approved on each of them, by confd approve there", c.ID, len(c.Nodes)))
		}
	}
}
