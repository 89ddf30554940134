package bgp

import (
	"net/netip"
	"strconv"
)

// NeedsRestart names, in words, what a BIRD of that major version does not take
// over from now when it is reconfigured, having started with started: BIRD 1
// opens its listening socket once. It is conservative: BIRD 1 also opens it
// anew where all sessions of a family were away for a moment. Each text begins
// with the family, "IPv4" or "IPv6", of the daemon that needs it.
func NeedsRestart(started, now *Config, birdMajor int) []string {
	if birdMajor != 1 || started == nil {
		return nil
	}
	var out []string
	for i, f := range now.Families() {
		was := started.Families()[i]
		prefix := "IPv" + strconv.Itoa(f.Version)
		if was, is := listenPortOf(was), listenPortOf(f); was != is {
			out = append(out, prefix+" listening port: "+strconv.Itoa(int(is))+" in place of "+strconv.Itoa(int(was)))
		}
		if was.ListenAddress != f.ListenAddress {
			out = append(out, prefix+" listening address: "+listenText(f.ListenAddress)+" in place of "+listenText(was.ListenAddress))
		}
	}
	return out
}

func listenText(a netip.Addr) string {
	if a.IsValid() {
		return a.String()
	}
	return "all"
}
