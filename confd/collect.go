package main

import (
	"math"
	"runtime/debug"
)

// What a program that soon ends may let its memory grow to before what it does not need
// any more is collected: five times what it needs, as long as that is no more than
// mostUncollected.
const (
	lazyPercent     = 400
	mostUncollected = 512 << 20 // bytes
)

// collectLate has memory collected late until restore is called: most of what a single
// run takes it needs until it ends. Who has set GOGC or GOMEMLIMIT knows better.
func collectLate() (restore func()) {
	percent, limit := debug.SetGCPercent(lazyPercent), debug.SetMemoryLimit(-1)
	if percent != 100 || limit != math.MaxInt64 {
		debug.SetGCPercent(percent)
		return func() {}
	}
	debug.SetMemoryLimit(mostUncollected)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
