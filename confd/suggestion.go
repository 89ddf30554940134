package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/backends"
	"confd/internal/settings"
)

const (
	noFiles   = cobra.ShellCompDirectiveNoFileComp
	anyFile   = cobra.ShellCompDirectiveDefault
	anyFolder = cobra.ShellCompDirectiveFilterDirs
)

// completionTime is how long somebody who presses a key may wait for names from the
// datastore.
const completionTime = 2 * time.Second

// completion is a word that is being typed.
type completion struct {
	program program
	cmd     *cobra.Command
	args    []string // before it, without flags
	typed   string
}

// state reads the cluster's state from where the flags of the command line say, in a
// time that somebody waits for; nil: it cannot be read.
func (c completion) state() (*backends.State, settings.Settings) {
	s, err := settings.Load(c.flags(), c.program.around)
	if err != nil {
		return nil, s
	}
	s.AllNodes, s.Timing.SyncTimeout = true, completionTime
	ctx, cancel := context.WithTimeout(c.cmd.Context(), completionTime)
	defer cancel()
	state, err := storedAlone(ctx, s, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, s
	}
	return state, s
}

// flags are the settings that the line gives.
func (c completion) flags() settings.Layer {
	flags := settings.Layer{}
	c.cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := f.Value.(flagText); ok {
			maps.Copy(flags, v.into)
		}
	})
	for name, given := range flags { // cobra reads flags twice, and lists grow
		if s := settings.Kind(c.cmd.Flags().Lookup(name).Value.Type()).Separator(); s != "" {
			items := strings.Split(given.Text, s)
			slices.Sort(items)
			given.Text = strings.Join(slices.Compact(items), s)
			flags[name] = given
		}
	}
	return flags
}

// suggestion is a word that may be meant, and what to say of it.
type suggestion struct{ word, about string }

// suggester finds what may be meant. files says what the shell does besides.
type suggester struct {
	find  func(completion) []suggestion
	files cobra.ShellCompDirective
	list  bool // several words may stand there, with commas between them
	open  bool // more of the same word follows
}

// oneOf suggests fixed words.
func oneOf(words ...string) func(completion) []suggestion {
	return func(completion) []suggestion {
		out := make([]suggestion, len(words))
		for i, w := range words {
			out[i].word = w
		}
		return out
	}
}
