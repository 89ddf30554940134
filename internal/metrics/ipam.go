package metrics

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"confd/backends"
)

// ipam says what was read last of the pools' use.
type ipam struct {
	gauges
	read func(context.Context) (backends.Usage, error)
	last atomic.Pointer[backends.Usage]
	log  *slog.Logger
	// failure is what was logged last.
	failure string
}

func newIPAM(o Options, defs definitions) *ipam {
	return &ipam{
		read: o.IPAM, log: o.Log,
		gauges: defs.gauges("confd_ipam_pool_blocks_used", "confd_ipam_pool_blocks_free", "confd_ipam_pool_addresses_used",
			"confd_ipam_pool_addresses", "confd_ipam_borrowed_addresses", "confd_ipam_lent_addresses", "confd_ipam_unreadable_blocks"),
	}
}

// How long one reading may take, and the pauses between two.
const (
	ipamLimit    = 2 * time.Minute
	ipamPause    = time.Minute
	ipamPerBlock = 60 * time.Millisecond
	ipamNoRights = 10 * time.Minute
)

// refresh reads once, and says how long to wait until the next time.
func (i *ipam) refresh(ctx context.Context) time.Duration {
	limited, cancel := context.WithTimeout(ctx, ipamLimit)
	defer cancel()
	usage, err := i.read(limited)
	switch {
	case err == nil:
		i.last.Store(&usage)
		i.failure = ""
		return ipamPause + time.Duration(usage.Blocks)*ipamPerBlock
	case ctx.Err() != nil:
		return 0
	}
	i.last.Store(nil)
	if err.Error() != i.failure {
		i.failure = err.Error()
		i.log.Warn("the use of the IP pools cannot be read: there are no metrics of it", "error", err)
	}
	if errors.Is(err, backends.ErrNotReadable) {
		return ipamNoRights
	}
	return ipamPause
}

// Collect is the other half of a prometheus.Collector.
func (i *ipam) Collect(ch chan<- prometheus.Metric) {
	usage := i.last.Load()
	if usage == nil {
		return
	}
	send := i.sender(ch)
	for _, p := range usage.Pools {
		f := family(p.CIDR.Addr())
		send("confd_ipam_pool_blocks_used", float64(p.BlocksUsed), p.Name, f)
		send("confd_ipam_pool_blocks_free", p.BlocksFree(), p.Name, f)
		send("confd_ipam_pool_addresses", p.AddressesTotal, p.Name, f)
		if usage.Addresses {
			send("confd_ipam_pool_addresses_used", float64(p.AddressesUsed), p.Name, f)
		}
	}
	send("confd_ipam_unreadable_blocks", float64(usage.Unreadable))
	if usage.Addresses {
		send("confd_ipam_borrowed_addresses", float64(usage.Borrowed))
		send("confd_ipam_lent_addresses", float64(usage.Lent))
	}
}
