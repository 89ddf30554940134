package serve

import (
	"crypto/tls"
	"net/http"
)

// trusting has next answer whoever has shown a certificate that counts. Others are
// told whether the program lives and is ready: a kubelet has none to show.
func (h Handlers) trusting(next http.Handler) http.Handler {
	if h.TLS == nil || h.TLS.ClientAuth != tls.VerifyClientCertIfGiven {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.TLS != nil && len(r.TLS.VerifiedChains) > 0, r.URL.Path == "/livez":
			next.ServeHTTP(w, r)
		case r.URL.Path == "/readyz":
			h.readyzInAWord(w)
		default:
			answer(w, http.StatusForbidden, "this takes a client certificate\n")
		}
	})
}

// readyzInAWord says whether the program is ready, and not what is missing.
func (h Handlers) readyzInAWord(w http.ResponseWriter) {
	if r := h.Report(); r == nil || !r.Ready {
		answer(w, http.StatusServiceUnavailable, "not ready: why takes a client certificate\n")
		return
	}
	answer(w, http.StatusOK, "ready\n")
}
