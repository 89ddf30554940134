// Package serve answers over HTTP how the program is: metrics for Prometheus,
// probes for whoever runs it, and profiles where somebody asked for them.
package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Listen opens an address: HOST:PORT, or unix:PATH. A socket that nobody listens
// on any more is replaced; the new one has mode 0660, and goes when it is
// closed. Errors name the address, and what to do.
func Listen(addr string) (net.Listener, error) {
	var l net.Listener
	var err error
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		l, err = ListenUnix(path)
	} else {
		l, err = net.Listen("tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w%s", addr, bare(err), advice(err))
	}
	return l, nil
}

// bare is err without the address, which net puts around it.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// advice is what to do about an error.
func advice(err error) string {
	var bad *net.AddrError
	var name *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": somebody listens there already: end that, or give --listen another address"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": this host does not have that address"
	case errors.Is(err, syscall.EACCES):
		return ": it takes rights to do so: ports below 1024 are root's, and a socket's folder must be writable"
	case errors.Is(err, fs.ErrNotExist):
		return ": the socket's folder must be there"
	case errors.Is(err, syscall.EINVAL):
		return ": is the path longer than 107 bytes?"
	case errors.As(err, &bad), errors.As(err, &name):
		return ": --listen wants HOST:PORT, such as 127.0.0.1:9191, or unix:PATH"
	}
	return ""
}

// ListenUnix opens a Unix socket, as Listen does, with the system's errors.
func ListenUnix(path string) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("unix: wants the path of a socket after it")
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes the socket at path where nobody answers on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("there is something that is not a socket: remove it, or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return syscall.EADDRINUSE
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("finding out whether somebody listens there: %w", bare(err))
	}
	return os.Remove(path)
}
