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

// Put writes a value into a file of a folder, as foreign.Folder.Put does: what
// encoding/json makes of it, and the end of a line. sum is the SHA-256 of that, in hex.
func Put(d *foreign.Folder, name string, value any, a foreign.Attr) (sum string, err error) {
	hash := sha256.New()
	err = d.Exchange(name, func(f *os.File) error {
		out := bufio.NewWriterSize(io.MultiWriter(f, hash), pieceBytes)
		if err := encode(out, value); err != nil {
			return err
		}
		return errors.Join(out.WriteByte('\n'), out.Flush(), a.Set(f))
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// Fits says whether the JSON of a value has no more than so many bytes. It is not made any
// further.
func Fits(value any, most int) (bool, error) {
	err := encode(&room{most}, value)
	if errors.Is(err, errMore) {
		return false, nil
	}
	return err == nil, err
}

func encode(w io.Writer, value any) error {
	return json.MarshalWrite(w, value, jsonv1.DefaultOptionsV1())
}

var errMore = errors.New("it has more bytes")

// room takes no more than so many bytes.
type room struct{ left int }

func (r *room) Write(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, errMore
	}
	return len(p), nil
}
