package golden

import (
	"errors"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows a bar on a terminal, while another reporter reports.
type Progress struct {
	Reporter
	bar           *progressbar.ProgressBar
	planned, done int
	// shared is set where the other one writes to the same terminal.
	shared bool
}

// WithProgress returns r with a bar on the terminal w, which is gone at the end;
// Close takes it away where there is no end.
// shared says that r writes to the same terminal: what it writes goes above the
// bar.
func WithProgress(w io.Writer, r Reporter, shared bool) *Progress {
	seldom := 100 * time.Millisecond
	if shared { // whatever is written wipes it out
		seldom = 0
	}
	bar := progressbar.NewOptions(1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(seldom),
		progressbar.OptionClearOnFinish(),
	)
	return &Progress{Reporter: r, bar: bar, shared: shared}
}

// Planned makes the bar's end come later.
func (p *Progress) Planned(n int) {
	p.Reporter.Planned(n)
	if n == 0 {
		return
	}
	p.planned += n
	if p.bar.IsFinished() { // it would stay so
		p.bar.Reset()
	}
	p.bar.ChangeMax(p.planned)
	_ = p.bar.Set(p.done)
}

// Result moves the bar on.
func (p *Progress) Result(result Result) error {
	var clearing error
	if p.shared {
		clearing = p.bar.Clear()
	}
	err := p.Reporter.Result(result)
	p.done++
	return errors.Join(clearing, err, p.bar.Add(1))
}

// Close takes the bar away.
func (p *Progress) Close() error { return p.bar.Clear() }

// End takes the bar away.
func (p *Progress) End(s Summary) error {
	return errors.Join(p.Close(), p.Reporter.End(s))
}
