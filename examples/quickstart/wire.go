package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// A wire is the network as one process sees it. It counts the refresh requests
// (RFC 6749 section 6), and can keep an answer from the library: the server has rotated the refresh
// token by then, and the process does not know its successor.
type wire struct {
	base     http.RoundTripper
	onHeld   func()
	requests atomic.Int64
	refusals atomic.Int64

	mu   sync.Mutex
	hold chan struct{} // closed when answers may pass; nil: they pass
}

func newWire(connections int) *wire {
	base := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: connections, ForceAttemptHTTP2: true}
	return &wire{base: base}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return w.base.RoundTrip(r) // the API
	}
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(text))
	if form, err := url.ParseQuery(string(text)); err != nil || form.Get("grant_type") != "refresh_token" {
		return w.base.RoundTrip(r)
	}
	w.requests.Add(1)
	resp, err := w.base.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusBadRequest: // invalid_grant has this status (section 5.2)
		w.refusals.Add(1)
	case resp.StatusCode == http.StatusOK:
		w.keep(r.Context())
	}
	return resp, nil
}

// keep keeps an answer, if that was ordered: until the order is taken back, or
// the process killed.
func (w *wire) keep(ctx context.Context) {
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold == nil {
		return
	}
	w.onHeld()
	select {
	case <-hold:
	case <-ctx.Done():
	}
}

func (w *wire) obey(o order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case o.Hold && w.hold == nil:
		w.hold = make(chan struct{})
	case !o.Hold && w.hold != nil:
		close(w.hold)
		w.hold = nil
	}
}
