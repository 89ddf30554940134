package reload

import (
	"log/slog"
	"time"
)

// Options are the settings of an Applier. Zero values stand for the defaults.
type Options struct {
	Logger        *slog.Logger  // default: nothing is logged
	CheckTimeout  time.Duration // for each check; default 30 s
	ReloadTimeout time.Duration // for BIRD to take a set; default 30 s
	// TrialMargin is how much later than the end of a trial BIRD goes back by
	// itself: the time there is for Trial to confirm. Default 15 s.
	TrialMargin time.Duration
	// Now is the clock of trials, of Result and of Record; default time.Now. How
	// long BIRD may take to answer is real time.
	Now func() time.Time
}

// orDefault fills in the defaults.
func (o Options) orDefault() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CheckTimeout <= 0 {
		o.CheckTimeout = 30 * time.Second
	}
	if o.ReloadTimeout <= 0 {
		o.ReloadTimeout = 30 * time.Second
	}
	if o.TrialMargin <= 0 {
		o.TrialMargin = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
