package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"confd/bgp"
	"confd/internal/agent"
	"confd/internal/kernel"
	"confd/internal/routes"
	"confd/reload/control"
)

// Limits of what one look reads.
const (
	mostAstray  = 200  // routes that lead nowhere, or by a router, with their attributes
	mostSeveral = 1000 // nets of which the kernel has several routes
	mostWays    = 64   // peers of sessions that are down
	kernelTries = 3
)

// ErrReconfiguring: what BIRD has is about to change.
var errReconfiguring = errors.New("BIRD is reconfiguring")

// errElsewhere: BIRD's kernel is not ours.
var errElsewhere = errors.New("BIRD runs in another network namespace")

// Routes looks at the routes of a BIRD, and at the kernel's. Whole lists are read where
// the question asks for them, and where counts tell that something is different.
func (h *Host) Routes(ctx context.Context, q agent.RoutesQuestion) routes.Look {
	l := routes.Look{At: time.Now()}
	c, err := control.Dial(ctx, q.Socket)
	if err != nil {
		l.Err = err
		return l
	}
	defer c.Close()
	if l.Err = h.glance(ctx, c, q, &l); l.Err == nil && (q.Whole || l.Signature != q.Before) {
		l.Lists, l.Err = lists(ctx, c, q, l)
	}
	l.Took = time.Since(l.At)
	return l
}

// glance reads what is cheap.
func (h *Host) glance(ctx context.Context, c *control.Client, q agent.RoutesQuestion, l *routes.Look) (err error) {
	if l.Status, err = c.Status(ctx); err != nil {
		return err
	}
	if l.Status.InProgress() || l.Status.ShuttingDown() {
		return errReconfiguring
	}
	if l.Overview, err = c.Overview(ctx, q.Want.Sessions()); err != nil {
		return err
	}
	addresses, err := c.Addresses(ctx)
	if err != nil {
		return err
	}
	if local := local(); sameHost(addresses, local) {
		l.Local, l.Ways = local, ways(q.Want.Families, l.Overview)
	}
	count, heard := h.Changes.Count()
	l.Signature = routes.Sign(q.Want, l.Overview, l.Status, count)
	if !heard { // anything may be different
		l.Kernel = uint64(l.At.UnixNano())
	}
	return nil
}

// sameHost says that BIRD's addresses are this machine's.
func sameHost(birds, local []netip.Addr) bool {
	return local != nil && !slices.ContainsFunc(birds, func(a netip.Addr) bool { return !slices.Contains(local, a) })
}

// ways are what the kernel does with packets to peers whose sessions are down.
func ways(families []*bgp.Family, o control.Overview) map[netip.Addr]routes.Way {
	up := map[string]bool{}
	for i := range o.Sessions {
		if s := &o.Sessions[i]; s.Established() {
			up[s.Name] = true
		}
	}
	var down []netip.Addr
	for _, f := range families {
		for _, s := range f.Sessions {
			if len(down) < mostWays && !up[s.Name] {
				down = append(down, s.Neighbor)
			}
		}
	}
	return kernel.Ways(down)
}

// lists reads whole lists. What BIRD refuses to tell of is left out: a session that has
// ended meanwhile, a kernel protocol that is not up.
func lists(ctx context.Context, c *control.Client, q agent.RoutesQuestion, l routes.Look) (*routes.Lists, error) {
	out := &routes.Lists{Exports: map[string][]netip.Prefix{}, Kernel: map[int]routes.Kernel{}}
	var err error
	if out.Primary, err = c.Primary(ctx); err != nil {
		return nil, err
	}
	for _, session := range q.Want.Ask(l.Overview, q.Turn, q.Again) {
		told, err := c.ExportedStatic(ctx, session)
		switch {
		case err == nil:
			out.Exports[session] = nets(told)
		case !c.Usable():
			return nil, err
		}
	}
	if err := kernels(ctx, c, q, l, out); err != nil {
		return nil, err
	}
	// The last, as the connection is of no use after too many.
	return out, astray(ctx, c, q.Want.Families, out)
}

// astray reads the routes of BGP that lead nowhere, or by a router to a network of the
// node's own, until there are too many.
func astray(ctx context.Context, c *control.Client, families []*bgp.Family, out *routes.Lists) (err error) {
	out.Dead, err = few(c.Dead(ctx, mostAstray))
	for _, f := range families {
		if err != nil || !c.Usable() {
			return err
		}
		if !f.Subnet.IsValid() || f.Subnet.IsSingleIP() {
			continue
		}
		var found []control.Route
		found, err = few(c.Detours(ctx, f.Subnet, mostAstray))
		out.Detours = append(out.Detours, found...)
	}
	return err
}

func nets(list []control.Route) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, r := range list {
		out = append(out, r.Net)
	}
	return out
}

// kernels reads what the kernel is to have and has, of all families or none.
func kernels(ctx context.Context, c *control.Client, q agent.RoutesQuestion, l routes.Look, out *routes.Lists) error {
	if l.Local == nil {
		out.KernelErr = errElsewhere
		return nil
	}
	for _, f := range q.Want.Families {
		k, err := kernelOf(ctx, c, l.Overview, f.Version)
		if err != nil && !c.Usable() {
			return err
		}
		if err != nil {
			out.KernelErr, out.Kernel = err, nil
			return nil
		}
		out.Kernel[f.Version] = k
	}
	return nil
}

// few are the first routes of a list that may have more.
func few(list []control.Route, err error) ([]control.Route, error) {
	if errors.Is(err, control.ErrManyRoutes) {
		err = nil
	}
	return list, err
}

// kernelOf reads what the kernel is to have in a family, and has.
func kernelOf(ctx context.Context, c *control.Client, o control.Overview, version int) (routes.Kernel, error) {
	protocol := routes.KernelProtocol(o, version)
	if protocol == "" {
		return routes.Kernel{}, fmt.Errorf("BIRD has not just one kernel protocol of IPv%d that is up", version)
	}
	var k routes.Kernel
	var err error
	if k.Wanted, err = c.Exported(ctx, protocol); err != nil {
		return k, err
	}
	if k.Entries, err = entries(version); err != nil {
		return k, err
	}
	k.Metrics, err = metrics(ctx, c, protocol, routes.Several(k.Entries, mostSeveral))
	return k, err
}

// entries reads the kernel's routes; again, where they changed meanwhile.
func entries(version int) ([]routes.Entry, error) {
	var list []routes.Entry
	var err error
	for range kernelTries {
		if list, err = kernel.Routes(version); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return list, err
}

// metrics are those that BIRD gives to its routes to some nets.
func metrics(ctx context.Context, c *control.Client, protocol string, nets []netip.Prefix) (map[netip.Prefix]uint32, error) {
	found := map[netip.Prefix]uint32{}
	for _, net := range nets {
		list, err := c.ExportedTo(ctx, net, protocol)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && list[0].Metric != nil {
			found[net] = *list[0].Metric
		}
	}
	return found, nil
}

// Remove takes older routes out of the kernel, where all is still as it was judged:
// BIRD and the kernel are asked once more.
func (h *Host) Remove(ctx context.Context, q agent.RoutesQuestion, faults []routes.Fault) ([]routes.Entry, error) {
	q.Whole = true
	now := routes.Judge(q.Want, h.Routes(ctx, q), routes.Verdict{})
	if err := errors.Join(now.Unknown, now.KernelUnknown); err != nil {
		return nil, fmt.Errorf("older routes of BIRD's stay in the kernel: %w", err)
	}
	var removed []routes.Entry
	for _, e := range routes.StillStale(faults, now.Faults) {
		if err := kernel.Remove(e); err != nil {
			return removed, err
		}
		removed = append(removed, e)
	}
	return removed, nil
}
