package control

import (
	"context"
	"net/netip"
	"strings"
)

// Codes of replies about single protocols and networks.
const (
	codeEnabled        = 11
	codeAlreadyEnabled = 10
	codeRestarted      = 12
)

// noSocket is BIRD's last error of a session that it has given up since it could not
// listen for it.
const noSocket = "No listening socket"

// GivenUp says that BIRD could not listen for the session when it started it: it has
// switched the session off, and does not try again.
func (s SessionState) GivenUp() bool { return s.State == "down" && strings.Contains(s.Info, noSocket) }

// Enable has BIRD switch a protocol on, which it does not where it is on already.
func (c *Client) Enable(ctx context.Context, protocol string) error {
	return c.command(ctx, "enable "+quoted(protocol), codeEnabled, codeAlreadyEnabled)
}

// The kinds of protocols that Restart restarts.
const (
	Direct = "Direct" // the networks that BIRD's machine is connected to
	Kernel = "Kernel" // the routes of the kernel
)

// Restart restarts all of BIRD's protocols of a kind. The routes that they gave BIRD are
// gone for a moment.
func (c *Client) Restart(ctx context.Context, kind string) error {
	const command = "show protocols"
	reply, err := c.Do(ctx, command)
	if err != nil {
		return err
	}
	if reply.Code >= 8000 {
		return c.refusal(command, reply)
	}
	for _, line := range reply.Lines {
		if p, ok := ParseRow(line.Text); ok && p.Proto == kind && line.Code == codeProtocol {
			if err := c.command(ctx, "restart "+quoted(p.Name), codeRestarted); err != nil {
				return err
			}
		}
	}
	return nil
}

// Connected says whether BIRD has a route to net that leads to an interface, without a
// gateway.
func (c *Client) Connected(ctx context.Context, net netip.Prefix) (bool, error) {
	routes, err := c.RoutesTo(ctx, net)
	for _, r := range routes {
		for _, hop := range r.Hops {
			if !hop.Via.IsValid() && hop.Interface != "" {
				return true, nil
			}
		}
	}
	return false, err
}

// command sends a command that BIRD answers with one of these codes.
func (c *Client) command(ctx context.Context, command string, good ...int) error {
	reply, err := c.Do(ctx, command)
	if err != nil {
		return err
	}
	for _, line := range reply.Lines {
		for _, code := range good {
			if line.Code == code {
				return nil
			}
		}
	}
	return c.refusal(command, reply)
}

// quoted is the name of a protocol, which may hold what BIRD wants quotes around.
func quoted(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return "'" + name + "'"
	}
	return name
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
