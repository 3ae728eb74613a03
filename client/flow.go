package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// A Flow is a way to obtain a grant: [Browser], [Device], [Paste], [Password],
// or a [FlowFunc] for a grant from elsewhere. A Flow is a value; it can be used
// again and again, and concurrently.
type Flow interface {
	obtain(ctx context.Context, l *login) (*obtained, error)
}

// An AuthRequest is what one login asks for in addition to Config, and to what
// the account was granted already: a new grant replaces the old one, so leaving
// that out would lose it.
//
// For a step-up (RFC 9470) set Params acr_values and max_age as
// transport.Challenges tells them; for a consent screen, prompt=consent.
type AuthRequest struct {
	Scopes []string
	Params url.Values

	// ReturnTo is for BeginLogin: where the user wants to be afterwards, a path on
	// the program's own site, which Client.ReturnTo gives back. It may come from
	// anybody, such as a form: what is no such path, or is longer than 1 KiB, is
	// taken for "/".
	ReturnTo string
}

// A FlowFunc brings a grant from elsewhere: an old token file, a flow of the
// program's own. The token must carry a RefreshToken, unless its access token
// never expires; an "id_token" in its Extra is verified and kept.
//
// Under Ensure it is called only if nothing usable is kept, so an old file never
// overwrites a rotated grant. Bringing the refresh token that is kept already
// changes nothing, and one that the server has declared dead is refused with
// ErrLoginRequired.
type FlowFunc func(context.Context) (*oauth2.Token, error)

// A login is one run of a flow.
type login struct {
	client *Client
	before *record.Record // what was kept before; nil: nothing
}

// obtained is what a flow brings.
type obtained struct {
	answer    *tokenendpoint.Answer
	started   time.Time // before the request that brought the answer
	requested []string
	identity  *record.Identity // verified; nil: there was no ID token
	grant     string           // "": a new one
}

// scopes are what to ask for: what is configured, what a refresh token needs, what
// the flow adds, and what an earlier login of this account asked for.
func (l *login) scopes(s *server, ask AuthRequest) []string {
	scopes := l.client.cfg.Scopes
	if scopes == nil {
		scopes = s.defaultScopes()
	}
	scopes = union(scopes, l.client.profile.Scopes)
	if len(ask.Scopes) > 0 && l.before != nil {
		scopes = union(scopes, l.before.Requested)
	}
	return union(scopes, ask.Scopes)
}

// params are the parameters that a request carries in addition to its own.
func (l *login) params(ask AuthRequest) (url.Values, error) {
	if err := checkParams(ask.Params); err != nil {
		return nil, fmt.Errorf("AuthRequest.Params: %w", err)
	}
	params := maps.Clone(l.client.cfg.Params)
	maps.Copy(params, ask.Params)
	return params, nil
}

// exchange sends a grant to the token endpoint and checks what comes back. It
// is never repeated: a code may be used once (RFC 6749 section 4.1.2).
func (l *login) exchange(ctx context.Context, s *server, form url.Values, requested []string, nonce string) (*obtained, error) {
	started := time.Now()
	answer, err := l.client.post(ctx, s, s.tokenURL, form)
	if err != nil {
		return nil, err
	}
	o := &obtained{answer: answer, started: started, requested: requested}
	if err := l.identify(ctx, s, o, nonce); err != nil {
		// Nothing of an answer with a foreign ID token may be used, and nobody
		// else shall use it either (RFC 9700 section 4.5.3.2).
		l.client.revokeQuietly(ctx, s, answer.RefreshToken)
		return nil, err
	}
	return o, nil
}

// identify verifies the ID token, if there is one and there are keys.
func (l *login) identify(ctx context.Context, s *server, o *obtained, nonce string) error {
	if o.answer.IDToken == "" || s.ids == nil {
		o.answer.IDToken = "" // what is not verified is not kept
		return nil
	}
	id, err := s.ids.verify(ctx, o.answer.IDToken, o.answer.AccessToken)
	if err != nil {
		return err
	}
	o.identity = id
	return checkLogin(id, nonce)
}

func (f FlowFunc) obtain(ctx context.Context, l *login) (*obtained, error) {
	t, err := f(ctx)
	if err != nil {
		return nil, err
	}
	if t == nil || t.AccessToken == "" && t.RefreshToken == "" {
		return nil, fmt.Errorf("the FlowFunc brought no token")
	}
	if t.AccessToken != "" && !tokenendpoint.HeaderSafe(t.AccessToken) {
		return nil, fmt.Errorf("the FlowFunc brought an access token that no HTTP header can carry")
	}
	o := &obtained{started: time.Now(), requested: l.client.cfg.Scopes, answer: &tokenendpoint.Answer{
		AccessToken: t.AccessToken, TokenType: t.Type(), RefreshToken: t.RefreshToken,
	}}
	switch {
	case t.AccessToken == "":
		o.answer.Lifetime = 0
	case !t.Expiry.IsZero():
		// A token that has expired already is renewed at its first use.
		o.answer.Lifetime = max(time.Until(t.Expiry), time.Nanosecond)
	case t.ExpiresIn > 0:
		o.answer.Lifetime = time.Duration(min(t.ExpiresIn, 1<<31)) * time.Second
	}
	if scope, ok := t.Extra("scope").(string); ok {
		o.answer.Scope = scope
	}
	if t.RefreshToken != "" {
		o.grant = importedGrant(t.RefreshToken)
	}
	if raw, ok := t.Extra("id_token").(string); ok && raw != "" && !l.client.cfg.explicit() {
		s, err := l.client.server(ctx)
		if err != nil {
			return nil, err
		}
		if s.ids != nil {
			o.answer.IDToken = raw
			// It may be an old one: what its signature proves is who it is about.
			if o.identity, err = s.ids.verifyOld(ctx, raw); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// importedGrant names the grant of a refresh token from elsewhere, so that
// bringing it again is recognised.
func importedGrant(refreshToken string) string {
	sum := sha256.Sum256([]byte(refreshToken))
	return importedPrefix + hex.EncodeToString(sum[:])
}

const importedPrefix = "i:"

// post sends an authenticated request to a token endpoint.
func (c *Client) post(ctx context.Context, s *server, endpoint string, form url.Values) (*tokenendpoint.Answer, error) {
	addMissing(form, c.profile.TokenParams)
	header, err := c.authenticate(ctx, s, endpoint, form)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.exchangeTimeout())
	defer cancel()
	return c.dialect.Post(ctx, c.base(), endpoint, form, header)
}

func (c *Client) authenticate(ctx context.Context, s *server, endpoint string, form url.Values) (http.Header, error) {
	req := &TokenRequest{
		Endpoint: endpoint, Issuer: s.issuer, ClientID: c.cfg.ClientID, Methods: s.authMethods,
		Form: form, Header: http.Header{},
	}
	auth := c.cfg.Auth
	if auth == nil {
		auth = publicAuth{}
	}
	if err := auth.Authenticate(ctx, req); err != nil {
		return nil, fmt.Errorf("the client could not authenticate: %w", err)
	}
	return req.Header, nil
}

// base is the transport of Config.HTTPClient.
func (c *Client) base() http.RoundTripper {
	if hc := c.cfg.HTTPClient; hc != nil && hc.Transport != nil {
		return hc.Transport
	}
	return http.DefaultTransport
}

// exchangeTimeout bounds one request to the server. It is generous on purpose:
// an answer that is given up may have carried the only live token.
func (c *Client) exchangeTimeout() time.Duration {
	if hc := c.cfg.HTTPClient; hc != nil && hc.Timeout > 0 {
		return hc.Timeout
	}
	return 30 * time.Second
}
