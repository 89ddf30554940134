package control

import (
	"context"
	"net/netip"
	"strings"
	"time"
)

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
	// Recovery is where a BIRD that was started into a graceful restart stands.
	Recovery Recovery
}

// Recovery is the time after a graceful restart (RFC 4724) in which BIRD waits for
// its sessions, and puts nothing into the kernel.
type Recovery struct {
	InProgress bool
	// Left is how long BIRD will wait at most from now on, Whole how long it waits.
	Left, Whole time.Duration
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
		} else if strings.HasPrefix(line.Text, "Graceful restart recovery in progress") {
			s.Recovery.InProgress = true
		} else if left, ok := strings.CutPrefix(strings.TrimSpace(line.Text), "Wait timer is "); ok {
			s.Recovery.Left, s.Recovery.Whole = timer(left)
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

// ConfigAge is how long before the current time BIRD took its configuration;
// false where the two times cannot be compared.
func (s Status) ConfigAge() (time.Duration, bool) { return s.since(s.LastReconfiguration) }

// UpFor is how long BIRD has been running; false where that cannot be told.
func (s Status) UpFor() (time.Duration, bool) { return s.since(s.LastReboot) }

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

// Stepped is by how much BIRD's clock was set between s and a later status, where
// BIRD was not started in between; 0 where that cannot be told.
func (s Status) Stepped(later Status) time.Duration {
	was, is := s.LastReboot, later.LastReboot
	if isDate(was) || isDate(is) || (was.Year() == 0) != (is.Year() == 0) {
		return 0
	}
	return is.Sub(was)
}

// zones are what the clocks of time zones differ by, or parts of it.
const zones = 15 * time.Minute

// Moment is the moment that BIRD prints in its rows as text, with a date, or for the last
// day as a time of the day alone: by this program's clock, which showed now when BIRD
// told its status. (BIRD may run in another time zone.) It is zero where BIRD was given a
// format that we do not know.
func (s Status) Moment(text string, now time.Time) time.Time {
	t := parseTime(text)
	if t.IsZero() {
		return t
	}
	theirs, ahead := now, time.Duration(0)
	if !s.Current.IsZero() && s.Current.Year() != 0 && !isDate(s.Current) {
		theirs, ahead = s.Current, s.Current.Sub(now).Round(zones)
	}
	if t.Year() == 0 {
		year, month, day := theirs.Date()
		t = time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), theirs.Location())
		if t.After(theirs) {
			t = t.AddDate(0, 0, -1)
		}
	}
	return t.Add(-ahead)
}
