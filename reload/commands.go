package reload

import (
	"context"
	"fmt"
	"net/netip"
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

// refusal turns a reply that is not the wanted one into an error.
func (c *Client) refusal(command string, reply Reply) error {
	if reply.Code != codeRefused {
		return fmt.Errorf("control socket %s: BIRD answers %q with %04d %s", c.path, command, reply.Code, reply.last())
	}
	at, _ := parsePosition(reply.last())
	return &RefusedError{File: at.file, Line: at.line, Col: at.col, Message: at.message}
}

// Status is BIRD's answer to "show status". A time that BIRD was told to print
// in a format we do not know is zero. Times have no zone of their own: they are
// taken as local.
type Status struct {
	Version             string
	RouterID            netip.Addr
	Current             time.Time
	LastReboot          time.Time
	LastReconfiguration time.Time
	State               string // such as "Daemon is up and running"
}

// InProgress says that a reconfiguration is under way.
func (s Status) InProgress() bool { return strings.HasPrefix(s.State, "Reconfiguration") }

// ShuttingDown says that BIRD is ending.
func (s Status) ShuttingDown() bool { return strings.HasPrefix(s.State, "Shutdown") }

// Status asks how BIRD is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	const command = "show status"
	reply, err := c.Do(ctx, command)
	if err != nil {
		return Status{}, err
	}
	if reply.Code >= 8000 {
		return Status{}, c.refusal(command, reply)
	}
	return parseStatus(reply), nil
}

func parseStatus(reply Reply) Status {
	s := Status{State: reply.last()}
	for _, line := range reply.Lines {
		if version, ok := strings.CutPrefix(line.Text, "BIRD "); ok {
			s.Version = version
		} else if id, ok := strings.CutPrefix(line.Text, "Router ID is "); ok {
			s.RouterID, _ = netip.ParseAddr(id)
		} else if at, ok := strings.CutPrefix(line.Text, "Current server time is "); ok {
			s.Current = parseTime(at)
		} else if at, ok := strings.CutPrefix(line.Text, "Last reboot on "); ok {
			s.LastReboot = parseTime(at)
		} else if at, ok := strings.CutPrefix(line.Text, "Last reconfiguration on "); ok {
			s.LastReconfiguration = parseTime(at)
		}
	}
	return s
}

// parseTime reads the formats that BIRD has names for (iso long and short, old
// long and short, each with or without fractions). A time of the day alone is
// in the year 0.
func parseTime(text string) time.Time {
	for _, layout := range []string{time.DateTime, time.TimeOnly, "02-01-2006 15:04:05", time.DateOnly, "02-01-2006"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t
		}
	}
	return time.Time{}
}

// configAge is how long before the current time BIRD took its configuration;
// false where the two times cannot be compared.
func (s Status) configAge() (time.Duration, bool) { return s.since(s.LastReconfiguration) }

// upFor is how long BIRD has been running; false where that cannot be told.
func (s Status) upFor() (time.Duration, bool) { return s.since(s.LastReboot) }

// since is how long before BIRD's current time t was.
func (s Status) since(t time.Time) (time.Duration, bool) {
	if s.Current.IsZero() || t.IsZero() {
		return 0, false
	}
	timeOnly := s.Current.Year() == 0
	if timeOnly != (t.Year() == 0) || isDate(s.Current) || isDate(t) {
		return 0, false
	}
	age := s.Current.Sub(t)
	if timeOnly && age < -12*time.Hour {
		age += 24 * time.Hour // midnight lies between the two
	}
	return age, true
}

// isDate says that t has (or may have) a date without a time of the day.
func isDate(t time.Time) bool {
	return t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0
}

// protocol is one row of "show protocols". Since is as BIRD prints it.
type protocol struct {
	Name, Proto, Table, State, Since, Info string
}

// parseProtocol takes a row apart: words, of which the time may have two.
func parseProtocol(row string) (protocol, bool) {
	words := strings.Fields(row)
	if len(words) < 5 {
		return protocol{}, false
	}
	since := words[4:5]
	if len(words) > 5 && strings.Count(words[4], "-") == 2 && strings.Contains(words[5], ":") {
		since = words[4:6]
	}
	return protocol{
		Name: words[0], Proto: words[1], Table: words[2], State: words[3],
		Since: strings.Join(since, " "),
		Info:  strings.Join(words[4+len(since):], " "),
	}, true
}
