package supervise

import (
	"io"
	"strings"
	"sync"
)

// How much of a daemon's output is repeated in the log when it ends.
const (
	tailLines = 5
	tailBytes = 1000
)

// tail passes what is written on, and keeps the last lines.
type tail struct {
	out  io.Writer
	mu   sync.Mutex
	text []byte
}

// Write never fails: a log that nobody takes must not stop the daemon.
func (t *tail) Write(p []byte) (int, error) {
	_, _ = t.out.Write(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is the last lines, without what came before tailBytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.ToValidUTF8(strings.TrimSpace(string(t.text)), "?"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
