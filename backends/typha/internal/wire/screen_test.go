package wire

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"testing"
	"time"
)

// messages hands out what an encoder wrote, message by message.
func messages(data []byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(data) == 0 {
			return nil, io.EOF
		}
		c := &cursor{rest: data}
		n, err := c.unsigned()
		if err != nil || n > uint64(len(c.rest)) {
			return nil, io.ErrUnexpectedEOF
		}
		data = c.rest[n:]
		return c.rest[:n], nil
	}
}

func encode(t testing.TB, values ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := gob.NewEncoder(&b)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// all are values of all sorts that gob has.
type all struct {
	B  bool
	I  int
	U  uint64
	F  float64
	C  complex128
	S  string
	D  []byte
	L  []string
	A  [3]int
	M  map[string][]int
	T  time.Time
	P  *all
	In any
}

func TestScreenLetsThroughWhatGobWrites(t *testing.T) {
	Register()
	one := all{true, -5, 1 << 60, 1.5, 1 + 2i, "s", []byte("d"), []string{"a", ""}, [3]int{1, 2, 3}, map[string][]int{"k": {1}}, time.Now(), &all{S: "p"}, "in"}
	data := encode(t,
		Envelope{ServerHello{Version: "v", SyncerType: "bgp"}}, Envelope{KVs{[]KV{{Key: "a", Value: []byte("x"), Revision: "7", UpdateType: 1}, {Revision: int64(3)}}}},
		Envelope{Ping{time.Now()}}, Envelope{SyncStatus{2}}, Envelope{}, one, 7, "text", []int{1, 2}, map[string]int{"a": 1}, one)
	s, next := NewScreen(), messages(data)
	for i := range 11 {
		if err := s.Look(next, 1000); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
	if err := s.Look(next, 1000); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

type nested []nested

func TestScreenStopsWhatIsDeep(t *testing.T) {
	var deep nested
	for range 100 {
		deep = nested{deep}
	}
	if err := NewScreen().Look(messages(encode(t, deep)), 1000); !errors.Is(err, ErrDeep) {
		t.Errorf("a list in a list, 100 deep: %v", err)
	}
	Register()
	var any any
	for range 100 {
		any = KVs{[]KV{{Revision: any}}}
	}
	if err := NewScreen().Look(messages(encode(t, Envelope{any})), 1000); !errors.Is(err, ErrDeep) {
		t.Errorf("keys in a revision, 100 deep: %v", err)
	}
	if err := NewScreen().Look(messages(encode(t, make([]string, 2000))), 1000); !errors.Is(err, ErrMany) {
		t.Errorf("2,000 values of 1,000: %v", err)
	}
}

// What the screen lets through gob can decode, or refuse; what it has not got to the
// end of is an error.
func FuzzScreen(f *testing.F) {
	Register()
	f.Add(encode(f, Envelope{KVs{[]KV{{Key: "a", Value: []byte("x"), Revision: "7"}}}}))
	f.Add(encode(f, all{S: "x"}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		s, next := NewScreen(), messages(data)
		for s.Look(next, 10_000) == nil {
		}
	})
}
