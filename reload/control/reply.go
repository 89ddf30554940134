package control

import (
	"bufio"
	"errors"
	"fmt"
)

// Limits of what BIRD may send, so that a confused peer cannot fill the memory.
const (
	maxLine  = 64 << 10
	maxReply = 64 << 20
)

var errReply = errors.New("not a reply of BIRD")

// Line is one line of a reply: its four-digit code, and the text after it.
type Line struct {
	Code int
	Text string
}

// Reply is all that BIRD says to one command. Code is that of the last line:
// below 1000 where the command was done, 8xxx where it failed, 9xxx where it
// was not understood.
type Reply struct {
	Code  int
	Lines []Line
}

// last is the text of the line that ends the reply.
func (r Reply) last() string {
	if len(r.Lines) == 0 {
		return ""
	}
	return r.Lines[len(r.Lines)-1].Text
}

// readReply reads lines up to the one that ends a reply.
func readReply(br *bufio.Reader) (Reply, error) {
	var reply Reply
	last, err := eachLine(br, maxReply, func(l Line) error {
		reply.Lines = append(reply.Lines, l)
		return nil
	})
	if err == nil {
		reply.Code = last.Code
	}
	return reply, err
}

// eachLine passes on each line of a reply, up to the one that ends it, which it
// returns. Lines that start with a plus are log messages that BIRD puts in between;
// they are left out. A reply of more than limit bytes is an error.
func eachLine(br *bufio.Reader, limit int, each func(Line) error) (Line, error) {
	return eachText(br, limit, func(code int, text []byte) error { return each(Line{code, string(text)}) })
}

// eachText is eachLine for who keeps few of the lines: a text is that of the line only
// until the next one is read.
func eachText(br *bufio.Reader, limit int, each func(code int, text []byte) error) (Line, error) {
	code, size := -1, 0
	for {
		raw, err := readLine(br)
		if err != nil {
			return Line{}, err
		}
		if size += len(raw) + 1; size > limit {
			return Line{}, fmt.Errorf("%w: longer than %d bytes", errReply, limit)
		}
		if len(raw) > 0 && raw[0] == '+' {
			continue
		}
		now, text, more, err := parseLine(raw, code)
		if err == nil {
			err = each(now, text)
		}
		if err != nil || !more {
			return Line{now, string(text)}, err
		}
		code = now
	}
}

// parseLine takes a line apart. previous is the code of the line before, which
// a line that starts with a space repeats; -1 where there is none. more says
// that the reply goes on.
func parseLine(raw []byte, previous int) (code int, text []byte, more bool, err error) {
	if len(raw) > 0 && raw[0] == ' ' && previous >= 0 {
		return previous, raw[1:], true, nil
	}
	if len(raw) < 5 || (raw[4] != ' ' && raw[4] != '-') {
		return 0, nil, false, fmt.Errorf("%w: line %.60q", errReply, raw)
	}
	for _, c := range raw[:4] {
		if c < '0' || c > '9' {
			return 0, nil, false, fmt.Errorf("%w: line %.60q", errReply, raw)
		}
		code = code*10 + int(c-'0')
	}
	return code, raw[5:], raw[4] == '-', nil
}

// readLine reads up to a newline, which it drops. The line lasts until the next one is
// read.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte // what is in the reader no more
	for {
		part, err := br.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", errReply, maxLine)
		}
		switch {
		case err == nil && line == nil:
			return part[:len(part)-1], nil
		case err == nil:
			line = append(line, part...)
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		line = append(line, part...)
	}
}
