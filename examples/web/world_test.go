package main

import (
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

// A world is an application with servers of its own, on a real port.
type world struct {
	t    *testing.T
	app  *app
	base string
}

// start starts the application as the program does.
func start(t *testing.T, args ...string) *world {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(args, "-addr") {
		o.addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	if o.url == "" {
		o.url = "http://" + l.Addr().String()
	}
	a, err := newApp(t.Context(), o, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: a.handler()}
	go server.Serve(l)
	t.Cleanup(func() {
		server.Close()
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t, a, "http://" + l.Addr().String()}
}

// server returns the server of a service.
func (w *world) server(slot string) *clienttest.Server {
	w.t.Helper()
	s := w.app.connectionOf(slot)
	if s == nil {
		w.t.Fatalf("there is no service %s", slot)
	}
	return s.demo
}

// A browser is that of one person, whom every server knows.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser(account string) *browser {
	jar, _ := cookiejar.New(nil)
	agents := map[string]http.RoundTripper{}
	for _, s := range w.app.services {
		u, _ := url.Parse(s.issuer)
		agents[u.Host] = s.demo.UserAgent(account).Transport
	}
	return &browser{w, &http.Client{Jar: jar, Transport: byHost(agents)}}
}

// browserAt is browser for one server of the test's own.
func (w *world) browserAt(as *clienttest.Server, account string) *browser {
	return &browser{w, as.UserAgent(account)}
}

type byHost map[string]http.RoundTripper

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if t := b[r.URL.Host]; t != nil {
		return t.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A page is what a browser shows in the end.
type page struct {
	status int
	path   string
	header http.Header
	text   string
}

func (b *browser) get(path string) page {
	b.w.t.Helper()
	return b.do(http.MethodGet, path, nil, nil)
}

func (b *browser) post(path string, form ...string) page {
	b.w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return b.do(http.MethodPost, path, values, nil)
}

func (b *browser) do(method, path string, form url.Values, header http.Header) page {
	b.w.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.w.base + path
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(req.Header, header)
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL.Path, resp.Header, string(text)}
}

// callback begins a login, and returns the URL of the callback that would end it.
func (b *browser) callback(path string, form ...string) string {
	b.w.t.Helper()
	var found string
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			found = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.post(path, form...)
	b.client.CheckRedirect = nil
	if found == "" {
		b.w.t.Fatalf("no login came of %s", path)
	}
	return found
}

func (w *world) want(p page, status int, texts ...string) {
	w.t.Helper()
	if p.status != status {
		w.t.Errorf("%s answers %d, want %d", p.path, p.status, status)
	}
	for _, text := range texts {
		want := true
		if rest, not := strings.CutPrefix(text, "!"); not {
			text, want = rest, false
		}
		if strings.Contains(p.text, text) != want {
			w.t.Errorf("%q on %s: %v, want %v\n%s", text, p.path, !want, want, p.text)
		}
	}
}
