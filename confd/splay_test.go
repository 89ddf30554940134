package main

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/settings"
)

func TestSplay(t *testing.T) {
	common := backends.Event{Key: backends.Key{Kind: backends.KindBGPPeer, Name: "rack"}}
	own := backends.Event{Key: backends.Key{Kind: backends.KindBlockAffinity, Name: "block"}}
	live := &wanted{config: &bgp.Config{}}
	tests := []struct {
		name   string
		splay  time.Duration
		nodes  int
		live   *wanted
		events []backends.Event
		limit  time.Duration // it is put off by less; 0: not at all
	}{
		{"five thousand nodes", settings.Auto, 5000, live, []backends.Event{common}, 5 * time.Second},
		{"three nodes", settings.Auto, 3, live, []backends.Event{common}, 3 * time.Millisecond},
		{"no nodes", settings.Auto, 0, live, []backends.Event{common}, 0},
		{"as told", time.Minute, 3, live, []backends.Event{common}, time.Minute},
		{"told not to", 0, 5000, live, []backends.Event{common}, 0},
		{"of this node alone", settings.Auto, 5000, live, []backends.Event{own}, 0},
		{"and of this node", settings.Auto, 5000, live, []backends.Event{common, own}, 0},
		{"nothing is live yet", settings.Auto, 5000, nil, []backends.Event{common}, 0},
		{"no event", settings.Auto, 5000, live, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDaemon(nodeOf(t, settings.BGP{}), slog.New(slog.DiscardHandler), nil)
			d.node.settings.Safety.Splay, d.live = tt.splay, tt.live
			d.in = &intake{state: backends.NewState()}
			for i := range tt.nodes {
				d.in.state.Nodes[fmt.Sprintf("node-%d", i)] = &backends.Node{}
			}
			var least, most time.Duration = time.Hour, 0
			for range 200 {
				put := d.splay(tt.events)
				least, most = min(least, put), max(most, put)
			}
			if tt.limit == 0 && most > 0 {
				t.Errorf("it is put off by up to %s", most)
			}
			if tt.limit > 0 && (least > tt.limit/4 || most < tt.limit*3/4 || most >= tt.limit) {
				t.Errorf("it is put off by %s to %s, want anything below %s", least, most, tt.limit)
			}
		})
	}
}
