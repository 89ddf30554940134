package agent

import (
	"testing"
	"time"

	"confd/backends"
	"confd/internal/settings"
)

func TestSpread(t *testing.T) {
	common := backends.Event{Key: backends.Key{Kind: backends.KindBGPPeer, Name: "rack"}}
	own := backends.Event{Key: backends.Key{Kind: backends.KindBlockAffinity, Name: "block"}}
	felix := func(name string) backends.Event {
		return backends.Event{Key: backends.Key{Kind: backends.KindFelixConfiguration, Name: name}}
	}
	tests := []struct {
		name   string
		limit  time.Duration
		nodes  int
		events []backends.Event
		most   time.Duration // it is put off by less; 0: not at all
	}{
		{"five thousand nodes", settings.Auto, 5000, []backends.Event{common}, 5 * time.Second},
		{"three nodes", settings.Auto, 3, []backends.Event{common}, 3 * time.Millisecond},
		{"no nodes", settings.Auto, 0, []backends.Event{common}, 0},
		{"as told", time.Minute, 3, []backends.Event{common}, time.Minute},
		{"told not to", 0, 5000, []backends.Event{common}, 0},
		{"of this node alone", settings.Auto, 5000, []backends.Event{own}, 0},
		{"and of this node", settings.Auto, 5000, []backends.Event{common, own}, 0},
		{"this node's Felix", settings.Auto, 5000, []backends.Event{felix("node.node-1")}, 0},
		{"another node's Felix", settings.Auto, 5000, []backends.Event{felix("node.node-10")}, 5 * time.Second},
		{"every Felix", settings.Auto, 5000, []backends.Event{felix("default")}, 5 * time.Second},
		{"no event", settings.Auto, 5000, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var least, most time.Duration = time.Hour, 0
			for range 200 {
				put := spread(tt.limit, "node-1", tt.nodes, tt.events)
				least, most = min(least, put), max(most, put)
			}
			if tt.most == 0 && most > 0 {
				t.Errorf("it is put off by up to %s", most)
			}
			if tt.most > 0 && (least > tt.most/4 || most < tt.most*3/4 || most >= tt.most) {
				t.Errorf("it is put off by %s to %s, want anything below %s", least, most, tt.most)
			}
		})
	}
}
