package typha

import (
	"bufio"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/golang/snappy"

	"confd/backends/typha/internal/wire"
)

// limits bound what one message may be. gob makes room for what the other side
// says is coming, and leaves limits to its reader.
type limits struct {
	bytes int // of one message, without compression
	items int // values in it: a key has some six
}

// defaultLimits are enough for a snapshot of 100,000 nodes in one message.
func defaultLimits() limits { return limits{bytes: 64 << 20, items: 2 << 20} }

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
	frame := &bounded{from: raw, limits: l, screen: wire.NewScreen()}
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
	s.frame.screen = wire.NewScreen()
	s.dec = gob.NewDecoder(s.frame)
	return s.send(wire.ACK{})
}

// byteReader is what gob reads from without reading ahead: what follows a restart
// is for another decoder.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// bounded reads message by message, and passes on what is within limits.
type bounded struct {
	from   byteReader
	limits limits
	screen *wire.Screen
	left   int    // bytes that may still be read
	buf    []byte // messages, each with the length before it
	next   []byte // what of them was not passed on
}

var errTooLarge = errors.New("a message is larger than any that a cluster could need")

// roomKept is the largest buffer that is kept for the next message.
const roomKept = 64 << 10

// begin says that a message begins, with the types that are defined before it.
func (b *bounded) begin() { b.left = b.limits.bytes }

// Read passes on what was looked at.
func (b *bounded) Read(p []byte) (int, error) {
	if len(b.next) == 0 {
		if err := b.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.next)
	if b.next = b.next[n:]; len(b.next) == 0 && cap(b.buf) > roomKept {
		b.buf, b.next = nil, nil // a snapshot has megabytes, what follows it does not
	}
	return n, nil
}

// ReadByte reads one byte.
func (b *bounded) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(b, one[:])
	return one[0], err
}

// load reads what the decoder needs for its next value, and looks at it.
func (b *bounded) load() error {
	b.buf = b.buf[:0]
	if err := b.screen.Look(b.message, b.limits.items); err != nil {
		return err
	}
	b.next = b.buf
	return nil
}

// message reads one message, after those that are in buf.
func (b *bounded) message() ([]byte, error) {
	size, err := b.size()
	if err != nil {
		return nil, err
	}
	if b.left -= size; b.left < 0 {
		return nil, errTooLarge
	}
	head := len(b.buf)
	for len(b.buf) < head+size { // no room for what is only said to come
		step := min(head+size-len(b.buf), 64<<10)
		if cap(b.buf)-len(b.buf) < step { // twice as much: a snapshot is megabytes
			b.buf = slices.Grow(b.buf, min(head+size-len(b.buf), max(step, len(b.buf))))
		}
		b.buf = b.buf[:len(b.buf)+step]
		if _, err := io.ReadFull(b.from, b.buf[len(b.buf)-step:]); err != nil {
			return nil, err
		}
	}
	return b.buf[head:], nil
}

// size reads a message's length: a byte below 128, or how many bytes it has, negated,
// and these.
func (b *bounded) size() (int, error) {
	first, err := b.from.ReadByte()
	if err != nil {
		return 0, err
	}
	b.buf = append(b.buf, first)
	if first < 0x80 {
		return int(first), nil
	}
	n, size := -int(int8(first)), 0
	if n > 4 {
		return 0, errTooLarge
	}
	for range n {
		c, err := b.from.ReadByte()
		if err != nil {
			return 0, err
		}
		b.buf, size = append(b.buf, c), size<<8|int(c)
	}
	return size, nil
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
