// Package golden runs golden checks: cases, which are folders with a cluster's
// resources, settings, and the files that a node's BIRD should be given.
//
// It finds and reads cases, compares what is rendered with what is wanted, and
// reports. How something is rendered is a function that the caller gives.
package golden

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Target is what one case wants for one node and one version of BIRD.
type Target struct {
	*Case
	// ID is the case's name, and node and BIRD version where the case has lists
	// of them: "examples/rack/node-1/2.17.6".
	ID string
	// Node and Bird are as they stand in the case's settings.
	Node, Bird string
	// wantDir is the folder of the wanted files, below the case's.
	wantDir string
	// first is set for the first target of a case.
	first bool
}

// Rendering is what came out for a target.
type Rendering struct {
	// Files are the contents by name; names have forward slashes and stay below
	// the folder that they are put into.
	Files map[string][]byte
	// Warnings are what was left out or looks wrong, in order.
	Warnings []Warning
	// CheckedBy names the program that read the files; empty: none did, and Note
	// says why. Refused says what that program did not take; nil: it took all.
	CheckedBy string
	Note      string
	Refused   error
}

// Options say how to run targets.
type Options struct {
	// Render makes the files of a target. It is called from several goroutines.
	Render func(context.Context, Target) (Rendering, error)
	// Update writes what was rendered instead of comparing with it.
	Update bool
}

// Result is how a target went. It is good where Err is nil and there are no
// Diffs.
type Result struct {
	Target Target
	// Err is why nothing could be compared, or what BIRD refused.
	Err error
	// Diffs are the differences, by file; with Update there are none.
	Diffs []Diff
	// Updated are the files that were written or, as "-NAME", removed.
	Updated   []string
	CheckedBy string
	Note      string
	Took      time.Duration
}

// Good says whether the target is as it should be.
func (r Result) Good() bool { return r.Err == nil && len(r.Diffs) == 0 }

// Run runs the targets side by side, and returns a result for each, in order.
// Its own error is that of ctx.
func Run(ctx context.Context, targets []Target, o Options) ([]Result, error) {
	results := make([]Result, len(targets))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range targets {
		g.Go(func() error {
			began := time.Now()
			results[i] = runTarget(ctx, t, o)
			results[i].Took = time.Since(began)
			return ctx.Err()
		})
	}
	return results, g.Wait()
}

func runTarget(ctx context.Context, t Target, o Options) Result {
	r := Result{Target: t}
	got, err := o.Render(ctx, t)
	r.CheckedBy, r.Note = got.CheckedBy, got.Note
	if err != nil {
		r.Err = err
		return r
	}
	if got.Refused != nil {
		r.Err = fmt.Errorf("%s does not take it: %w", got.CheckedBy, got.Refused)
	}
	c, err := t.compare(got)
	switch {
	case err != nil:
		r.Err = err
	case !o.Update:
		r.Diffs = c.diffs()
	case r.Err == nil: // what BIRD refuses is nothing to want
		r.Updated, r.Err = c.update()
	}
	r.Err = errors.Join(r.Err, t.unlisted(got.Warnings, c.want[t.warningsFile()]))
	return r
}

// Summary counts results.
type Summary struct {
	Cases, Failed, Updated, Checked int
	Took                            time.Duration
}

// Summarize counts results; took is how long all of them took together.
func Summarize(results []Result, took time.Duration) Summary {
	s := Summary{Cases: len(results), Took: took}
	for _, r := range results {
		if !r.Good() {
			s.Failed++
		}
		if len(r.Updated) > 0 {
			s.Updated++
		}
		if r.CheckedBy != "" {
			s.Checked++
		}
	}
	return s
}

// String is one line.
func (s Summary) String() string {
	text := fmt.Sprintf("%s: %d passed, %d failed", counted(s.Cases, "check"), s.Cases-s.Failed, s.Failed)
	if s.Updated > 0 {
		text += fmt.Sprintf(", %d updated", s.Updated)
	}
	return text + fmt.Sprintf("; BIRD read %d of them (%s)", s.Checked, s.Took.Round(time.Millisecond))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Failed are the results that are not good.
func Failed(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), Result.Good)
}
