// Package cached keeps an answer for a while, so that many who ask cost no more than
// one.
package cached

import (
	"sync"
	"time"
)

// Answer is what Ask says, kept for Keep. Whoever asks while it is being looked for
// waits for it; nobody looks for it a second time.
type Answer[T any] struct {
	Keep time.Duration
	Ask  func() T

	mu     sync.Mutex
	at     time.Time
	answer T
}

// Get is the answer.
func (c *Answer[T]) Get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= c.Keep {
		c.answer = c.Ask()
		c.at = time.Now()
	}
	return c.answer
}
