// Package listener finds out who listens on a TCP port of this machine, as far as this
// process may know: in its own network namespace, and of processes that it can see.
package listener

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process has a port.
type Process struct {
	PID     int    // 0: it cannot be seen from here
	Name    string // empty where PID is 0
	Address netip.AddrPort
}

// String is such as `gobgpd (process 4711)`.
func (p Process) String() string {
	if p.PID == 0 {
		return "a process that is not seen from here"
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.PID)
}

// On are the processes that listen on a port so that nobody else can on address: there
// or on all addresses. proc is where Linux tells of processes: /proc.
func On(proc string, port uint16, address netip.Addr) []Process {
	var sockets []socket
	for _, name := range []string{"tcp", "tcp6"} {
		// Where it cannot be read nothing is known.
		if f, err := os.Open(filepath.Join(proc, "self/net", name)); err == nil {
			sockets = append(sockets, listening(f)...)
			f.Close()
		}
	}
	sockets = slices.DeleteFunc(sockets, func(s socket) bool { return s.at.Port() != port || !inTheWay(s.at.Addr(), address) })
	if len(sockets) == 0 {
		return nil
	}
	owners := owners(proc, sockets)
	list := make([]Process, len(sockets))
	for i, s := range sockets {
		list[i] = owners[s.inode]
		list[i].Address = s.at
	}
	return list
}

// inTheWay says whether a socket at one address keeps others from address, which is
// not valid where it may be any. One at :: may take IPv4 besides.
func inTheWay(at, address netip.Addr) bool {
	switch {
	case at.IsUnspecified():
		return !address.IsValid() || at.Is6() || address.Is4()
	default:
		return !address.IsValid() || address.IsUnspecified() && at.Is4() == address.Is4() || at == address
	}
}

// socket is one that listens.
type socket struct {
	at    netip.AddrPort
	inode string
}

const stateListen = "0A"

// listening reads the sockets that listen from a table of Linux's (proc_net_tcp(5)).
func listening(r io.Reader) []socket {
	var list []socket
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 10 || words[3] != stateListen {
			continue
		}
		if at, ok := parseAddress(words[1]); ok {
			list = append(list, socket{at, words[9]})
		}
	}
	return list
}

// parseAddress reads an address and a port in hexadecimal: the address in words of
// four bytes, each in the order of the machine, which is little-endian where BIRD runs
// with Kubernetes.
func parseAddress(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(address)
	number, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(bytes)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(bytes); i += 4 {
		slices.Reverse(bytes[i : i+4])
	}
	a, ok := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), ok
}

// owners are the processes that have sockets open, by inode.
func owners(proc string, sockets []socket) map[string]Process {
	wanted := map[string]string{}
	for _, s := range sockets {
		wanted["socket:["+s.inode+"]"] = s.inode
	}
	found := map[string]Process{}
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*")) // its only error is a bad pattern
	for _, dir := range dirs {
		files, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue // it has ended, or is another user's
		}
		for _, f := range files {
			target, err := os.Readlink(filepath.Join(dir, "fd", f.Name()))
			if inode, ok := wanted[target]; err == nil && ok {
				found[inode] = process(dir)
			}
		}
	}
	return found
}

func process(dir string) Process {
	pid, _ := strconv.Atoi(filepath.Base(dir)) // its name is a number
	name, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return Process{}
	}
	return Process{PID: pid, Name: strings.TrimSpace(string(name))}
}
