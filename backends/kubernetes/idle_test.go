package kubernetes

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A limit that is set while a read is under way is that read's: the frame that says
// that a collection is there is taken by another goroutine than the one that reads on.
func TestLimitOfAReadUnderWay(t *testing.T) {
	for name, test := range map[string]struct {
		comes time.Duration // after the limit was set
		err   error
	}{
		"in time":  {comes: watchIdle - time.Second},
		"too late": {comes: watchIdle + time.Second, err: errSilent{watchIdle}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				r, w := io.Pipe()
				context.AfterFunc(ctx, func() { r.CloseWithError(context.Cause(ctx)) })
				body := newImpatient(r, loadIdle, cancel)
				read := make(chan error)
				go func() {
					_, err := body.Read(make([]byte, 1))
					read <- err
				}()
				time.Sleep(loadIdle / 2)
				body.setLimit(watchIdle)
				time.AfterFunc(test.comes, func() { _, _ = w.Write([]byte("x")) })
				if err := <-read; !errors.Is(err, test.err) {
					t.Errorf("the read ended with %v, want %v", err, test.err)
				}
			})
		})
	}
}

// A watch on which the server has nothing to say is resumed: that it goes on shows that
// all is well. A collection that does not come is an error.
func TestSilentWatch(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSilent{watchIdle})
	watching := &stream{feed: &feed{}}
	if err := watching.run(ctx); err != nil {
		t.Errorf("a watch ended with %v", err)
	}
	loading := &stream{feed: &feed{}, present: map[objectID]struct{}{}}
	if err := loading.run(ctx); !errors.Is(err, errSilent{watchIdle}) {
		t.Errorf("a list ended with %v", err)
	}
}

// TestRoutine: over HTTP/1.1 a silent watch is given up every half a minute, and that is no
// reason to ask the server how far its store has come.
func TestRoutine(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream stream
		why    error
		want   bool
	}{
		{"HTTP/1.1", stream{idle: idleHTTP1}, errSilent{idleHTTP1}, true},
		{"HTTP/2", stream{idle: watchIdle}, errSilent{watchIdle}, false},
		{"a list", stream{idle: idleHTTP1, present: map[objectID]struct{}{}}, errSilent{loadIdle}, false},
		{"another reason", stream{idle: idleHTTP1}, errors.New("broken"), false},
		{"no reason", stream{idle: idleHTTP1}, nil, false},
	} {
		if got := c.stream.routine(c.why); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
