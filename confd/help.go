package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/internal/settings"
	"confd/internal/terminal"
)

const rootHelp = `Keep BIRD's configuration in step with a Calico cluster. Without a command, confd
does that until it is stopped, as a sidecar next to BIRD.`

// helpWidth is how wide help is at most: longer lines are hard to read.
const helpWidth = 100

// setHelp gives all commands below root the flags for help, and what they print.
func (p program) setHelp(root *cobra.Command) {
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		// As "confd help -h run" it is called with that line, as "confd help" with none.
		// "confd help --help" asks about help itself, "confd help --help-all" for all.
		all := cmd.Flags().Changed(helpAllFlag)
		if line := words(args); cmd.Name() == "help" && cmd.Parent() == root && (len(line) > 1 || all && len(line) == 1) {
			if about, _, err := root.Find(line[1:]); err == nil {
				p.writeHelp(about, all)
				return
			}
		}
		p.writeHelp(cmd, all)
	})
	root.InitDefaultHelpCmd()
	addHelpFlags(root)
}

// words are args without flags: the names of commands.
func words(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(s string) bool { return strings.HasPrefix(s, "-") })
}

func addHelpFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolP("help", "h", false, "explain the command, with the flags that are used most")
	f.VarPF(helpAll{cmd}, helpAllFlag, "", "explain it with all flags and variables").NoOptDefVal = "true"
	if cmd.Version != "" {
		f.BoolP("version", "v", false, "print the version")
	}
	for _, c := range cmd.Commands() {
		addHelpFlags(c)
	}
}

// everywhere are the flags that all commands have.
func everywhere() []string { return []string{"help", helpAllFlag} }

// helpAll is the value of --help-all, which asks for help, too.
type helpAll struct{ cmd *cobra.Command }

// Set asks for help.
func (h helpAll) Set(text string) error { return h.cmd.Flags().Set("help", text) }

// String is empty: nothing is asked for by default.
func (h helpAll) String() string { return "" }

// Type is that of flags without a value.
func (h helpAll) Type() string { return string(settings.KindBool) }

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]", Short: "Explain a command", GroupID: "More", RunE: func(_ *cobra.Command, args []string) error {
		about, rest, err := root.Find(args)
		if err != nil {
			return settings.Error{Err: err}
		}
		if err := noArguments(about, rest); err != nil {
			return err
		}
		return about.Help()
	}}
}

// writeHelp explains cmd: what it does, how it is called, the commands below it by
// task, its flags (all of them, or those that are used most), and examples.
func (p program) writeHelp(cmd *cobra.Command, all bool) {
	page := terminal.PageFor(p.stdout, p.around.LookupEnv)
	if page.Width == 0 || page.Width > helpWidth {
		page.Width = helpWidth
	}
	prose(page, cmdLong(cmd))
	page.Blank()
	title(page, "Usage")
	page.Text(2, terminal.Plain, cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		page.Text(2, terminal.Plain, cmd.CommandPath()+" COMMAND [flags]")
	}
	writeCommandList(page, cmd)
	left := writeFlags(page, cmd, all)
	if cmd.Example != "" {
		page.Blank()
		title(page, "Examples")
		for line := range strings.Lines(cmd.Example) {
			page.Text(2, terminal.Plain, strings.TrimSpace(line))
		}
	}
	writeMore(page, cmd, left)
	_, _ = io.WriteString(p.stdout, page.String()) // there is nobody left to tell
}

func cmdLong(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

func title(page *terminal.Page, text string) { page.Text(0, terminal.Title, text+":") }

// prose writes paragraphs, which blank lines part. Lines that are indented stand for
// themselves.
func prose(page *terminal.Page, text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			page.Blank()
		}
		running := ""
		flush := func() {
			if running != "" {
				page.Prose(running)
			}
			running = ""
		}
		for _, line := range strings.Split(paragraph, "\n") {
			if strings.HasPrefix(line, "  ") {
				flush()
				page.Text(2, terminal.Plain, line[2:])
				continue
			}
			running = strings.TrimSpace(running + " " + line)
		}
		flush()
	}
}

// writeCommandList lists the commands below cmd, by task.
func writeCommandList(page *terminal.Page, cmd *cobra.Command) {
	for _, g := range append(cmd.Groups(), &cobra.Group{Title: "Commands"}) {
		var rows []terminal.Row
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID && c.IsAvailableCommand() {
				rows = append(rows, terminal.Texts(fmt.Sprintf("%-10s", c.Name()), c.Short))
			}
		}
		if len(rows) > 0 {
			page.Blank()
			title(page, g.Title)
			page.Table(2, rows)
		}
	}
}

// writeFlags lists flags: those of the command's own and the common settings; or all,
// by group. It returns how many it leaves out.
func writeFlags(page *terminal.Page, cmd *cobra.Command, all bool) int {
	if !all {
		own, common := groupFlags(cmd.Flags(), ""), commonFlags(cmd.Flags())
		writeFlagList(page, "Flags", own, false)
		writeFlagList(page, "Common settings", common, false)
		return count(cmd.Flags()) - count(own) - count(common)
	}
	writeFlagList(page, "Flags", groupFlags(cmd.Flags(), ""), true)
	for _, group := range settings.Groups() {
		writeFlagList(page, group, groupFlags(cmd.Flags(), group), true)
	}
	return 0
}

func count(flags *pflag.FlagSet) int {
	n := 0
	flags.VisitAll(func(*pflag.Flag) { n++ })
	return n
}

// writeFlagList lists flags under a title. whole says all of a setting; else its
// variable is left out.
func writeFlagList(page *terminal.Page, heading string, flags *pflag.FlagSet, whole bool) {
	var rows []terminal.Row
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			rows = append(rows, terminal.Texts(flagCall(f), flagHelp(f, whole)))
		}
	})
	if len(rows) > 0 {
		page.Blank()
		title(page, heading)
		page.Table(2, rows)
	}
}

// flagCall is how a flag is given: "-o, --output path".
func flagCall(f *pflag.Flag) string {
	text := "--" + f.Name
	if f.Shorthand != "" {
		text = "-" + f.Shorthand + ", " + text
	}
	if kind := kindOf(f); kind != "" {
		text += " " + kind
	}
	return text
}

// kindOf is what stands behind a flag; empty: nothing.
func kindOf(f *pflag.Flag) string {
	switch kind := f.Value.Type(); kind {
	case "bool":
		return ""
	case "string":
		return string(settings.KindText)
	case "stringSlice", "stringArray":
		return string(settings.KindList)
	case "uint16":
		return string(settings.KindInt)
	default:
		return kind
	}
}

// flagHelp is what to say of a flag.
func flagHelp(f *pflag.Flag, whole bool) string {
	v, isSetting := f.Value.(flagText)
	switch {
	case isSetting && !whole && v.flag == v.setting.Name:
		return v.setting.Help
	case isSetting || ownDefault(f) == "":
		return f.Usage
	}
	return f.Usage + " (default: " + ownDefault(f) + ")"
}

// ownDefault is the default of a flag that is no setting; empty: none worth a word.
func ownDefault(f *pflag.Flag) string {
	if slices.Contains([]string{"false", "[]", "0s"}, f.DefValue) {
		return ""
	}
	return f.DefValue
}

// writeMore says where there is more.
func writeMore(page *terminal.Page, cmd *cobra.Command, left int) {
	var hints []string
	if cmd.HasAvailableSubCommands() {
		hints = append(hints, cmd.CommandPath()+" COMMAND --help explains a command.")
	}
	if left > 0 {
		hints = append(hints, fmt.Sprintf("%s --%s has %d more settings, and the variables of all.", cmd.CommandPath(), helpAllFlag, left))
	}
	if len(hints) > 0 {
		page.Blank()
		page.Prose(strings.Join(hints, " "))
	}
}

// groupFlags picks the flags of one group; flags that are no settings have none.
func groupFlags(all *pflag.FlagSet, group string) *pflag.FlagSet {
	return flagsThat(all, func(f *pflag.Flag) bool {
		v, ok := f.Value.(flagText)
		return ok && v.setting.Group == group || !ok && group == ""
	})
}

// commonFlags picks the settings that are used most.
func commonFlags(all *pflag.FlagSet) *pflag.FlagSet {
	return flagsThat(all, func(f *pflag.Flag) bool {
		v, ok := f.Value.(flagText)
		return ok && v.setting.Common && v.flag == v.setting.Name
	})
}

func flagsThat(all *pflag.FlagSet, wanted func(*pflag.Flag) bool) *pflag.FlagSet {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	some.SortFlags = false
	all.VisitAll(func(f *pflag.Flag) {
		if wanted(f) {
			some.AddFlag(f)
		}
	})
	return some
}
