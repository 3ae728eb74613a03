package webfleet_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// A front is the one address that browsers know: it sends each request to the next
// of the backends, and to the one after that if a backend is not there.
type front struct {
	server *httptest.Server

	mu    sync.Mutex
	addrs []string
	next  int
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := new(front)
	f.server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The backend compares Origin with what the browser asked for.
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Host})
			r.Out.Host = r.In.Host
		},
		Transport: f,
	})
	t.Cleanup(f.server.Close)
	return f
}

// set replaces the backends.
func (f *front) set(addrs []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addrs = addrs
}

func (f *front) turn() (addr string, backends int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	return f.addrs[f.next%len(f.addrs)], len(f.addrs)
}

func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	for tries := 1; ; tries++ {
		addr, backends := f.turn()
		r := r.Clone(r.Context())
		r.URL.Host = addr
		resp, err := http.DefaultTransport.RoundTrip(r)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && tries < backends {
			continue
		}
		return resp, err
	}
}
