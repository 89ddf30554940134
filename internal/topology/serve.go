package topology

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"confd/backends"
)

// pageAge is how long a page is served again, so that whoever reloads it costs nothing.
const pageAge = 5 * time.Second

// Page serves a cluster's topology as it is now.
type Page struct {
	// Now is the state, and how to draw it; no state: not known yet. It is called from
	// any goroutine.
	Now func(context.Context) (*backends.State, Options)

	mu   sync.Mutex // one is made at a time
	made time.Time
	html []byte
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	html, err := p.page(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// As in the page itself, which has its script and style inside; and no other page
	// may show this one.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	switch {
	case err != nil:
		http.Error(w, "drawing the topology: "+err.Error(), http.StatusInternalServerError)
	case html == nil:
		http.Error(w, "nothing is known of the cluster yet", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html) // whoever asked is gone: nobody to tell
	}
}

// page is the one that was made last, or a new one; nil: there is no state.
func (p *Page) page(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.html != nil && time.Since(p.made) < pageAge {
		return p.html, nil
	}
	state, o := p.Now(ctx)
	if state == nil {
		return nil, nil
	}
	g, err := Of(ctx, state, o)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := g.HTML(&b); err != nil {
		return nil, err
	}
	p.html, p.made = b.Bytes(), time.Now()
	return p.html, nil
}
