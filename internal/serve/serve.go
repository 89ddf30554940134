package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// A profile takes 30 s unless asked for more.
const (
	answerLimit  = 30 * time.Second
	profileLimit = 5 * time.Minute
	closeLimit   = 2 * time.Second
)

// Serve answers on l until ctx ends, then closes it and returns nil; requests
// under way get two seconds. An error means that it can serve no longer. However
// many connect, it keeps 64 connections at most.
func Serve(ctx context.Context, l net.Listener, h Handlers) error {
	server := &http.Server{
		Handler:           answering(h.trusting(h.mux(time.Now()))),
		ConnContext:       withConn,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      answerLimit,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	if h.Log != nil {
		server.ErrorLog = slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug)
	}
	if h.PProf {
		server.WriteTimeout = profileLimit
	}
	served := make(chan error, 1)
	var kept net.Listener = &limited{Listener: l, most: mostConns}
	if h.TLS != nil {
		kept = tls.NewListener(kept, h.TLS)
	}
	go func() { served <- server.Serve(kept) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	err := server.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

func (h Handlers) mux(started time.Time) *http.ServeMux {
	mux := http.NewServeMux()
	if h.Page == nil {
		h.Page = http.HandlerFunc(h.index)
	}
	mux.Handle("GET /{$}", h.Page)
	mux.Handle("GET /metrics", h.Metrics)
	if h.Status != nil {
		mux.Handle("GET /status", h.Status)
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { h.livez(w, started) })
	mux.HandleFunc("GET /readyz", h.readyz)
	if h.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func (h Handlers) index(w http.ResponseWriter, _ *http.Request) {
	text := "/metrics\n/livez\n/readyz\n/readyz?verbose\n"
	if h.Status != nil {
		text += "/status\n"
	}
	if h.PProf {
		text += "/debug/pprof/\n"
	}
	answer(w, http.StatusOK, text)
}

// livez says whether the loop turns. One that has not begun has since started.
func (h Handlers) livez(w http.ResponseWriter, started time.Time) {
	if still := h.stillSince(started); still > 0 {
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("the loop has not turned for %v\n", still.Round(time.Second)))
		return
	}
	answer(w, http.StatusOK, "alive\n")
}

// Still is how long the loop has not turned, where that is too long; else 0.
func (h Handlers) Still() time.Duration { return h.stillSince(time.Now()) }

// stillSince is Still, where the loop that has not begun has turned at started.
func (h Handlers) stillSince(started time.Time) time.Duration {
	limit := h.MaxBeat
	if limit <= 0 {
		limit = time.Minute
	}
	last := started
	if beat := h.Beat(); !beat.IsZero() {
		last = beat
	}
	if still := time.Since(last); still > limit {
		return still
	}
	return 0
}
