package clienttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// userHeader tells the authorization endpoint who sits in front of the browser.
// It is sent to the server only.
const userHeader = "Clienttest-User"

// UserAgent returns the browser of a user: it keeps cookies and follows
// redirects, and the authorization endpoint takes its user to be logged in as
// account and to agree, or to refuse if Options.UserDenies is set. Each call
// returns another browser.
func (s *Server) UserAgent(account string) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options nothing can fail
	}
	return &http.Client{Transport: &agent{s: s, account: account}, Jar: jar}
}

type agent struct {
	s       *Server
	account string
}

func (a *agent) RoundTrip(r *http.Request) (*http.Response, error) {
	if issuer, err := url.Parse(a.s.issuer); err == nil && r.URL.Scheme == issuer.Scheme && r.URL.Host == issuer.Host {
		r = r.Clone(r.Context())
		r.Header.Set(userHeader, a.account)
	}
	return a.s.transport.RoundTrip(r)
}

// Browser returns a scripted user for client.Browser{Open: s.Browser()}: the
// first of Options.Users. It opens the authorization URL in a browser of its own,
// which then requests the callback in the background, as a real one would.
//
// An authorization request that the server does not send back to the client is
// an error: no login would ever come of it.
func (s *Server) Browser() func(authURL string) error {
	return func(authURL string) error { return s.visit(s.opts.Load().Users[0].Account, authURL) }
}

// BrowserOf is Browser for another user.
func (s *Server) BrowserOf(account string) func(authURL string) error {
	return func(authURL string) error { return s.visit(account, authURL) }
}

func (s *Server) visit(account, authURL string) error {
	browser := s.UserAgent(account)
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := s.open(browser, authURL)
	if err != nil {
		return err
	}
	callback, err := resp.Location()
	if err != nil {
		return fmt.Errorf("clienttest: the authorization endpoint answered %s and did not send the user back; see the last of Exchanges", resp.Status)
	}
	browser.CheckRedirect = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.visits.Go(func() {
		// What the callback answers is for the client's tests to look at.
		_, _ = s.open(browser, callback.String())
	})
	return nil
}

// open requests a page and reads it to its end.
func (s *Server) open(browser *http.Client, page string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, fmt.Errorf("clienttest: the browser was given no URL: %w", err)
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, fmt.Errorf("clienttest: the browser reached nobody: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	return resp, err
}
