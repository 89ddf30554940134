package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"confd/internal/doctor"
	"confd/internal/settings"
	"confd/internal/terminal"
)

// execute does what args (without the program's name) ask for, writes an error
// to stderr, and returns the exit code.
func (p program) execute(ctx context.Context, args []string) int {
	p.table = newTable()
	root := newRootCommand(p)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		p.setCompletions(root)
		var restore func()
		args, p.stdout, restore = completeOneDash(args, p.stdout)
		defer restore()
	}
	root.SetArgs(watchTime(twoDashes(p.table, args)))
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	if terminal.Is(p.stderr, p.around.LookupEnv) {
		ctx = terminal.WithProgress(ctx, p.stderr)
	}
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(p.stderr, "confd: "+terminal.Lines(err.Error()))
	}
	return exitCode(err)
}

// newRootCommand returns the tree of commands.
func newRootCommand(p program) *cobra.Command {
	run := func(ctx context.Context, s settings.Settings) error { return p.run(ctx, s) }
	root := p.settingsCommand(settings.CommandRun, &cobra.Command{
		Use:     "confd",
		Short:   "Keep BIRD's configuration in step with a Calico cluster",
		Long:    rootHelp,
		Example: rootExamples,
		Version: p.about.Version,
	}, run)
	addGroup(root, "Keep BIRD in step",
		p.settingsCommand(settings.CommandRun, &cobra.Command{
			Use:     settings.CommandRun,
			Short:   "Keep BIRD in step: what confd does without a command, too",
			Example: runExamples,
		}, run),
		p.statusCommand(),
		p.approveCommand(),
	)
	addGroup(root, "Ask about the cluster", p.explainCommand(), p.doctorCommand(), p.topologyCommand())
	addGroup(root, "Look before a change",
		p.planCommand(),
		p.diffCommand(),
		p.settingsCommand(settings.CommandRender, &cobra.Command{
			Use:     settings.CommandRender,
			Short:   "Print or write what BIRD would be given, and change nothing else",
			Example: renderExamples,
		}, func(ctx context.Context, s settings.Settings) error { return p.render(ctx, s, p.stdout) }),
		p.testCommand(),
	)
	addGroup(root, "More", p.exportCommand(), templatesCommand(), completionCommand(), p.versionCommand())
	root.AddCommand(docsCommand(root), p.manCommand())
	p.setHelp(root)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetVersionTemplate("confd {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	return root
}

// addGroup adds commands that belong together.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

func docsCommand(root *cobra.Command) *cobra.Command {
	cmd := plainCommand("docs", "Print the reference of commands and settings, in Markdown", func() string {
		return reference(root, settings.Table())
	})
	cmd.AddCommand(
		plainCommand("input", "Print the page about warnings, in Markdown", inputPage),
		plainCommand("doctor", "Print the page about what confd doctor finds, in Markdown", doctor.Page),
	)
	cmd.Hidden = true
	return cmd
}
