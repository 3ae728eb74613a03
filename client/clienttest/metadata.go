package clienttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// discovery serves the metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414
// section 2).
func (s *Server) discovery(c *call) {
	scopes := []string{scopeOpenID, scopeOffline, scopeProfile, "email"}
	if p := c.opts.profile; p != nil {
		scopes = append([]string{scopeOpenID, scopeProfile, "email"}, p.Scopes...)
	}
	if c.opts.NoOfflineAccess {
		scopes = []string{scopeOpenID, scopeProfile, "email"}
	}
	c.status, c.object = http.StatusOK, map[string]any{
		"issuer":                                         s.issuer,
		"authorization_endpoint":                         s.URL(AuthorizePath),
		"token_endpoint":                                 s.URL(TokenPath),
		"device_authorization_endpoint":                  s.URL(DevicePath),
		"revocation_endpoint":                            s.URL(RevokePath),
		"userinfo_endpoint":                              s.URL(UserInfoPath),
		"end_session_endpoint":                           s.URL(EndSessionPath),
		"jwks_uri":                                       s.URL(JWKSPath),
		"scopes_supported":                               scopes,
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{grantCode, grantRefresh, grantDevice, grantPassword},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{string(jose.ES256)},
		"token_endpoint_auth_methods_supported":          c.opts.authMethods(),
		"revocation_endpoint_auth_methods_supported":     c.opts.authMethods(),
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if !c.opts.revokes() {
		delete(c.object, "revocation_endpoint")
	}
}

// A signingKey signs ID tokens with ES256.
type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
}

func newSigningKey() (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, fmt.Errorf("clienttest: no signing key: %w", err)
	}
	return signingKey{id: rand.Text(), private: private}, nil
}

// RotateKeys replaces the key that signs ID tokens. The old one is no longer in
// the key set.
func (s *Server) RotateKeys() {
	key, err := newSigningKey()
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
}

func (s *Server) signingKey() signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// jwks serves the key set (RFC 7517 section 5).
func (s *Server) jwks(c *call) {
	key := s.signingKey()
	c.status, c.object = http.StatusOK, map[string]any{
		"keys": []jose.JSONWebKey{{Key: key.private.Public(), KeyID: key.id, Algorithm: string(jose.ES256), Use: "sig"}},
	}
}

// idTokenLifetime is long, so that an ID token outlives tests with short access
// tokens on slow machines.
const idTokenLifetime = time.Hour

// idToken signs an ID token (OpenID Connect Core 1.0 section 2). After a refresh
// it has the auth_time of the login and no nonce (section 12.2).
func (c *call) idToken(is *issued) string {
	claims := map[string]any{
		"iss":       c.s.issuer,
		"sub":       is.family.account,
		"aud":       is.family.client,
		"iat":       c.now.Unix(),
		"exp":       c.now.Add(idTokenLifetime).Unix(),
		"auth_time": is.family.loggedIn.Unix(),
	}
	if is.nonce != "" {
		claims["nonce"] = is.nonce
	}
	if c.opts.Claims != nil {
		c.opts.Claims(c.x, claims)
	}
	return c.s.sign("JWT", claims)
}

// LogoutToken returns a logout token, as a server sends it to a program when a user
// has logged out (OpenID Connect Back-Channel Logout 1.0). It needs a sub or a sid
// among claims, which add to, replace or, by nil, remove what it has by itself: iss,
// aud (the first of Options.Clients), iat, exp, jti and events.
func (s *Server) LogoutToken(claims map[string]any) string {
	now := time.Now()
	all := map[string]any{
		"iss": s.issuer, "aud": s.opts.Load().Clients[0].ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return s.sign("logout+jwt", all)
}

func (s *Server) sign(kind jose.ContentType, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "a claim is no JSON: " + err.Error()
	}
	key := s.signingKey()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType(kind))
	if err != nil {
		panic(err) // an ECDSA key on P-256 signs ES256
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}
