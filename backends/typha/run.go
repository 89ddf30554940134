package typha

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"confd/backends"
	"confd/backends/internal/outage"
	"confd/backends/typha/internal/wire"
)

// run is the state of one call of Run: what was delivered, and where it stands.
// Its goroutine is the only one that talks to the consumer.
type run struct {
	*Backend
	out   chan<- backends.Update
	table *table

	server *backends.Server // that we are connected to; nil: to none
	reject context.CancelCauseFunc
	status uint8 // of the server

	told   backends.Update // the last, without events
	loaded bool            // was in step at least once
	err    error           // why it is not, as known last
	grace  <-chan time.Time
	outage outage.Outage[string] // by kinds of failures
}

func newRun(b *Backend, out chan<- backends.Update) *run {
	return &run{Backend: b, out: out, table: newTable(reader{node: b.cfg.Node, allNodes: b.cfg.AllNodes, checker: b.checker})}
}

// loop takes reports until ctx ends.
func (r *run) loop(ctx context.Context, reports <-chan any) {
	for {
		ok := true
		select {
		case what := <-reports:
			ok = r.take(ctx, what)
		case <-r.grace:
			r.grace = nil
			ok = r.outOfStep(ctx)
		case <-ctx.Done():
			return
		}
		if !ok {
			return
		}
	}
}

// take acts on a report. False: ctx has ended.
func (r *run) take(ctx context.Context, what any) bool {
	switch what := what.(type) {
	case connected:
		r.log.Info("connected to Typha", "server", what.server.Address, "version", what.server.Version)
		r.server, r.reject, r.status = &what.server, what.reject, wire.WaitForDatastore
		r.table.begin()
	case []wire.KV:
		if err := r.table.add(what); err != nil {
			r.reject(err)
			return true
		}
		return r.status != wire.InSync || r.deliver(ctx)
	case wire.SyncStatus:
		return r.stands(ctx, what.SyncStatus)
	case delayed:
		return r.delayed(ctx, time.Duration(what))
	case lost:
		return r.lost(ctx, what.err)
	}
	return true
}

// stands notes how far the server is.
func (r *run) stands(ctx context.Context, status uint8) bool {
	r.status = status
	if status == wire.InSync {
		r.table.end()
		return r.deliver(ctx)
	}
	doing := "is reading its datastore"
	if status == wire.WaitForDatastore {
		doing = "waits for its datastore"
	}
	r.err = fmt.Errorf("typha at %s %s", r.server.Address, doing)
	if r.grace != nil { // it is news of an outage that is none yet
		return true
	}
	return r.outOfStep(ctx)
}

// deliver sends what has come: the server is in step.
func (r *run) deliver(ctx context.Context) bool {
	u := backends.Update{Events: r.table.events, InSync: true}
	if len(u.Events) == 0 && r.told.InSync && r.told.Server.Since.Equal(r.server.Since) {
		return true
	}
	if r.table.newest > 0 {
		u.Revision = strconv.FormatUint(r.table.newest, 10)
	}
	if !r.send(ctx, u) {
		return false
	}
	r.table.delivered()
	r.loaded, r.err, r.grace, r.outage = true, nil, nil, outage.Outage[string]{}
	return true
}

// send tells the consumer something, with where it came from.
func (r *run) send(ctx context.Context, u backends.Update) bool {
	u.Source, u.Revision = source, cmp.Or(u.Revision, r.told.Revision)
	if r.server != nil {
		server := *r.server
		u.Server = &server
	}
	r.told = u
	r.told.Events = nil
	return backends.Send(ctx, r.out, u)
}

// outOfStep tells why what was told may be out of date.
func (r *run) outOfStep(ctx context.Context) bool {
	if !r.told.InSync && r.told.Err != nil && r.told.Err.Error() == r.err.Error() {
		return true
	}
	r.outage.Begin(time.Now())
	return r.send(ctx, backends.Update{Err: r.err})
}

// delayed notes how much later than it was written a ping came, to the second.
func (r *run) delayed(ctx context.Context, lag time.Duration) bool {
	lag = lag.Round(time.Second)
	if r.server == nil || r.server.Lag == lag {
		return true
	}
	r.server.Lag = lag
	if r.told.Server == nil || !r.told.Server.Since.Equal(r.server.Since) {
		return true // the next update says so
	}
	return r.send(ctx, backends.Update{InSync: r.told.InSync, Err: r.told.Err})
}

// lost notes that there is no connection. Where there was one, and it was in step,
// that is nothing to worry about for a while.
func (r *run) lost(ctx context.Context, f *failure) bool {
	if errors.Is(f, context.Canceled) {
		return true
	}
	r.server, r.status, r.err = nil, wire.WaitForDatastore, f
	r.table.drop()
	if r.told.InSync {
		r.log.Info("connection to Typha lost: trying another server", "error", f)
		if r.grace == nil {
			r.grace = time.After(r.cfg.Grace)
		}
		return true
	}
	return r.failed(ctx, f)
}

// failed notes a failure out of step: it is told once per outage for each kind of
// reason, and logged now and then that it goes on.
func (r *run) failed(ctx context.Context, f *failure) bool {
	now := time.Now()
	news := r.outage.Failed(now, f.kind)
	if goesOn := r.outage.Reminder(now); goesOn != nil {
		r.log.Info("still no server of Typha's is in step: they are tried again until one is", append([]any{"error", f}, goesOn...)...)
	}
	return !news || r.send(ctx, backends.Update{Err: f})
}
