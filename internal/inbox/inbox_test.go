package inbox

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"confd/backends"
)

// needing is a backend that notes what is needed of it.
type needing struct{ needs backends.Needs }

func (n *needing) Need(needs backends.Needs) { n.needs = needs }

func (*needing) Run(context.Context, chan<- backends.Update) error { return nil }

// TestMoreIsNeeded: what options ask for is needed besides what the state does.
func TestMoreIsNeeded(t *testing.T) {
	secret := func(name string) backends.Key {
		return backends.Key{Kind: backends.KindSecret, Namespace: "kube-system", Name: name}
	}
	n := &needing{}
	more := backends.Needs{Services: true, Secrets: []backends.Key{secret("a"), secret("c")}}
	in := New([]Source{{Name: "x", Backend: n}}, Options{SecretNamespace: "kube-system", More: more, Log: slog.New(slog.DiscardHandler)})
	if !n.needs.Equal(more) {
		t.Errorf("at first: got %v, want %v", n.needs, more)
	}
	peer := &backends.BGPPeer{Name: "p", Password: &backends.SecretKeyRef{Name: "b", Key: "k"}}
	in.Take(backends.Update{Source: "x", Events: []backends.Event{{Key: peer.ResourceKey(), Resource: peer}}})
	if want := (backends.Needs{Services: true, Secrets: []backends.Key{secret("a"), secret("b"), secret("c")}}); !n.needs.Equal(want) {
		t.Errorf("got %v, want %v", n.needs, want)
	}
}

// TestLastGoodOrClosed: of an object that cannot be used any more the last good
// version stays, where there is one; a filter closes all the same.
func TestLastGoodOrClosed(t *testing.T) {
	const good, bad = `{"metadata": {"name": "x"}, "spec": {"cidr": "10.0.0.0/8", "importV4": [{"action": "Accept"}]}}`,
		`{"metadata": {"name": "x"}, "spec": {"cidr": "10.0.0.0/8", "ipipMode": "some", "importV4": [{"action": "some"}]}}`
	event := func(kind backends.Kind, text string) backends.Update {
		r, err := backends.Decode(kind, "", []byte(text))
		return backends.Update{Source: "x", Events: []backends.Event{{Key: r.ResourceKey(), Resource: r, Err: err}}}
	}
	for _, kind := range []backends.Kind{backends.KindIPPool, backends.KindBGPFilter} {
		key := backends.Key{Kind: kind, Name: "x"}
		of := func(text string) backends.Resource { return event(kind, text).Events[0].Resource }
		last := of(good)
		if kind == backends.KindBGPFilter {
			last = of(bad)
		}
		fresh := func() *Inbox {
			return New([]Source{{Name: "x", Backend: &needing{}}}, Options{KeepGood: true, Log: slog.New(slog.DiscardHandler)})
		}
		in, before := fresh(), backends.NewState()
		before.Apply(event(kind, good).Events[0])
		want := func(what string, r backends.Resource) {
			t.Helper()
			if got, _ := in.State().Get(key); !reflect.DeepEqual(got, r) || in.State().Invalid[key] == nil {
				t.Errorf("%s, %s: %+v (%v)", key, what, got, in.State().Invalid[key])
			}
		}
		in.Take(event(kind, bad))
		want("never good", of(bad))
		in.Take(event(kind, bad))
		want("never good, again", of(bad))
		in.Recall(before)
		want("good before the start", last)
		in.Take(event(kind, good))
		in.Take(event(kind, bad))
		want("good, then bad", last)
		in.Take(event(kind, bad))
		want("good, then bad twice", last)
	}
}

// TestOutageIsLogged: each turn of a source is one line, and the end of an outage says how
// long it was.
func TestOutageIsLogged(t *testing.T) {
	var log bytes.Buffer
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	in := New([]Source{{Name: "etcd", Backend: idle{}}}, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: plain}))})
	refused := errors.New("connection refused")
	for _, u := range []backends.Update{
		{At: time.Unix(0, 0), Err: refused},
		{At: time.Unix(1, 0), Err: refused},
		{At: time.Unix(2, 0), InSync: true, Revision: "7"},
		{At: time.Unix(10, 0), Err: refused},
		{At: time.Unix(40, 0), Err: refused},
		{At: time.Unix(75, 0), InSync: true, Revision: "9"},
	} {
		u.Source = "etcd"
		in.Take(u)
	}
	want := `level=WARN msg="datastore is not in step yet: it is tried until it is" source=etcd error="connection refused"
level=INFO msg="datastore is in step" source=etcd revision=7
level=WARN msg="datastore is out of step: the last good configuration stays" source=etcd error="connection refused"
level=INFO msg="datastore is in step again" source=etcd revision=9 after=1m5s
`
	if log.String() != want {
		t.Errorf("logged\n%swant\n%s", &log, want)
	}
}
