package file

import (
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
)

// asUTF8 is a text of size bytes as UTF-8, and its size, where it begins with the mark of
// UTF-16, as what PowerShell's > writes does; else the text as it is. It is held whole.
func asUTF8(in io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	mark := make([]byte, 2)
	if n, _ := in.ReadAt(mark, 0); n < len(mark) || string(mark) != "\xff\xfe" && string(mark) != "\xfe\xff" {
		return in, size, nil
	}
	decoder := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
	text, err := io.ReadAll(decoder.Reader(io.NewSectionReader(in, 0, size)))
	if err != nil {
		return nil, 0, err
	}
	return bytes.NewReader(text), int64(len(text)), nil
}
