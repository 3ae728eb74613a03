package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/regrant/regrant/internal/tokenendpoint"
)

// Paste logs in where no browser can come back to the program, as over SSH or in
// a container, and where the server has no [Device] flow: the user opens a URL on
// another machine, and copies from there what the browser ends up with. It is
// Authorization Code with PKCE (RFC 6749 section 4.1, RFC 7636), and needs
// Config.RedirectURL: a page that shows the code, or any address that the server
// has registered for the program. Nothing needs to listen there, since the
// address bar of the browser shows the URL all the same.
type Paste struct {
	AuthRequest

	// Read shows the authorization URL to the user and returns what the user
	// pastes: the URL that the browser was sent to, or the authorization code
	// alone. White space around it is ignored. Required.
	//
	// Ask for the URL if you can: it tells which login it belongs to (state) and
	// which server it is from (iss, RFC 9207), and one that belongs to another is
	// refused. A code alone does not; PKCE and, with OpenID Connect, the nonce
	// still make a code of somebody else's login useless here.
	//
	// Its context ends when Login has to end. Login waits until Read returns.
	Read func(ctx context.Context, authorizationURL string) (string, error)
}

func (p Paste) obtain(ctx context.Context, l *login) (*obtained, error) {
	redirectURL := l.client.cfg.RedirectURL
	switch {
	case p.Read == nil:
		return nil, errors.New("Paste.Read is nil: give a function that shows the user a URL and returns what the user pastes")
	case redirectURL == "":
		return nil, errors.New("Config.RedirectURL is empty: Paste needs the redirect URI that is registered with the server")
	}
	s, err := l.client.server(ctx)
	if err != nil {
		return nil, err
	}
	a, err := l.authorize(s, redirectURL, p.AuthRequest)
	if err != nil {
		return nil, err
	}
	waiting, stop := l.client.patience(ctx)
	defer stop(nil)
	pasted, err := p.Read(waiting, a.url)
	if err != nil {
		return nil, unfinished(ctx, waiting, fmt.Errorf("Paste.Read: %w", err))
	}
	pasted = strings.TrimSpace(pasted)
	if !isURL(pasted, redirectURL) {
		if pasted == "" || !tokenendpoint.HeaderSafe(pasted) {
			return nil, errors.New("what was pasted is neither an authorization code nor the URL that the browser was sent to")
		}
		return l.redeem(ctx, a, pasted)
	}
	response, err := a.pasted(pasted)
	if err != nil {
		return nil, err
	}
	return l.answered(ctx, a, response)
}

// isURL tells a URL from a code, which may hold a colon, too.
func isURL(pasted, redirectURL string) bool {
	scheme, _, _ := strings.Cut(redirectURL, ":")
	for _, scheme := range []string{scheme, "https", "http"} {
		if len(pasted) > len(scheme) && strings.EqualFold(pasted[:len(scheme)+1], scheme+":") {
			return true
		}
	}
	return false
}

// pasted reads the response out of the URL that the user pasted.
func (a *authorization) pasted(raw string) (url.Values, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("what was pasted is not a URL") // which err repeats, code and all
	}
	// A response on another address may be one from another server (RFC 8252
	// section 8.10); and some users paste the URL that they were given.
	if redirect, err := url.Parse(a.redirectURI); err != nil || !sameAddress(u, redirect) {
		return nil, fmt.Errorf("the URL that was pasted is not the one that the browser was sent to after the login: that one begins with %s", a.redirectURI)
	}
	response := u.Query()
	if !a.matches(response) {
		return nil, errors.New("the URL that was pasted belongs to another login (state): begin again, and paste the URL of this one")
	}
	return response, nil
}

// sameAddress compares two URLs without their queries, forgiving what browsers do.
func sameAddress(a, b *url.URL) bool {
	path := func(u *url.URL) string {
		if p := u.EscapedPath(); p != "" || u.Opaque != "" {
			return p
		}
		return "/"
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) && a.Opaque == b.Opaque && path(a) == path(b)
}
