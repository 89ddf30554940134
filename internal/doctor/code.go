package doctor

import (
	"fmt"

	"confd/backends"
	"confd/bgp"
)

// Code is a kind of finding.
type Code struct {
	// ID is its number, Name what warnings call it; both stay as they are.
	ID       string
	Name     backends.Code
	Severity Severity
	// Says is what a finding looks like, Consequence what comes of it, Cure what to do.
	Says, Consequence, Cure string
	// Live: it takes this node's BIRD to see it.
	Live bool
	// check finds it; nil: working out configurations shows it.
	check func(*patient) []complaint
}

// known numbers codes that warnings have, from first on. The lists grow at their
// ends.
func known(first int, list []backends.CodeInfo, severity map[backends.Code]Severity) []Code {
	out := make([]Code, len(list))
	for i, c := range list {
		out[i] = Code{ID: id(first + i), Name: c.Code, Severity: severity[c.Code], Says: c.Says, Consequence: c.Means, Cure: c.Do}
		if out[i].Severity == "" {
			out[i].Severity = Warning
		}
		if c.Advice {
			out[i].Severity = Advice
		}
	}
	return out
}

func id(n int) string { return fmt.Sprintf("BGP%03d", n) }

// inputSeverities are those that are no warnings.
func inputSeverities() map[backends.Code]Severity {
	return map[backends.Code]Severity{
		backends.Unreadable: Error, backends.Encrypted: Error, backends.OldFormat: Error, backends.UnknownKind: Error,
		backends.WrongType: Error, backends.Unusable: Error,
	}
}

func nodeSeverities() map[backends.Code]Severity {
	return map[backends.Code]Severity{
		bgp.CodeAddressTaken: Error, bgp.CodeBadSelector: Error, bgp.CodeLocalAS: Error, bgp.CodeNoSuchFilter: Error,
		bgp.CodeNoPassword: Error, bgp.CodeBadPassword: Error, bgp.CodePoolRoutes: Error, bgp.CodeBlackhole: Error,
	}
}
