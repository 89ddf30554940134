package host

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"confd/internal/agent"
	"confd/internal/listener"
	"confd/internal/onlink"
	"confd/reload/control"
)

// Networks has the BIRD of a control socket keep the IPv6 networks of the interfaces
// that match BIRD's patterns: see package onlink. Where it has forgotten one and the
// kernel cannot help, BIRD looks at all of them anew, once.
func (h *Host) Networks(ctx context.Context, socket string, patterns []string) ([]onlink.Change, error) {
	if h.networks == nil {
		h.networks, h.anew = onlink.New(), anew{}
	}
	changes, err := h.networks.Look(ctx, patterns, func(ctx context.Context, net netip.Prefix) (knows bool, err error) {
		err = talk(ctx, socket, func(c *control.Client) error {
			knows, err = c.Connected(ctx, net)
			return err
		})
		return knows, err
	})
	lost := onlink.Lost(err)
	if !h.anew.isDue(lost) {
		return changes, err
	}
	if again := talk(ctx, socket, func(c *control.Client) error { return c.Restart(ctx, control.Direct) }); again != nil {
		return changes, errors.Join(err, again)
	}
	h.anew.done(lost)
	for _, e := range lost {
		changes = append(changes, onlink.Change{Net: e.Net, Interface: e.Interface, Forgotten: true})
	}
	return changes, err
}

// anew remembers for which networks BIRD was made to look at all of them anew: one that
// it does not find again is not to cost it the others time and again.
type anew map[place]bool

// place is where a network is.
type place struct {
	net   netip.Prefix
	iface string
}

// isDue says whether BIRD is to look anew, since it has lost these. What is not among
// them is found again.
func (a anew) isDue(lost []*onlink.NotHeldError) bool {
	now := map[place]bool{}
	for _, e := range lost {
		now[place{e.Net, e.Interface}] = true
	}
	maps.DeleteFunc(a, func(p place, _ bool) bool { return !now[p] })
	return len(now) > len(a)
}

// done notes that BIRD has looked anew since it had lost these.
func (a anew) done(lost []*onlink.NotHeldError) {
	for _, e := range lost {
		a[place{e.Net, e.Interface}] = true
	}
}

func talk(ctx context.Context, socket string, do func(*control.Client) error) error {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// Listen has the BIRD of a control socket take up the sessions again that it has given
// up since it could not listen for them, unless another process is seen to be in the
// way. siblings are the control sockets of all of the node's BIRDs.
func (h *Host) Listen(ctx context.Context, socket string, siblings []string, at func(session string) (netip.AddrPort, bool)) (agent.Heard, error) {
	var heard agent.Heard
	err := talk(ctx, socket, func(c *control.Client) error {
		givenUp, err := c.GivenUp(ctx)
		if err != nil {
			return err
		}
		var errs []error
		ports := holders{look: listener.On, found: map[netip.AddrPort]holder{}}
		for _, session := range givenUp {
			where, known := at(session)
			if !known {
				continue // not one of ours
			}
			if ports.own == nil {
				ports.own = peerPIDs(siblings)
			}
			heard.GivenUp = append(heard.GivenUp, session)
			by := ports.of(where)
			heard.Port, heard.By = where.Port(), by.names
			if !by.sure {
				errs = append(errs, c.Enable(ctx, session))
			}
		}
		heard.Freed, err = h.endRecovery(ctx, c)
		return errors.Join(append(errs, err)...)
	})
	return heard, err
}

// endRecovery restarts the kernel's protocols of a BIRD that does not end its recovery
// after a graceful restart: 3.1.8 does not notice that the time is over where one of the
// sessions that it waits for was given up, and keeps all routes from the kernel. It is
// done once after each start, and not where it cannot be told when that was: BIRD says for
// as long as it runs that it recovers.
func (h *Host) endRecovery(ctx context.Context, c *control.Client) (bool, error) {
	s, err := c.Status(ctx)
	stuck := s.Recovery.InProgress && s.Recovery.Whole > 0 && s.Recovery.Left == 0
	if err != nil || !stuck || !strings.HasPrefix(c.Version(), "3.") {
		return false, err
	}
	up, known := s.UpFor()
	booted := time.Now().Add(-up)
	if !known || booted.Sub(h.freed).Abs() < sameStart {
		return false, nil
	}
	if err := c.Restart(ctx, control.Kernel); err != nil {
		return false, err
	}
	h.freed = booted
	return true, nil
}

// sameStart is by how much the moment of one start of BIRD's may waver. One that ends and
// is started again recovers for longer before it is stuck.
const sameStart = 5 * time.Second

// holders find who has the ports that sessions want: each is looked up once, as all
// processes of the machine are read for it, and thousands of sessions want the same one.
type holders struct {
	own   []int // our BIRDs
	look  func(proc string, port uint16, address netip.Addr) []listener.Process
	found map[netip.AddrPort]holder
}

// holder is who has a port, in words; empty: nobody is seen to.
type holder struct {
	names string
	// sure is not set where all they have is the port of the other address family, which
	// may or may not be both.
	sure bool
}

// of is who has a port, but for our BIRDs.
func (h holders) of(at netip.AddrPort) holder {
	if known, ok := h.found[at]; ok {
		return known
	}
	var names []string
	sure := false
	for _, p := range h.look("/proc", at.Port(), at.Addr()) {
		if p.PID != 0 && !slices.Contains(h.own, p.PID) {
			names = append(names, p.String())
			sure = sure || p.Address.Addr().Is4() == at.Addr().Is4()
		}
	}
	slices.Sort(names)
	h.found[at] = holder{strings.Join(slices.Compact(names), ", "), sure}
	return h.found[at]
}

// peerPIDs are the processes at the other ends of control sockets, as far as they are known.
func peerPIDs(sockets []string) []int {
	list := make([]int, len(sockets))
	for i, socket := range sockets {
		list[i] = peerPID(socket)
	}
	return list
}

// peerPID is the process at the other end of a control socket; 0: not known.
func peerPID(socket string) int {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) { // it fails where the connection is closed
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}
