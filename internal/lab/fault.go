package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// CutCable pulls the plug out of the machine's eth0: the carrier goes. MendCable
// puts it back.
func (m *Machine) CutCable() {
	m.lab.tb.Helper()
	m.lab.Net.CutCable(m.Name)
}

// MendCable undoes CutCable.
func (m *Machine) MendCable() {
	m.lab.tb.Helper()
	m.lab.Net.MendCable(m.Name)
}

// island is the bridge that Partition moves machines to.
const island = "island"

// Partition parts these machines, which are in one subnet, from all others, and not
// from each other; nothing tells them. Heal undoes it.
func (l *Lab) Partition(machines ...*Machine) {
	l.tb.Helper()
	if l.subnets[island] == nil {
		l.subnets[island] = &Subnet{Name: island}
		l.Net.AddBridge(island)
	}
	for _, m := range machines {
		l.Net.Move(m.Name, island)
	}
}

// Heal undoes Partition.
func (l *Lab) Heal(machines ...*Machine) {
	l.tb.Helper()
	for _, m := range machines {
		l.Net.Plug(m.Name)
	}
}

// DropTCP drops what comes to the machine, or leaves it, by TCP to or from this
// port of another machine, without a word; an address that is not valid is all.
// Undrop undoes it.
func (m *Machine) DropTCP(other netip.Addr, port uint16) {
	m.lab.tb.Helper()
	err := m.filter(func(c *nftables.Conn, table *nftables.Table) {
		for _, hook := range []*nftables.ChainHook{nftables.ChainHookInput, nftables.ChainHookOutput} {
			chain := c.AddChain(&nftables.Chain{Name: fmt.Sprint("hook", *hook), Table: table,
				Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
			for _, side := range []uint32{0, 2} { // source port, destination port
				c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(
					peerIs(other, *hook == *nftables.ChainHookInput), tcpPort(side, port)...)})
			}
		}
	})
	if err != nil {
		m.lab.tb.Fatalf("nftables on %s: %v", m.Name, err)
	}
}

// Undrop lets everything through again.
func (m *Machine) Undrop() {
	m.lab.tb.Helper()
	if err := m.filter(func(*nftables.Conn, *nftables.Table) {}); err != nil {
		m.lab.tb.Fatalf("nftables on %s: %v", m.Name, err)
	}
}

// filter makes the machine's table anew, with what fill puts there.
func (m *Machine) filter(fill func(*nftables.Conn, *nftables.Table)) error {
	return inNamespace(m.NS(), func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		table := &nftables.Table{Family: nftables.TableFamilyINet, Name: "lab"}
		c.AddTable(table) // so that there is one to delete
		c.DelTable(table)
		c.AddTable(table)
		fill(c, table)
		return c.Flush()
	})
}

// peerIs compares a packet's source, or its destination, with an address.
func peerIs(a netip.Addr, source bool) []expr.Any {
	if !a.IsValid() {
		return nil
	}
	family, offset := byte(unix.NFPROTO_IPV4), uint32(16)
	switch {
	case a.Is6() && source:
		family, offset = unix.NFPROTO_IPV6, 8
	case a.Is6():
		family, offset = unix.NFPROTO_IPV6, 24
	case source:
		offset = 12
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(a.BitLen() / 8)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()},
	}
}

// tcpPort compares a port, at its offset in TCP's header, and drops.
func tcpPort(offset uint32, port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}
