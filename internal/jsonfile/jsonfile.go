// Package jsonfile writes values as JSON into files, piece by piece: a text of megabytes,
// as one has it that is about thousands of sessions, is never in memory as a whole.
package jsonfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"confd/internal/foreign"
)

// pieceBytes is how much of a text is held before it is written.
const pieceBytes = 64 << 10

// Written is what a file has.
type Written struct {
	Sum  string // SHA-256, in hex
	Size int    // bytes
}

// Put writes a value into a file of a folder, as foreign.Folder.Put does: what
// encoding/json makes of it, and the end of a line.
func Put(d *foreign.Folder, name string, value any, a foreign.Attr) (Written, error) {
	var w Written
	err := d.Exchange(name, func(f *os.File) error {
		sum, size := sha256.New(), counter{most: -1}
		out := bufio.NewWriterSize(io.MultiWriter(f, sum, &size), pieceBytes)
		if err := encode(out, value); err != nil {
			return err
		}
		if err := errors.Join(out.WriteByte('\n'), out.Flush(), a.Set(f)); err != nil {
			return err
		}
		w = Written{hex.EncodeToString(sum.Sum(nil)), size.n}
		return nil
	})
	return w, err
}

// Fits says whether the JSON of a value has no more than so many bytes. It is not made any
// further.
func Fits(value any, most int) (bool, error) {
	err := encode(&counter{most: most}, value)
	if errors.Is(err, errMore) {
		return false, nil
	}
	return err == nil, err
}

func encode(w io.Writer, value any) error {
	return json.MarshalWrite(w, value, jsonv1.DefaultOptionsV1())
}

var errMore = errors.New("it has more bytes")

// counter counts bytes, and takes no more than most; -1: any number.
type counter struct{ n, most int }

func (c *counter) Write(p []byte) (int, error) {
	if c.n += len(p); c.most >= 0 && c.n > c.most {
		return 0, errMore
	}
	return len(p), nil
}
