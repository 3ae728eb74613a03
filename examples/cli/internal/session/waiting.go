package session

import (
	"context"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/transport"
)

// waitsFor is what is said of a server that takes its time.
func waitsFor(at string) string {
	if u, err := url.Parse(at); err == nil && u.Host != "" {
		at = u.Host
	}
	return "Waiting for " + ui.Name(at)
}

// Await says, once it takes a second, that the program waits for the authorization
// server, or for another program that renews the token at this moment, until end is
// called.
func (s *Session) Await() (end func()) { return s.slow.Begin() }

// Source returns the source of tokens of an account, which says so if one takes long.
func (s *Session) Source(account string) transport.Refresher {
	return source{s.slow, s.Client.Account(account)}
}

type source struct {
	slow    *ui.Slow
	account *client.Account
}

// Token returns a token that works.
func (s source) Token(ctx context.Context) (*oauth2.Token, error) {
	return s.wait(func() (*oauth2.Token, error) { return s.account.Token(ctx) })
}

// Refresh returns a token other than the rejected one; nil: one that is new.
func (s source) Refresh(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	return s.wait(func() (*oauth2.Token, error) { return s.account.Refresh(ctx, rejected) })
}

// wait waits for a token. Once there is one, nobody waits for what the client still
// asks the server: for its keys, or for the next token.
func (s source) wait(get func() (*oauth2.Token, error)) (*oauth2.Token, error) {
	s.slow.On()
	defer s.slow.Begin()()
	t, err := get()
	if err == nil {
		s.slow.Off()
	}
	return t, err
}

// waiting is a transport that says so while a server takes its time.
type waiting struct {
	http.RoundTripper
	slow *ui.Slow
}

// Waiting returns base, and says on u that a server takes its time.
func Waiting(base http.RoundTripper, u *ui.UI, url string) http.RoundTripper {
	return waiting{base, u.Err.Slow(waitsFor(url))}
}

// RoundTrip sends r.
func (w waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	defer w.slow.Begin()()
	return w.RoundTripper.RoundTrip(r)
}
