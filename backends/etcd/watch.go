package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// gatherTime is how long to wait for the rest of a transaction: one that
// touches several ranges comes as several messages, one right after the other.
const gatherTime = 10 * time.Millisecond

// watching is a stream of changes. It speaks etcd's protocol itself: the
// client's Watch hides a lost connection and goes on from a revision that a
// restored store may have used for something else.
type watching struct {
	*run
	kv       clientv3.KV
	stream   pb.Watch_WatchClient
	messages chan *pb.WatchResponse
	broken   error     // why there are no more messages; valid once they end
	listed   int64     // the revision after which changes count
	revision int64     // of the last change delivered
	alive    time.Time // when the server last showed that it is up to date
	created  int       // how many ranges the server watches
	progress progress
}

// progress is what is known of the other side's answers to requests for progress.
type progress int

const (
	progressUnknown  progress = iota
	progressAnswered          // there was one
	progressIgnored           // there was none as long as others were: so etcd's own gRPC proxy
)

// watch delivers the changes after revision, until something fails.
func (r *run) watch(ctx context.Context, client *clientv3.Client, revision int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.openStream(ctx, cancel, client)
	if err == nil {
		w := &watching{run: r, kv: client, stream: stream, messages: make(chan *pb.WatchResponse), listed: revision, revision: revision, alive: time.Now()}
		go w.receive(ctx)
		if err = w.start(); err == nil {
			err = w.loop(ctx)
		}
		cancel()
		for range w.messages { // until the receiver has ended
		}
	}
	return fmt.Errorf("watch after revision %d: %w", revision, rpctypes.Error(err))
}

// openStream gives up after the request timeout: a context with a deadline
// would end the stream with it.
func (r *run) openStream(ctx context.Context, cancel func(), client *clientv3.Client) (pb.Watch_WatchClient, error) {
	timer := time.AfterFunc(r.cfg.RequestTimeout, cancel)
	stream, err := pb.NewWatchClient(client.ActiveConnection()).Watch(ctx, grpc.MaxCallRecvMsgSize(r.maxMessage))
	if !timer.Stop() {
		return nil, fmt.Errorf("no stream after %s: %w", r.cfg.RequestTimeout, context.DeadlineExceeded)
	}
	return stream, err
}

// receive hands on messages until the stream ends, which it does with ctx.
func (w *watching) receive(ctx context.Context) {
	defer close(w.messages)
	for {
		m, err := w.stream.Recv()
		if err != nil {
			w.broken = err
			return
		}
		select {
		case w.messages <- m:
		case <-ctx.Done():
			w.broken = ctx.Err()
			return
		}
	}
}

// start asks for every range, all on one stream, from the revision that is known, whose
// events are left out again: etcd 3.4 takes a watch from the very revision up to which it
// was compacted, without the deletions in that one.
func (w *watching) start() error {
	for _, kr := range w.ranges {
		err := w.request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
			Key:            []byte(kr.key),
			RangeEnd:       []byte(kr.end),
			StartRevision:  w.listed,
			ProgressNotify: true,
			Fragment:       true,
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// request sends a request. io.EOF means that the stream is broken; why, the
// receiver gets to know.
func (w *watching) request(m *pb.WatchRequest) error {
	if err := w.stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (w *watching) loop(ctx context.Context) error {
	ticker := time.NewTicker(w.cfg.ProgressInterval)
	defer ticker.Stop()
	for {
		select {
		case m, ok := <-w.messages:
			if !ok {
				return w.broken
			}
			if err := w.take(ctx, m); err != nil {
				return err
			}
		case <-ticker.C:
			if err := w.probe(ctx); err != nil {
				return err
			}
		}
	}
}

// probe asks for a sign of life, and fails where the last one is too old.
func (w *watching) probe(ctx context.Context) error {
	if quiet := time.Since(w.alive); quiet > w.cfg.StaleAfter {
		if w.progress == progressAnswered || w.created < len(w.ranges) {
			return fmt.Errorf("no answer from an up to date server for %s", quiet.Round(time.Millisecond))
		}
		return w.askAside(ctx)
	}
	if w.progress == progressIgnored { // the proxy writes each to its log, as an error
		return nil
	}
	return w.request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

// askAside asks for a sign of life beside the watch, whose other side answers no request
// for one.
func (w *watching) askAside(ctx context.Context) error {
	w.progress = progressIgnored
	ctx, cancel := context.WithTimeout(ctx, w.cfg.RequestTimeout)
	defer cancel()
	answer, err := w.kv.Get(ctx, w.ranges[0].key, clientv3.WithCountOnly())
	switch {
	case err != nil:
		return fmt.Errorf("no sign of life: %w", err)
	case answer.Header.ClusterId != w.cluster:
		return errOtherCluster
	case answer.Header.Revision < w.revision:
		return fmt.Errorf("the store is at revision %d, and was at %d", answer.Header.Revision, w.revision)
	}
	w.alive = time.Now()
	return nil
}

// take delivers the changes of a message, together with those that follow at
// once.
func (w *watching) take(ctx context.Context, m *pb.WatchResponse) error {
	var b batch
	if err := w.add(&b, m); err != nil || len(m.Events) == 0 {
		return err
	}
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	for late := false; !late || m.Fragment; {
		select {
		case next, ok := <-w.messages:
			if !ok {
				return w.broken
			}
			if err := w.add(&b, next); err != nil {
				return err
			}
			m = next
		case <-timer.C:
			late = true
		}
	}
	if len(b.events) == 0 {
		return nil
	}
	err := w.send(ctx, &b, w.revision, true)
	w.alive = time.Now() // the server is not to blame for a slow consumer
	return err
}

// add takes a message into b; an error means that the stream is of no more use.
func (w *watching) add(b *batch, m *pb.WatchResponse) error {
	switch {
	case m.CompactRevision != 0:
		return rpctypes.ErrCompacted
	case m.Canceled:
		return cancelError(m.CancelReason)
	case m.Header.GetClusterId() != w.cluster && m.Header.GetClusterId() != 0: // etcd's gRPC proxy says none, at times
		return errOtherCluster
	case m.Created:
		w.created++
	case m.WatchId == clientv3.InvalidWatchID && len(m.Events) == 0:
		w.progress = progressAnswered
	}
	for _, e := range m.Events {
		if e.Kv.ModRevision <= w.listed {
			continue
		}
		if e.Type == mvccpb.Event_DELETE {
			w.gone(b, string(e.Kv.Key))
		} else {
			w.put(b, string(e.Kv.Key), e.Kv.Value, w.hash(e.Kv.Value))
		}
		w.revision = max(w.revision, e.Kv.ModRevision)
	}
	// A member that lags behind answers too, and so does a store that was
	// replaced by an older one: neither counts.
	if m.Header.GetRevision() >= w.revision {
		w.alive = time.Now()
	}
	return nil
}

// cancelError makes an error of the server's words, which may be those of a
// gRPC error.
func cancelError(reason string) error {
	if _, description, ok := strings.Cut(reason, " desc = "); ok {
		reason = description
	}
	if reason == "" {
		reason = "cancelled by the server"
	}
	return rpctypes.Error(errors.New(reason))
}
