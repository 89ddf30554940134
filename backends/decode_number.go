package backends

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// number reads a whole number, which may be written as a text.
func (f field) number(low, high uint64) *uint64 {
	if f.empty() {
		return nil
	}
	n, ok := wholeNumber(f.value)
	switch {
	case !ok:
		f.bad("a whole number")
	case n < 0 || uint64(n) < low:
		f.failf("%s is below %d", quoted(f.value), low)
	case uint64(n) > high:
		f.failf("%s is above %d", quoted(f.value), high)
	default:
		u := uint64(n)
		return &u
	}
	return nil
}

// wholeNumber reads 64512, "64512" and 6.4512e4. What is too large for an
// int64 reads as the largest one.
func wholeNumber(v any) (int64, bool) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return n, true
	}
	x, err := strconv.ParseFloat(s, 64)
	if _, isText := v.(string); isText || err != nil || x != math.Trunc(x) {
		return 0, false
	}
	if math.Abs(x) >= 1<<62 {
		return math.MaxInt64, true
	}
	return int64(x), true
}

func (f field) uint32(low, high uint32) *uint32 {
	n := f.number(uint64(low), uint64(high))
	if n == nil {
		return nil
	}
	u := uint32(*n)
	return &u
}

// asNumber reads 64512, "64512" or "1.10" (RFC 5396 asdot); 0 where unset.
func (f field) asNumber() uint32 {
	if s, ok := f.value.(string); ok && strings.Contains(s, ".") {
		return f.asDot(s)
	}
	if n := f.uint32(0, math.MaxUint32); n != nil {
		return *n
	}
	return 0
}

func (f field) asDot(s string) uint32 {
	high, low, _ := strings.Cut(s, ".")
	h, errHigh := strconv.ParseUint(high, 10, 16)
	l, errLow := strconv.ParseUint(low, 10, 16)
	if errHigh != nil || errLow != nil {
		f.bad("an AS number")
		return 0
	}
	return uint32(h<<16 | l)
}

// asNumbers reads the AS numbers of a path. No path should have a 0 (RFC 7607);
// BIRD takes it.
func (f field) asNumbers() []uint32 {
	var numbers []uint32
	for _, e := range f.list() {
		numbers = append(numbers, e.required().asNumber())
	}
	return numbers
}

func (f field) port() uint16 {
	if n := f.number(1, math.MaxUint16); n != nil {
		return uint16(*n)
	}
	return 0
}

// positive is duration without 0.
func (f field) positive() *time.Duration {
	d := f.duration()
	if d != nil && *d == 0 {
		f.bad("longer than 0")
		return nil
	}
	return d
}

// duration reads a Go duration ("90s", "2m") of 0 or more. How long BGP can wait
// is for the model to know.
func (f field) duration() *time.Duration {
	if f.empty() {
		return nil
	}
	s := f.text()
	d, err := time.ParseDuration(s)
	switch {
	case s == "": // noted by text
		return nil
	case err != nil:
		f.bad(`a duration such as "120s"`)
		return nil
	case d < 0:
		f.failf("%s is negative", quoted(s))
		return nil
	}
	return &d
}
