package report

import (
	"fmt"
	"strings"
	"time"
)

// Routes is what is known of the routes of one BIRD, and of the kernel's.
type Routes struct {
	Set string    `json:"set"`
	At  time.Time `json:"at,omitzero"` // when it was looked last
	// Unknown is why nothing is known, KernelUnknown why nobody knows what the kernel
	// has; empty: it is known.
	Unknown       string `json:"unknown,omitempty"`
	KernelUnknown string `json:"kernel_unknown,omitempty"`
	// Recovery is set while BIRD waits for sessions after a graceful restart, and puts
	// nothing into the kernel.
	Recovery *Recovery `json:"recovery,omitempty"`
	Tables   []Table   `json:"tables,omitempty"`
	// Down are the sessions that should be up and are not.
	Down []string `json:"down,omitempty"`
	// Wrong counts what is wrong, by kind; Faults are the first ones of each kind.
	Wrong  map[string]int `json:"wrong,omitempty"`
	Faults []RouteFault   `json:"faults,omitempty"`
	// Removed counts older routes of BIRD's that were taken out of the kernel.
	Removed int `json:"removed,omitempty"`
}

// Recovery is BIRD's, after a graceful restart.
type Recovery struct {
	Until    time.Time `json:"until"` // at most
	Sessions []string  `json:"sessions,omitempty"`
}

// Table counts the routes of an address family: those that BIRD has by where they come
// from, and those that it has programmed into the kernel (-1: not known).
type Table struct {
	Family     int `json:"family"`
	Static     int `json:"static"`
	Direct     int `json:"direct"`
	Kernel     int `json:"kernel"`
	BGP        int `json:"bgp"`
	Programmed int `json:"programmed"`
}

// RouteFault is something wrong with routes.
type RouteFault struct {
	Kind    string `json:"kind"`
	Family  int    `json:"family"`
	Net     string `json:"net,omitempty"`
	Session string `json:"session,omitempty"`
	Text    string `json:"text"`
	Cure    string `json:"cure"`
}

// mostNamed is how many sessions String names.
const mostNamed = 5

// String says it in words.
func (r Recovery) String() string {
	names := strings.Join(r.Sessions[:min(len(r.Sessions), mostNamed)], ", ")
	if len(r.Sessions) > mostNamed {
		names += fmt.Sprintf(" and %d more", len(r.Sessions)-mostNamed)
	}
	if names == "" {
		names = "sessions"
	}
	return fmt.Sprintf("BIRD recovers from a graceful restart, and puts nothing into the kernel until %s at most: it waits for %s", r.Until.Format(time.TimeOnly), names)
}
