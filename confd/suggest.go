package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/backends"
	"confd/internal/settings"
)

// noArguments refuses what is neither a flag nor the name of a command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return settings.Error{Err: fmt.Errorf("%q: %s takes no arguments besides flags", args[0], cmd.CommandPath())}
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return settings.Error{Err: fmt.Errorf("unknown command %q%s (see %s --help)", args[0], didYouMean(args[0], names), cmd.CommandPath())}
}

// flagError is an error about flags, with what may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		hint = flagMeant(cmd, unknown.GetSpecifiedName())
	}
	return settings.Error{Err: fmt.Errorf("%w%s (see %s --help)", err, hint, cmd.CommandPath())}
}

// flagMeant is what to say of a flag that the command does not have: a command that
// has it, or a flag of a name that is near.
func flagMeant(cmd *cobra.Command, name string) string {
	var names, others []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	for _, c := range leafCommands(cmd.Root()) {
		if c.Flags().Lookup(name) != nil {
			others = append(others, c.CommandPath())
		}
	}
	if len(others) > 0 && len(others) <= 3 {
		return "; it is a flag of " + strings.Join(others, ", ")
	}
	return didYouMean("--"+name, names)
}

// checkWord refuses what is none of the words that a flag may be.
func checkWord(flag, text string, words ...string) error {
	if slices.Contains(words, text) {
		return nil
	}
	last := len(words) - 1
	return settings.Error{Err: fmt.Errorf("--%s: %q: expected %s or %s%s", flag, text, strings.Join(words[:last], ", "), words[last], didYouMean(text, words))}
}

// didYouMean is the end of a text about a name that is not there.
func didYouMean(name string, names []string) string {
	return backends.Guess(name, names)
}

// needArguments refuses any other number of arguments than names has.
func needArguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		given := "nothing"
		if len(args) > 0 {
			given = strings.Join(args, " ")
		}
		return settings.Error{Err: fmt.Errorf("%s needs %s; given: %s (see %s --help)", cmd.CommandPath(), strings.Join(names, " and "), given, cmd.CommandPath())}
	}
}

// leafCommands are the commands below c that do something, in order.
func leafCommands(c *cobra.Command) []*cobra.Command {
	var leaves []*cobra.Command
	for _, sub := range c.Commands() {
		switch {
		case !sub.IsAvailableCommand():
		case sub.HasSubCommands():
			leaves = append(leaves, leafCommands(sub)...)
		default:
			leaves = append(leaves, sub)
		}
	}
	return leaves
}
