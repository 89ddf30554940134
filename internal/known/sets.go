package known

import (
	"confd/bgp"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// Set is what is known of one set of files and of its BIRD.
type Set struct {
	Files Files
	BIRD  BIRD
}

// Sets is what is known of each set, by name. The zero value knows of none.
type Sets struct{ sets map[string]*Set }

// Of is what is known of a set. It is there from then on.
func (k *Sets) Of(name string) *Set {
	if k.sets == nil {
		k.sets = map[string]*Set{}
	}
	if k.sets[name] == nil {
		k.sets[name] = &Set{}
	}
	return k.sets[name]
}

// MustTell are the names of the sets whose BIRD must be told.
func (k *Sets) MustTell() []string {
	var names []string
	for name, s := range k.sets {
		if s.BIRD.MustTell() {
			names = append(names, name)
		}
	}
	return names
}

// AnyIs says whether a BIRD is known to be in a state of health.
func (k *Sets) AnyIs(h control.Health) bool {
	for _, s := range k.sets {
		if s.BIRD.health == h {
			return true
		}
	}
	return false
}

// Row is what a report says of the set.
func (s *Set) Row(of reload.Set) report.Set {
	f, b := &s.Files, &s.BIRD
	row := report.Set{
		Name: of.Name, State: b.health.String(), Version: b.version,
		Rendered: f.wanted, Installed: f.installed, Confirmed: f.confirmed, Revision: f.revision, ConfirmedAt: f.at,
		Reconfigured: b.reconfigured, Rebooted: b.rebooted, TrialEnds: f.trialEnds, Error: f.err, Drifts: f.drifts,
		Started: listening(of.Name, b.started),
	}
	for _, file := range of.Files {
		row.Files = append(row.Files, file.Dest)
	}
	if of.Daemon != nil {
		row.Socket = of.Daemon.Socket
	}
	return row
}

// InStep says whether BIRD has confirmed what should be there.
func (s *Set) InStep() bool { return s.Files.confirmed == s.Files.wanted }

// FamilyOf is the address family whose listening is that of a set's daemon: of
// BIRD 1.6, bird6 has the second one.
func FamilyOf(set string, c *bgp.Config) *bgp.Family {
	if set == "bird6" {
		return &c.IPv6
	}
	return &c.IPv4
}

// listening is what a report keeps of what a BIRD was started with.
func listening(set string, started *bgp.Config) *report.Listening {
	if started == nil {
		return nil
	}
	f := FamilyOf(set, started)
	l := &report.Listening{Port: f.ListenPort}
	if f.ListenAddress.IsValid() {
		l.Address = f.ListenAddress.String()
	}
	return l
}
