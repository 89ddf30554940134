package golden

import (
	"errors"
	"fmt"
	"time"

	"confd/internal/settings"
	"confd/internal/terminal"
)

// Summary counts results.
type Summary struct {
	Cases, Failed, Updated, Checked int
	Differ                          int // whose files are not those that are wanted
	// Broken is what is wrong with a case itself; nil: nothing.
	Broken error
	Took   time.Duration
}

func (s *Summary) add(r Result) {
	s.Cases++
	if !r.Good() {
		s.Failed++
	}
	if len(r.Diffs) > 0 {
		s.Differ++
	}
	if len(r.Updated) > 0 {
		s.Updated++
	}
	if r.CheckedBy != "" {
		s.Checked++
	}
	if broken := (settings.Error{}); s.Broken == nil && errors.As(r.Err, &broken) {
		s.Broken = broken
	}
}

// String is one line.
func (s Summary) String() string {
	text := fmt.Sprintf("%s: %d passed, %d failed", terminal.Count(s.Cases, "check"), s.Cases-s.Failed, s.Failed)
	if s.Updated > 0 {
		text += fmt.Sprintf(", %d updated", s.Updated)
	}
	return text + fmt.Sprintf("; BIRD read %d of them (%s)", s.Checked, s.Took.Round(time.Millisecond))
}
