package agent

import (
	"log/slog"
	"os"
	"strconv"
	"strings"

	"confd/bgp"
)

// optmemPath is the kernel's limit, in bytes, of what options may hold per
// socket.
const optmemPath = "/proc/sys/net/core/optmem_max"

// keySize is what a TCP MD5 key takes of it, roughly. BIRD keeps the keys of all
// sessions of a family on one listening socket.
const keySize = 144

// warnOfKeys warns where the sessions with a password come near what the kernel
// can hold keys for: those beyond it never come up, and nothing says why.
func warnOfKeys(log *slog.Logger, cfg *bgp.Config, limitFile string) {
	text, err := os.ReadFile(limitFile)
	if err != nil {
		return // no Linux, or a container that hides it: then nothing is known
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	for _, f := range cfg.Families() {
		keyed := 0
		for _, s := range f.Sessions {
			if s.Password != "" {
				keyed++
			}
		}
		if room := limit / keySize; keyed > 0 && keyed >= room*8/10 {
			log.Warn("sessions with passwords come near what the kernel has room for: those beyond it fail silently; raise net.core.optmem_max",
				"family", f.Version, "sessions", keyed, "room_for_about", room, "optmem_max", limit)
		}
	}
}
