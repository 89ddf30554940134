package guard

import (
	"confd/bgp"
)

// routeLosses finds what a candidate takes away of routes.
type routeLosses struct {
	*judgement
	policies [2]bgp.Policies // of the candidate, by family
	// bySession has the routes that BIRD has, once somebody asked for them.
	bySession map[string][]bgp.Route
}

func routeLossesOf(j *judgement) *routeLosses {
	r := &routeLosses{judgement: j}
	for i, f := range j.config.Families() {
		r.policies[i] = bgp.PoliciesOf(j.config, f)
	}
	return r
}
