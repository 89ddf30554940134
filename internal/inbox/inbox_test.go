package inbox

import (
	"context"
	"log/slog"
	"testing"

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
