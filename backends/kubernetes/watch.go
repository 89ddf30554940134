package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// Seconds after which the server is to end a watch, so that it can spread its
// watches anew over its instances.
const (
	minWatch = 300
	maxWatch = 600
)

// initialEnd marks the bookmark that follows the whole collection.
const initialEnd = "k8s.io/initial-events-end"

// frame is one message of a watch.
type frame struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
	// object or, of an ERROR, status are what Object says, once it is read.
	object *object
	status status
}

// read reads what the frame is about.
func (fr *frame) read() (err error) {
	if fr.Type == "ERROR" {
		if err := json.Unmarshal(fr.Object, &fr.status); err != nil {
			return fmt.Errorf("error in a watch that cannot be read: %w", err)
		}
		return nil
	}
	fr.object, err = parseObject(fr.Object, fr.Type != "BOOKMARK")
	fr.Object = nil
	return err
}

// stream is a watch that is open.
type stream struct {
	*feed
	body    *impatient
	idle    time.Duration // the body's limit once the collection is there
	frames  chan frame
	broken  error // why there are no more frames; valid once they end
	changes *changes
	// present are, while the collection is being sent, the objects that have come, as far
	// as any were delivered before; nil: it is there.
	present map[objectID]struct{}
}

// watch delivers changes after the feed's revision or, where that is empty, the
// whole collection first. It returns nil where the watch ended as watches do.
func (f *feed) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &stream{feed: f, frames: make(chan frame), changes: f.table.change(), idle: watchIdle}
	began, query := time.Now(), f.query()
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	seconds := minWatch + rand.N(maxWatch-minWatch)
	query.Set("timeoutSeconds", strconv.Itoa(seconds))
	f.early = true // until it has lasted
	if f.revision != "" {
		query.Set("resourceVersion", f.revision)
	} else {
		query.Set("sendInitialEvents", "true")
		query.Set("resourceVersionMatch", "NotOlderThan")
		s.present = map[objectID]struct{}{}
	}
	resp, err := f.client.get(ctx, f.path, query, f.accept("PartialObjectMetadata"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor < 2 {
		s.idle = idleHTTP1
	}
	s.body = newImpatient(resp.Body, s.idle, cancel)
	if s.present != nil {
		s.body.setLimit(loadIdle)
	}
	next := jsonFrames(s.body)
	if isProtobuf(resp) {
		next = newDecoder(f.shape).frames(s.body)
	}
	go s.receive(ctx, next)
	err = s.run(ctx)
	f.early = time.Since(began) < time.Duration(seconds)*time.Second && !s.routine(context.Cause(ctx))
	cancel(nil)
	for range s.frames { // until the receiver has ended
	}
	return err
}

// receive hands on frames until the body ends, which it does with ctx.
func (s *stream) receive(ctx context.Context, next func() (frame, error)) {
	defer close(s.frames)
	for {
		fr, err := next()
		if err != nil {
			s.broken = err
			return
		}
		select {
		case s.frames <- fr:
		case <-ctx.Done():
			s.broken = ctx.Err()
			return
		}
	}
}

// jsonFrames reads frames that are written as JSON.
func jsonFrames(r io.Reader) func() (frame, error) {
	d := json.NewDecoder(r)
	return func() (fr frame, err error) {
		err = d.Decode(&fr)
		return fr, err
	}
}

// run takes frames until there are no more. Removals, and what comes first
// after an outage, are held for a moment, and delivered with what follows them.
func (s *stream) run(ctx context.Context) error {
	hold := time.NewTimer(time.Hour)
	defer hold.Stop()
	// A watch that goes on after an outage begins with what was missed, and
	// nothing says where that ends.
	held := s.present == nil && s.failing
	if held {
		hold.Reset(holdTime)
	}
	for {
		select {
		case fr, ok := <-s.frames:
			if !ok {
				return s.end()
			}
			if err := s.take(fr); err != nil {
				return err
			}
			if s.present != nil || held {
				continue
			}
			if s.changes.removals && s.served != nil {
				held = true
				hold.Reset(holdTime)
				continue
			}
		case <-hold.C:
			if !held {
				continue
			}
			held = false
		case <-ctx.Done():
			return s.stopped(context.Cause(ctx))
		}
		if err := s.deliver(ctx, s.changes); err != nil {
			return err
		}
		s.changes = s.table.change()
	}
}

// stopped says what it means that the watch was given up. One on which nothing came
// is resumed, as one that breaks is.
func (s *stream) stopped(why error) error {
	if s.present == nil && errors.As(why, new(errSilent)) {
		return nil
	}
	return why
}

// routine says whether the watch was given up as those over HTTP/1.1 are, again and again.
func (s *stream) routine(why error) bool {
	return s.present == nil && s.idle == idleHTTP1 && errors.As(why, new(errSilent))
}

// end says what it means that the frames have ended. A watch that breaks is
// resumed, which shows whether there is a reason to worry.
func (s *stream) end() error {
	if s.present == nil {
		return nil
	}
	if errors.Is(s.broken, io.EOF) {
		return fmt.Errorf("the server ended the list in its middle: %w", io.ErrUnexpectedEOF)
	}
	return s.broken
}

// take adds a frame to the changes.
func (s *stream) take(fr frame) error {
	if fr.Object != nil {
		if err := fr.read(); err != nil {
			return err
		}
	}
	if fr.Type == "ERROR" {
		return fr.status.err(0)
	}
	o := fr.object
	if o == nil {
		return errors.New("the server's answer has an event of a watch without an object")
	}
	if o.Metadata.ResourceVersion != "" {
		s.changes.revision = o.Metadata.ResourceVersion
	}
	switch fr.Type {
	case "ADDED", "MODIFIED":
		if s.present != nil && len(s.table.entries) > 0 {
			s.present[o.id()] = struct{}{}
		}
		return s.changes.put(o, s.read)
	case "DELETED":
		delete(s.present, o.id())
		s.changes.remove(o.id())
	case "BOOKMARK":
		if s.present != nil && o.Metadata.Annotations[initialEnd] == "true" {
			s.changes.removeAllBut(s.present)
			s.present, s.absent = nil, false
			s.body.setLimit(s.idle)
		}
	}
	return nil
}
