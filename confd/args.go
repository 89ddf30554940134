package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
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
	// table is of all settings, once for all commands.
	table []*tableRow
}

// tableRow is a setting, and what each command that has its flag needs of it.
type tableRow struct {
	settings.Setting
	kind settings.Kind
	help string
}

func newTable() []*tableRow {
	var table []*tableRow
	for _, s := range settings.Table() {
		table = append(table, &tableRow{s, s.Kind(), helpText(s)})
	}
	return table
}

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

// settingsCommand makes cmd one that has the settings of the named command, and
// gives them to do.
func (p program) settingsCommand(name string, cmd *cobra.Command, do func(context.Context, settings.Settings) error) *cobra.Command {
	flags, load := settings.Layer{}, settings.LoadForAnswer
	if name == settings.CommandRun {
		load = settings.Load
	}
	p.addFlags(cmd.Flags(), name, flags)
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

// flagText collects a flag's text, unread, for settings.Load.
type flagText struct {
	setting *tableRow
	flag    string
	into    settings.Layer
}

// Set keeps the text; of a list it keeps all that are given.
func (f flagText) Set(text string) error {
	if old, ok := f.into[f.setting.Name]; ok && f.setting.kind.Separator() != "" {
		text = old.Text + f.setting.kind.Separator() + text
	}
	f.into[f.setting.Name] = settings.Given{Text: text, From: "--" + f.flag}
	return nil
}

// String is empty: the default is part of the help text.
func (f flagText) String() string { return "" }

// Type names the kind, as help prints it after the flag.
func (f flagText) Type() string { return string(f.setting.kind) }

// addFlags adds the flags that the named command has. What is given goes to into.
func (p program) addFlags(flags *pflag.FlagSet, command string, into settings.Layer) {
	for _, s := range p.table {
		if !s.HasFlag(command) {
			continue
		}
		addFlag(flags, flagText{s, s.Name, into}, s.Short, s.help)
		if s.Alias != "" {
			addFlag(flags, flagText{s, s.Alias, into}, "", "the same as --"+s.Name)
		}
	}
}

// helpText is all that there is to say of a setting in a line.
func helpText(s settings.Setting) string {
	help := s.Help
	if d := s.DefaultText(); d != "" && (s.Kind() != settings.KindBool || d == "true") {
		help += " (default: " + d + ")"
	}
	if s.Env != "" {
		help += " [" + strings.Join(s.Envs(), ", ") + "]"
	}
	return help
}

func addFlag(flags *pflag.FlagSet, value flagText, short, help string) {
	f := flags.VarPF(value, value.flag, short, help)
	if value.setting.kind == settings.KindBool {
		f.NoOptDefVal = "true"
	}
}

// ownShorts are the letters of flags that are no settings: of -f, say, whose value may
// follow at once (-f/tmp/x.yaml, -w2s) where that is no name of a flag.
const ownShorts = "fowy"

var longName = regexp.MustCompile(`^[a-z]{2}[a-z0-9-]*$`)

// twoDashes gives long flags with one dash their second one. Both forms are in
// use: manifests have -confdir, for example.
func twoDashes(table []*tableRow, args []string) []string {
	takesValue, shorts := map[string]bool{"help": false, helpAllFlag: false, "version": false, "verbose": false}, "hv"
	for _, s := range table {
		takesValue[s.Name] = s.kind != settings.KindBool
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
		glued := len(name) > 1 && strings.Contains(ownShorts, name[:1]) && !longName.MatchString(name)
		if dashes == 1 && len(name) > 1 && (known || !glued && !strings.Contains(shorts, name[:1])) {
			args[i] = "-" + args[i]
		}
		if dashes > 0 && known && value && !hasValue {
			i++ // the next one is its value, whatever it looks like
		}
	}
	return args
}
