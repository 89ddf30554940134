package agent

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"time"

	"confd/reload"
)

// summaryInterval is how often a failure that goes on is logged again.
const summaryInterval = 5 * time.Minute

// failures turn a failure that repeats itself into a first line, and a summary
// from time to time.
//
//	state    event           next     what is logged
//	fine     note            failing  the failure
//	failing  note (another)  failing  the failure
//	failing  note (the same) failing  every five minutes: that it goes on
//	failing  over            fine     that it works again, where it was tried again
type failures struct {
	log    *slog.Logger
	last   string    // the last one; empty: none
	text   string    // the same without what differs
	since  time.Time // when it came first
	logged time.Time
	tries  int
}

// varying is what differs between two errors of one kind: names of temporary
// files, durations.
var varying = regexp.MustCompile(`\.confd-new-[A-Z0-9]+|\d+`)

// sameKind is a text without what differs between two errors of one kind.
func sameKind(text string) string { return varying.ReplaceAllString(text, "N") }

// failing says whether the last try has failed.
func (f *failures) failing() bool { return f.tries > 0 }

// note logs err at now, unless it has been logged.
func (f *failures) note(err error, now time.Time, retryIn time.Duration) {
	if text := sameKind(err.Error()); text != f.text {
		*f = failures{log: f.log, text: text, since: now}
	}
	f.last = err.Error()
	f.tries++
	level, message, attributes := f.line(now)
	attributes = append([]any{"error", err, "retry_in", retryIn.String()}, attributes...)
	if refused := (*reload.CheckError)(nil); errors.As(err, &refused) && refused.Excerpt != "" {
		attributes = append(attributes, "at", refused.Excerpt)
	}
	f.log.Log(context.Background(), level, message, attributes...)
}

// line is how the failure is logged this time.
func (f *failures) line(now time.Time) (slog.Level, string, []any) {
	const message = "not applied: the last good configuration stays"
	switch {
	case f.tries == 1:
		f.logged = now
		return slog.LevelError, message, nil
	case now.Sub(f.logged) >= summaryInterval:
		f.logged = now
		return slog.LevelError, "still " + message, []any{"tries", f.tries, "for", now.Sub(f.since).Round(time.Second).String()}
	}
	return slog.LevelDebug, message, nil
}

// over logs that what failed works again.
func (f *failures) over(now time.Time) {
	if f.tries > 1 {
		f.log.Info("applied after all", "tries", f.tries+1, "failed_for", now.Sub(f.since).Round(time.Second).String())
	}
	*f = failures{log: f.log}
}

// forget ends it without a word.
func (f *failures) forget() { *f = failures{log: f.log} }
