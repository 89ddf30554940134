package fleet

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"confd/internal/cached"
	"confd/internal/report"
	"confd/internal/status"
)

// Path is where a program says how it stands.
const Path = "/status"

// How long an answer is kept, and how long BIRD may take for it. However many ask,
// BIRD is asked no more often than that.
const (
	keepAnswer = 2 * time.Second
	birdLimit  = 3 * time.Second
)

// Source is what a program knows of itself. Its functions are called from any goroutine.
type Source struct {
	Node, Program string // its name, and the version
	// Report is the newest; nil before there is one.
	Report func() *report.Report
	// Still is how long the loop has not turned, where that is too long; else 0.
	Still func() time.Duration
}

// Handler answers with the summary.
func Handler(s Source) http.Handler {
	answer := &cached.Answer[[]byte]{Keep: keepAnswer, Ask: s.answer}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(answer.Get()) // whoever asked is gone: nobody to tell
	})
}

func (s Source) answer() []byte {
	data, err := json.Marshal(s.summary())
	if err != nil { // a time that is no year
		return []byte("{}")
	}
	return append(data, '\n')
}

func (s Source) summary() *Summary {
	r := s.Report()
	if r == nil {
		return &Summary{Format: Format, Node: s.Node, Program: s.Program, At: time.Now(), NotReady: []string{"starting: nothing is known yet"}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), birdLimit)
	defer cancel()
	out := Summarize(status.LookAt(ctx, r, birdLimit))
	out.StillSeconds = s.Still().Seconds()
	return out
}
