package templates

import (
	"bytes"
	"fmt"
)

// limitedBuffer keeps max bytes. What is written beyond them is dropped without
// an error, so that the next tick can fail where the template stands: an error
// from Write has no template line.
type limitedBuffer struct {
	max  int
	full bool
	buf  bytes.Buffer
}

// Write never fails.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.full = b.full || b.buf.Len()+len(p) > b.max; b.full {
		return len(p), nil
	}
	return b.buf.Write(p)
}

// writeText is Write for a text.
func (b *limitedBuffer) writeText(s string) {
	if b.full = b.full || b.buf.Len()+len(s) > b.max; !b.full {
		b.buf.WriteString(s)
	}
}

func (b *limitedBuffer) err() error { return fmt.Errorf("makes more than %d bytes", b.max) }
