package clienttest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/regrant/regrant/client/clienttest"
)

// everywhere runs a test over TCP, and in memory inside a bubble.
func everywhere(t *testing.T, test func(t *testing.T, s *clienttest.Server)) {
	t.Helper()
	t.Run("TCP", func(t *testing.T) { test(t, clienttest.NewServer(t)) })
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, clienttest.NewMemoryServer(t)) })
	})
}

// inMemory runs a test in a bubble, where time costs nothing.
func inMemory(t *testing.T, test func(t *testing.T, s *clienttest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, clienttest.NewMemoryServer(t)) })
}

// A reply is what came back.
type reply struct {
	Status int
	Header http.Header
	Body   string
	JSON   map[string]any // nil if the body is no object
}

func (r reply) text(name string) string {
	s, _ := r.JSON[name].(string)
	return s
}

func do(t *testing.T, c *http.Client, req *http.Request) (reply, error) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r := reply{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	_ = json.Unmarshal(body, &r.JSON)
	return r, err
}

func formBody(form url.Values) io.Reader { return strings.NewReader(form.Encode()) }

func tryPost(t *testing.T, s *clienttest.Server, path string, form url.Values) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(path), formBody(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, s.HTTPClient(), req)
}

func post(t *testing.T, s *clienttest.Server, path string, form url.Values) reply {
	t.Helper()
	r, err := tryPost(t, s, path, form)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get sends a GET, with an access token unless it is "".
func get(t *testing.T, s *clienttest.Server, path, accessToken string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	if accessToken != "" {
		req.Header.Set("Authorization", "Bearer "+accessToken)
	}
	r, err := do(t, s.HTTPClient(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func refreshForm(refreshToken string) url.Values {
	return url.Values{
		"grant_type": {"refresh_token"}, "client_id": {clienttest.PublicClient}, "refresh_token": {refreshToken},
	}
}

// refresh sends a refresh request of the public client.
func refresh(t *testing.T, s *clienttest.Server, refreshToken string) reply {
	t.Helper()
	return post(t, s, clienttest.TokenPath, refreshForm(refreshToken))
}

// mustRefresh returns the new refresh token and the new access token.
func mustRefresh(t *testing.T, s *clienttest.Server, refreshToken string) (next, access string) {
	t.Helper()
	r := refresh(t, s, refreshToken)
	if r.Status != http.StatusOK {
		t.Fatalf("the refresh was refused: %d %s", r.Status, r.Body)
	}
	return r.text("refresh_token"), r.text("access_token")
}

func wantError(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.Status != status || r.text("error") != code {
		t.Errorf("answer %d %s, want %d with error %q", r.Status, r.Body, status, code)
	}
}

// newApp serves the callback of a client on a loopback port.
func newApp(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	app := httptest.NewServer(h)
	t.Cleanup(app.Close)
	return app.URL
}
