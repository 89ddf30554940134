package bgp

import (
	"strings"

	"confd/backends"
)

// LogLevelOf reads a logSeverityScreen as Calico does: debug means everything, info
// (and what is unknown) states, anything above it nothing.
func LogLevelOf(severity string) LogLevel {
	level, _ := severityOf(severity)
	return level
}

// severityOf is the level of a logSeverityScreen, and whether there is such a severity;
// the empty one is.
func severityOf(severity string) (LogLevel, bool) {
	switch strings.ToLower(severity) {
	case "debug", "trace":
		return LogAll, true
	case "none", "warning", "warn", "error", "fatal", "critical", "panic":
		return LogNone, true
	case "info", "":
		return LogStates, true
	}
	return LogStates, false
}

// unknownSeverities reports log severities that there are none of: as in Calico they
// mean the same as info.
func (c *computer) unknownSeverities() {
	look := func(object backends.Key, where, severity string) {
		if _, known := severityOf(severity); !known {
			nearest := backends.Nearest(strings.ToLower(severity), []string{"debug", "info", "warning", "error", "fatal", "none"})
			c.problem(object, CodeUnknownSeverity, false, "%s: there is no log severity %q: it counts as info%s", where, severity, backends.DidYouMean(nearest))
		}
	}
	look(c.defaults.ResourceKey(), "logSeverityScreen", c.defaults.LogSeverity)
	look(c.own.ResourceKey(), "logSeverityScreen", c.own.LogSeverity)
	look(c.me.ResourceKey(), "BGP_LOGSEVERITYSCREEN", c.options.LogSeverity)
}
