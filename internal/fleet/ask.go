package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"confd/backends"
	"confd/internal/certificates"
)

// Target is a node to ask.
type Target struct {
	Name      string
	Addresses []netip.Addr // the first one is asked a moment before the others; what answers first counts
}

// Targets are the nodes of a cluster, by name.
func Targets(nodes map[string]*backends.Node) []Target {
	var list []Target
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		t := Target{Name: name}
		for _, a := range []backends.NodeAddress{nodes[name].IPv4, nodes[name].IPv6} {
			if a.Addr.IsValid() {
				t.Addresses = append(t.Addresses, a.Addr)
			}
		}
		list = append(list, t)
	}
	return list
}

// Node is what came of asking one node.
type Node struct {
	Name      string       `json:"node"`
	Addresses []netip.Addr `json:"addresses"`
	State     string       `json:"state"`          // one of States
	What      string       `json:"what,omitempty"` // what is wrong, in a line
	// Summary is what the node says; nil: it is silent.
	Summary *Summary `json:"summary,omitempty"`
}

// How many are asked at the same time, and the longest answer that is read, in bytes.
const (
	mostAtOnce = 1000
	mostAnswer = 256 << 10
)

// atOnce is how many connections there is room for, in files.
func atOnce() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > 2*mostAtOnce {
		return mostAtOnce
	}
	return max(1, int(files.Cur)/2)
}

// Asker asks nodes.
type Asker struct {
	Port    uint16
	Timeout time.Duration // for each address of a node; 0: 4 s
	// TLS is certificates.Files.Client; nil: they are asked plainly.
	TLS *tls.Config
}

// Ask asks all nodes, and returns what came of it in their order. No node that does
// not answer is an error.
func (a Asker) Ask(ctx context.Context, targets []Target) []Node {
	if a.Timeout <= 0 {
		a.Timeout = 4 * time.Second
	}
	nodes := make([]Node, len(targets))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(atOnce(), len(targets)) {
		workers.Go(func() {
			for i := range next {
				nodes[i] = a.node(ctx, targets[i])
			}
		})
	}
	for i := range targets {
		next <- i
	}
	close(next)
	workers.Wait()
	return nodes
}

// dialTimeout is how long connecting may take: the rest of an Asker's Timeout is BIRD's.
const dialTimeout = 2 * time.Second

// headStart is for how long the first address of a node may answer alone.
const headStart = 500 * time.Millisecond

// answer is what came of asking one of a node's addresses.
type answer struct {
	first   bool // it is the node's first
	summary *Summary
	err     error
}

// node asks a node at its addresses. The first answer counts, and where there is none
// what is wrong with the first address.
func (a Asker) node(ctx context.Context, t Target) Node {
	n := Node{Name: t.Name, Addresses: t.Addresses, State: Silent, What: "it has no address in the datastore"}
	var asked sync.WaitGroup
	defer asked.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(t.Addresses))
	for i, addr := range t.Addresses {
		asked.Go(func() {
			select {
			case <-time.After(time.Duration(i) * headStart):
			case <-ctx.Done():
			}
			s, err := a.ask(ctx, t.Name, addr)
			answers <- answer{i == 0, s, err}
		})
	}
	for range t.Addresses {
		got := <-answers
		switch {
		case got.err == nil:
			n.Summary, n.State, n.What = got.summary, got.summary.State(), got.summary.What()
			return n
		case got.first:
			n.What = got.err.Error()
		}
	}
	return n
}

func (a Asker) ask(ctx context.Context, name string, addr netip.Addr) (*Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	// A connection is used once: none is kept for a fleet of thousands.
	dialer := &net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(addr.String(), strconv.Itoa(int(a.Port))), Path: Path}
	if a.TLS != nil {
		u.Scheme, transport.TLSClientConfig = "https", certificates.ForNode(a.TLS, name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, explained(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return nil, explained(err)
	}
	return read(name, resp.StatusCode, data)
}

// read reads a node's answer.
func read(name string, code int, data []byte) (*Summary, error) {
	switch code {
	case http.StatusOK:
	case http.StatusForbidden:
		return nil, errors.New("it refuses to say: it wants a client certificate")
	case http.StatusBadRequest:
		return nil, errors.New("it takes TLS only: set --listen-ca-file")
	case http.StatusNotFound:
		return nil, errors.New("what answers there is another program, or a version of this one that does not say how it stands")
	default:
		return nil, fmt.Errorf("it answers with %d %s", code, http.StatusText(code))
	}
	var s Summary
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, errors.New("what answers there is another program, or its answer is too long")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Node != name {
		return nil, fmt.Errorf("the program there says that it is node %q", text(s.Node))
	}
	return &s, nil
}

// explained says what an error in asking means.
func explained(err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nobody listens: the program does not run, or listens on another address or port (--listen)")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errors.New("there is no way from here to the node")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer: the node or the way there is down, or a firewall drops it")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the connection was closed without an answer: does it expect TLS?")
	}
	return err
}
