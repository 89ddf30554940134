package calicosocket

import (
	"context"
	"log/slog"
	"time"

	"confd/reload/control"
)

// Limits for clients that are slow, many or confused.
const (
	mostConns  = 16
	idle       = 5 * time.Minute  // without a command
	mostTime   = 30 * time.Second // for BIRD to answer, and for a client to read that
	maxCommand = 1024             // bytes
	retry      = 10 * time.Second // to open sockets
)

// Family is an address family, as BIRD calls its channels.
type Family string

// The families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// table is the main table of the family in BIRD 2 and 3.
func (f Family) table() string { return "master" + string(f[len(f)-1]) }

// socket is one of the two.
type socket struct {
	family Family
	path   string
	dial   func(context.Context) (*control.Client, error)
	log    *slog.Logger
	said   string // what was logged last of why it cannot be opened
}

// ask has BIRD answer a command.
func (s *socket) ask(ctx context.Context, command string) (control.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return control.Reply{}, err
	}
	defer c.Close()
	return c.Do(ctx, command)
}
