package lab

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ends are the addresses of a BGP session, without zones.
type ends struct{ source, neighbor netip.Addr }

// connection is the kernel's number of a TCP socket, which no other one has.
type connection [2]uint32

// connections are the TCP connections of a machine's BGP sessions on the port of BGP,
// those that are open.
func (m *Machine) connections() (map[ends][]connection, error) {
	list := map[ends][]connection{}
	err := inNamespace(m.NS(), func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := netlink.SocketDiagTCP(family)
			if err != nil {
				return err
			}
			for _, s := range sockets {
				if s.State == unix.BPF_TCP_ESTABLISHED && (s.ID.SourcePort == bgpPort || s.ID.DestinationPort == bgpPort) {
					source, _ := netip.AddrFromSlice(s.ID.Source)
					neighbor, _ := netip.AddrFromSlice(s.ID.Destination)
					e := ends{source.Unmap(), neighbor.Unmap()}
					list[e] = append(list[e], connection(s.ID.Cookie))
				}
			}
		}
		return nil
	})
	return list, err
}

const bgpPort = 179
