package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"confd/backends"
)

// holdTime is how long the deletion of a custom resource is held before the
// server is asked whether its kind is being removed. The objects go first then,
// and discovery tells of it a moment later.
const holdTime = 500 * time.Millisecond

// secretPatience is how long a Secret may not be readable before that counts
// as an answer. A refusal counts at once.
const secretPatience = 10 * time.Second

// collection says what a feed reads.
type collection struct {
	name         string // for messages, and unique
	path         string
	selector     string // field selector
	metadataOnly bool
	// shape is what matters of an object as protobuf; nil: it comes as JSON.
	shape shape
	read  reader
	// served checks that the server still has the kind; nil: it always has.
	served *served
	// optional says that a server may do without the kind.
	optional bool
	// secret is the Secret that this is; empty: it is none.
	secret backends.Key
}

// feed keeps the consumer in step with one collection. Its goroutine owns it;
// once that has ended, the hub does.
type feed struct {
	collection
	client  *client
	log     *slog.Logger
	reports chan<- report
	cancel  context.CancelFunc
	ended   chan struct{}

	table    *table
	revision string // up to which all is delivered; empty: list again
	loaded   bool   // the whole collection was delivered once
	absent   bool   // the server has no such kind, and need not
	failing  bool   // the hub was told of a failure
	early    bool   // the last watch ended before its time
	older    bool   // the store has gone back, of which the hub was not told
	// streaming says that the server may be asked to begin a watch with the
	// whole collection.
	streaming bool
	pauses    pauses
	started   time.Time
}

// report is what a feed tells the hub: changes, and that it is in step, or why
// it is not.
type report struct {
	from     string
	events   []backends.Event
	revision string
	older    bool // the revision may be lower than those before: the store has gone back
	err      error
	// unreadable says, of a Secret's feed, that the events tell of a Secret
	// that cannot be read.
	unreadable bool
	// group is the API group that was found.
	group *group
}

// errAbsent ends the session of an optional kind that the server has not.
var errAbsent = errors.New("the server has no such kind")

// run keeps in step until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer close(f.ended)
	f.started = time.Now()
	for {
		began := time.Now()
		err := f.session(ctx)
		if ctx.Err() != nil {
			return
		}
		lasted := time.Since(began)
		inOrder := err == nil && lasted > time.Second // a watch that ended
		if inOrder || lasted > longestPause {
			f.pauses = pauses{}
		}
		if inOrder {
			continue
		}
		if err != nil && !f.fail(ctx, err) || !backends.Sleep(ctx, f.pauses.after(err)) {
			return
		}
	}
}

// session lists where that is needed, and watches until that ends. Nil means
// that the next one can go on at once.
func (f *feed) session(ctx context.Context) error {
	if err := f.prepare(ctx); err != nil {
		return f.checkAbsent(ctx, err)
	}
	err := f.watch(ctx)
	switch {
	case err == nil, f.outdated(err):
		return nil
	case f.revision == "" && cannotStream(err):
		f.log.Debug("no streaming list", "collection", f.name, "because", err)
		f.streaming = false
		return f.session(ctx)
	}
	return f.checkAbsent(ctx, err)
}

// prepare finds the revision to watch from, where the watch does not begin with the whole
// collection.
func (f *feed) prepare(ctx context.Context) error {
	if f.revision != "" && f.early {
		if err := f.verify(ctx); err != nil {
			return err
		}
	}
	if f.revision == "" && !f.streaming {
		return f.load(ctx)
	}
	return nil
}

// verify asks whether the store has come to the feed's revision, after a watch that ended
// too soon. One that was restored from a backup meanwhile has not, and the server takes a
// watch from there all the same: it says nothing until the store has come so far again.
func (f *feed) verify(ctx context.Context) error {
	query := f.query()
	query.Set("limit", "1")
	query.Set("resourceVersion", f.revision)
	query.Set("resourceVersionMatch", "NotOlderThan")
	if _, err := f.page(ctx, query, func(*object) error { return nil }); !f.outdated(err) {
		return err
	}
	return nil
}

// outdated has the feed list again where an error says that its revision is too old, or is
// none of this store.
func (f *feed) outdated(err error) bool {
	if f.revision == "" || codeOf(err) != http.StatusGone && !isAhead(err) {
		return false
	}
	f.log.Debug("listing again", "collection", f.name, "because", err)
	f.revision, f.older = "", isAhead(err)
	return true
}

// isAhead says whether the server knows no revision that is as new. A load balancer says
// 504, too, where no server answers: that is no reason for every node to list everything.
func isAhead(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.code == http.StatusGatewayTimeout && strings.Contains(s.message, "Too large resource version")
}

// cannotStream says whether a plain list is worth a try.
func cannotStream(err error) bool {
	switch codeOf(err) {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotAcceptable, http.StatusGone,
		http.StatusInternalServerError, http.StatusGatewayTimeout: // so with an old etcd
		return true
	}
	var silent errSilent
	return errors.As(err, &silent)
}

// load lists the collection and delivers the difference.
func (f *feed) load(ctx context.Context) error {
	c, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.absent = false
	if c.removals && f.served != nil && !backends.Sleep(ctx, holdTime) {
		return ctx.Err()
	}
	return f.deliver(ctx, c)
}

// deliver sends changes. Where the server is removing the kind they are none:
// what was known stays.
func (f *feed) deliver(ctx context.Context, c *changes) error {
	if c.removals && f.served != nil {
		if err := f.served.check(ctx, f.client); err != nil {
			f.revision = ""
			return err
		}
	}
	if len(c.events) > 0 || !f.loaded || f.failing || f.older {
		r := report{from: f.name, events: c.events, revision: c.revision, older: f.older}
		if !f.send(ctx, r) {
			return ctx.Err()
		}
	}
	c.commit()
	f.revision, f.loaded, f.failing, f.older = c.revision, true, false, false
	return nil
}

// checkAbsent finds out whether err means that the server has no such kind, and
// needs none: then there is nothing in it. Once something was delivered, it
// does not.
func (f *feed) checkAbsent(ctx context.Context, err error) error {
	if !f.optional || codeOf(err) != http.StatusNotFound || f.loaded && !f.absent {
		return err
	}
	resources, groupErr := f.served.resources(ctx, f.client)
	if _, ok := resources[f.served.plural]; groupErr != nil || ok {
		return err
	}
	f.absent = true
	if err := f.deliver(ctx, f.table.change()); err != nil {
		return err
	}
	return errAbsent
}

// fail tells why the collection is not in step. False: ctx has ended.
func (f *feed) fail(ctx context.Context, err error) bool {
	if errors.Is(err, errAbsent) {
		return true
	}
	f.failing = true
	err = f.explain(err)
	f.log.Debug("collection is out of step", "error", err)
	r := report{from: f.name, err: err}
	c := f.table.change()
	if f.unreadable(err) {
		c.events = []backends.Event{{Key: f.secret, Err: fmt.Errorf("cannot be read: %w", err)}}
		c.entries[objectID{f.secret.Namespace, f.secret.Name}] = entry{key: f.secret}
		r.events, r.unreadable = c.events, true
	}
	if !f.send(ctx, r) {
		return false
	}
	c.commit()
	return true
}

// unreadable says whether a Secret that was never read is to be told as one
// that cannot be.
func (f *feed) unreadable(err error) bool {
	if f.secret == (backends.Key{}) || f.loaded || len(f.table.entries) > 0 {
		return false
	}
	return codeOf(err) == http.StatusForbidden || time.Since(f.started) > secretPatience
}

// explain names the collection and the server, and what to do where something
// is known to help.
func (f *feed) explain(err error) error {
	err = fmt.Errorf("%s: %s: %w", f.client.where(), f.name, err)
	switch codeOf(err) {
	case http.StatusForbidden:
		return fmt.Errorf("%w: give the program's user that right", err)
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: renew the credentials; the files are read again at each try", err)
	case http.StatusNotFound:
		return fmt.Errorf("%w: install its CustomResourceDefinition; what is known stays in use", err)
	}
	return err
}

func (f *feed) send(ctx context.Context, r report) bool {
	select {
	case f.reports <- r:
		return true
	case <-ctx.Done():
		return false
	}
}
