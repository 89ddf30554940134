package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"confd/internal/settings"
	"confd/internal/terminal"
)

// newLogger writes to stderr: stdout is for what commands print. ctx says whether
// there may be something on the terminal that is waited for.
func newLogger(ctx context.Context, s settings.Log) *slog.Logger {
	log, _ := newLevelLogger(ctx, s)
	return log
}

// newLevelLogger is newLogger with a level that can be changed.
func newLevelLogger(ctx context.Context, s settings.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(s.Level)
	return slog.New(logHandler(terminal.LogWriter(ctx, os.Stderr), s.Format, level)), level
}

// logHandler writes to w in a form: text or json.
func logHandler(w io.Writer, format string, level slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if format == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// readable writes durations as people do ("1.5s") in every form, and leaves out
// what there is nothing to say of: an error that there is not.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch {
	case a.Value.Kind() == slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case a.Value.Kind() == slog.KindAny && a.Value.Any() == nil:
		return slog.Attr{}
	}
	return a
}
