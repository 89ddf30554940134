package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/internal/settings"
)

// reference is the reference page, in Markdown: the commands below root, and
// the settings of table.
func reference(root *cobra.Command, table []settings.Setting) string {
	var b strings.Builder
	b.WriteString(referenceStart)
	writeCommands(&b, root)
	b.WriteString(referenceSources)
	for _, group := range settings.Groups() {
		writeGroup(&b, table, group)
	}
	writeCalicoFields(&b, table)
	b.WriteString(referenceEnd)
	return b.String()
}

const referenceStart = `# Reference

<!-- Made from the program by "confd docs". Change the table of settings there, not this page. -->

## Commands

`

const referenceSources = `
Each command has ` + "`-h`, `--help`" + `, which explains it in short, and ` + "`--help-all`" + `, which leaves nothing out.
Flags work with one dash or two: ` + "`-onetime` is `--onetime`, and `-confdir /x` is `--confdir=/x`" + `.

## Settings

A setting can come from several places. The first of these that has it wins:

1. a flag
2. the file that ` + "`--calicoconfig`" + ` names
3. an environment variable; an empty one counts as not set. Where a setting has several, the first that is set counts, and one that says ` + "`none`" + ` is not set
4. the TOML file that ` + "`--config-file`" + ` names
5. the default

Lists are comma separated, or arrays in TOML; their flags can be given more than once. Durations have a unit:
` + "`500ms`, `30s`, `2m`" + `. Modes are octal and, in TOML, in quotes. An unknown key in a file is an error, and so are two keys that differ in case only.
`

const referenceEnd = `
## Exit codes

| code | meaning |
| --- | --- |
| 0 | good: done, or stopped by a signal |
| 1 | failed; the message says what, and trying again may help |
| 2 | wrongly used: a command, flag, variable or file of settings has to be changed |
| 3 | found: ` + "`confd doctor`" + ` has warnings, or a change does what ` + "`confd plan --fail-on`" + ` names |
| 4 | found: ` + "`confd doctor`" + ` has errors |

## Files

| file | what it is |
| --- | --- |
| ` + "`/etc/confd/confd.toml`" + ` | settings; may be missing |
| ` + "`/etc/confd/conf.d/*.toml`" + ` | template resources: what is rendered from what, to where |
| ` + "`/etc/confd/templates/`" + ` | the templates |
| ` + "`/var/run/calico/endpoint-status/`" + ` | one file for each local workload, written by Felix |
`

func writeCommands(b *strings.Builder, root *cobra.Command) {
	b.WriteString("| command | what it does |\n| --- | --- |\n")
	fmt.Fprintf(b, "| `%s` | %s, until it is stopped |\n", root.Name(), root.Short)
	commands := leafCommands(root)
	for _, c := range commands {
		fmt.Fprintf(b, "| `%s` | %s |\n", commandLine(c), c.Short)
	}
	for _, c := range commands {
		writeOwnFlags(b, c)
	}
}

// commandLine is how a command is called, without its flags.
func commandLine(c *cobra.Command) string { return c.Parent().CommandPath() + " " + c.Use }

// writeOwnFlags lists the flags of a command that are no settings.
func writeOwnFlags(b *strings.Builder, c *cobra.Command) {
	own := flagsThat(groupFlags(c.Flags(), ""), func(f *pflag.Flag) bool { return !slices.Contains(everywhere(), f.Name) })
	if !own.HasFlags() {
		return
	}
	fmt.Fprintf(b, "\n`%s` has these flags besides settings:\n\n| flag | default | meaning |\n| --- | --- | --- |\n", c.CommandPath())
	own.VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(b, "| %s | %s | %s |\n", flagNames(f.Name, f.Shorthand), code(ownDefault(f)), strings.ReplaceAll(f.Usage, "|", `\|`))
	})
}

func writeGroup(b *strings.Builder, table []settings.Setting, group string) {
	fmt.Fprintf(b, "\n### %s\n\n| flag | variable | TOML key | kind | default | meaning |\n| --- | --- | --- | --- | --- | --- |\n", group)
	for _, s := range table {
		if s.Group == group {
			cells := []string{flagCell(s), variableCell(s), keyCell(s), string(s.Kind()), defaultCell(s), meaningCell(s)}
			fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
}

func flagCell(s settings.Setting) string {
	if s.NoFlag {
		return ""
	}
	cell := flagNames(s.Name, s.Short)
	if s.Alias != "" {
		cell += ", " + code("--"+s.Alias)
	}
	return cell
}

// flagNames are the names of a flag, the short one first.
func flagNames(name, short string) string {
	if short == "" {
		return code("--" + name)
	}
	return code("-"+short) + ", " + code("--"+name)
}

func variableCell(s settings.Setting) string {
	var cells []string
	for _, name := range s.Envs() {
		cells = append(cells, code(name))
	}
	return strings.Join(cells, ", ")
}

func keyCell(s settings.Setting) string {
	if s.FlagOnly {
		return ""
	}
	return code(s.Name)
}

func defaultCell(s settings.Setting) string {
	if s.Computed != "" {
		return s.Computed
	}
	return code(s.Default)
}

func meaningCell(s settings.Setting) string {
	cell := strings.ReplaceAll(s.Help, "|", `\|`)
	if len(s.Commands) == 0 {
		return cell
	}
	names := make([]string, len(s.Commands))
	for i, name := range s.Commands {
		names[i] = code(strings.TrimSuffix("confd "+name, " "+settings.CommandRun))
	}
	return cell + " (" + strings.Join(names, ", ") + " only)"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func writeCalicoFields(b *strings.Builder, table []settings.Setting) {
	b.WriteString("\n## The CalicoAPIConfig file\n\nA YAML file with `apiVersion: " + settings.CalicoAPIVersion + "` and `kind: " + settings.CalicoKind +
		"`. Under `spec` it has these fields, each for the setting beside it:\n\n| field | setting |\n| --- | --- |\n")
	for _, s := range table {
		if s.Field != "" {
			fmt.Fprintf(b, "| `%s` | `%s` |\n", s.Field, s.Name)
		}
	}
	b.WriteString("\nWhat the file leaves out, or leaves empty, comes from the other places.\n")
}
