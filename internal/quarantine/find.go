// Package quarantine finds the resources for which BIRD refuses a whole
// configuration, so that it can be had without them. It does nothing itself:
// configurations are made and checked by a function that the caller passes in.
package quarantine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/reload"
	"confd/templates"
)

const (
	defaultMaxCulprits = 64
	defaultMaxChecks   = 250
	// alwaysAllowed culprits may be any part of all objects; more may be half.
	alwaysAllowed = 3
	// maxRetested is how many remembered culprits are worth a check each.
	maxRetested = 8
	// maxGuesses is how many resources a line may point at: past that it is
	// quicker to go by halves.
	maxGuesses = 8
)

// Attempt is a configuration that was made, whether BIRD takes it or not.
type Attempt struct {
	Config *bgp.Config
	Sets   []reload.Set
}

// Try makes a configuration from the state as backends.State.Without gives it,
// and has its sets checked, all of them. The error holds (it may be joined or
// wrapped) a *reload.CheckError for each set that is refused; the Attempt must
// be there with such an error, too. It must not install anything.
type Try func(ctx context.Context, without map[backends.Key]string) (Attempt, error)

// Options are the settings of Find. Try must be there.
type Options struct {
	Try Try
	// Remembered are culprits of the last time, each with the reason: they are
	// left out at once. See Memory.
	Remembered map[backends.Key]string
	// MaxCulprits is how many resources may be left out (more than 3 of them must
	// also be no more than half of all), and MaxChecks how often Try may be
	// called. 0 stands for 64 and 250.
	MaxCulprits, MaxChecks int
}

// Result is what Find has found.
type Result struct {
	// Culprits are the resources to leave out, each with BIRD's words and the
	// place that they are about, on one line.
	Culprits map[backends.Key]string
	// Attempt is the configuration without them. It has passed its check.
	Attempt Attempt
	// Checks is how often Try was called, also where nothing was found.
	Checks int
}

// Find looks for resources without which BIRD takes the configuration. first is
// the one that it has refused, and refused the error, with a *reload.CheckError
// for each set at fault.
//
// It follows the lines that BIRD names to the resources behind them (see
// templates.Trace), one refusal after the other. Where they do not tell, it
// leaves out all resources that may be, and takes them back by halves, which
// costs some log2(n) checks for each culprit. What was left out in vain is back
// at the end: each culprit is needed.
//
// The error is refused, and why the search ended: nothing that may be left out
// helps, or most would have to be left out (either way the fault is rather in a
// template, or in a setting of the whole cluster), the limits were reached, ctx ended, or Try failed otherwise.
func Find(ctx context.Context, first Attempt, refused error, o Options) (Result, error) {
	o.MaxCulprits = cmp.Or(o.MaxCulprits, defaultMaxCulprits)
	o.MaxChecks = cmp.Or(o.MaxChecks, defaultMaxChecks)
	if len(refusals(refused)) == 0 {
		return Result{}, refused
	}
	all := templates.Candidates(first.Config)
	s := &search{
		options: o, first: first, now: first, refused: refused, out: map[backends.Key]string{}, candidates: all,
		most: min(o.MaxCulprits, max(alwaysAllowed, len(all)/2)),
	}
	if err := s.run(ctx); err != nil {
		return Result{Checks: s.checks}, fmt.Errorf("%w (left as it is: %w)", refused, err)
	}
	return Result{Culprits: s.out, Attempt: s.passed, Checks: s.checks}, nil
}

// search is one run of Find.
type search struct {
	options Options
	first   Attempt
	checks  int

	// out are the resources that are left out, in order.
	out   map[backends.Key]string
	order []backends.Key
	// now is the last attempt, refused why it was, and passed the last that was not.
	now     Attempt
	refused error
	passed  Attempt
	// before are the resources that the refusal before this one pointed at.
	before map[backends.Key]bool

	// candidates are what is taken back by halves. With those before "from" in
	// place, less what is out, and the others left out, the check passes.
	candidates []backends.Key
	from       int
	halving    bool
	// most is how many resources may be out at the end.
	most int
}

var (
	errNothingHelps = errors.New("leaving out objects does not help")
	errTooMany      = errors.New("too many objects would have to be left out: look for the fault in a template or a setting that they share")
	errTooLong      = errors.New("the search for the object at fault took too many checks")
)

func (s *search) run(ctx context.Context) error {
	known, err := s.remembered(ctx)
	if err != nil {
		return err
	}
	for s.refused != nil {
		known = false
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	if !known || len(s.out) <= maxRetested {
		if err := s.putBack(ctx); err != nil {
			return err
		}
	}
	if len(s.out) > s.most {
		return errTooMany
	}
	return nil
}

// remembered leaves out the culprits of the last time, and says whether that is
// all that it takes.
func (s *search) remembered(ctx context.Context) (bool, error) {
	for _, key := range slices.SortedFunc(maps.Keys(s.options.Remembered), backends.Key.Compare) {
		if templates.CanLeaveOut(s.first.Config, key) {
			s.leaveOut(key, s.options.Remembered[key])
		}
	}
	if len(s.out) == 0 {
		return false, nil
	}
	err := s.check(ctx, s.out)
	return s.refused == nil, err
}

// step leaves one more resource out.
func (s *search) step(ctx context.Context) error {
	if len(s.out) >= s.most+alwaysAllowed { // some may be out in vain
		return errTooMany
	}
	was, at := s.refused, s.now
	if helped, err := s.guess(ctx); helped || err != nil {
		return err
	}
	s.refused, s.now = was, at
	key, why, err := s.halve(ctx)
	if err != nil {
		return err
	}
	s.leaveOut(key, why)
	return s.check(ctx, s.out)
}

// guess leaves out what the lines point at, one after the other, until the
// refusal is gone or another one, and says whether it is. What does not help is
// back.
func (s *search) guess(ctx context.Context) (bool, error) {
	at, guesses := s.now, s.traced()
	for _, g := range guesses {
		without := maps.Clone(s.out)
		without[g.key] = inWords(g.refusal)
		if err := s.check(ctx, without); err != nil {
			return false, err
		}
		if !slices.ContainsFunc(refusals(s.refused), func(r *reload.CheckError) bool { return same(g.refusal, at, r, s.now) }) {
			s.leaveOut(g.key, inWords(g.refusal))
			return true, nil
		}
	}
	return false, nil
}

func (s *search) leaveOut(key backends.Key, why string) {
	s.out[key] = why
	s.order = append(s.order, key)
}

// check tries the configuration without some resources. Its error is why the
// search cannot go on; what the check says is in s.refused.
func (s *search) check(ctx context.Context, without map[backends.Key]string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.checks >= s.options.MaxChecks {
		return errTooLong
	}
	s.checks++
	s.now, s.refused = s.options.Try(ctx, maps.Clone(without))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.refused == nil:
		s.passed = s.now
	case len(refusals(s.refused)) == 0:
		return s.refused
	}
	return nil
}

// guess is a resource that may be at fault, and the refusal that points at it.
type guess struct {
	key     backends.Key
	refusal *reload.CheckError
}

// traced are the resources behind the refusals, the most likely ones first:
// those that the refusal before pointed at too come before others, since it took
// another one away and has led to them again. There are none where the lines do
// not tell.
func (s *search) traced() []guess {
	var again, others []guess
	seen := map[backends.Key]bool{}
	for _, r := range refusals(s.refused) {
		for _, key := range templates.Trace(s.now.file(r), r.Line, s.now.Config) {
			if _, out := s.out[key]; out || seen[key] {
				continue
			}
			seen[key] = true
			if s.before[key] {
				again = append(again, guess{key, r})
			} else {
				others = append(others, guess{key, r})
			}
		}
	}
	s.before = seen
	if len(seen) > maxGuesses {
		return nil
	}
	return append(again, others...)
}

// file is the text that a refusal is about; nil where it is none of ours, or
// the refusal names no line.
func (a Attempt) file(r *reload.CheckError) []byte {
	for _, set := range a.Sets {
		for _, f := range set.Files {
			if set.Name == r.Set && f.Dest == r.File && r.Line > 0 {
				return f.Data
			}
		}
	}
	return nil
}

// same says whether r, in the attempt a, is what o was in b: the same words, and
// all that stands before the place is as it was, or all that stands behind it.
func same(r *reload.CheckError, a Attempt, o *reload.CheckError, b Attempt) bool {
	if r.Set != o.Set || r.File != o.File || r.Message != o.Message {
		return false
	}
	before, behind := around(a.file(r), r.Line)
	otherBefore, otherBehind := around(b.file(o), o.Line)
	return bytes.Equal(before, otherBefore) || bytes.Equal(behind, otherBehind)
}

// around is text before the end of a line, and from its start on.
func around(text []byte, line int) (before, behind []byte) {
	start := 0
	for range line - 1 {
		next := bytes.IndexByte(text[start:], '\n')
		if next < 0 {
			break
		}
		start += next + 1
	}
	end := len(text)
	if next := bytes.IndexByte(text[start:], '\n'); next >= 0 {
		end = start + next
	}
	return text[:end], text[start:]
}

// halve finds a culprit without the help of lines. The first time it makes sure
// that there is one.
func (s *search) halve(ctx context.Context) (backends.Key, string, error) {
	why := inWords(refusals(s.refused)[0])
	if !s.halving {
		s.halving = true
		if err := s.checkUpTo(ctx, 0); err != nil {
			return backends.Key{}, "", err
		}
		if s.refused != nil {
			return backends.Key{}, "", errNothingHelps
		}
	}
	low, high := s.from, len(s.candidates)
	if low == high {
		return backends.Key{}, "", errNothingHelps
	}
	for high-low > 1 {
		middle := (low + high) / 2
		if err := s.checkUpTo(ctx, middle); err != nil {
			return backends.Key{}, "", err
		}
		if s.refused == nil {
			low = middle
		} else {
			high, why = middle, inWords(refusals(s.refused)[0])
		}
	}
	s.from = high
	return s.candidates[low], why + " (which names no object: found by trying)", nil
}

// checkUpTo checks with the first n candidates in place, and the others not.
func (s *search) checkUpTo(ctx context.Context, n int) error {
	without := maps.Clone(s.out)
	for _, key := range s.candidates[n:] {
		without[key] = "tried without"
	}
	return s.check(ctx, without)
}

// putBack takes back what was left out in vain.
func (s *search) putBack(ctx context.Context) error {
	for _, key := range s.order {
		if len(s.out) == 1 {
			return nil // it is refused without any
		}
		without := maps.Clone(s.out)
		delete(without, key)
		if err := s.check(ctx, without); err != nil {
			return err
		}
		if s.refused == nil {
			s.out = without
		}
	}
	return nil
}

// refusals are all *reload.CheckError in err.
func refusals(err error) []*reload.CheckError {
	switch e := err.(type) { //nolint:errorlint // this goes through the tree itself, to find more than the first
	case *reload.CheckError:
		return []*reload.CheckError{e}
	case interface{ Unwrap() error }:
		return refusals(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*reload.CheckError
		for _, part := range e.Unwrap() {
			all = append(all, refusals(part)...)
		}
		return all
	}
	return nil
}

// inWords is a refusal's place and words.
func inWords(r *reload.CheckError) string {
	switch {
	case r.File == "":
		return r.Message
	case r.Col == 0:
		return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", r.File, r.Line, r.Col, r.Message)
}
