package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"confd/internal/settings"
)

// oneDash is the beginning of a long flag with one dash.
var oneDash = regexp.MustCompile(`^-[a-z][a-z0-9-]+$`)

// completeOneDash has a long flag with one dash at the end of args completed as one
// with two, and the words lose the other dash again on their way to w: a shell takes
// those alone that begin with what is typed. restore writes them.
func completeOneDash(args []string, w io.Writer) (asked []string, out io.Writer, restore func()) {
	last := len(args) - 1
	if !oneDash.MatchString(args[last]) {
		return args, w, func() {}
	}
	asked, found := slices.Clone(args), &bytes.Buffer{}
	asked[last] = "-" + args[last]
	return asked, found, func() {
		for line := range strings.Lines(found.String()) {
			if strings.HasPrefix(line, "--") {
				line = line[1:]
			}
			_, _ = io.WriteString(w, line) // the shell has gone
		}
	}
}

// setCompletions says of all flags and arguments below cmd what they may be.
func (p program) setCompletions(cmd *cobra.Command) {
	// Of a command that only has others below it, settings may stand before their
	// name, and are none of its own.
	if cmd.HasParent() && cmd.HasSubCommands() {
		addSettingsBelow(cmd)
		cmd.FParseErrWhitelist.UnknownFlags = true
	}
	own, path := ownSuggesters(), cmd.CommandPath()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		s, known := own[path+" --"+f.Name]
		if v, isSetting := f.Value.(flagText); isSetting {
			s, known = settingSuggester(v.setting.Setting), true
		}
		if known {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, p.completer(s)) // the flag is there, and this is its only one
		}
	})
	if s, known := own[path]; known && len(cmd.ValidArgs) == 0 {
		cmd.ValidArgsFunction = p.completer(s)
	}
	for _, c := range cmd.Commands() {
		p.setCompletions(c)
	}
}

// addSettingsBelow gives a command the settings of those below it.
func addSettingsBelow(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, isSetting := f.Value.(flagText); isSetting && cmd.Flags().Lookup(f.Name) == nil {
				cmd.Flags().AddFlag(f)
			}
		})
	}
}

// completer makes a suggester what cobra calls.
func (p program) completer(s suggester) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before, directive := "", s.files
		if s.list {
			i := strings.LastIndex(typed, ",") + 1
			before, typed = typed[:i], typed[i:]
		}
		if s.list || s.open {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		if s.find == nil {
			return nil, directive
		}
		var out []cobra.Completion
		for _, x := range s.find(completion{p, cmd, args, typed}) {
			given := slices.Contains(strings.Split(before, ","), x.word)
			if !given && strings.HasPrefix(x.word, typed) && harmless.MatchString(x.word) {
				out = append(out, cobra.CompletionWithDesc(before+x.word, plainText(x.about)))
			}
		}
		return out, directive
	}
}

// harmless are words that a shell takes for what they are, and this program for no
// flag. What a datastore has may be written by anybody, and is never put into somebody's
// command line otherwise: for "!" shells look into their history, zsh for a program where
// "=" comes first.
var harmless = regexp.MustCompile(`^[A-Za-z0-9._:/][A-Za-z0-9._:/@%+=-]*$`)

// plainText is text without what shells give a meaning to.
func plainText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("$`\\\"'<>|&;*?[]{}~#", r) {
			return ' '
		}
		return r
	}, text)
}

// settingSuggester is the one of a setting's flag.
func settingSuggester(s settings.Setting) suggester {
	switch {
	case s.Name == "node" || s.Name == "k8s-node-ref":
		return suggester{find: nodeNames, files: noFiles}
	case s.Name == "context":
		return suggester{find: contexts, files: noFiles}
	case s.Kind() == settings.KindFolder:
		return suggester{files: anyFolder}
	case s.NamesPaths():
		return suggester{files: anyFile}
	}
	return suggester{find: oneOf(s.Words()...), files: noFiles, list: s.Kind() == settings.KindList}
}
