package serve

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"time"

	"confd/internal/report"
)

// Handlers are what is served.
type Handlers struct {
	Metrics http.Handler
	Status  http.Handler // nil: there is none
	// Report is where the program stands; nil before that is known. It is called
	// from any goroutine, like Beat.
	Report func() *report.Report
	// Beat is when the loop last turned; zero: not yet. It is taken for hung
	// where that is longer ago than MaxBeat (0: a minute).
	Beat    func() time.Time
	MaxBeat time.Duration
	Page    http.Handler // what / shows; nil: which paths there are
	PProf   bool         // serve /debug/pprof
	// TLS has it serve over TLS; nil: plainly. Where it asks for client certificates,
	// who shows none is told whether the program lives and is ready, and nothing else.
	TLS *tls.Config
	Log *slog.Logger // nil: nothing is logged
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // whoever asked is gone: nobody to tell
}
