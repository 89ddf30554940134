package agent

import (
	"errors"
	"testing"

	"confd/bgp"
	"confd/internal/guard"
)

// BIRD's routes are known where all BIRDs have said them: half of them would pass for
// all that there are.
func TestSurveyed(t *testing.T) {
	seen, routes, failed := []guard.Seen{{Name: "Mesh_10_0_0_2"}}, []bgp.Route{{}}, errors.New("too many")
	for name, test := range map[string]struct {
		whole         bool
		routes        []bgp.Route
		err           error
		known, listed bool
	}{
		"asked for":        {whole: true, routes: routes, known: true, listed: true},
		"none":             {whole: true, known: true, listed: true},
		"not asked for":    {listed: true},
		"one does not say": {whole: true, err: failed, listed: true},
		"one has too many": {whole: true, routes: routes, err: failed, listed: true},
	} {
		s := surveyed{sessions: map[string][]guard.Seen{}, whole: test.whole}
		s.saw("bird6", nil, nil, nil)
		s.saw("bird", seen, test.routes, test.err)
		s.finished()
		if known := s.routes != nil; known != test.known || (len(s.sessions["bird"]) == 1) != test.listed || (s.unknown != nil) != (test.err != nil) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
