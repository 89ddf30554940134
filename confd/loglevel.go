package main

import (
	"context"
	"log/slog"
	"strings"
)

// setLogLevel has the log follow the datastore's logSeverityScreen, in whichever
// of its spellings, unless somebody gave a level.
func (d *daemon) setLogLevel(severity string) {
	if d.node.settings.Log.Given {
		return
	}
	level := levelOf(severity)
	if was := d.level.Level(); level != was {
		d.level.Set(level)
		d.log.Log(context.Background(), max(level, was), "this log follows the datastore's logSeverityScreen", "level", level.String(), "was", was.String(), "severity", severity)
	}
}

// levelOf is the level that a severity stands for. There is nothing above error
// for slog: what is fatal is logged as an error.
func levelOf(severity string) slog.Level {
	switch strings.ToLower(severity) {
	case "debug", "trace":
		return slog.LevelDebug
	case "warning", "warn":
		return slog.LevelWarn
	case "error", "fatal", "panic", "none":
		return slog.LevelError
	}
	return slog.LevelInfo
}
