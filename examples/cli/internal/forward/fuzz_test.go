package forward_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/regrant/regrant/examples/cli/internal/forward"
)

type recorder struct{ last *http.Request }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.last = q
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: q}, nil
}

// FuzzPath: no path leads out of that of the upstream, and the secret never gets there.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a", "/a/../b", "/%2e%2e/b", "/..%2fb", `/..%5cb`, "//x", "/a%2Fb?c=..", "/.../b", "/a;/../b", "/%00"} {
		f.Add(seed)
	}
	secret := forward.NewSecret()
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		u.Path, u.RawPath = "/"+secret+u.Path, "/"+secret+u.EscapedPath()
		wire := &recorder{}
		p := &forward.Proxy{Upstream: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/v2"}, Transport: wire, Secret: secret, Refused: func(*http.Request) {}}
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
		r.URL = u
		p.ServeHTTP(httptest.NewRecorder(), r)
		if wire.last == nil {
			return // refused
		}
		sent := wire.last.URL
		if plain := path.Clean(strings.ReplaceAll(sent.Path, `\`, "/")); plain != "/v2" && !strings.HasPrefix(plain, "/v2/") || sent.Host != "api.example.com" {
			t.Errorf("%q becomes %q", target, sent)
		}
		if strings.Contains(sent.Path, secret) && !strings.Contains(target, secret) {
			t.Errorf("the secret is in %q", sent)
		}
	})
}
