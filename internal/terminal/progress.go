package terminal

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// Progress says on a terminal what is being waited for, in a line that is gone when
// the waiting is over. Of what takes less than a second it says nothing.
type Progress struct {
	w     io.Writer
	width int // of the terminal; 0: any

	mu    sync.Mutex
	shown bool // there is a line to take away
}

// patience is how long nobody minds waiting.
const patience = time.Second

// clearLine goes to the start of the line and takes away what is on it.
const clearLine = "\r\x1b[K"

type progressKey struct{}

// WithProgress has Waiting, with the context that it returns, say on the terminal w
// what is being waited for.
func WithProgress(ctx context.Context, w io.Writer) context.Context {
	return context.WithValue(ctx, progressKey{}, &Progress{w: w, width: Width(w)})
}

// Waiting says what is being waited for, until done is called. Where ctx has no
// terminal to say it on, it says nothing.
func Waiting(ctx context.Context, what string) (done func()) {
	p, ok := ctx.Value(progressKey{}).(*Progress)
	if !ok {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		p.tell(stop, what)
	}()
	return func() { close(stop); <-stopped }
}

// LogWriter is where to write lines while there may be something to wait for: w, or
// the terminal of ctx, on which they go above what Waiting says.
func LogWriter(ctx context.Context, w io.Writer) io.Writer {
	if p, ok := ctx.Value(progressKey{}).(*Progress); ok {
		return p
	}
	return w
}

// tell shows the line, with the seconds that it took so far, until stop is closed.
func (p *Progress) tell(stop <-chan struct{}, what string) {
	start := time.Now()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			p.clear()
			return
		case <-tick.C:
			p.show(fmt.Sprintf("%s (%d s)", Line(what), int(time.Since(start).Seconds())))
		}
	}
}

func (p *Progress) show(text string) {
	if p.width > 0 && utf8.RuneCountInString(text) >= p.width {
		text = string([]rune(text)[:max(p.width-1, 0)])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.w, clearLine+text) // a terminal that is gone needs no line
	p.shown = true
}

func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takeAway()
}

func (p *Progress) takeAway() {
	if p.shown {
		_, _ = io.WriteString(p.w, clearLine)
	}
	p.shown = false
}

// Write writes whole lines in the place of the one that there may be.
func (p *Progress) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takeAway()
	return p.w.Write(lines)
}
