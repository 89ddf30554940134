#!/bin/bash
# A snappy stream (framed format) whose connection ends in the middle of a chunk reads as "corrupt input" in github.com/golang/snappy v1.0.0, and in
# the packages snappy and s2 of github.com/klauspost/compress v1.20.1. None of the three wraps io.ErrUnexpectedEOF, as gzip and zstd do for the same cut
# and io.ReadFull does below them: whoever tells a peer that has hung up from one that sends garbage has to ask the connection, not the error.
# (A server that drops its clients one by one looked like a broken one, once in every chunk that was under way.)
# Seen: of a stream of one chunk every cut within it gives "snappy: corrupt input" or "s2: corrupt input", and errors.Is(err, io.ErrUnexpectedEOF) is
# false; a cut before it is the end of the stream, without an error; gzip's and zstd's cuts are io.ErrUnexpectedEOF.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
cat >go.mod <<END
module cut
go 1.24
END
cat >main.go <<'END'
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"

	gsnappy "github.com/golang/snappy"
	"github.com/klauspost/compress/s2"
	ksnappy "github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

const unexpected, corrupt, nothing = "io.ErrUnexpectedEOF", "another error", "no error"

// cuts says how reading ends, for each cut of data but the first bytes.
func cuts(data []byte, from int, open func(io.Reader) (io.Reader, error)) map[string]int {
	ends := map[string]int{}
	for at := from; at < len(data); at++ {
		r, err := open(bytes.NewReader(data[:at]))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			ends[unexpected]++
		case err != nil:
			ends[corrupt]++
		default:
			ends[nothing]++
		}
	}
	return ends
}

func main() {
	text := make([]byte, 2000)
	rand.New(rand.NewSource(1)).Read(text)
	var snappied, zipped, zstded bytes.Buffer
	for _, w := range []io.WriteCloser{gsnappy.NewBufferedWriter(&snappied), gzip.NewWriter(&zipped), must(zstd.NewWriter(&zstded))} {
		w.Write(text)
		w.Close()
	}
	const head = 11 // the stream identifier, and one byte of the chunk
	changed := false
	for _, c := range []struct {
		name string
		data []byte
		from int
		open func(io.Reader) (io.Reader, error)
		want string
	}{
		{"golang/snappy", snappied.Bytes(), head, func(r io.Reader) (io.Reader, error) { return gsnappy.NewReader(r), nil }, corrupt},
		{"klauspost/compress/snappy", snappied.Bytes(), head, func(r io.Reader) (io.Reader, error) { return ksnappy.NewReader(r), nil }, corrupt},
		{"klauspost/compress/s2", snappied.Bytes(), head, func(r io.Reader) (io.Reader, error) { return s2.NewReader(r), nil }, corrupt},
		{"compress/gzip", zipped.Bytes(), head, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }, unexpected},
		{"klauspost/compress/zstd", zstded.Bytes(), head, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }, unexpected},
	} {
		ends := cuts(c.data, c.from, c.open)
		fmt.Printf("%s, cut anywhere in %d bytes: %v\n", c.name, len(c.data)-c.from, ends)
		changed = changed || ends[c.want] != len(c.data)-c.from
	}
	if changed {
		fmt.Println("changed")
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
END
export GOFLAGS=-mod=mod
go get github.com/golang/snappy@v1.0.0 github.com/klauspost/compress@v1.20.1 >/dev/null 2>&1 || { echo "cannot fetch the modules"; exit 2; }
go run .
