package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Primary are the routes that BIRD uses, of its main tables, without their attributes.
func (c *Client) Primary(ctx context.Context) ([]Route, error) {
	return c.routesBy(ctx, "show route primary", maxRoutes)
}

// Dead are the routes of BGP that BIRD uses and whose next hops cannot be reached,
// with their attributes: limit of them at most. Where there are more, the error is
// ErrManyRoutes, and the connection of no more use.
func (c *Client) Dead(ctx context.Context, limit int) ([]Route, error) {
	return c.routesBy(ctx, "show route primary where source = RTS_BGP && dest = RTD_UNREACHABLE all", limit)
}

// Detours are the routes of BGP that BIRD uses whose next hops lie in a network, and
// that lead to other gateways, with their attributes; limit is as in Dead.
func (c *Client) Detours(ctx context.Context, in netip.Prefix, limit int) ([]Route, error) {
	return c.routesBy(ctx, "show route primary where source = RTS_BGP && dest != RTD_UNREACHABLE && bgp_next_hop ~ "+in.Masked().String()+" && gw != bgp_next_hop all", limit)
}

// ErrTakesNone says that BIRD tells a protocol of no routes at all: nobody knows then
// which those are that it is to have. It is so where BIRD recovers from a graceful restart,
// and with BIRD 3 for a moment after each start.
var ErrTakesNone = errors.New("BIRD gives it no routes: it was started a moment ago, or still recovers")

// saysTakesNone knows BIRD's words for that: those of 3, and of 2 (2.0.12 and 2.17.6).
func saysTakesNone(reply string) bool {
	return strings.Contains(reply, "aren't accepting exports") || strings.Contains(reply, "No valid tables")
}

// Exported are the routes that a protocol is told, without their attributes. The
// protocol must be up. The error is ErrTakesNone where BIRD tells it of none at all.
func (c *Client) Exported(ctx context.Context, protocol string) ([]Route, error) {
	return c.exported(ctx, protocol, "")
}

// ExportedStatic are those of the routes that a protocol is told which stand in BIRD's
// configuration.
func (c *Client) ExportedStatic(ctx context.Context, protocol string) ([]Route, error) {
	return c.exported(ctx, protocol, " where source = RTS_STATIC")
}

func (c *Client) exported(ctx context.Context, protocol, where string) ([]Route, error) {
	if !symbol.MatchString(protocol) {
		return nil, fmt.Errorf("a protocol named %q: its routes are not asked for", protocol)
	}
	list, err := c.routesBy(ctx, "show route export "+protocol+where, maxRoutes)
	if err != nil && saysTakesNone(err.Error()) {
		err = fmt.Errorf("%s: %w", protocol, ErrTakesNone)
	}
	return list, err
}

// ExportedTo are the routes to one net that a protocol is told, with their attributes.
func (c *Client) ExportedTo(ctx context.Context, net netip.Prefix, protocol string) ([]Route, error) {
	if !symbol.MatchString(protocol) {
		return nil, fmt.Errorf("a protocol named %q: its routes are not asked for", protocol)
	}
	return c.routesBy(ctx, "show route "+net.String()+" export "+protocol+" all", maxRoutes)
}

// symbol is a name that stands in a command as it is.
var symbol = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
