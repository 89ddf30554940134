package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"confd/internal/settings"
	"confd/internal/version"
)

// program is what the command line drives, and what it writes to.
type program struct {
	about  version.Info
	around settings.Surroundings
	stdin  io.Reader // nil: nobody answers
	stdout io.Writer
	stderr io.Writer
	// run works until ctx ends, or once; render writes what run would.
	run    func(ctx context.Context, s settings.Settings) error
	render func(ctx context.Context, s settings.Settings, stdout io.Writer) error
	// table is of all settings, once for all commands.
	table flagTable
}

// The exit codes.
const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3 // what was looked for is there: a warning, or what --fail-on names
	exitErrors = 4 // confd doctor has found errors
)

// exitCode is what the process ends with: 0 good, 1 failed, 2 wrongly used.
func exitCode(err error) int {
	if err == nil {
		return exitGood
	}
	if child := (childEnded{}); errors.As(err, &child) {
		return child.code
	}
	if found := (foundError{}); errors.As(err, &found) {
		return found.code
	}
	if errors.As(err, new(settings.Error)) {
		return exitUsage
	}
	return exitFailed
}

// foundError says that something was found that somebody asked to be told of.
type foundError struct {
	code int
	text string
}

func (e foundError) Error() string { return e.text }

// childEnded says that the program, run as a child of process 1, has ended.
type childEnded struct{ code int }

// Error is one line.
func (e childEnded) Error() string {
	return fmt.Sprintf("as a child of process 1 it ended with %d (see above)", e.code)
}

// errNotAllUp gives the exit code; the output says what is wrong.
var errNotAllUp = errors.New("not all is as it should be (see above)")

// settingsCommand makes cmd one that has the settings of the named command, and
// gives them to do.
func (p program) settingsCommand(name string, cmd *cobra.Command, do func(context.Context, settings.Settings) error) *cobra.Command {
	flags, load := settings.Layer{}, settings.LoadForAnswer
	if name == settings.CommandRun {
		load = settings.Load
	}
	p.table.addFlags(cmd.Flags(), name, flags)
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := load(flags, p.around)
		if err != nil {
			return err
		}
		return do(cmd.Context(), s)
	}
	return cmd
}

// plainCommand prints a text and needs no settings.
func plainCommand(name, short string, text func() string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := io.WriteString(cmd.OutOrStdout(), text())
		return err
	}}
}
