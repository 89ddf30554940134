package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// pinger sends ICMP echo requests from one namespace to one address.
type pinger struct {
	to   netip.Addr
	id   int
	conn *icmp.PacketConn
}

// newPinger opens the socket that pings leave by, with the source that the kernel
// chooses, or from.
func newPinger(ns string, from, to netip.Addr, id int) (*pinger, error) {
	p := &pinger{to: to, id: id}
	network, source := "ip4:icmp", "0.0.0.0"
	if to.Is6() {
		network, source = "ip6:ipv6-icmp", "::"
	}
	if from.IsValid() {
		source = from.String()
	}
	err := inNamespace(ns, func() (err error) {
		p.conn, err = icmp.ListenPacket(network, source)
		return err
	})
	return p, err
}

func (p *pinger) send(seq int) error {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: p.id, Seq: seq}}
	if p.to.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	text, err := m.Marshal(nil) // the kernel does ICMPv6's checksum
	if err == nil {
		_, err = p.conn.WriteTo(text, &net.IPAddr{IP: p.to.AsSlice()})
	}
	return err
}

// receive waits for the next answer and returns its number.
func (p *pinger) receive() (seq int, err error) {
	protocol := 1
	if p.to.Is6() {
		protocol = 58
	}
	packet := make([]byte, 1500)
	for {
		n, _, err := p.conn.ReadFrom(packet)
		if err != nil {
			return 0, err
		}
		m, err := icmp.ParseMessage(protocol, packet[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == p.id {
			return echo.Seq, nil
		}
	}
}

// pingOnce sends one echo request, and waits for its answer for a second.
func pingOnce(ns string, from, to netip.Addr) error {
	p, err := newPinger(ns, from, to, int(time.Now().UnixNano()&0xffff))
	if err != nil {
		return err
	}
	defer p.conn.Close()
	if err := p.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if err := p.send(1); err != nil {
		return fmt.Errorf("ping %s: %w", to, err)
	}
	if _, err := p.receive(); err != nil {
		return fmt.Errorf("no answer from %s: %w", to, err)
	}
	return nil
}

// Ping sends one echo request from the machine to an address and waits for the
// answer.
func (m *Machine) Ping(to netip.Addr) error {
	if err := pingOnce(m.NS(), netip.Addr{}, to); err != nil {
		return fmt.Errorf("from %s: %w", m.Name, err)
	}
	return nil
}

// Ping is Machine.Ping from the workload, to all addresses of another one that it
// has the family for.
func (w *Workload) Ping(other *Workload) error {
	for _, to := range other.Addresses {
		for _, from := range w.Addresses {
			if from.Is6() != to.Is6() {
				continue
			}
			if err := pingOnce(w.ns(), from, to); err != nil {
				return fmt.Errorf("from %s on %s: %w", from, w.Host.Name, err)
			}
		}
	}
	return nil
}

// PingAddress is Ping to one address.
func (w *Workload) PingAddress(to netip.Addr) error {
	if err := pingOnce(w.ns(), netip.Addr{}, to); err != nil {
		return fmt.Errorf("from %s on %s: %w", w.Addresses, w.Host.Name, err)
	}
	return nil
}

// AwaitPings waits until each of the workloads reaches each other one.
func (l *Lab) AwaitPings(workloads ...*Workload) {
	l.tb.Helper()
	for _, w := range workloads {
		for _, o := range workloads {
			if o != w {
				l.Await("pings", func() error { return w.Ping(o) })
			}
		}
	}
}

// Pings are echo requests at a steady pace, to see what a failure costs.
type Pings struct {
	lab      *Lab
	pinger   *pinger
	every    time.Duration
	stop     chan struct{}
	done     sync.WaitGroup
	mu       sync.Mutex
	sent     []time.Time
	answered map[int]bool
	dropped  int // by the machine, before
}

// PingCount is what became of Pings.
type PingCount struct {
	Sent, Lost int
	// Gaps is how often pings began to be lost.
	Gaps int
	// Longest is the longest time in which all pings were lost.
	Longest time.Duration
	// Dropped are packets, anybody's, that the machine's kernel has dropped meanwhile, as
	// it had no time for them: pings may be among them. It is no network's fault.
	Dropped int
}

// LostOften says whether pings began to be lost more than so often, for another reason
// than that the machine had no time for them.
func (c PingCount) LostOften(gaps int) bool { return c.Gaps > gaps && c.Lost > c.Dropped }

// StartPings sends a ping to the other workload's first address every so often,
// until StopPings.
func (w *Workload) StartPings(other *Workload, every time.Duration) *Pings {
	w.Host.lab.tb.Helper()
	w.Host.lab.pings++
	p, err := newPinger(w.ns(), w.Addresses[0], other.Addresses[0], w.Host.lab.pings)
	if err != nil {
		w.Host.lab.tb.Fatal(err)
	}
	s := &Pings{lab: w.Host.lab, pinger: p, every: every, stop: make(chan struct{}), answered: map[int]bool{}, dropped: w.Host.lab.droppedPackets()}
	s.done.Go(s.send)
	s.done.Go(s.receive)
	s.lab.tb.Cleanup(func() { s.pinger.conn.Close() })
	return s
}

func (s *Pings) send() {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.mu.Lock()
			s.sent = append(s.sent, now)
			n := len(s.sent)
			s.mu.Unlock()
			_ = s.pinger.send(n & 0xffff) // one that the kernel refuses is lost
		}
	}
}

func (s *Pings) receive() {
	for {
		seq, err := s.pinger.receive()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		s.answered[seq] = true
		s.mu.Unlock()
	}
}

// AwaitAnswers waits until n more of the pings are answered.
func (s *Pings) AwaitAnswers(n int) {
	s.lab.tb.Helper()
	n += s.answers()
	s.lab.Await("answers to the pings", func() error {
		if got := s.answers(); got < n {
			return fmt.Errorf("%d, want %d", got, n)
		}
		return nil
	})
}

func (s *Pings) answers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.answered)
}

// lastAnswer is how long the answer to the last ping may take.
const lastAnswer = 5 * time.Second

// Stop ends the pings, gives the last ones time to be answered, and counts.
func (s *Pings) Stop() PingCount {
	close(s.stop)
	for end := time.Now().Add(lastAnswer); !s.lastAnswered() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	s.pinger.conn.Close()
	s.done.Wait()
	count := PingCount{Sent: len(s.sent), Dropped: s.lab.droppedPackets() - s.dropped}
	gap := 0
	for i := range s.sent {
		if s.answered[(i+1)&0xffff] {
			gap = 0
			continue
		}
		if gap == 0 {
			count.Gaps++
		}
		count.Lost++
		gap++
		count.Longest = max(count.Longest, time.Duration(gap)*s.every)
	}
	return count
}

// lastAnswered says whether the last ping that was sent is answered: those before it
// are by then, or never will be.
func (s *Pings) lastAnswered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered[len(s.sent)&0xffff]
}

// droppedPackets are those that the kernel has dropped since it was started, of all
// namespaces, as a CPU's queue was full: the second number of each CPU's line.
func (l *Lab) droppedPackets() int {
	l.tb.Helper()
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		l.tb.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(text)) {
		var processed, dropped int
		if _, err := fmt.Sscanf(line, "%x %x", &processed, &dropped); err != nil {
			l.tb.Fatalf("/proc/net/softnet_stat: %v in %q", err, line)
		}
		sum += dropped
	}
	return sum
}
