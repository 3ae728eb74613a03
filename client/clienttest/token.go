package clienttest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantPassword = "password"

	scopeOpenID  = "openid"
	scopeOffline = "offline_access"
	scopeProfile = "profile"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(c *call) {
	client, ok := c.clientRequest()
	if !ok {
		return
	}
	if c.elsewhere() {
		c.fail(http.StatusBadRequest, "invalid_request", "refreshes go to an endpoint of their own, and only they")
		return
	}
	s.mu.Lock()
	var is *issued // nil: refused, and c holds the error
	switch c.x.GrantType {
	case grantCode:
		is = c.redeemCode(client)
	case grantRefresh:
		is = c.redeemRefresh(client)
	case grantDevice:
		is = c.redeemDevice(client)
	case grantPassword:
		is = c.redeemPassword(client)
	case "":
		c.fail(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	default:
		c.fail(http.StatusBadRequest, "unsupported_grant_type", "this server does not know the grant type")
	}
	s.mu.Unlock()
	if is != nil {
		m := is.members(c)
		c.speak(m)
		c.json(http.StatusOK, m)
	}
}

// issued is what a token request brought.
type issued struct {
	family  *family
	refresh *refreshToken // nil: none in the answer
	access  *accessToken
	nonce   string
}

// issueLogin issues the first tokens of f. Server.mu is held.
func (c *call) issueLogin(f *family, nonce string) *issued {
	is := &issued{family: f, nonce: nonce}
	openID := slices.Contains(f.scope, scopeOpenID)
	offline := !openID || slices.Contains(f.scope, scopeOffline)
	if c.opts.profile != nil {
		offline = f.offline
	}
	if !c.opts.NoOfflineAccess && offline {
		is.refresh = c.s.grants.issueRefresh(f, nil, c.opts, c.now)
		c.x.Issued = is.refresh.value
	}
	is.access = c.s.grants.issueAccess(f, is.refresh, f.scope, c.opts, c.now)
	c.about(f, 0)
	return is
}

// redeemRefresh refreshes (RFC 6749 section 6). Server.mu is held.
func (c *call) redeemRefresh(client Client) *issued {
	g := &c.s.grants
	t := g.refresh[c.x.RefreshToken]
	switch {
	case c.x.RefreshToken == "":
		c.fail(http.StatusBadRequest, "invalid_request", "refresh_token is missing")
		return nil
	case t == nil:
		c.fail(http.StatusBadRequest, "invalid_grant", "the refresh token is unknown")
		return nil
	case t.family.client != client.ID:
		c.fail(http.StatusBadRequest, "invalid_grant", "the refresh token was issued to another client")
		return nil
	}
	switch t.verdict(c.opts, c.now) {
	case Reused:
		c.x.Outcome = Reused
		if c.opts.Rotation == RevokeFamily {
			t.family.revoked = true
		}
		c.fail(http.StatusBadRequest, "invalid_grant", "the refresh token was used before")
		return nil
	case Refused:
		c.fail(http.StatusBadRequest, "invalid_grant", "the refresh token has expired or was revoked")
		return nil
	}
	scope, ok := c.narrow(t.family.scope)
	if !ok {
		if c.opts.BurnOnRefusal {
			t.burn(c.now)
		}
		return nil
	}
	next, access := g.exchange(t, scope, c.opts, c.now)
	is := &issued{family: t.family, access: access}
	if next != t || c.opts.RotateAfter > 0 { // where it changes at times, it comes each time
		is.refresh = next
		c.x.Issued = next.value
	}
	return is
}

// narrow returns the scope of a refresh: what is asked for, if it was granted.
func (c *call) narrow(granted []string) ([]string, bool) {
	if !c.knownResources() {
		return nil, false
	}
	asked := strings.Fields(c.x.Form.Get("scope"))
	if len(asked) == 0 {
		return granted, true
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			c.fail(http.StatusBadRequest, "invalid_scope", "the scope exceeds what the user granted")
			return nil, false
		}
	}
	return asked, true
}

func (c *call) knownResources() bool {
	for _, resource := range c.x.Form["resource"] {
		if !slices.Contains(c.opts.Resources, resource) {
			c.fail(http.StatusBadRequest, "invalid_target", "the resource is not one of Options.Resources")
			return false
		}
	}
	return true
}

// redeemPassword logs in by password (RFC 6749 section 4.3). Server.mu is held.
func (c *call) redeemPassword(client Client) *issued {
	user, ok := c.opts.user(c.x.Form.Get("username"))
	password := c.x.Form.Get("password")
	if !ok || subtle.ConstantTimeCompare([]byte(password), []byte(user.Password)) != 1 || c.opts.UserDenies {
		c.fail(http.StatusBadRequest, "invalid_grant", "the user name or the password is wrong")
		return nil
	}
	if !c.knownResources() {
		return nil
	}
	f := c.s.grants.login(client.ID, user.Account, c.grantable(c.x.Form.Get("scope")), c.now)
	f.offline = c.asksForRefreshToken(f.scope, nil) && c.hasTokenParams()
	return c.issueLogin(f, "")
}

// grantable returns the scopes that a login gets when it asks for these.
func (c *call) grantable(scope string) []string {
	scopes := strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' || string(r) == c.separator() })
	if c.opts.NoOfflineAccess {
		scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == scopeOffline })
	}
	return scopes
}

// redeemCode redeems an authorization code (RFC 6749 section 4.1.3). Server.mu is held.
func (c *call) redeemCode(client Client) *issued {
	code := c.s.grants.codes[c.x.Form.Get("code")]
	if code == nil || code.client.ID != client.ID {
		c.fail(http.StatusBadRequest, "invalid_grant", "the authorization code is unknown")
		return nil
	}
	if code.used {
		// RFC 6749 section 4.1.2: what the code brought is revoked.
		if code.family != nil {
			code.family.revoked = true
		}
		c.x.Outcome = Reused
		c.fail(http.StatusBadRequest, "invalid_grant", "the authorization code was used before; its tokens are revoked")
		return nil
	}
	code.used = true
	switch {
	case !c.now.Before(code.expires):
		c.fail(http.StatusBadRequest, "invalid_grant", "the authorization code has expired")
	case c.x.Form.Get("redirect_uri") != code.redirectURI:
		c.fail(http.StatusBadRequest, "invalid_grant", "redirect_uri is not the one of the authorization request")
	case !pkce(code.challenge, c.x.Form.Get("code_verifier")):
		c.fail(http.StatusBadRequest, "invalid_grant", "code_verifier does not fit the code_challenge")
	default:
		code.family = c.s.grants.login(client.ID, code.account, code.scope, c.now)
		code.family.offline = code.offline && c.hasTokenParams()
		return c.issueLogin(code.family, code.nonce)
	}
	return nil
}

// pkce checks RFC 7636 section 4.6. A verifier without a challenge means that
// somebody took the challenge away (RFC 9700 section 4.8.2).
func pkce(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 && base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

// members is the answer of the token endpoint (RFC 6749 section 5.1).
func (is *issued) members(c *call) map[string]any {
	m := map[string]any{
		"access_token": is.access.value,
		"token_type":   "Bearer",
		"expires_in":   is.expiresIn(c),
		"scope":        strings.Join(is.access.scope, c.separator()),
	}
	if is.refresh != nil {
		m["refresh_token"] = is.refresh.value
		if !is.refresh.expires.IsZero() {
			m["refresh_token_expires_in"] = int64(is.refresh.expires.Sub(c.now) / time.Second)
		}
	}
	if slices.Contains(is.access.scope, scopeOpenID) {
		m["id_token"] = c.idToken(is)
	}
	return m
}

// expiresIn is cut to whole seconds, as on most servers.
func (is *issued) expiresIn(c *call) int64 { return int64(is.access.expires.Sub(c.now) / time.Second) }

// token is the answer as x/oauth2 would read it.
func (is *issued) token(c *call) *oauth2.Token {
	t := &oauth2.Token{
		AccessToken: is.access.value,
		TokenType:   "Bearer",
		Expiry:      is.access.expires,
		ExpiresIn:   is.expiresIn(c),
	}
	if is.refresh != nil {
		t.RefreshToken = is.refresh.value
	}
	return t.WithExtra(is.members(c))
}
