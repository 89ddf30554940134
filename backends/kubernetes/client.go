package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

// Defaults for the limit on requests.
const (
	defaultQPS   = 20
	defaultBurst = 40
)

// maxRetryAfter bounds how long a server may tell us to wait.
const maxRetryAfter = time.Minute

// client asks the API server. It may be used by many goroutines.
type client struct {
	cfg     Config
	limiter flowcontrol.RateLimiter
	// current is replaced as a whole when the credentials are refused.
	current atomic.Pointer[connection]
}

func newClient(cfg Config) (*client, error) {
	conn, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	c := &client{cfg: cfg, limiter: newLimiter(cfg.QPS, cfg.Burst)}
	c.current.Store(conn)
	return c, nil
}

func newLimiter(qps float32, burst int) flowcontrol.RateLimiter {
	if qps < 0 {
		return flowcontrol.NewFakeAlwaysRateLimiter()
	}
	if qps == 0 {
		qps = defaultQPS
	}
	if burst <= 0 {
		burst = max(defaultBurst, int(qps))
	}
	return flowcontrol.NewTokenBucketRateLimiter(qps, burst)
}

func (c *client) close() { c.current.Load().close() }

// where is the server's address, for messages.
func (c *client) where() string { return c.current.Load().base.Host }

// get asks for a path and returns the answer, whose body the caller closes. An
// answer other than 200 is a *statusError.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string) (*http.Response, error) {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query, accept: accept})
}

// request is what is asked of the API server.
type request struct {
	method, path string
	query        url.Values
	accept       string
	body         []byte // nil: none
	contentType  string // of body
}

// do asks, and returns the answer, whose body the caller closes. An answer that
// does not begin with 2 is a *statusError.
func (c *client) do(ctx context.Context, r request) (*http.Response, error) {
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	conn := c.current.Load()
	u := conn.base.JoinPath(r.path)
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", r.accept)
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := conn.client.Do(req)
	if err == nil && resp.StatusCode/100 != 2 {
		err = readStatus(resp)
	}
	if err != nil {
		if refused(err) {
			c.renew(conn)
		}
		// Of a url.Error the cause is enough: the caller knows what was asked.
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, err
	}
	return resp, nil
}

// refused says whether credentials or certificates that are read again may
// help.
func refused(err error) bool {
	var verification *tls.CertificateVerificationError
	var op *net.OpError
	return codeOf(err) == http.StatusUnauthorized || errors.As(err, &verification) ||
		errors.As(err, &op) && op.Op == "remote error" // crypto/tls: the server's alert
}

// renew reads the files again, unless that was done since used was made. Where
// it fails, the next refusal tries it again.
func (c *client) renew(used *connection) {
	fresh, err := connect(c.cfg)
	if err == nil && c.current.CompareAndSwap(used, fresh) {
		used.close()
	}
}

// statusError is the server's refusal.
type statusError struct {
	code       int
	message    string
	retryAfter time.Duration
}

// Error is the status and the server's words.
func (e *statusError) Error() string {
	text := fmt.Sprintf("%d %s", e.code, http.StatusText(e.code))
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

// status is the part of a Kubernetes Status that matters.
type status struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
	Details struct {
		RetryAfterSeconds int `json:"retryAfterSeconds"`
	} `json:"details"`
}

func (s status) err(code int) *statusError {
	if s.Code != 0 {
		code = s.Code
	}
	return &statusError{code: code, message: cut(s.Message), retryAfter: time.Duration(s.Details.RetryAfterSeconds) * time.Second}
}

// readStatus makes an error of an answer, and closes it.
func readStatus(resp *http.Response) error {
	defer resp.Body.Close()
	var s status
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	switch {
	case err != nil:
	case isProtobuf(resp):
		s, _ = readProtobufStatus(body) // the code says the most
	case json.Unmarshal(body, &s) != nil:
		s = status{Message: string(body)}
	}
	e := s.err(resp.StatusCode)
	e.code = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	e.retryAfter = min(e.retryAfter, maxRetryAfter)
	return e
}

// cut keeps a server's words on a line of bearable length.
func cut(s string) string {
	const most = 300
	s = strings.TrimSpace(s)
	if q := strconv.Quote(s); q != `"`+s+`"` {
		s = q[1 : len(q)-1]
	}
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}

// codeOf is the HTTP status in err, 0 where there is none.
func codeOf(err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.code
	}
	return 0
}

// retryAfter is how long the server wants to be left alone.
func retryAfter(err error) time.Duration {
	var s *statusError
	if errors.As(err, &s) {
		return s.retryAfter
	}
	return 0
}
