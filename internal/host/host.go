// Package host is what is around the loop on this machine: the BIRDs of the node,
// their folder, and the commands that are run for them.
package host

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/agent"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/kernel"
	"confd/internal/onlink"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// Host is an agent.World.
type Host struct {
	Node string
	BIRD birds.Settings
	// Reload are the options of what is done to each set.
	Reload reload.Options
	// networks, anew and freed are used by one job at a time. freed is when the BIRD was
	// started, by this program's clock, whose recovery was ended last.
	networks *onlink.Keeper
	anew     anew
	freed    time.Time
	// Changes count what the kernel tells; somebody runs it.
	Changes kernel.Changes
	lease   *reload.Lease
	memory  memoryWriter
}

// Find finds out which BIRD there is, and where.
func (h *Host) Find(ctx context.Context) (birds.Daemons, error) { return birds.Find(ctx, h.BIRD) }

// Dial connects to the BIRD that is given by its socket.
func (h *Host) Dial(ctx context.Context) (*control.Client, error) {
	return control.Dial(ctx, h.BIRD.Socket)
}

// Left reads what a program has left in a folder that ran here before.
func (h *Host) Left(folder string) agent.Left {
	var l agent.Left
	var errReport, errRecords, errMemory error
	l.Report, errReport = report.ReadOwn(folder)
	l.Records, errRecords = reload.Records(folder)
	l.Knowledge, errMemory = readMemory(folder)
	if errors.Is(errRecords, fs.ErrNotExist) {
		errRecords = nil
	}
	l.Err = errors.Join(errReport, errRecords, errMemory)
	return l
}

// Target is what is done to a set.
func (h *Host) Target(string) agent.Target { return reload.New(h.Reload) }

// Survey lists the sessions that are established at a control socket; where whole is
// set with their counts of routes, and the routes that BIRD has: where only these
// cannot be had the sessions come with the error. A BIRD that is not there has none.
func (h *Host) Survey(ctx context.Context, socket string, whole bool) ([]guard.Seen, []bgp.Route, error) {
	c, err := control.Dial(ctx, socket)
	if errors.Is(err, control.ErrNotRunning) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	if !whole {
		names, err := c.Established(ctx)
		return seen(names), nil, err
	}
	sessions, err := c.Sessions(ctx)
	if err != nil {
		return nil, nil, err
	}
	seen := established(sessions)
	found, err := c.Routes(ctx)
	if err != nil {
		return seen, nil, err
	}
	return seen, Routes(found), nil
}

// Routes are BIRD's routes, as policies know them.
func Routes(found []control.Route) []bgp.Route {
	list := make([]bgp.Route, len(found))
	for i, r := range found {
		list[i] = bgp.Route{Net: r.Net, Spare: !r.Best, Interface: r.Interface, Metric: r.Metric, LocalPref: r.LocalPref, Path: r.Path, Communities: communities(r)}
		if r.BGP {
			list[i].Session = r.Protocol
		}
	}
	return list
}

func communities(r control.Route) []backends.Community {
	var list []backends.Community
	for _, c := range r.Communities {
		list = append(list, backends.Community{A: c[0], B: c[1]})
	}
	for _, c := range r.LargeCommunities {
		list = append(list, backends.Community{Large: true, A: c[0], B: c[1], C: c[2]})
	}
	return list
}

// seen are sessions that are established, of which no more is known than the names.
func seen(names []string) []guard.Seen {
	var list []guard.Seen
	for _, name := range names {
		list = append(list, guard.Seen{Name: name})
	}
	return list
}

// established are those of the sessions that are, with their counts of routes.
func established(sessions []control.SessionState) []guard.Seen {
	var seen []guard.Seen
	for _, s := range sessions {
		if !s.Established() {
			continue
		}
		one := guard.Seen{Name: s.Name, Neighbor: s.Neighbor.WithZone(""), Counts: &guard.Counts{}}
		for _, r := range s.Routes {
			one.Counts.Imported += r.Imported
			one.Counts.Exported += r.Exported
		}
		seen = append(seen, one)
	}
	return seen
}

// mostAsked is of how many sessions BIRD is asked one by one: to list thousands for the
// sake of a few costs it more.
const mostAsked = 20

// Deaf says which of these sessions, those that are established at a control socket,
// have a neighbor that cannot send its routes again (true), and which one that can. A
// BIRD that is not there has none.
func (h *Host) Deaf(ctx context.Context, socket string, sessions []string) (map[string]bool, error) {
	deaf := map[string]bool{}
	err := talk(ctx, socket, func(c *control.Client) error {
		found, err := named(ctx, c, sessions)
		for _, s := range found {
			if s.Established() && slices.Contains(sessions, s.Name) {
				deaf[s.Name] = s.NoRefresh
			}
		}
		return err
	})
	if errors.Is(err, control.ErrNotRunning) {
		err = nil
	}
	return deaf, err
}

// named are sessions of these names, and perhaps others.
func named(ctx context.Context, c *control.Client, names []string) ([]control.SessionState, error) {
	if len(names) > mostAsked {
		return c.Sessions(ctx)
	}
	var list []control.SessionState
	for _, name := range names {
		found, err := c.SessionsLike(ctx, name)
		if err != nil {
			return list, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// Explain is what BIRD says of why a session is not up; empty where it does not say.
func (h *Host) Explain(ctx context.Context, socket, session string) (string, error) {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	sessions, err := c.Sessions(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range sessions {
		if s.Name == session && !s.Established() {
			return cmp.Or(s.LastError, s.Message, s.BGPState), nil
		}
	}
	return "", nil
}

// Local are the addresses of this machine's interfaces, without those that mean
// something on one link only, sorted; nil where they are not known. same says that the
// BIRDs of control sockets see none but these, and some at least.
func (h *Host) Local(ctx context.Context, sockets []string) (addresses []netip.Addr, same bool) {
	var birds []netip.Addr
	var errs []error
	for _, socket := range sockets {
		errs = append(errs, talk(ctx, socket, func(c *control.Client) error {
			list, err := c.Addresses(ctx)
			birds = append(birds, list...)
			return err
		}))
	}
	addresses = local()
	return addresses, errors.Join(errs...) == nil && len(birds) > 0 && sameHost(birds, addresses)
}

// local are the addresses that Host.Local returns.
func local() []netip.Addr {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	list := []netip.Addr{}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			list = append(list, p.Addr().Unmap())
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// Remember writes down what a next program must know.
func (h *Host) Remember(folder string, k agent.Knowledge) error { return h.memory.write(folder, k) }

// Lock has BIRD's folder for this program alone, until the process ends or Close. A
// lock that somebody has removed is taken again. Where there is no such folder, or
// this program may not write there, there is nothing to lock: its files go elsewhere,
// or whoever writes there next says so.
func (h *Host) Lock(folder string) error {
	var err error
	if h.lease != nil {
		err = h.lease.Renew()
	} else {
		h.lease, err = reload.Lock(folder, h.Node)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}

// Close lets BIRD's folder go.
func (h *Host) Close() {
	if h.lease != nil {
		h.lease.Close()
	}
}

// Watch tells of the BIRD of a control socket coming and going.
func (h *Host) Watch(ctx context.Context, socket string, out chan<- control.Event) {
	control.Watch(ctx, socket, out, slog.New(slog.DiscardHandler))
}

// Run runs reload commands.
func (h *Host) Run(ctx context.Context, commands []string) error {
	return reload.RunCommands(ctx, commands, h.Reload.ReloadTimeout)
}

// Approved says whether what has that token was approved.
func (h *Host) Approved(folder, token string) bool {
	return report.Approved(folder, token)
}

// Forget takes approvals away.
func (h *Host) Forget(folder string) { report.Forget(folder) }
