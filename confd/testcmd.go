package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confd/internal/golden"
	"confd/internal/settings"
)

const commandTest = "test"

// When BIRD reads what was rendered.
const (
	checkAuto   = "auto" // where there is a BIRD that can
	checkAlways = "always"
	checkNever  = "never"
)

// testOptions are the flags and arguments of confd test.
type testOptions struct {
	dirs   []string
	update bool
	check  string
	format string
	run    string
	init   string
	// flags are the settings that were given, which only --init has a use for,
	// besides these two.
	flags        settings.Layer
	birdBinary   string
	checkTimeout time.Duration
}

const testHelp = `Run golden checks: render each case and compare with the files that it wants.

A case is a folder with a case.toml, resources in YAML, and the wanted files
below want/. Each DIR is a case or has some below it; without one, the working
directory is meant. Settings come from case.toml alone, never from flags or the
environment; those flags are for --init.`

// testCommand is confd test.
func (p program) testCommand() *cobra.Command {
	o := testOptions{flags: settings.Layer{}}
	cmd := &cobra.Command{
		Use:   commandTest + " [DIR...]",
		Short: "Run golden checks: render each case and compare with the files that it wants",
		Long:  testHelp,
	}
	f := cmd.Flags()
	f.BoolVar(&o.update, "update", false, "write what was rendered as the wanted files, and remove old ones")
	f.StringVar(&o.check, "check", checkAuto, "whether bird -p reads what was rendered: auto (where there is a BIRD that can), always or never")
	f.StringVar(&o.format, "format", golden.Text, "form of the report: "+strings.Join(golden.Formats(), ", "))
	f.StringVar(&o.run, "run", "", "run only the checks whose names match this regular expression")
	f.StringVar(&o.init, "init", "", "make a case of the datastore that the settings name, in this new folder")
	addFlags(f, commandTest, o.flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.dirs = args
		if o.init != "" {
			return p.initCase(cmd.Context(), o)
		}
		return p.runCases(cmd.Context(), o)
	}
	return cmd
}

// complete refuses options that make no sense.
func (o *testOptions) complete(around settings.Surroundings) error {
	if !slices.Contains([]string{checkAuto, checkAlways, checkNever}, o.check) {
		return fmt.Errorf("--check: %q: expected auto, always or never", o.check)
	}
	if !slices.Contains(golden.Formats(), o.format) {
		return fmt.Errorf("--format: %q: expected one of %s", o.format, strings.Join(golden.Formats(), ", "))
	}
	mine := runSettingNames()
	for _, name := range slices.Sorted(maps.Keys(o.flags)) {
		if !slices.Contains(mine, name) {
			return fmt.Errorf("%s goes with --init only: the settings of a case stand in its %s", o.flags[name].From, golden.CaseFile)
		}
	}
	s, err := settings.Only(mine, o.flags, around)
	o.birdBinary, o.checkTimeout = s.BIRD.Binary, s.Timing.CheckTimeout
	return err
}

// runSettingNames are the settings that have a meaning for running cases.
func runSettingNames() []string {
	return []string{"bird-binary", "check-timeout", "log-level", "log-format"}
}

// runCases runs the cases below the folders of o.
func (p program) runCases(ctx context.Context, o testOptions) error {
	if err := o.complete(p.around); err != nil {
		return settings.Error{Err: err}
	}
	targets, err := findTargets(o)
	if err != nil {
		return settings.Error{Err: err}
	}
	checker := birdChecker{mode: o.check, limit: o.checkTimeout}
	if o.check != checkNever {
		path, _ := p.around.LookupEnv("PATH")
		checker.programs, err = findBirds(ctx, o.birdBinary, path)
		if err != nil {
			return err
		}
	}
	r, err := newCaseRenderer(ctx, targets, checker)
	if err != nil {
		return settings.Error{Err: err}
	}
	began := time.Now()
	results, err := golden.Run(ctx, targets, golden.Options{Render: r.render, Update: o.update})
	if err != nil {
		return err
	}
	summary := golden.Summarize(results, time.Since(began))
	var paint func(string) string
	if o.format == golden.Text && isTerminal(p.stdout, p.around.LookupEnv) {
		paint = coloured
	}
	if err := golden.Report(p.stdout, o.format, paint, results, summary); err != nil {
		return err
	}
	return testOutcome(results, summary)
}

// testOutcome is the error that a run ends with, which decides the exit code.
func testOutcome(results []golden.Result, s golden.Summary) error {
	for _, r := range results {
		if broken := (settings.Error{}); errors.As(r.Err, &broken) {
			return fmt.Errorf("%d of %d checks failed, some because their case is broken: %w", s.Failed, s.Cases, broken)
		}
	}
	if s.Failed > 0 {
		return fmt.Errorf("%d of %d checks failed", s.Failed, s.Cases)
	}
	return nil
}

// findTargets finds what o asks to run.
func findTargets(o testOptions) ([]golden.Target, error) {
	pattern, err := regexp.Compile(o.run)
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	dirs := o.dirs
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	cases, err := golden.Find(dirs)
	if err != nil {
		return nil, err
	}
	var targets []golden.Target
	for _, c := range cases {
		for _, t := range c.Targets {
			if pattern.MatchString(t.ID) {
				targets = append(targets, t)
			}
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("--run: no check's name matches %q", o.run)
	}
	return targets, nil
}

// isFolderEmpty says whether there is nothing at path, or an empty folder.
func isFolderEmpty(path string) (bool, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}
