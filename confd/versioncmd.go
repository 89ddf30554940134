package main

import (
	"strings"

	"github.com/spf13/cobra"

	"confd/internal/terminal"
	"confd/internal/version"
)

// versionCommand is confd version.
func (p program) versionCommand() *cobra.Command {
	verbose, output := false, answerText
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, and what this program was made from and tested with", Example: versionExamples, Args: noArguments,
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := checkForm(output); err != nil {
			return err
		}
		return p.answer(versionAnswer{p.about, verbose}, output)
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "print commit, date, Go, the BIRDs that it was tested with, and what it is made of, too")
	cmd.Flags().StringVarP(&output, "output", "o", output, "form of the answer: text, json or yaml; the last two are verbose")
	return cmd
}

// versionAnswer is what confd version prints.
type versionAnswer struct {
	version.Info
	verbose bool
}

// Text writes a line; where it is verbose, all that is known.
func (v versionAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Plain, "confd "+v.Version)
	if !v.verbose {
		return
	}
	commit := v.Commit
	if v.Modified {
		commit += ", and changes that are not in it"
	}
	rows := []terminal.Row{}
	for _, r := range [][2]string{
		{"commit", commit}, {"date", v.Date}, {"go", v.Go}, {"platform", v.Platform}, {"tested with BIRD", strings.Join(v.Birds, ", ")},
	} {
		if r[1] == "" {
			r[1] = version.Unknown
		}
		rows = append(rows, terminal.Texts(r[0], r[1]))
	}
	p.Table(2, rows)
	p.Blank()
	p.Text(0, terminal.Plain, "made of")
	rows = rows[:0]
	for _, m := range v.Dependencies {
		rows = append(rows, terminal.Texts(m.Path, m.Version))
	}
	p.Table(2, rows)
}
