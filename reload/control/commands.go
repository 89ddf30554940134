package control

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Codes of BIRD's replies (nest/protocol.h and doc/reply_codes in its sources).
const (
	codeReading      = 2
	codeReconfigured = 3
	codeInProgress   = 4
	codeQueued       = 5
	codeShuttingDown = 6
	codeUnqueued     = 17
	codeConfirmed    = 18
	codeNothing      = 19
	codeOK           = 20
	codeRefused      = 8002
)

// Reconfigure is what BIRD answers to "configure".
type Reconfigure int

// The answers.
const (
	Reconfigured Reconfigure = iota // the new configuration is in use
	InProgress                      // it is in use, the old one's protocols are still going down
	Queued                          // it comes after a reconfiguration that is under way
	ShuttingDown                    // ignored: BIRD is ending
	Unqueued                        // an undo has taken back what was queued
	NothingToDo                     // there is nothing to go back to
)

// String is the answer in words.
func (r Reconfigure) String() string {
	return [...]string{"reconfigured", "in progress", "queued", "shutting down", "unqueued", "nothing to do"}[r]
}

// Check has BIRD read the file at path, as BIRD sees it, without using it. What
// is wrong with the file comes back as a *RefusedError.
func (c *Client) Check(ctx context.Context, path string) error {
	if strings.Contains(path, `"`) {
		return fmt.Errorf("configure check: the path %q has a quote in it, which BIRD cannot take", path)
	}
	reply, err := c.Do(ctx, `configure check "`+path+`"`)
	if err != nil {
		return err
	}
	if reply.Code == codeOK {
		return nil
	}
	return c.refusal("configure check", reply)
}

// Configure has BIRD read its configuration file and use it. Where the file is
// bad BIRD keeps what it had, and a *RefusedError says what is wrong.
func (c *Client) Configure(ctx context.Context) (Reconfigure, error) {
	return c.configure(ctx, "configure")
}

// ConfigureTimeout is Configure with a way back: after d, rounded up to seconds,
// BIRD goes back to what it used before, unless Confirm comes first.
func (c *Client) ConfigureTimeout(ctx context.Context, d time.Duration) (Reconfigure, error) {
	return c.configure(ctx, fmt.Sprintf("configure timeout %d", max(1, (d+time.Second-1)/time.Second)))
}

// Confirm ends the wait of ConfigureTimeout: the configuration stays. It returns
// false where BIRD was not waiting: it has gone back, or somebody else has
// confirmed or reconfigured.
func (c *Client) Confirm(ctx context.Context) (bool, error) {
	const command = "configure confirm"
	reply, err := c.Do(ctx, command)
	if err != nil {
		return false, err
	}
	if reply.Code != codeConfirmed && reply.Code != codeNothing {
		return false, c.refusal(command, reply)
	}
	return reply.Code == codeConfirmed, nil
}

// Undo has BIRD go back to the configuration that it used before the last
// "configure". Files are not touched.
func (c *Client) Undo(ctx context.Context) (Reconfigure, error) {
	return c.configure(ctx, "configure undo")
}

func (c *Client) configure(ctx context.Context, command string) (Reconfigure, error) {
	reply, err := c.Do(ctx, command)
	if err != nil {
		return 0, err
	}
	for _, line := range reply.Lines {
		if line.Code == codeReading {
			c.reads = strings.TrimPrefix(line.Text, "Reading configuration from ")
		}
	}
	switch reply.Code {
	case codeReconfigured:
		return Reconfigured, nil
	case codeInProgress:
		return InProgress, nil
	case codeQueued:
		return Queued, nil
	case codeShuttingDown:
		return ShuttingDown, nil
	case codeUnqueued:
		return Unqueued, nil
	case codeNothing:
		return NothingToDo, nil
	}
	return 0, c.refusal(command, reply)
}

// Reads is the file that BIRD read at the last Configure, ConfigureTimeout or
// Undo of this client, as BIRD names it; empty where it did not say.
func (c *Client) Reads() string { return c.reads }

// refusal turns a reply that is not the wanted one into an error.
func (c *Client) refusal(command string, reply Reply) error {
	if reply.Code != codeRefused {
		return fmt.Errorf("control socket %s: BIRD answers %q with %04d %s", c.path, command, reply.Code, reply.last())
	}
	at, _ := ParsePosition(reply.last())
	return &RefusedError{at}
}
