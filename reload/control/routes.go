package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Limits of what is read of BIRD's routes, so that a full table cannot fill the
// memory. 200,000 routes are some 60 MB here, and 100 MB of text, which is not kept.
const (
	maxRoutes     = 200_000
	maxRoutesText = 512 << 20 // bytes
)

// ErrManyRoutes says that BIRD has more routes than are read.
var ErrManyRoutes = errors.New("more routes than are looked at")

// Route is a route that BIRD has. What BIRD does not say, or says in a way that is
// not known, is zero.
type Route struct {
	Net netip.Prefix
	// Protocol is what BIRD calls the protocol that it came by. BGP says that this is
	// a session.
	Protocol string
	BGP      bool
	// Best: of all routes to Net, this is the one that BIRD uses, and tells of.
	Best bool
	// Target is what becomes of packets.
	Target Target
	// Interface is where it leads, the first one where there are several; empty:
	// nowhere (a blackhole, or a next hop that cannot be reached).
	Interface string
	// Hops are where it leads, as BIRD would have the kernel do it.
	Hops []Hop
	// NextHop is BGP's, which BIRD resolves; it is known where attributes are.
	NextHop netip.Addr
	// Metric is the kernel's (krt_metric), LocalPref BGP's; nil: it has none. Of a
	// route from a peer, BIRD 1 does not say a metric that a filter gave it.
	Metric, LocalPref *uint32
	// Path is the AS path, the nearest one first, up to the first set of AS numbers
	// that have no order. BIRD itself does not say more than some 500 characters.
	Path             []uint32
	Communities      [][2]uint32 // RFC 1997
	LargeCommunities [][3]uint32 // RFC 8092
}

// Hop is one way that a route leads: through a gateway, which is not valid where the
// destination is on the network of the interface itself.
type Hop struct {
	Via       netip.Addr
	Interface string
}

// Target is what becomes of packets on a route, in BIRD's words.
type Target string

// The targets. Unreachable is also that of a route whose next hop cannot be reached.
const (
	Unicast     Target = "unicast"
	Blackhole   Target = "blackhole"
	Unreachable Target = "unreachable"
	Prohibited  Target = "prohibited"
)

// Routes are the routes that BIRD has, in BIRD's order, without those that its
// filters rejected: of BIRD 2 and 3 those of all tables with IPv4 or IPv6 routes, of
// BIRD 1 those of its main table. Errors are those of Do, that BIRD refuses the
// command, and ErrManyRoutes, after which the connection is of no more use.
func (c *Client) Routes(ctx context.Context) ([]Route, error) {
	return c.routes(ctx, maxRoutes)
}

func (c *Client) routes(ctx context.Context, limit int) ([]Route, error) {
	command := "show route table all all"
	if strings.HasPrefix(c.version, "1.") {
		command = "show route all"
	}
	return c.routesBy(ctx, command, limit)
}

// routesBy are the routes of an answer; none where BIRD has none to a net.
func (c *Client) routesBy(ctx context.Context, command string, limit int) ([]Route, error) {
	if err := c.mayDo(command); err != nil {
		return nil, err
	}
	p := newRouteParser(limit)
	var last Line
	err := c.talk(ctx, command, func() (err error) {
		last, err = eachLine(c.br, maxRoutesText, p.line)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case last.Code >= 8000 && last.Code != codeNoNetwork:
		return nil, c.refusal(command, Reply{last.Code, []Line{last}})
	}
	return p.list, nil
}

// codeNoNetwork is the answer where BIRD has no route to a net.
const codeNoNetwork = 8001

// RoutesTo are the routes that BIRD has to a net, as Routes has them.
func (c *Client) RoutesTo(ctx context.Context, net netip.Prefix) ([]Route, error) {
	command := fmt.Sprintf("show route %s table all all", net)
	if strings.HasPrefix(c.version, "1.") {
		command = fmt.Sprintf("show route %s all", net)
	}
	return c.routesBy(ctx, command, maxRoutes)
}

// Tells says whether BIRD tells the peer of one of its sessions of a net. Of a session
// that is down, or not there, BIRD does not say it: that is an error.
func (c *Client) Tells(ctx context.Context, net netip.Prefix, session string) (bool, error) {
	list, err := c.routesBy(ctx, fmt.Sprintf("show route %s export %s", net, session), maxRoutes)
	return len(list) > 0, err
}

// Unreachable are the routes that peers told whose next hop BIRD cannot reach: for the
// kernel they are refusals.
func (c *Client) Unreachable(ctx context.Context) ([]Route, error) {
	return c.routesBy(ctx, "show route where source = RTS_BGP && dest = RTD_UNREACHABLE", maxRoutes)
}

func manyRoutes(limit int) error {
	return fmt.Errorf("%w: BIRD has more than %d", ErrManyRoutes, limit)
}
