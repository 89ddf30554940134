package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/diff"
	"confd/internal/forecast"
	"confd/internal/settings"
	"confd/internal/terminal"
)

const planHelp = `Say what a change of resources would do across the cluster, before it is made: per
node, and nodes together of which the same becomes. Sessions that are added,
removed, remade (they go down and come up again) or refiltered; routes that peers
would not be told of any more; nodes left without a session; where the guard would
hold the change; and what confd doctor would find that it does not find now.

The change is laid over the live state, or over that of --data: what is not in it
stays. Nothing is changed.

--fail-on has it end with 3 where the change does one of these:
  session-loss    sessions are removed whose peers stay
  session-remade  sessions go down and come up again
  isolated-node   a node has no session left
  route-loss      peers are not told of routes any more
  held            the guard would hold it back
  new-error       confd doctor would find another error
  new-warning     or another warning`

// proposal is what confd plan is asked about.
type proposal struct{ files, deleted []string }

// planCommand is confd plan.
func (p program) planCommand() *cobra.Command {
	var c proposal
	var failOn []string
	cmd := p.askCommand(settings.CommandPlan, &cobra.Command{
		Use: settings.CommandPlan, Short: "Say what a change of resources would do across the cluster, before it is made", Long: planHelp, Example: planExamples, Args: noArguments,
	}, func(ctx context.Context, s settings.Settings, _ []string) (answer, error) {
		conditions, err := forecast.ParseConditions(failOn)
		if err != nil {
			return nil, settings.Error{Err: fmt.Errorf("--fail-on: %w", err)}
		}
		report, err := foresee(ctx, s, c)
		if err != nil {
			return nil, err
		}
		if fails := report.Fails(conditions); len(fails) > 0 {
			return report, foundError{exitFound, "the change does what it must not: " + strings.Trim(fmt.Sprint(fails), "[]")}
		}
		return report, nil
	})
	f := cmd.Flags()
	f.StringSliceVarP(&c.files, "filename", "f", nil, "files of resources that would be created or changed, and folders of them")
	f.StringSliceVar(&c.deleted, "delete", nil, "resources that would be deleted: KIND/NAME, or KIND/NAMESPACE/NAME")
	f.StringSliceVar(&failOn, "fail-on", nil, "what the change must not do: session-loss, session-remade, isolated-node, route-loss, held, new-error, new-warning")
	return cmd
}

// foresee reads both states, and compares them.
func foresee(ctx context.Context, s settings.Settings, c proposal) (*forecast.Report, error) {
	if len(c.files)+len(c.deleted) == 0 {
		return nil, settings.Error{Err: errors.New("there is no change to look at: give -f, --delete, or both")}
	}
	log := newLogger(ctx, s.Log)
	events, err := changeEvents(ctx, c.files, log)
	if err != nil {
		return nil, err
	}
	deleted, err := deletedKeys(c.deleted, events)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	beside := backends.NewState()
	apply(beside, events)
	before, err := liveState(s, log)(ctx, diff.Wanted{AllNodes: true, Beside: beside})
	if err != nil {
		return nil, err
	}
	after := before.Clone()
	apply(after, events)
	for _, key := range deleted {
		if _, there := before.Get(key); !there && before.Invalid[key] == nil {
			return nil, fmt.Errorf("--delete: there is no %s", key)
		}
		after.Apply(backends.Event{Key: key})
	}
	q := forecast.Question{Before: before, After: after, Options: s.Plan().BGP, BIRD: 2, Now: time.Now()}
	if d, err := birds.Find(ctx, s.BIRD); err == nil {
		q.BIRD = d.Version.Major
		q.Deaf = deafNeighbors(ctx, s, q, d.Sockets(), log)
	}
	defer terminal.Waiting(ctx, fmt.Sprintf("comparing %d nodes", len(before.Nodes)))()
	return forecast.Forecast(ctx, q)
}

// deafNeighbors asks this machine's BIRD, where import filters change and the templates
// are the built-in ones, which neighbors of the node cannot send their routes again; nil:
// that is not known.
func deafNeighbors(ctx context.Context, s settings.Settings, q forecast.Question, sockets []string, log *slog.Logger) map[string]bool {
	if len(q.Reasked()) == 0 {
		return nil
	}
	if n, err := newNode(s, log); err != nil || !n.Templates.BuiltIn {
		return nil
	}
	cfg, err := bgp.Compute(q.Before, q.Options)
	if err != nil {
		return nil
	}
	if deaf := diff.Deaf(cfg, sessionsAt(ctx, sockets)); len(deaf) > 0 {
		return deaf
	}
	return nil
}

// changeEvents reads the change. A document that cannot be read is an error.
func changeEvents(ctx context.Context, files []string, log *slog.Logger) ([]backends.Event, error) {
	if len(files) == 0 {
		return nil, nil
	}
	events, err := file.Load(ctx, files, log)
	if err != nil {
		return nil, settings.Error{Err: fmt.Errorf("-f: %w", err)}
	}
	for _, e := range events {
		if e.Key.Kind == backends.KindFile && e.Err != nil {
			return nil, settings.Error{Err: fmt.Errorf("-f: %s: %w", e.Key, e.Err)}
		}
	}
	return events, nil
}

func apply(s *backends.State, events []backends.Event) {
	for _, e := range events {
		s.Apply(e)
	}
}

// deletedKeys reads what --delete names, which must not be among what -f has.
func deletedKeys(texts []string, events []backends.Event) ([]backends.Key, error) {
	var keys []backends.Key
	for _, text := range texts {
		key, err := keyOf(text)
		if err != nil {
			return nil, fmt.Errorf("--delete: %w", err)
		}
		if slices.ContainsFunc(events, func(e backends.Event) bool { return e.Key == key }) {
			return nil, fmt.Errorf("%s is in the files of -f and in --delete: it cannot be both", key)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// keyOf reads KIND/NAME, or KIND/NAMESPACE/NAME.
func keyOf(text string) (backends.Key, error) {
	parts := strings.Split(text, "/")
	kinds := backends.Kinds()
	i := slices.IndexFunc(kinds, func(k backends.Kind) bool { return strings.EqualFold(string(k), parts[0]) })
	switch {
	case len(parts) != 2 && len(parts) != 3 || slices.Contains(parts, ""):
		return backends.Key{}, fmt.Errorf("%q: expected KIND/NAME, or KIND/NAMESPACE/NAME", text)
	case i < 0:
		var names []string
		for _, k := range kinds {
			names = append(names, string(k))
		}
		return backends.Key{}, fmt.Errorf("%q: no kind that confd reads is called %s%s", text, parts[0], didYouMean(parts[0], names))
	}
	key := backends.Key{Kind: kinds[i], Name: parts[len(parts)-1]}
	if len(parts) == 3 {
		key.Namespace = parts[1]
	}
	return key, nil
}
