package topology

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"confd/backends"
)

// TestPageLoadsNothing: whoever looks at the live page is asked for nothing else by it,
// and no other page can show it.
func TestPageLoadsNothing(t *testing.T) {
	state := cluster(t, "{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: node-1}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}")
	p := &Page{Now: func(context.Context) (*backends.State, Options) { return state, Options{} }}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "node-1") {
		t.Fatalf("%d %.200s", w.Code, w.Body)
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %q", policy, part)
		}
	}
}
