package reload

import (
	"time"

	"confd/reload/control"
)

// recorded is a trial, by the clock that BIRD had when its sessions were noted.
func (t *trial) recorded(proof *observation) *RecordedTrial {
	r := &RecordedTrial{Hash: t.hash, Told: t.told, Ends: t.ends, Deadline: t.deadline, Stay: map[string]string{}, Return: t.back}
	for name, s := range t.stay {
		r.Stay[name] = s.Since
	}
	if proof != nil {
		stepped := t.noted.Stepped(proof.status)
		r.Reconfigured, r.Rebooted = proof.status.LastReconfiguration.Add(-stepped), proof.status.LastReboot.Add(-stepped)
	}
	return r
}

// resumed is a recorded trial as it goes on; nil where BIRD no longer uses the set,
// and why. BIRD's own times say how old what it uses is: the clock may have been
// set meanwhile.
func (r RecordedTrial) resumed(l look) (*trial, string) {
	status := l.bird.status
	age, known := status.ConfigAge()
	stepped, same := r.stepped(status)
	switch {
	case !known || r.Reconfigured.IsZero():
		return nil, "nobody knows what BIRD uses"
	case !same:
		return nil, "BIRD was restarted"
	case age >= r.Deadline.Sub(r.Told), !near(status.LastReconfiguration, r.Reconfigured.Add(stepped)):
		return nil, "BIRD went back by itself, or somebody else has had it use another configuration"
	}
	began := l.bird.from.Add(-age)
	t := &trial{
		hash: r.Hash, told: began, looked: began, ends: began.Add(r.Ends.Sub(r.Told)), deadline: began.Add(r.Deadline.Sub(r.Told)),
		stay: map[string]control.SessionState{}, back: r.Return, noted: control.Status{LastReboot: r.Rebooted},
	}
	for name, since := range r.Stay {
		t.stay[name] = control.SessionState{Name: name, Since: since}
	}
	return t, ""
}

// stepped is by how much BIRD's clock was set since the record was written; false where
// BIRD was restarted. One whose clock was set has taken its configuration as long after
// its start as it had; of one that had done so at once that says nothing.
func (r RecordedTrial) stepped(status control.Status) (time.Duration, bool) {
	if near(status.LastReboot, r.Rebooted) {
		return 0, true
	}
	was, is := r.Reconfigured.Sub(r.Rebooted), status.LastReconfiguration.Sub(status.LastReboot)
	same := r.Rebooted.Year() > 0 && was > 2*proofSlack && (is-was).Abs() <= proofSlack
	return status.LastReboot.Sub(r.Rebooted), same
}
