package kubernetes

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// longestPause is the longest wait that the server has not asked for.
const longestPause = 15 * time.Second

// pauses are the waits after failures in a row that are alike: short at first,
// since a server that comes back should be found soon, and spread, since the other
// nodes look for it too. One that answers, and refuses, is asked less often than one
// that is away.
type pauses struct {
	backoff backoff.ExponentialBackOff
	code    int // the server's answer; 0: there was none
}

// after is the wait after err, which is the last failure.
func (p *pauses) after(err error) time.Duration {
	if code := codeOf(err); code != p.code || p.backoff.Multiplier == 0 {
		most := 3 * time.Second
		if code != 0 {
			most = 11 * time.Second
		}
		p.code = code
		p.backoff = backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, Multiplier: 2, MaxInterval: most, RandomizationFactor: .3}
	}
	return max(p.backoff.NextBackOff(), retryAfter(err))
}
