package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

// listing reads all ranges at one revision, page by page.
type listing struct {
	*run
	kv       clientv3.KV
	pageSize int
	revision int64 // of all pages; 0 before the first
	// present are the keys that are there; nil where none was seen before.
	present map[string]struct{}
	batch   batch
}

// list reads everything at one revision, and delivers what differs from what
// was delivered before. The first time it does so page by page; later in one
// Update, since what is half old and half new must not be used. Where it
// fails, nothing of an unfinished difference has been delivered.
func (r *run) list(ctx context.Context, kv clientv3.KV) (revision int64, err error) {
	l := &listing{run: r, kv: kv, pageSize: r.cfg.PageSize}
	if len(r.seen) > 0 {
		l.present = make(map[string]struct{}, len(r.seen))
	}
	for _, kr := range r.ranges {
		if err := l.readRange(ctx, kr); err != nil {
			return 0, fmt.Errorf("list %s: %w", kr.key, err)
		}
	}
	if l.present != nil {
		for key := range r.seen {
			if _, ok := l.present[key]; !ok {
				r.gone(&l.batch, key)
			}
		}
	}
	return l.revision, r.send(ctx, &l.batch, l.revision, true)
}

func (l *listing) readRange(ctx context.Context, kr keyRange) error {
	for from := kr.key; ; {
		page, err := l.readPage(ctx, from, kr.end)
		if err != nil {
			return err
		}
		l.expect(page)
		for _, kv := range page.Kvs {
			l.add(string(kv.Key), kv.Value)
		}
		if !l.loaded && len(l.batch.events) > 0 {
			if err := l.send(ctx, &l.batch, l.revision, false); err != nil {
				return err
			}
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

// expect makes room for what a page has, and for what is said to follow.
func (l *listing) expect(page *clientv3.GetResponse) {
	if l.present != nil {
		return
	}
	if all := len(l.seen) + int(page.Count); len(l.seen) < all/2 {
		seen := make(map[string]uint64, all)
		maps.Copy(seen, l.seen)
		l.seen = seen
	}
	l.batch.events = slices.Grow(l.batch.events, len(page.Kvs))
	l.batch.marks = slices.Grow(l.batch.marks, len(page.Kvs))
}

// add notes a key, and its event where the value is not the one delivered.
func (l *listing) add(key string, value []byte) {
	if l.present != nil {
		l.present[key] = struct{}{}
	}
	hash := l.hash(value)
	if old, ok := l.seen[key]; !ok || old != hash {
		l.put(&l.batch, key, value, hash)
	}
}

// readPage reads one page; smaller ones where it is too large a message.
func (l *listing) readPage(ctx context.Context, from, end string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	for {
		page, err := l.get(ctx, from, end, opts...)
		if err == nil {
			return page, l.checkPage(page)
		}
		if codeOf(err) != codes.ResourceExhausted || l.pageSize == 1 {
			return nil, err
		}
		l.pageSize = max(1, l.pageSize/4)
	}
}

func (l *listing) get(ctx context.Context, from, end string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.RequestTimeout)
	defer cancel()
	opts = append(slices.Clip(opts), clientv3.WithLimit(int64(l.pageSize)), clientv3.WithRev(l.revision))
	if end != "" {
		opts = append(opts, clientv3.WithRange(end))
	}
	page, err := l.kv.Get(ctx, from, opts...)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", l.cfg.RequestTimeout, err)
	}
	return page, err
}

// checkPage takes the revision of the first page for all. The pages of one
// list must not come from two clusters.
func (l *listing) checkPage(page *clientv3.GetResponse) error {
	if l.revision == 0 {
		l.revision, l.cluster = page.Header.Revision, page.Header.ClusterId
	}
	if page.Header.ClusterId != l.cluster {
		return errOtherCluster
	}
	return nil
}

// errOtherCluster is told where the answers of one session disagree on who
// they come from.
var errOtherCluster = errors.New("the endpoints belong to different etcd clusters, or the cluster was replaced: if this stays, correct ETCD_ENDPOINTS")
