package etcd

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"confd/backends"
	"confd/backends/internal/outage"
)

// newPauses are the pauses between sessions: short, since a server that comes back
// should be found soon, and spread, since the other nodes look for it too.
func newPauses() backoff.ExponentialBackOff {
	return backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, Multiplier: 2, MaxInterval: 4 * time.Second, RandomizationFactor: .3}
}

// lasting is how long a session must be in step for the pauses to begin anew.
const lasting = 5 * time.Second

// run is the state of one call of Run. One goroutine owns it.
type run struct {
	*Backend
	out chan<- backends.Update
	// seen has a hash of the value of every key that was delivered. Revisions
	// would not do: a store restored from a backup uses them a second time.
	seen    map[string]uint64
	seed    maphash.Seed
	cluster uint64    // the cluster ID in this session's first answer
	loaded  bool      // was in step at least once
	inStep  time.Time // since when it is in step; zero where it is not
	pauses  backoff.ExponentialBackOff
	outage  outage.Outage[reason]
}

// reason is a kind of failure: that a watch breaks off is told apart from that the
// server is not to be reached afterwards, though etcd has one code for both.
type reason struct {
	code codes.Code
	lost bool // what was in step until then
}

func newRun(b *Backend, out chan<- backends.Update) *run {
	return &run{Backend: b, out: out, seen: map[string]uint64{}, seed: maphash.MakeSeed(), pauses: newPauses()}
}

// session connects, lists and watches until something fails; it always
// returns an error.
func (r *run) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	// A member that is cut off from the others must refuse, rather than say
	// nothing for ever.
	ctx = clientv3.WithRequireLeader(ctx)
	revision, err := r.list(ctx, client)
	if err != nil {
		return err
	}
	r.recovered()
	return r.watch(ctx, client, revision)
}

// batch collects events, and what is to be remembered once they are sent.
type batch struct {
	events []backends.Event
	marks  []mark
}

type mark struct {
	key  string
	hash uint64
	gone bool
}

func (r *run) hash(value []byte) uint64 { return maphash.Bytes(r.seed, value) }

// put adds the event of a key that has this value, which has that hash.
func (r *run) put(b *batch, key string, value []byte, hash uint64) {
	if e, ok := r.putEvent(key, value); ok {
		b.events = append(b.events, e)
		b.marks = append(b.marks, mark{key: key, hash: hash})
	}
}

// gone adds the event of a key that is no more.
func (r *run) gone(b *batch, key string) {
	if e, ok := r.goneEvent(key); ok {
		b.events = append(b.events, e)
		b.marks = append(b.marks, mark{key: key, gone: true})
	}
}

// send delivers a batch and remembers it. It fails only where ctx has ended.
func (r *run) send(ctx context.Context, b *batch, revision int64, inSync bool) error {
	u := backends.Update{Source: source, Events: b.events, InSync: inSync, Revision: strconv.FormatInt(revision, 10), Cluster: strconv.FormatUint(r.cluster, 16)}
	if !backends.Send(ctx, r.out, u) {
		return ctx.Err()
	}
	for _, m := range b.marks {
		if m.gone {
			delete(r.seen, m.key)
		} else {
			r.seen[m.key] = m.hash
		}
	}
	*b = batch{}
	return nil
}

// recovered notes that the whole state has been delivered.
func (r *run) recovered() {
	r.loaded, r.inStep, r.outage = true, time.Now(), outage.Outage[reason]{}
}

// failed notes that a session ended, tells the consumer each kind of reason
// once per outage, and logs now and then that it goes on. It is false where ctx ended.
func (r *run) failed(ctx context.Context, err error) bool {
	if !r.inStep.IsZero() && time.Since(r.inStep) > lasting {
		r.pauses.Reset()
	}
	why := reason{code: codeOf(err), lost: !r.inStep.IsZero()}
	r.inStep = time.Time{}
	err = r.explain(err)
	now := time.Now()
	news := r.outage.Failed(now, why)
	if goesOn := r.outage.Reminder(now); goesOn != nil {
		r.log.Info("still not in step with etcd: it is tried again until it works", append([]any{"error", err}, goesOn...)...)
	}
	return !news || backends.Send(ctx, r.out, backends.Update{Source: source, Err: err})
}

// explain says what to do about err, where something is known to help.
func (r *run) explain(err error) error {
	var hint string
	switch {
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		hint = fmt.Sprintf("let user %q read the keys under /calico/ (etcdctl role grant-permission ROLE --prefix read /calico/)", r.cfg.Username)
	case errors.Is(err, rpctypes.ErrAuthFailed):
		hint = "correct ETCD_USERNAME and ETCD_PASSWORD"
	case errors.Is(err, rpctypes.ErrUserEmpty):
		hint = "this etcd wants a user: set ETCD_USERNAME and ETCD_PASSWORD"
	case !r.loaded && cutOff(err):
		hint = "the server ends connections at once: has ETCD_ENDPOINTS the right scheme (https://, http://), and does the server accept the client certificate (ETCD_CERT_FILE, ETCD_KEY_FILE)?"
	default:
		return r.at(err)
	}
	return fmt.Errorf("%w: %s", r.at(err), hint)
}

// cutOff is true where the other side closed a connection without a word. A
// server that wants TLS, or another client certificate, looks like that.
func cutOff(err error) bool {
	text := err.Error()
	for _, s := range []string{"EOF", "broken pipe", "connection reset"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// codeOf is the kind of an error, by gRPC's classes.
func codeOf(err error) codes.Code {
	var e rpctypes.EtcdError
	switch {
	case errors.As(err, &e):
		return e.Code()
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	}
	return status.Code(err)
}
