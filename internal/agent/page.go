package agent

import (
	"context"
	"sync/atomic"

	"confd/backends"
	"confd/bgp"
	"confd/internal/plan"
	"confd/internal/topology"
)

// page draws the cluster for those who look at /: what runs, and which of this node's
// sessions are not up.
type page struct {
	world   World
	options bgp.Options
	shown   atomic.Pointer[shown]
}

// shown is what runs, and the control sockets of those that run it.
type shown struct {
	candidate *plan.Candidate
	sockets   []string
}

// show notes what runs; nil: nothing yet.
func (p *page) show(running *plan.Candidate, sockets []string) {
	if running != nil {
		p.shown.Store(&shown{running, sockets})
	}
}

// now is for topology.Page.
func (p *page) now(ctx context.Context) (*backends.State, topology.Options) {
	s := p.shown.Load()
	if s == nil {
		return nil, topology.Options{}
	}
	o := topology.Options{BGP: p.options, Live: map[string]string{}}
	for _, f := range s.candidate.Config.Families() {
		for i := range f.Sessions {
			o.Live[f.Sessions[i].Name] = "not established"
		}
	}
	for _, socket := range s.sockets {
		up, _, err := p.world.Survey(ctx, socket, false)
		if err != nil {
			o.Live = nil // that is not known
			break
		}
		for _, session := range up {
			delete(o.Live, session.Name)
		}
	}
	return s.candidate.State, o
}
