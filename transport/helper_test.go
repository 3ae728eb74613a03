package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

const secret = "s3cret-token"

// fixed is a Source that always has the same answer.
func fixed(tok *oauth2.Token, err error) transport.Source {
	return sourceFunc(func(context.Context) (*oauth2.Token, error) { return tok, err })
}

type sourceFunc func(context.Context) (*oauth2.Token, error)

func (f sourceFunc) Token(ctx context.Context) (*oauth2.Token, error) { return f(ctx) }

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A rotation is a Refresher whose tokens are its name and a number.
type rotation struct {
	name     string
	mu       sync.Mutex
	current  *oauth2.Token
	renewals int
	err      error // what Refresh fails with
	stuck    bool  // Refresh gives the same token again
}

func (r *rotation) Token(context.Context) (*oauth2.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		r.current = r.token(0)
	}
	return r.current, nil
}

func (r *rotation) Refresh(_ context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rejected != nil && rejected.AccessToken != r.current.AccessToken {
		return r.current, nil
	}
	r.renewals++
	switch {
	case r.err != nil:
		return nil, r.err
	case r.stuck:
		return &oauth2.Token{AccessToken: r.current.AccessToken}, nil
	}
	r.current = r.token(r.renewals)
	return r.current, nil
}

func (r *rotation) token(n int) *oauth2.Token {
	return &oauth2.Token{AccessToken: r.name + "-" + strconv.Itoa(n), TokenType: "Bearer"}
}

func newRequest(tb testing.TB, method, url string, body io.Reader) *http.Request {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, url, body)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

// A visit is what a server of a web saw of one request.
type visit struct {
	server        string
	path          string
	authorization []string
	body          string
}

// A web is a set of servers on real connections, reachable by names that a
// test gives them.
type web struct {
	base *http.Transport

	mu     sync.Mutex
	dial   map[string]string // "host:port" to the address of a listener
	visits []visit
}

func newWeb(t *testing.T) *web {
	w := &web{dial: make(map[string]string)}
	w.base = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			listener, ok := w.dial[strings.ToLower(addr)]
			if !ok {
				return nil, fmt.Errorf("no server has the address %s", addr)
			}
			return new(net.Dialer).DialContext(ctx, network, listener)
		},
	}
	t.Cleanup(w.base.CloseIdleConnections)
	return w
}

// serve starts a server that is known by addrs. It redirects
// /?status=S&to=URL, and answers 200 to everything else.
func (w *web) serve(t *testing.T, name string, start func(http.Handler) *httptest.Server, addrs ...string) {
	t.Helper()
	srv := start(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		w.visits = append(w.visits, visit{name, r.URL.Path, r.Header.Values("Authorization"), string(body)})
		w.mu.Unlock()
		if to := r.FormValue("to"); to != "" {
			status, err := strconv.Atoi(r.FormValue("status"))
			if err != nil {
				t.Error(err)
			}
			rw.Header().Set("Location", to)
			rw.WriteHeader(status)
		}
	}))
	t.Cleanup(srv.Close)
	for _, addr := range addrs {
		w.dial[addr] = srv.Listener.Addr().String()
	}
	if cert := srv.Certificate(); cert != nil {
		w.base.TLSClientConfig.RootCAs.AddCert(cert)
	}
}

// sent lists which servers were visited, each with "+token", "+other" or
// nothing for what came in the Authorization header.
func (w *web) sent(t *testing.T) []string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, v := range w.visits {
		switch {
		case len(v.authorization) == 0:
			list = append(list, v.server)
		case slices.Equal(v.authorization, []string{"Bearer " + secret}):
			list = append(list, v.server+"+token")
		default:
			list = append(list, v.server+"+other")
		}
	}
	return list
}

// A trackedBody is a request body that knows whether it was closed.
type trackedBody struct {
	io.Reader
	closed bool
}

func (b *trackedBody) Close() error {
	b.closed = true
	return nil
}

var errNoGrant = errors.New("there is no grant")
