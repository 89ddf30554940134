package bgp

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var sessionName = regexp.MustCompile(`^(Mesh|Global|Node|Local_Workload)_([0-9a-f_]+?)(?:_port_([0-9]+))?$`)

// ParseSessionName reads the name that Compute gave a session: its kind, and its
// neighbor's address and port (0: a Mesh session's name does not tell the port).
// It is false of other names.
func ParseSessionName(name string) (kind SessionKind, neighbor netip.Addr, port uint16, ok bool) {
	m := sessionName.FindStringSubmatch(name)
	if m == nil {
		return "", netip.Addr{}, 0, false
	}
	sign := ":"
	if strings.Count(m[2], "_") == 3 && !strings.Contains(m[2], "__") {
		sign = "."
	}
	neighbor, err := netip.ParseAddr(strings.ReplaceAll(m[2], "_", sign))
	if err != nil {
		return "", netip.Addr{}, 0, false
	}
	kind = SessionKind(m[1])
	switch n, err := strconv.ParseUint(m[3], 10, 16); {
	case err == nil:
		port = uint16(n)
	case kind != MeshSession:
		port = bgpPort
	}
	return kind, neighbor, port, true
}
