package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/fields"

	"confd/backends"
)

// finderName is the name under which the search for the API group reports.
const finderName = "Calico's API group"

// endPatience is how long changes are held in an outage, when it begins and when
// it ends: as long as collections that have failed take to be asked again.
const endPatience = longestPause + 5*time.Second

// hub is the state of one call of Run. Its goroutine is the only one that talks
// to the consumer, and starts and stops the feeds.
type hub struct {
	*Backend
	out     chan<- backends.Update
	reports chan report
	feeds   map[string]*feed
	// standing is where everything stands that reports: feeds, and the search
	// for the API group.
	standing map[string]*standing
	wanted   backends.Needs
	finder   chan struct{} // closed when the search has ended; nil: there is none

	told    *backends.Update // what was told last, without events
	newest  uint64           // revision of the store that was told
	class   string           // of the error told last
	culprit string           // whose error that was
	outage  bool             // it was in step, and is not any more

	// held are changes that came while something is out of step. Collections fail
	// and come back one by one: a peer must not be told before the filter that
	// came with it.
	held      []backends.Event
	holdUntil time.Time
	overdue   <-chan time.Time // fires then
	ending    bool             // a collection that has failed is back
}

// standing is where one collection stands.
type standing struct {
	needed     bool // it is read because it is needed, and may be without delay
	loaded     bool
	unreadable bool // a Secret that was told as such
	err        error
}

func newHub(b *Backend, out chan<- backends.Update) *hub {
	return &hub{Backend: b, out: out, reports: make(chan report), feeds: map[string]*feed{}, standing: map[string]*standing{}}
}

// run works until ctx ends; then all feeds have ended too.
func (h *hub) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer h.wait()
	defer cancel()
	if h.cfg.CalicoResources {
		h.startCore(ctx)
	}
	if h.cfg.CalicoResources || h.cfg.FelixConfigurations {
		h.startFinder(ctx)
	}
	if !h.tell(ctx, nil, "") {
		return
	}
	for {
		ok := true
		select {
		case r := <-h.reports:
			ok = h.take(ctx, r)
		case n := <-h.needs:
			ok = h.need(ctx, n)
		case <-h.overdue:
			ok = h.tell(ctx, nil, "")
		case <-ctx.Done():
			return
		}
		if !ok {
			return
		}
	}
}

func (h *hub) wait() {
	for _, f := range h.feeds {
		<-f.ended
	}
	if h.finder != nil {
		<-h.finder
	}
}

// take notes a report and passes it on. A feed that was stopped has nothing
// more to say.
func (h *hub) take(ctx context.Context, r report) bool {
	s, ok := h.standing[r.from]
	if !ok {
		return true
	}
	h.noteEnding(s, r.err)
	s.err = r.err
	s.loaded = s.loaded || r.err == nil
	s.unreadable = s.unreadable || r.unreadable
	if r.group != nil {
		h.log.Info("found Calico's resources", "group", r.group.name)
		h.startCalico(ctx, r.group)
	}
	return h.tell(ctx, r.events, h.revision(r))
}

// revision is that of the store, of which each collection has its own: what comes of one
// may be older than what came of another, and the store has not gone back for that.
func (h *hub) revision(r report) string {
	n, err := strconv.ParseUint(r.revision, 10, 64)
	if err != nil {
		return r.revision
	}
	if n > h.newest || r.older {
		h.newest = n
	}
	return strconv.FormatUint(h.newest, 10)
}

// need starts and stops feeds as the needs change.
func (h *hub) need(ctx context.Context, n backends.Needs) bool {
	h.wanted = n
	wanted := map[string]collection{}
	if n.Services {
		for _, c := range serviceCollections() {
			wanted[c.name] = c
		}
	}
	for _, k := range n.Secrets {
		c := secretCollection(k, h.cfg.SecretNamespace)
		wanted[c.name] = c
	}
	var events []backends.Event
	for _, name := range slices.Sorted(maps.Keys(h.standing)) {
		if _, ok := wanted[name]; !ok && h.standing[name].needed {
			events = append(events, h.stop(name)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := h.feeds[name]; !ok {
			h.start(ctx, wanted[name], true)
		}
	}
	return h.tell(ctx, events, "")
}

// start runs a feed.
func (h *hub) start(ctx context.Context, c collection, needed bool) {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{
		collection: c, client: h.client, log: h.log, reports: h.reports, cancel: cancel, ended: make(chan struct{}),
		table: newTable(), streaming: true,
	}
	h.feeds[c.name] = f
	h.standing[c.name] = &standing{needed: needed}
	go f.run(ctx)
}

// stop ends a feed, and returns the events that withdraw what it delivered.
func (h *hub) stop(name string) []backends.Event {
	f := h.feeds[name]
	f.cancel()
	<-f.ended
	delete(h.feeds, name)
	delete(h.standing, name)
	return f.table.clear()
}

func (h *hub) startCore(ctx context.Context) {
	nodes := collection{name: "Nodes", path: "/api/v1/nodes", metadataOnly: true, shape: metadataShape(), read: readNode}
	switch {
	case h.cfg.UsePodCIDR && h.cfg.AllNodes:
		nodes.metadataOnly, nodes.shape = false, nodeShape()
	case h.cfg.UsePodCIDR:
		// The podCIDRs are no metadata, and this node's alone matter.
		nodes.read = only(nodes.read, otherThan(h.cfg.Node))
		h.start(ctx, collection{
			name: "Node " + strconv.Quote(h.cfg.Node), path: "/api/v1/nodes", selector: named(h.cfg.Node), shape: nodeShape(), read: readNode,
		}, false)
	}
	h.start(ctx, nodes, false)
}

func (h *hub) startCalico(ctx context.Context, g *group) {
	for _, k := range calicoKinds(h.cfg) {
		c := collection{
			name: k.plural + " of " + g.name, path: "/apis/" + g.name + "/" + k.plural,
			read: readCalico(k.kind, h.checker), served: newServed(g, k.plural), optional: k.optional,
		}
		switch k.kind {
		case backends.KindBGPConfiguration:
			c.read = effective(c.read)
		case backends.KindBlockAffinity:
			if !h.cfg.AllNodes {
				c.read = only(c.read, ofNode(h.cfg.Node))
			}
		case backends.KindFelixConfiguration:
			if h.cfg.AllNodes {
				break
			}
			// There may be one for each node, and two matter.
			own := c
			own.name += ", this node's"
			own.selector = named("node." + h.cfg.Node)
			h.start(ctx, own, false)
			c.selector = named("default")
		}
		h.start(ctx, c, false)
	}
}

func serviceCollections() []collection {
	return []collection{
		{name: "Services", path: "/api/v1/services", shape: serviceShape(), read: readCore(backends.KindService)},
		{name: "EndpointSlices", path: "/apis/discovery.k8s.io/v1/endpointslices", shape: endpointSliceShape(), read: readCore(backends.KindEndpointSlice)},
	}
}

func secretCollection(k backends.Key, namespace string) collection {
	if k.Namespace == "" {
		k.Namespace = namespace
	}
	return collection{
		name: k.String(), path: "/api/v1/namespaces/" + url.PathEscape(k.Namespace) + "/secrets",
		selector: named(k.Name), read: readCore(backends.KindSecret), secret: k,
	}
}

// named is a selector for one object, whatever characters its name has.
func named(name string) string {
	return fields.OneTermEqualSelector("metadata.name", name).String()
}

// startFinder searches for the API group until it is found.
func (h *hub) startFinder(ctx context.Context) {
	h.standing[finderName] = &standing{}
	h.finder = make(chan struct{})
	go func() {
		defer close(h.finder)
		var p pauses
		for {
			g, err := discover(ctx, h.client, h.cfg)
			if err != nil {
				err = fmt.Errorf("%s: %w", h.client.where(), err)
			}
			select {
			case h.reports <- report{from: finderName, group: g, err: err}:
			case <-ctx.Done():
				return
			}
			if g != nil || !backends.Sleep(ctx, p.after(err)) {
				return
			}
		}
	}()
}
