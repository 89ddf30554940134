package metrics

import (
	"sync"
	"time"
)

// cached keeps an answer for a while. Whoever asks while it is being looked for
// waits for it; nobody looks for it a second time.
type cached[T any] struct {
	keep time.Duration
	ask  func() T

	mu     sync.Mutex
	at     time.Time
	answer T
}

func (c *cached[T]) get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= c.keep {
		c.answer = c.ask()
		c.at = time.Now()
	}
	return c.answer
}
