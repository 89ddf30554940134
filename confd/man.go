package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"confd/internal/settings"
)

// manSection is that of programs for administrators, where BIRD's own pages are.
const manSection = "8"

// manCommand is confd man, which packages are made with.
func (p program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write a man page of each command into a folder", Args: needArguments("DIR"), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := p.manDate()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("folder of the man pages: %w", err)
			}
			cmd.Root().DisableAutoGenTag = true // it would have today's date
			forMan(cmd.Root())
			return writePages(cmd.Root(), doc.GenManHeader{Section: manSection, Date: &date, Source: "confd " + p.about.Version, Manual: "confd"}, args[0])
		},
	}
}

// writePages writes the page of a command, and of those below it, into a folder.
func writePages(cmd *cobra.Command, header doc.GenManHeader, dir string) error {
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return fmt.Errorf("man page of %s: %w", cmd.CommandPath(), err)
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + "." + manSection
	if err := os.WriteFile(filepath.Join(dir, name), flagLine.ReplaceAll(page.Bytes(), []byte(".TP\n$1\n")), 0o644); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		header.Title = "" // each has its own
		if err := writePages(c, header, dir); err != nil {
			return err
		}
	}
	return nil
}

// flagLine is a flag, and the tab of what there is to say of it, as cobra writes them:
// as one paragraph, and not in two columns.
var flagLine = regexp.MustCompile(`(?m)^(?:\.PP\n)?(\\fB-.*)\n\t`)

// forMan makes the texts of commands Markdown, which pages are made of: lines that are
// indented stay as they are. Of a setting's flag it names the kind of its value.
func forMan(cmd *cobra.Command) {
	var lines []string
	indented := false
	for _, line := range strings.Split(cmd.Long, "\n") {
		if strings.HasPrefix(line, "  ") != indented {
			indented = !indented
			lines = append(lines, "")
		}
		if indented {
			line = "  " + line
		}
		lines = append(lines, line)
	}
	cmd.Long = strings.Join(lines, "\n")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := f.Value.(flagText); ok {
			f.DefValue = v.Type()
		}
	})
	for _, c := range cmd.Commands() {
		forMan(c)
	}
}

// manDate is the pages' date: SOURCE_DATE_EPOCH, or that of the program, so that the
// same program writes the same pages.
func (p program) manDate() (time.Time, error) {
	if text, ok := p.around.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, settings.Error{Err: fmt.Errorf("variable SOURCE_DATE_EPOCH: %q: expected seconds since 1970", text)}
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if date := p.about.Time(); !date.IsZero() {
		return date.UTC(), nil
	}
	return time.Time{}, settings.Error{Err: errors.New("this program has no date to put on its man pages (see confd version --verbose): set SOURCE_DATE_EPOCH to seconds since 1970")}
}
