package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"confd/internal/settings"
)

// helpAllFlag is the flag for the help that leaves nothing out.
const helpAllFlag = "help-all"

// flagTable is of all settings, once for all commands.
type flagTable []*tableRow

// tableRow is a setting, and what each command that has its flag needs of it.
type tableRow struct {
	settings.Setting
	kind settings.Kind
	help string
}

func newTable() flagTable {
	var table flagTable
	for _, s := range settings.Table() {
		table = append(table, &tableRow{s, s.Kind(), helpText(s)})
	}
	return table
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
func (t flagTable) addFlags(flags *pflag.FlagSet, command string, into settings.Layer) {
	for _, s := range t {
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
func twoDashes(table flagTable, args []string) []string {
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
