package kubernetes

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// How long a body may be silent. A server sends a bookmark on a watch about
// once a minute; with HTTP/2, pings find a lost connection much earlier.
const (
	loadIdle  = 20 * time.Second
	watchIdle = 2 * time.Minute
	idleHTTP1 = 25 * time.Second
)

// impatient is a body that ends its request where a read takes too long. The
// time between reads does not count: that is ours.
type impatient struct {
	body   io.Reader
	cancel context.CancelCauseFunc
	limit  atomic.Int64
}

// errSilent is what reading an impatient body ends with.
type errSilent struct{ limit time.Duration }

func (e errSilent) Error() string { return fmt.Sprintf("the server was silent for %s", e.limit) }

func newImpatient(body io.Reader, limit time.Duration, cancel context.CancelCauseFunc) *impatient {
	b := &impatient{body: body, cancel: cancel}
	b.setLimit(limit)
	return b
}

func (b *impatient) setLimit(limit time.Duration) { b.limit.Store(int64(limit)) }

// Read reads for no longer than the limit.
func (b *impatient) Read(p []byte) (int, error) {
	limit := time.Duration(b.limit.Load())
	timer := time.AfterFunc(limit, func() { b.cancel(errSilent{limit}) })
	n, err := b.body.Read(p)
	if !timer.Stop() && err != nil {
		err = errSilent{limit}
	}
	return n, err
}
