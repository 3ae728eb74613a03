package client_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// accountOf returns the account alice of a program with this configuration.
func accountOf(t testing.TB, cfg client.Config) *client.Account {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.Account("alice")
}

// inBubble runs a test with a server in memory, where time is simulated.
func inBubble(t *testing.T, test func(t *testing.T, as *clienttest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, clienttest.NewMemoryServer(t)) })
}

// wantSignedIn checks that a login went well: there is a token that the API takes.
func wantSignedIn(t *testing.T, as *clienttest.Server, me *client.Account, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	resp, err := me.HTTPClient().Get(as.URL(clienttest.APIPath))
	if err != nil {
		t.Fatalf("after the login: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("after the login the API answered %s", resp.Status)
	}
}

// wantNoLogin checks that a login failed with this code and these words, and
// that nothing of it is kept.
func wantNoLogin(t *testing.T, me *client.Account, err error, code string, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatalf("login returned %v, want a *client.Error", err)
	}
	if e.Code != code {
		t.Errorf("Code %q, want %q, in %v", e.Code, code, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if _, err := me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("after the failed login Token returned %v, want ErrLoginRequired", err)
	}
}

// requestsTo returns what came to path, in order.
func requestsTo(as *clienttest.Server, path string) (list []clienttest.Exchange) {
	for _, x := range as.Exchanges() {
		if x.Path == path {
			list = append(list, x)
		}
	}
	return list
}

// answering is a server that answers every request so.
func answering(status int, contentType string, body []byte) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
