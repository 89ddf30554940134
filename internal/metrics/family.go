package metrics

import "net/netip"

func family(a netip.Addr) string {
	if a.Is4() {
		return "4"
	}
	return "6"
}
