package main

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

// failures turns a failure that repeats itself into a first line, and a summary
// from time to time.
type failures struct {
	last   string    // the last one; empty: none
	text   string    // the same without what differs
	since  time.Time // when it came first
	logged time.Time
	tries  int
}

// numbers are what differs between two errors of one kind: names of temporary
// files, durations.
var numbers = regexp.MustCompile(`\d+`)

// note logs err at now, unless it has been logged.
func (f *failures) note(log *slog.Logger, err error, now time.Time, retryIn time.Duration) {
	text := numbers.ReplaceAllString(err.Error(), "N")
	if text != f.text {
		*f = failures{text: text, since: now}
	}
	f.last = err.Error()
	f.tries++
	attributes := []any{"error", err, "retry_in", retryIn}
	if refused := (*reload.CheckError)(nil); errors.As(err, &refused) && refused.Excerpt != "" {
		attributes = append(attributes, "at", refused.Excerpt)
	}
	level, message := slog.LevelDebug, "not applied: the last good configuration stays"
	switch {
	case f.tries == 1:
		level, f.logged = slog.LevelError, now
	case now.Sub(f.logged) >= summaryInterval:
		level, f.logged = slog.LevelError, now
		message = "still not applied: the last good configuration stays"
		attributes = append(attributes, "tries", f.tries, "for", now.Sub(f.since).Round(time.Second))
	}
	log.Log(context.Background(), level, message, attributes...)
}

// over logs that what failed works again.
func (f *failures) over(log *slog.Logger, now time.Time) {
	if f.tries > 1 {
		log.Info("applied after all", "tries", f.tries+1, "failed_for", now.Sub(f.since).Round(time.Second))
	}
	*f = failures{}
}
