package file

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// asUTF8 is a text of size bytes as UTF-8, and its size, where it begins with the mark of
// UTF-16, as what PowerShell's > writes does; else the text as it is. It is held whole.
func asUTF8(in io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	mark := make([]byte, 2)
	if n, _ := in.ReadAt(mark, 0); n < len(mark) {
		return in, size, nil
	}
	var order binary.ByteOrder
	switch string(mark) {
	case "\xff\xfe":
		order = binary.LittleEndian
	case "\xfe\xff":
		order = binary.BigEndian
	default:
		return in, size, nil
	}
	data := make([]byte, max(0, size-2))
	n, err := in.ReadAt(data, 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	text := decodeUTF16(data[:n], order)
	return strings.NewReader(text), int64(len(text)), nil
}

func decodeUTF16(data []byte, order binary.ByteOrder) string {
	text := make([]byte, 0, len(data)/2)
	unit := func(i int) rune {
		if i+2 > len(data) {
			return utf8.RuneError
		}
		return rune(order.Uint16(data[i:]))
	}
	for i := 0; i < len(data); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, unit(i+2)); r != utf8.RuneError {
				i += 2
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return string(text)
}
