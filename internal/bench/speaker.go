package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"confd/internal/testenv"
)

// speaks is set in the environment of the copy that is the peers of a node. (One BIRD
// cannot be them: it opens one session to an address at a time.)
const speaks = "CONFD_BENCH_SPEAKS"

// What the peers say: RFC 4271, sections 4.1 to 4.4.
const (
	openMessage      = 1
	updateMessage    = 2
	keepaliveMessage = 4

	holdTime     = 240 * time.Second
	peersAS      = 64512
	redialAfter  = 2 * time.Second
	headerLength = 19
)

// dialing is how many peers open a session at a time: BIRD holds no more that it has not
// come to, and those that it drops try again later and later.
const dialing = 6

// speak is all peers of the node that is measured, for good: each opens its session,
// tells its block, and takes whatever it is told.
func speak() error {
	turns := make(chan struct{}, dialing)
	for i := 1; i <= establishedPeers; i++ {
		go func() {
			for {
				_ = session(testenv.NodeAddress(i), testenv.NodeBlock(i), turns) // until it ends, and once more
				time.Sleep(redialAfter)
			}
		}()
	}
	select {}
}

// session is one of them, until it ends. It takes one of the turns to open.
func session(from netip.Addr, block netip.Prefix, turns chan struct{}) error {
	turns <- struct{}{}
	conn, err := opened(from)
	<-turns
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(append(message(keepaliveMessage, nil), message(updateMessage, update(from, block))...)); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		for {
			if _, err := receive(conn); err != nil {
				failed <- err
				return
			}
		}
	}()
	for tick := time.NewTicker(holdTime / 4); ; {
		select {
		case err := <-failed:
			return err
		case <-tick.C:
			if _, err := conn.Write(message(keepaliveMessage, nil)); err != nil {
				return err
			}
		}
	}
}

// opened is a connection to the node's BIRD, which has answered to an OPEN.
func opened(from netip.Addr) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: 10 * time.Second}
	conn, err := dialer.Dial("tcp", netip.AddrPortFrom(testenv.NodeAddress(quietNode), 179).String())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(message(openMessage, open(from))); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if kind, err := receive(conn); err != nil || kind != openMessage {
		return nil, errors.Join(fmt.Errorf("message %d in the place of OPEN", kind), err, conn.Close())
	}
	return conn, nil
}

func message(kind byte, body []byte) []byte {
	m := make([]byte, headerLength, headerLength+len(body))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(headerLength+len(body)))
	m[18] = kind
	return append(m, body...)
}

// open is the body of an OPEN, which knows AS numbers of four bytes.
func open(from netip.Addr) []byte {
	b := []byte{4}
	b = binary.BigEndian.AppendUint16(b, peersAS)
	b = binary.BigEndian.AppendUint16(b, uint16(holdTime/time.Second))
	b = append(b, from.AsSlice()...)
	capabilities := []byte{1, 4, 0, 1, 0, 1, 65, 4} // IPv4 unicast; AS numbers
	capabilities = binary.BigEndian.AppendUint32(capabilities, peersAS)
	b = append(b, byte(2+len(capabilities)), 2, byte(len(capabilities)))
	return append(b, capabilities...)
}

// update is the body of an UPDATE that tells a block of the speaker's own.
func update(from netip.Addr, block netip.Prefix) []byte {
	attributes := []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4} // origin, empty AS path, next hop
	attributes = append(attributes, from.AsSlice()...)
	attributes = append(attributes, 0x40, 5, 4, 0, 0, 0, 100) // local preference
	b := binary.BigEndian.AppendUint16(nil, 0)                // nothing is withdrawn
	b = binary.BigEndian.AppendUint16(b, uint16(len(attributes)))
	b = append(append(b, attributes...), byte(block.Bits()))
	return append(b, block.Addr().AsSlice()[:(block.Bits()+7)/8]...)
}

// receive reads one message and says of which kind it is.
func receive(r io.Reader) (kind byte, err error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, err
	}
	_, err = io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint16(header[16:]))-headerLength)
	return header[18], err
}
