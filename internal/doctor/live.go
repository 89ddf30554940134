package doctor

import (
	"fmt"
	"net/netip"
	"strings"

	"confd/bgp"
)

func liveCodes() []Code {
	return []Code{
		{
			ID: id(80), Name: "bird-does-not-answer", Severity: Error, Live: true, check: (*patient).noBIRD,
			Says:        "no BIRD answers on this node",
			Consequence: "The node has no sessions, or nobody can see them.",
			Cure:        "confd status says what is known of it; see whether BIRD runs.",
		},
		{
			ID: id(81), Name: "session-down", Severity: Error, Live: true, check: (*patient).down,
			Says:        "Mesh_10_0_0_2 is start, Active: Socket: Connection refused",
			Consequence: "No routes are exchanged with that peer.",
			Cure:        "The finding says what BIRD's error means; confd explain session what the two sides are to have.",
		},
		{
			ID: id(82), Name: "session-missing", Severity: Error, Live: true, check: (*patient).missing,
			Says:        "BIRD does not have Mesh_10_0_0_2",
			Consequence: "BIRD does not run what it should.",
			Cure:        "confd status says whether a change is held, pending or refused.",
		},
		{
			ID: id(83), Name: "unreachable-routes", Severity: Warning, Live: true, check: (*patient).unreachable,
			Says:        "BIRD cannot reach the next hop of 3 routes, such as 10.1.0.0/26",
			Consequence: "The kernel refuses packets to these nets.",
			Cure:        "See whether the node has a route to the next hop, and the session its address.",
		},
		{
			ID: id(84), Name: "recovery", Severity: Warning, Live: true, check: (*patient).recovery,
			Says:        "BIRD recovers after a restart, and waits for its peers",
			Consequence: "Until they have all told their routes, or its time is over, BIRD keeps the kernel's old routes and tells nobody of its own.",
			Cure:        "Wait; a peer that is gone for good only costs time.",
		},
		{
			ID: id(85), Name: "address-not-here", Severity: Error, Live: true, check: (*patient).notHere,
			Says:        "no interface of this machine has its address 10.0.0.1",
			Consequence: "Sessions that are to come from that address do not come up.",
			Cure:        "Correct the Node's address, or the machine's.",
		},
		{
			ID: id(86), Name: "change-held", Severity: Error, Live: true, check: (*patient).held,
			Says:        "a change is held back: it would take away 2 of 3 established sessions",
			Consequence: "BIRD goes on as before the change, until somebody approves it or the resources say something else.",
			Cure:        "confd status names the sessions and the objects; confd approve if it is meant, or take it back.",
		},
	}
}

// live says whether this machine is one of the nodes, and was looked at.
func (p *patient) live() bool { return p.Live != nil && p.own != nil }

func (p *patient) here(format string, args ...any) []complaint {
	return []complaint{{object: "Node " + p.Options.Node, text: fmt.Sprintf(format, args...)}}
}

func (p *patient) noBIRD() []complaint {
	if !p.live() || p.Live.BIRD != nil {
		return nil
	}
	return p.here("no BIRD answers on this node")
}

func (p *patient) down() []complaint {
	if !p.live() || p.Live.BIRD == nil {
		return nil
	}
	var out []complaint
	for _, f := range p.own.Families() {
		for _, s := range f.Sessions {
			for _, x := range p.Live.BIRD.Sessions {
				if x.Name != s.Name || x.Up {
					continue
				}
				text := fmt.Sprintf("%s is %s", s.Name, x.State)
				for _, more := range []string{strings.TrimSpace(x.Info), x.Meaning} {
					if more != "" {
						text += ": " + more
					}
				}
				out = append(out, complaint{object: s.Reason.Object.String(), text: text})
			}
		}
	}
	return out
}

func (p *patient) missing() []complaint {
	if !p.live() || p.Live.BIRD == nil {
		return nil
	}
	var out []complaint
	has := map[string]bool{}
	for _, x := range p.Live.BIRD.Sessions {
		has[x.Name] = true
	}
	for _, f := range p.own.Families() {
		for _, s := range f.Sessions {
			if !has[s.Name] {
				out = append(out, complaint{object: s.Reason.Object.String(), text: "BIRD does not have " + s.Name})
			}
		}
	}
	return out
}

func (p *patient) unreachable() []complaint {
	if !p.live() || len(p.Live.Unreachable) == 0 {
		return nil
	}
	return p.here("BIRD cannot reach the next hop of %d routes, such as %s", len(p.Live.Unreachable), p.Live.Unreachable[0])
}

func (p *patient) recovery() []complaint {
	if !p.live() || !p.Live.Recovering {
		return nil
	}
	return p.here("BIRD recovers after a restart, and waits for its peers")
}

func (p *patient) held() []complaint {
	if !p.live() {
		return nil
	}
	var out []complaint
	for _, why := range p.Live.Held {
		out = append(out, p.here("a change is held back: %s", why)...)
	}
	return out
}

func (p *patient) notHere() []complaint {
	if !p.live() || p.Live.Addresses == nil {
		return nil
	}
	var out []complaint
	for _, a := range []netip.Addr{p.own.IPv4.Address, p.own.IPv6.Address} {
		if a.IsValid() && !bgp.OnMachine(a, p.Live.Addresses) {
			out = append(out, p.here("no interface of this machine has its address %s", a)...)
		}
	}
	return out
}
