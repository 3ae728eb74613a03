package client

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/printable"
)

// An authorization is one request to the authorization endpoint (RFC 6749
// section 4.1.1) on its way through the user's browser: Browser, Paste and the
// web login share it.
type authorization struct {
	server      *server
	url         string // where the user's browser goes
	redirectURI string
	state       string
	nonce       string
	verifier    string // PKCE (RFC 7636)
	requested   []string
	consent     bool // the consent screen is asked for
}

func (l *login) authorize(s *server, redirectURI string, ask AuthRequest) (*authorization, error) {
	if s.authURL == "" {
		return nil, errors.New("the server has no authorization endpoint: use another flow, or give Config.Endpoint.AuthURL")
	}
	// A server that says which methods it has, and S256 is not among them, would
	// ignore our challenge or want the verifier in clear (RFC 7636 section 7.2).
	if s.challengeMethods != nil && !slices.Contains(s.challengeMethods, "S256") {
		return nil, errors.New("the server does not support PKCE with S256 (code_challenge_methods_supported); a login without it is not safe")
	}
	params, err := l.params(ask)
	if err != nil {
		return nil, err
	}
	a := &authorization{
		server:      s,
		redirectURI: redirectURI,
		state:       rand.Text(),
		nonce:       rand.Text(),
		verifier:    oauth2.GenerateVerifier(),
		requested:   l.scopes(s, ask),
	}
	params.Set("response_type", "code")
	params.Set("client_id", l.client.cfg.ClientID)
	params.Set("redirect_uri", redirectURI)
	params.Set("state", a.state)
	params.Set("code_challenge", oauth2.S256ChallengeFromVerifier(a.verifier))
	params.Set("code_challenge_method", "S256")
	if len(a.requested) > 0 {
		params.Set("scope", l.client.joinScopes(a.requested))
	}
	if slices.Contains(a.requested, "openid") {
		params.Set("nonce", a.nonce)
	} else {
		a.nonce = ""
	}
	addMissing(params, l.client.profile.Params)
	// Without a consent screen a server may ignore offline_access (OpenID
	// Connect Core section 11).
	if slices.Contains(a.requested, "offline_access") && !params.Has("prompt") {
		params.Set("prompt", "consent")
	}
	a.consent = consents(params.Get("prompt"))
	u, err := url.Parse(s.authURL)
	if err != nil {
		return nil, errors.New("the authorization endpoint is not a URL")
	}
	// The endpoint may have a query of its own, which must stay (RFC 6749 section 3.1).
	query := u.Query()
	maps.Copy(query, params)
	u.RawQuery = query.Encode()
	a.url = u.String()
	return a, nil
}

// addMissing adds the parameters of more that params does not have.
func addMissing(params, more url.Values) {
	for name, values := range more {
		if !params.Has(name) {
			params[name] = slices.Clone(values)
		}
	}
}

// matches tells whether a response belongs to this request. Anything else is
// somebody else's, and says nothing about ours (RFC 6749 section 10.12).
func (a *authorization) matches(response url.Values) bool {
	state := response["state"]
	return len(state) == 1 && subtle.ConstantTimeCompare([]byte(state[0]), []byte(a.state)) == 1
}

// code reads the response that matches. The issuer is looked at before anything
// else: a response from another server must not even have its error shown
// (RFC 9207 section 2.4).
func (a *authorization) code(response url.Values) (string, error) {
	switch iss := response["iss"]; {
	case len(iss) > 1 || len(iss) == 1 && iss[0] != a.server.issuer:
		return "", errors.New("the response came from another authorization server (iss, RFC 9207): somebody may be mixing up your logins")
	case len(iss) == 0 && a.server.issParameter:
		return "", errors.New("the response does not say which server it is from, although this server always does (iss, RFC 9207)")
	}
	if refusal := response.Get("error"); refusal != "" {
		return "", authorizationRefused(refusal, response.Get("error_description"))
	}
	if code := response["code"]; len(code) == 1 && code[0] != "" {
		return code[0], nil
	}
	return "", errors.New("the response holds no authorization code")
}

// codeAccessDenied is the one error code that says what the user wants (RFC 6749
// section 4.1.2.1, RFC 8628 section 3.5).
const codeAccessDenied = "access_denied"

// A refusal is an error response of the authorization endpoint (RFC 6749 section 4.1.2.1).
type refusal struct{ code, description string }

func authorizationRefused(code, description string) error {
	return &refusal{printable.Text(code, 64), printable.Text(description, 200)}
}

func (r *refusal) Error() string {
	text := "the server answered " + r.code
	if r.code == codeAccessDenied {
		text = "the user, or the server, refused the login (access_denied)"
	}
	if r.description != "" {
		text += fmt.Sprintf(" (%s)", r.description)
	}
	return text
}

// answered turns the response that matches into a grant.
func (l *login) answered(ctx context.Context, a *authorization, response url.Values) (*obtained, error) {
	code, err := a.code(response)
	if err != nil {
		return nil, err
	}
	return l.redeem(ctx, a, code)
}

// redeem exchanges the code (RFC 6749 section 4.1.3).
func (l *login) redeem(ctx context.Context, a *authorization, code string) (*obtained, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {a.redirectURI},
		"code_verifier": {a.verifier},
	}
	l.client.addResource(form)
	return l.exchange(ctx, a.server, form, a.requested, a.nonce)
}

// addResource repeats the resource indicators of Config, which have to go with
// every token request (RFC 8707 section 2.2).
func (c *Client) addResource(form url.Values) {
	if r := c.cfg.Params["resource"]; len(r) > 0 {
		form["resource"] = slices.Clone(r)
	}
}
