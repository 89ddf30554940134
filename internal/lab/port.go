package lab

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace calls do on a thread that is in the network namespace ns: sockets
// that it opens stay there.
func inNamespace(ns string, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("this thread's namespace: %w", err)
	}
	defer unix.Close(home)
	there, err := unix.Open(filepath.Join(privateDir, "netns", ns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("namespace %s: %w", ns, err)
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns, err)
	}
	defer func() {
		// The thread must not end instead: the kernel would kill what it has started.
		if err := unix.Setns(home, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("cannot leave namespace %s: %v", ns, err))
		}
	}()
	return do()
}

// storePort is a host's way to the datastore, which is outside its network: the
// server's address on the host's own loopback, as with a proxy on each node. What
// happens to the host's network does not touch it.
type storePort struct {
	address  string
	listener net.Listener
	cut      atomic.Bool
	mu       sync.Mutex
	open     map[net.Conn]bool
	done     sync.WaitGroup
}

func openStorePort(tb testing.TB, ns, address string) *storePort {
	tb.Helper()
	p := &storePort{address: address, open: map[net.Conn]bool{}}
	err := inNamespace(ns, func() (err error) {
		p.listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		tb.Fatalf("the datastore's port in %s: %v", ns, err)
	}
	p.done.Go(p.serve)
	tb.Cleanup(func() {
		p.listener.Close()
		p.drop()
		p.done.Wait()
	})
	return p
}

// setCut closes all connections, and until it is undone each new one at once.
func (p *storePort) setCut(cut bool) {
	p.cut.Store(cut)
	if cut {
		p.drop()
	}
}

func (p *storePort) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *storePort) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.done.Go(func() { p.forward(near) })
	}
}

func (p *storePort) forward(near net.Conn) {
	defer near.Close()
	if p.cut.Load() {
		return
	}
	far, err := net.Dial("tcp", p.address)
	if err != nil {
		return
	}
	defer far.Close()
	p.mu.Lock()
	p.open[near] = true
	p.mu.Unlock()
	p.done.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close()
	})
	_, _ = io.Copy(near, far)
	p.mu.Lock()
	delete(p.open, near)
	p.mu.Unlock()
}
