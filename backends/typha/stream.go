package typha

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/golang/snappy"

	"confd/backends/typha/internal/wire"
)

// limits bound what one message may be. gob makes room for what the other side
// says is coming, and leaves limits to its reader.
type limits struct {
	bytes int // of one message, without compression
	// zeros is how many bytes of it may be 0: each key of a message ends with one,
	// and has no more than two others. A list whose items are nothing else would
	// take fifty times its own size.
	zeros int
}

// defaultLimits are enough for a snapshot of 100,000 nodes in one message.
func defaultLimits() limits { return limits{bytes: 64 << 20, zeros: 1 << 20} }

// silences is how many read timeouts a message may take from its first byte to
// its last.
const silences = 10

// stream is a connection to a server, as messages. One goroutine reads, and
// writes the answers.
type stream struct {
	conn  *timedConn
	raw   *bufio.Reader // all decoders read through it, one after the other
	frame *bounded
	dec   *gob.Decoder
	buf   *bufio.Writer // so that a message goes out in one piece
	enc   *gob.Encoder
}

func newStream(conn net.Conn, read, write time.Duration, l limits) *stream {
	t := &timedConn{Conn: conn, read: read, write: write}
	raw := bufio.NewReaderSize(t, 32<<10)
	frame := &bounded{from: raw, limits: l}
	buf := bufio.NewWriter(t)
	return &stream{conn: t, raw: raw, frame: frame, dec: gob.NewDecoder(frame), buf: buf, enc: gob.NewEncoder(buf)}
}

// receive returns the next message. What cannot be decoded is an error, and so is
// silence.
func (s *stream) receive() (message any, err error) {
	// gob promises nothing about what it does with malice.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be decoded: %v", r)
		}
	}()
	s.frame.begin()
	s.conn.last = time.Now().Add(silences * s.conn.read)
	var e wire.Envelope
	if err := s.dec.Decode(&e); err != nil {
		// snappy calls it corruption where the connection ends in a block.
		return nil, cmp.Or(s.conn.failed, err)
	}
	return e.Message, nil
}

// send sends a message. One that goes out stays what it is: only what a server
// sends is compressed, or begins anew.
func (s *stream) send(message any) error {
	if err := s.enc.Encode(wire.Envelope{Message: message}); err != nil {
		return err
	}
	return s.buf.Flush()
}

// restart begins a new decoder, as the server has announced, and says so.
func (s *stream) restart(m wire.DecoderRestart) error {
	switch m.CompressionAlgorithm {
	case "":
		s.frame.from = s.raw
	case wire.Snappy:
		s.frame.from = snappy.NewReader(s.raw)
	default:
		return fmt.Errorf("the server chose a compression that it was not offered: %q", m.CompressionAlgorithm)
	}
	s.dec = gob.NewDecoder(s.frame)
	return s.send(wire.ACK{})
}

// byteReader is what gob reads from without reading ahead: what follows a restart
// is for another decoder.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// bounded reads within limits.
type bounded struct {
	from   byteReader
	limits limits
	bytes  int // that may still be read
	zeros  int
}

var (
	errTooLarge = errors.New("a message is larger than any that a cluster could need")
	errTooMany  = errors.New("a message has more keys than any cluster could have")
)

// begin says that a message begins.
func (b *bounded) begin() { b.bytes, b.zeros = b.limits.bytes, b.limits.zeros }

// Read reads no more than the message may have.
func (b *bounded) Read(p []byte) (int, error) {
	if b.bytes <= 0 {
		return 0, errTooLarge
	}
	n, err := b.from.Read(p[:min(len(p), b.bytes)])
	b.bytes -= n
	if b.zeros -= bytes.Count(p[:n], []byte{0}); b.zeros < 0 {
		return 0, errTooMany // with n it would be passed over where p is full
	}
	return n, err
}

// ReadByte reads one byte.
func (b *bounded) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(b, one[:])
	return one[0], err
}

// timedConn ends what takes too long.
type timedConn struct {
	net.Conn
	read, write time.Duration
	last        time.Time // by when a message must be whole
	failed      error     // why nothing more can be read
}

// errSilent is what reading ends with.
type errSilent struct{ limit time.Duration }

func (e errSilent) Error() string { return fmt.Sprintf("the server was silent for %s", e.limit) }

// errSlow says that a message is still not there.
var errSlow = errors.New("the server takes too long to send a message")

// Read waits no longer than the read timeout.
func (c *timedConn) Read(p []byte) (int, error) {
	n, err := c.readInTime(p)
	if err != nil {
		c.failed = err
	}
	return n, err
}

func (c *timedConn) readInTime(p []byte) (int, error) {
	now := time.Now()
	if !now.Before(c.last) {
		return 0, errSlow
	}
	until, late := now.Add(c.read), error(errSilent{c.read})
	if c.last.Before(until) {
		until, late = c.last, errSlow
	}
	if err := c.SetReadDeadline(until); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if timeout := net.Error(nil); n == 0 && errors.As(err, &timeout) && timeout.Timeout() {
		err = late
	}
	return n, err
}

// Write waits no longer than the write timeout.
func (c *timedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
