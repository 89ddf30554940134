package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/internal/doctor"
	"confd/internal/settings"
	"confd/internal/terminal"
	"confd/internal/version"
)

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
}

// execute does what args (without the program's name) ask for, writes an error
// to stderr, and returns the exit code.
func (p program) execute(ctx context.Context, args []string) int {
	root := newRootCommand(p)
	root.SetArgs(watchTime(twoDashes(settings.Table(), args)))
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
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
		Version: p.about.Version,
	}, run)
	root.AddCommand(
		p.settingsCommand(settings.CommandRender, &cobra.Command{
			Use:   settings.CommandRender,
			Short: "Print or write what BIRD would be given, and change nothing else",
		}, func(ctx context.Context, s settings.Settings) error { return p.render(ctx, s, p.stdout) }),
		p.settingsCommand(settings.CommandRun, &cobra.Command{
			Use:   settings.CommandRun,
			Short: "Keep BIRD in step: what confd does without a command, too",
		}, run),
		p.statusCommand(),
		p.approveCommand(),
		p.diffCommand(),
		p.explainCommand(),
		p.doctorCommand(),
		p.planCommand(),
		p.topologyCommand(),
		p.exportCommand(),
		p.testCommand(),
		templatesCommand(),
		p.versionCommand(),
		completionCommand(),
		docsCommand(root),
		p.manCommand(),
	)
	root.SetHelpCommand(helpCommand(root))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetVersionTemplate("confd {{.Version}}\n")
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return settings.Error{Err: fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	})
	return root
}

// settingsCommand makes cmd one that has the settings of the named command, and
// gives them to do.
func (p program) settingsCommand(name string, cmd *cobra.Command, do func(context.Context, settings.Settings) error) *cobra.Command {
	flags := settings.Layer{}
	addFlags(cmd.Flags(), name, flags)
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := settings.Load(flags, p.around)
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

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: "help [command]", Short: "Explain a command", RunE: func(_ *cobra.Command, args []string) error {
		about, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 {
			return noArguments(root, args)
		}
		about.InitDefaultHelpFlag()
		about.InitDefaultVersionFlag()
		return about.Help()
	}}
}

// noArguments refuses what is neither a flag nor the name of a command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return settings.Error{Err: fmt.Errorf("%q: %s takes no arguments besides flags", args[0], cmd.CommandPath())}
	}
	return settings.Error{Err: fmt.Errorf("unknown command %q (see %s --help)", args[0], cmd.CommandPath())}
}

// flagText collects a flag's text, unread, for settings.Load.
type flagText struct {
	setting settings.Setting
	flag    string
	into    settings.Layer
}

// Set keeps the text; of a list it keeps all that are given.
func (f flagText) Set(text string) error {
	if old, ok := f.into[f.setting.Name]; ok && f.setting.Kind().Separator() != "" {
		text = old.Text + f.setting.Kind().Separator() + text
	}
	f.into[f.setting.Name] = settings.Given{Text: text, From: "--" + f.flag}
	return nil
}

// String is empty: the default is part of the help text.
func (f flagText) String() string { return "" }

// Type names the kind, as help prints it after the flag.
func (f flagText) Type() string { return string(f.setting.Kind()) }

// addFlags adds the flags that the named command has. What is given goes to into.
func addFlags(flags *pflag.FlagSet, command string, into settings.Layer) {
	flags.SortFlags = false
	for _, s := range settings.Table() {
		if !s.HasFlag(command) {
			continue
		}
		help := s.Help
		if d := s.DefaultText(); d != "" && s.Kind() != settings.KindBool {
			help += " (default: " + d + ")"
		}
		if s.Env != "" {
			help += " [" + strings.Join(s.Envs(), ", ") + "]"
		}
		addFlag(flags, flagText{s, s.Name, into}, s.Short, help)
		if s.Alias != "" {
			addFlag(flags, flagText{s, s.Alias, into}, "", "the same as --"+s.Name)
		}
	}
}

func addFlag(flags *pflag.FlagSet, value flagText, short, help string) {
	f := flags.VarPF(value, value.flag, short, help)
	if value.setting.Kind() == settings.KindBool {
		f.NoOptDefVal = "true"
	}
}

// twoDashes gives long flags with one dash their second one. Both forms are in
// use: manifests have -confdir, for example.
func twoDashes(table []settings.Setting, args []string) []string {
	takesValue, shorts := map[string]bool{"help": false, "version": false}, "hv"
	for _, s := range table {
		takesValue[s.Name] = s.Kind() != settings.KindBool
		if s.Alias != "" {
			takesValue[s.Alias] = takesValue[s.Name]
		}
		if s.Short != "" {
			takesValue[s.Short] = takesValue[s.Name]
			shorts += s.Short
		}
	}
	args = slices.Clone(args)
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			break
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		value, known := takesValue[name]
		dashes := len(args[i]) - len(strings.TrimLeft(args[i], "-"))
		if dashes == 1 && len(name) > 1 && (known || !strings.Contains(shorts, name[:1])) {
			args[i] = "-" + args[i]
		}
		if dashes > 0 && known && value && !hasValue {
			i++ // the next one is its value, whatever it looks like
		}
	}
	return args
}

// usage prints how to call cmd, its commands, and its flags by group.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-10s %s\n", c.Name(), c.Short)
			}
		}
	}
	for _, group := range append(settings.Groups(), "") {
		flags := groupFlags(cmd.Flags(), group)
		title := group
		if group == "" {
			title = "Other"
		}
		if flags.HasFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s", title, flags.FlagUsages())
		}
	}
	_, err := io.WriteString(cmd.OutOrStdout(), b.String())
	return err
}

// groupFlags picks the flags of one group; flags that are no settings have none.
func groupFlags(all *pflag.FlagSet, group string) *pflag.FlagSet {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	some.SortFlags = false
	all.VisitAll(func(f *pflag.Flag) {
		own := ""
		if v, ok := f.Value.(flagText); ok {
			own = v.setting.Group
		}
		if own == group {
			some.AddFlag(f)
		}
	})
	return some
}
