// Package clocktest is for tests of what a machine does whose clock is set.
package clocktest

import (
	"time"
	"unsafe"
)

// Set is what the clock had told instead of t, which it has told, if it had been set by
// whole seconds before: its time is another one, and what runs beside it is the same.
func Set(t time.Time, by time.Duration) time.Time {
	if t == t.Round(0) {
		return t.Add(by) // nothing runs beside it
	}
	// A time that the clock has told has its seconds in bits 30 to 62 of its first word,
	// and what runs beside it in the second one (see time.Time).
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(by/time.Second) << 30
	return t
}
