package kubernetes

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// How long a body may be silent. A server sends a bookmark on a watch about once a
// minute, but may leave out the first, so that none comes for two minutes and more; with
// HTTP/2, pings find a lost connection much earlier. A watch that is silent for longer is
// resumed.
const (
	loadIdle  = 20 * time.Second
	watchIdle = 3 * time.Minute
	idleHTTP1 = 25 * time.Second
)

// impatient is a body that ends its request where a read takes too long. The
// time between reads does not count: that is ours.
type impatient struct {
	body   io.Reader
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	limit time.Duration
	read  *time.Timer // of the read that is under way; nil: there is none
}

// errSilent is what reading an impatient body ends with.
type errSilent struct{ limit time.Duration }

func (e errSilent) Error() string { return fmt.Sprintf("the server was silent for %s", e.limit) }

func newImpatient(body io.Reader, limit time.Duration, cancel context.CancelCauseFunc) *impatient {
	return &impatient{body: body, limit: limit, cancel: cancel}
}

// setLimit is for the next reads, and for the one that is under way, which may have
// begun before it was known what the one before it said.
func (b *impatient) setLimit(limit time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = limit
	if b.read != nil {
		b.read.Reset(limit)
	}
}

// Read reads for no longer than the limit.
func (b *impatient) Read(p []byte) (int, error) {
	b.begin()
	n, err := b.body.Read(p)
	if over := b.end(); over != nil && err != nil {
		err = over
	}
	return n, err
}

func (b *impatient) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = time.AfterFunc(b.limit, b.giveUp)
}

// giveUp ends the request.
func (b *impatient) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancel(errSilent{b.limit})
}

// end is errSilent where the read that ends took longer than it may.
func (b *impatient) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	inTime := b.read.Stop()
	b.read = nil
	if inTime {
		return nil
	}
	return errSilent{b.limit}
}
