package lab

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RouteWatch notes when the kernels of a lab's hosts got, changed or lost routes.
type RouteWatch struct {
	mu   sync.Mutex
	last map[*Host]map[netip.Prefix]time.Time
	done chan struct{}
	wg   sync.WaitGroup
}

// WatchRoutes begins a RouteWatch on the hosts there are, until Stop.
func (l *Lab) WatchRoutes() *RouteWatch {
	l.tb.Helper()
	w := &RouteWatch{last: map[*Host]map[netip.Prefix]time.Time{}, done: make(chan struct{})}
	for _, h := range l.Hosts {
		ns, err := netns.GetFromName(h.NS())
		if err != nil {
			l.tb.Fatalf("namespace of %s: %v", h.Name, err)
		}
		updates := make(chan netlink.RouteUpdate, 1000)
		err = netlink.RouteSubscribeWithOptions(updates, w.done, netlink.RouteSubscribeOptions{
			Namespace: &ns, ReceiveBufferSize: 4 << 20,
			ErrorCallback: func(err error) {
				select {
				case <-w.done: // told to stop
				default:
					l.tb.Errorf("watching the routes of %s: %v", h.Name, err)
				}
			}})
		ns.Close()
		if err != nil {
			l.tb.Fatalf("watch the routes of %s: %v", h.Name, err)
		}
		w.last[h] = map[netip.Prefix]time.Time{}
		w.wg.Go(func() { w.note(h, updates) })
	}
	return w
}

func (w *RouteWatch) note(h *Host, updates <-chan netlink.RouteUpdate) {
	for u := range updates {
		now := time.Now()
		if u.Dst == nil || int(u.Protocol) != unix.RTPROT_BIRD {
			continue
		}
		w.mu.Lock()
		w.last[h][prefixOf(u.Dst)] = now
		w.mu.Unlock()
	}
}

func prefixOf(n *net.IPNet) netip.Prefix {
	a, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), ones)
}

// Last is when the last of BIRD's routes changed in any host's kernel; zero: none has.
func (w *RouteWatch) Last() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last time.Time
	for _, nets := range w.last {
		for _, t := range nets {
			if t.After(last) {
				last = t
			}
		}
	}
	return last
}

// AwaitQuiet waits until no route of BIRD's has changed anywhere for so long, counted
// from the call.
func (w *RouteWatch) AwaitQuiet(quiet time.Duration) {
	for since := time.Now(); ; {
		if last := w.Last(); last.After(since) {
			since = last
		}
		left := quiet - time.Since(since)
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// Stop ends the watch.
func (w *RouteWatch) Stop() {
	close(w.done)
	w.wg.Wait()
}
