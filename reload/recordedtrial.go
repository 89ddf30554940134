package reload

import (
	"time"

	"confd/reload/control"
)

func (t *trial) recorded(proof *observation) *RecordedTrial {
	r := &RecordedTrial{Hash: t.hash, Told: t.told, Ends: t.ends, Deadline: t.deadline, Stay: map[string]string{}, Return: t.back}
	for name, s := range t.stay {
		r.Stay[name] = s.Since
	}
	if proof != nil {
		r.Reconfigured, r.Rebooted = proof.status.LastReconfiguration, proof.status.LastReboot
	}
	return r
}

// resumed is a recorded trial as it goes on; nil where BIRD no longer uses the set,
// and why. BIRD's own times say how old what it uses is: the clock may have been
// set meanwhile.
func (r RecordedTrial) resumed(l look) (*trial, string) {
	status := l.bird.status
	age, known := status.ConfigAge()
	switch {
	case !known || r.Reconfigured.IsZero():
		return nil, "nobody knows what BIRD uses"
	case !near(status.LastReboot, r.Rebooted):
		return nil, "BIRD was restarted"
	case age >= r.Deadline.Sub(r.Told), !near(status.LastReconfiguration, r.Reconfigured):
		return nil, "BIRD went back by itself, or somebody else has had it use another configuration"
	}
	began := l.bird.from.Add(-age)
	t := &trial{
		hash: r.Hash, told: began, looked: began, ends: began.Add(r.Ends.Sub(r.Told)), deadline: began.Add(r.Deadline.Sub(r.Told)),
		stay: map[string]control.SessionState{}, back: r.Return,
	}
	for name, since := range r.Stay {
		t.stay[name] = control.SessionState{Name: name, Since: since}
	}
	return t, ""
}

// near says that two of BIRD's times are the same: those of later BIRDs waver.
func near(a, b time.Time) bool {
	d := a.Sub(b).Abs()
	if a.Year() == 0 && b.Year() == 0 { // times of the day
		d = min(d, 24*time.Hour-d)
	}
	return d <= proofSlack
}
