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

	"confd/bgp"
	"confd/internal/birdcheck"
	"confd/internal/birds"
	"confd/internal/golden"
	"confd/internal/settings"
	"confd/internal/terminal"
	"confd/internal/unified"
)

const commandTest = "test"

// When BIRD reads what was rendered.
const (
	checkAuto   = "auto" // where there is a BIRD that can
	checkAlways = "always"
	checkNever  = "never"
)

func checkModes() []string { return []string{checkAuto, checkAlways, checkNever} }

// testOptions are the flags and arguments of confd test.
type testOptions struct {
	dirs   []string
	update bool
	strict bool
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
		Long:  testHelp, Example: testExamples,
	}
	f := cmd.Flags()
	f.BoolVar(&o.update, "update", false, "write what was rendered as the wanted files, and remove old ones")
	f.StringVar(&o.check, "check", checkAuto, "whether bird -p reads what was rendered: auto (where there is a BIRD that can), always or never")
	f.StringVar(&o.format, "format", golden.Text, "form of the report: "+strings.Join(golden.Formats(), ", "))
	f.StringVar(&o.run, "run", "", "run only the checks whose names match this regular expression")
	f.BoolVar(&o.strict, "strict", false, "fail checks with warnings that their case lists, too")
	f.StringVar(&o.init, "init", "", "make a case of the datastore that the settings name, in this new folder")
	p.table.addFlags(f, commandTest, o.flags)
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
	if err := checkWord("check", o.check, checkModes()...); err != nil {
		return err
	}
	if err := checkWord("format", o.format, golden.Formats()...); err != nil {
		return err
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
	match, err := regexp.Compile(o.run)
	if err != nil {
		return settings.Error{Err: fmt.Errorf("--run: %w", err)}
	}
	if len(o.dirs) == 0 {
		o.dirs = []string{"."}
	}
	cases, err := golden.Find(o.dirs)
	if err != nil {
		return settings.Error{Err: err}
	}
	checker, err := p.checker(ctx, o)
	if err != nil {
		return err
	}
	report, done := p.reporter(o.format)
	defer done()
	summary, err := golden.Run(ctx, cases, golden.Options{Match: match, Update: o.update, Strict: o.strict, Checker: checker, Report: report})
	switch {
	case errors.Is(err, golden.ErrNoMatch):
		return settings.Error{Err: fmt.Errorf("--run: %w", err)}
	case err != nil:
		return err
	case summary.Broken != nil:
		return fmt.Errorf("%d of %d checks failed, some because their case is broken: %w", summary.Failed, summary.Cases, summary.Broken)
	case summary.Failed > 0 && summary.Differ == 0: // --update takes over files alone
		return fmt.Errorf("%d of %d checks failed", summary.Failed, summary.Cases)
	case summary.Failed > 0:
		return fmt.Errorf("%d of %d checks failed; what is meant to differ, confd test --update takes over", summary.Failed, summary.Cases)
	}
	return nil
}

// checker has the BIRDs that o asks for read what is rendered; nil: none.
func (p program) checker(ctx context.Context, o testOptions) (*birdcheck.Checker, error) {
	if o.check == checkNever {
		return nil, nil
	}
	var programs []birdcheck.Program
	if o.birdBinary != "" {
		one, err := birdcheck.NewProgram(ctx, o.birdBinary)
		if err != nil {
			return nil, settings.Error{Err: fmt.Errorf("--bird-binary: %w", err)}
		}
		programs = append(programs, one)
	} else {
		var err error
		path, _ := p.around.LookupEnv("PATH")
		if programs, err = birdcheck.OnPath(ctx, path); err != nil {
			return nil, err
		}
	}
	return birdcheck.New(programs, o.checkTimeout, o.check == checkAlways), nil
}

// reporter writes to stdout; with a bar where there is a terminal to see it.
func (p program) reporter(format string) (r golden.Reporter, done func()) {
	var paint func(string) string
	if format == golden.Text && terminal.Colours(p.stdout, p.around.LookupEnv) {
		paint = unified.Coloured
	}
	r = golden.NewReporter(p.stdout, format, paint)
	if !terminal.Is(p.stderr, p.around.LookupEnv) {
		return r, func() {}
	}
	bar := golden.WithProgress(p.stderr, r, format == golden.Text && terminal.Is(p.stdout, p.around.LookupEnv))
	return bar, func() { _ = bar.Close() }
}

// initCase makes a case of what the datastore says, in a new folder.
func (p program) initCase(ctx context.Context, o testOptions) error {
	if len(o.dirs) > 0 || o.update || o.run != "" {
		return settings.Error{Err: errors.New("--init goes without --update, --run and other folders")}
	}
	if empty, err := isFolderEmpty(o.init); err != nil || !empty {
		return settings.Error{Err: fmt.Errorf("--init: %s is there already, and not an empty folder", o.init)}
	}
	s, err := settings.LoadForAnswer(o.flags, p.around)
	if err != nil {
		return err
	}
	log := newLogger(ctx, s.Log)
	d, err := birds.Find(ctx, s.BIRD)
	if err != nil {
		return err
	}
	state, err := gatherOnce(ctx, s, log)
	if err != nil {
		return err
	}
	// Nothing is written of a case that could not be run.
	if _, err := bgp.Compute(state, s.Plan().BGP); err != nil {
		return fmt.Errorf("making a case: %w", err)
	}
	if err := golden.Create(ctx, o.init, s, d.Version, state, log); err != nil {
		return fmt.Errorf("making a case: %w", err)
	}
	return p.runCases(ctx, testOptions{dirs: []string{o.init}, update: true, check: o.check, format: o.format, flags: o.runFlags()})
}

// runFlags are the settings that running a case has a use for.
func (o testOptions) runFlags() settings.Layer {
	l := settings.Layer{}
	for _, name := range runSettingNames() {
		if g, ok := o.flags[name]; ok {
			l[name] = g
		}
	}
	return l
}

// isFolderEmpty says whether there is nothing at path, or an empty folder.
func isFolderEmpty(path string) (bool, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}
