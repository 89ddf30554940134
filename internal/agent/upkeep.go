package agent

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"confd/bgp"
	"confd/internal/metrics"
	"confd/internal/onlink"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// Heard is which sessions a BIRD has given up since it could not listen for them.
type Heard struct {
	GivenUp []string
	Port    uint16 // that it wanted
	By      string // who has it, in words; empty: nobody is seen to, and BIRD was told to try again
	// Freed: BIRD had not noticed that its time to recover from a graceful restart was
	// over, and was made to put its routes into the kernel.
	Freed bool
}

// upkeep looks after what BIRD does not do by itself: it keeps the networks that its
// machine is in, and takes sessions up again that it could not listen for.
type upkeep struct {
	*desk
	jobs     jobs
	networks chore
	listen   map[string]*chore // by set
	// said is what was logged last of what cannot be done.
	said  map[string]string
	heard map[string]Heard // by set
}

// chore is done again and again, one at a time.
type chore struct {
	at   time.Time // not before
	busy bool
}

// begins says whether it is time, and that it is done from now on.
func (c *chore) begins(now time.Time) bool {
	if c.busy || now.Before(c.at) {
		return false
	}
	c.busy = true
	return true
}

func (c *chore) done(next time.Time) { c.busy, c.at = false, next }

// networksEvery is how often the addresses of interfaces are looked at. It takes a
// fraction of a millisecond, and BIRD is asked only of what has changed.
const networksEvery = time.Second

// look does what is due.
func (u *upkeep) look(now time.Time) {
	running := u.runs.Running()
	if running == nil || running.Config == nil || u.settings.Templates.SyncOnly {
		return
	}
	for _, s := range u.runs.InUse() {
		if !hasDaemon(s) || u.known.Of(s.Name).BIRD.Health() != control.Up {
			continue
		}
		if u.hasIPv6(s, running.Config) && u.networks.begins(now) {
			u.jobs.networks(s.Daemon.Socket, running.Config.Interfaces)
		}
		if u.listen[s.Name] == nil {
			u.listen[s.Name] = &chore{}
		}
		if u.listen[s.Name].begins(now) {
			u.jobs.listen(s, u.birds.daemon.Sockets(), listensAt(running.Config))
		}
	}
}

// hasIPv6 says whether a set's BIRD has sessions of IPv6.
func (u *upkeep) hasIPv6(s reload.Set, cfg *bgp.Config) bool {
	return cfg.IPv6.Address.IsValid() && (u.birds.daemon.Version.Major != 1 || s.Name == "bird6")
}

// listensAt says where BIRD listens for a session of a configuration; false: there is none
// of that name.
func listensAt(cfg *bgp.Config) func(session string) (netip.AddrPort, bool) {
	return func(session string) (netip.AddrPort, bool) {
		for _, f := range cfg.Families() {
			if bgp.SessionNamed(f, session) != nil {
				return listensIn(f), true
			}
		}
		return netip.AddrPort{}, false
	}
}

// listensIn is where BIRD listens for sessions of a family.
func listensIn(f *bgp.Family) netip.AddrPort {
	address := netip.IPv4Unspecified()
	if f.Version == 6 {
		address = netip.IPv6Unspecified()
	}
	if f.ListenAddress.IsValid() {
		address = f.ListenAddress
	}
	return netip.AddrPortFrom(address, cmp.Or(f.ListenPort, bgpPort))
}

const bgpPort = 179 // RFC 4271

// networksKept is what came of keeping networks.
type networksKept struct {
	changes []onlink.Change
	err     error
}

func (j jobs) networks(socket string, patterns []string) {
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, surveyLimit)
		defer cancel()
		changes, err := j.world.Networks(ctx, socket, patterns)
		return networksKept{changes, err}
	})
}

func (u *upkeep) kept(now time.Time, e networksKept) {
	u.networks.done(now.Add(networksEvery))
	for _, c := range e.changes {
		switch {
		case c.Forgotten:
			u.metrics.Drift(metrics.DriftNetwork)
			u.log.Warn("BIRD has forgotten a network that this node is in, with an address that was removed: it has it again", "network", c.Net.String(), "interface", c.Interface)
		case c.Added:
			u.log.Info("a second route in the kernel has BIRD keep a network, whichever address is removed", "network", c.Net.String(), "interface", c.Interface)
		default:
			u.log.Info("the interface has no address in a network any more: the second route to it is taken away", "network", c.Net.String(), "interface", c.Interface)
		}
	}
	u.complain("networks", "not done for BIRD's networks", e.err)
}

// complain logs an error once. That BIRD is not there, or does not answer, is said
// elsewhere, and is no fault of its own.
func (u *upkeep) complain(about, text string, err error) {
	switch control.HealthOf(err) {
	case control.Absent, control.Hung, control.Busy:
		return
	}
	now := ""
	if err != nil {
		now = err.Error()
	}
	if now != "" && now != u.said[about] {
		u.log.Warn(text, "error", now)
	}
	u.said[about] = now
}

// listened is which sessions a set's BIRD had given up.
type listened struct {
	set   string
	heard Heard
	err   error
}

func (j jobs) listen(s reload.Set, siblings []string, at func(string) (netip.AddrPort, bool)) {
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, surveyLimit)
		defer cancel()
		heard, err := j.world.Listen(ctx, s.Daemon.Socket, siblings, at)
		return listened{s.Name, heard, err}
	})
}

func (u *upkeep) listened(now time.Time, e listened) {
	wait := surveyEvery
	if len(e.heard.GivenUp) > 0 {
		wait = min(wait, u.settings.Timing.Verify)
	}
	u.listen[e.set].done(now.Add(wait))
	u.complain("listen "+e.set, "it cannot be seen whether BIRD has given up sessions, or they are not taken up again", e.err)
	if e.err != nil {
		return
	}
	if e.heard.Freed {
		u.metrics.Drift(metrics.DriftPort)
		u.log.Warn("BIRD did not notice that its time to recover from a graceful restart was over: it puts routes into the kernel now", "set", e.set)
	}
	was := u.heard[e.set]
	u.heard[e.set] = e.heard
	if was.By == e.heard.By && slices.Equal(was.GivenUp, e.heard.GivenUp) {
		return
	}
	u.news = true
	switch given := few(e.heard.GivenUp); {
	case e.heard.By != "":
		u.log.Error("BIRD has given up sessions, since another process has the port: they are taken up again when it is free",
			"set", e.set, "sessions", given, "port", e.heard.Port, "process", e.heard.By)
	case len(e.heard.GivenUp) > 0:
		u.metrics.Drift(metrics.DriftPort)
		u.log.Warn("BIRD had given up sessions that it could not listen for: it tries again", "set", e.set, "sessions", given, "port", e.heard.Port)
	default:
		u.log.Info("BIRD listens for all of its sessions again", "set", e.set)
	}
}

// report is what a set's BIRD has given up; nil: nothing.
func (u *upkeep) report(set string) *report.GivenUp {
	h := u.heard[set]
	if len(h.GivenUp) == 0 {
		return nil
	}
	return &report.GivenUp{Sessions: h.GivenUp, Port: h.Port, By: h.By}
}
