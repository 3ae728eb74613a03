// Package adopt reads grants that other programs keep in files, where the format is
// public. It changes nothing there.
package adopt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A Grant is what a file has.
type Grant struct {
	Path     string
	Program  string // that keeps it, as people call it
	Issuer   string // "": the file does not say
	ClientID string // the same
	User     string // the same
	Token    *oauth2.Token

	// After is what to do about the file when the grant is imported.
	After string
}

// A Miss is what could not be read, and why.
type Miss struct{ Path, Why string }

// most bounds a file with tokens.
const most = 1 << 20

// What to do about a file whose refresh token has two owners now.
const (
	afterFile = "delete it: whoever uses the refresh token in it from now on may end this login (RFC 9700 section 4.14.2)"
	afterGH   = "gh keeps its copy, and goes on with it"
)

// File reads a file with one token: that of golang.org/x/oauth2 as JSON; the answer of a
// token endpoint (RFC 6749 section 5.1), as oauth2c prints it
// (https://github.com/cloudentity/oauth2c); or an entry of the cache of kubelogin
// (https://github.com/int128/kubelogin, pkg/tokencache/repository). written is when the
// file was: an answer says for how long its token lives, and not from when on.
func File(path string, data []byte, written time.Time) (Grant, error) {
	var f struct {
		AccessToken  string          `json:"access_token"`
		TokenType    string          `json:"token_type"`
		RefreshToken string          `json:"refresh_token"`
		IDToken      string          `json:"id_token"`
		Scope        string          `json:"scope"`
		Expiry       time.Time       `json:"expiry"`
		ExpiresIn    json.RawMessage `json:"expires_in"`
		Error        string          `json:"error"`
	}
	if len(data) > most {
		return Grant{}, errors.New("it is too large for a token")
	}
	err := json.Unmarshal(data, &f)
	switch {
	case err != nil:
		return Grant{}, errors.New("it is not the JSON of a token") // what it is may be a secret
	case f.Error != "":
		return Grant{}, errors.New("it is the refusal of a server, and has no token")
	case f.AccessToken == "" && f.RefreshToken == "" && f.IDToken != "":
		return Grant{}, errors.New("it has an ID token alone, which cannot be renewed: the login was made without offline_access")
	case f.AccessToken == "" && f.RefreshToken == "":
		return Grant{}, errors.New("it has neither access_token nor refresh_token")
	}
	g := Grant{Path: path, Program: "a token file", After: afterFile}
	if f.AccessToken == "" && f.IDToken != "" {
		g.Program = "kubelogin"
	}
	if f.Expiry.IsZero() {
		f.Expiry = end(f.ExpiresIn, written)
	}
	extra := map[string]any{}
	if f.IDToken != "" {
		extra["id_token"] = f.IDToken
	}
	if f.Scope != "" {
		extra["scope"] = f.Scope
	}
	t := &oauth2.Token{AccessToken: f.AccessToken, TokenType: f.TokenType, RefreshToken: f.RefreshToken, Expiry: f.Expiry}
	g.Token = t.WithExtra(extra)
	g.Issuer, g.ClientID, g.User = about(f.IDToken)
	return g, nil
}

// end is when a token ends that was obtained at some time. Some servers send the number
// as a string.
func end(seconds json.RawMessage, obtained time.Time) time.Time {
	n, err := json.Number(strings.Trim(string(seconds), `"`)).Int64()
	if err != nil || n <= 0 || n > 1<<31 {
		return time.Time{}
	}
	return obtained.Add(time.Duration(n) * time.Second)
}

// about tells whom an ID token is from, for and about (OpenID Connect Core 1.0 section
// 2). Nobody has verified it yet: it is a suggestion.
func about(idToken string) (issuer, clientID, user string) {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return "", "", ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", "", ""
	}
	var c struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
		For      string          `json:"azp"`
		Email    string          `json:"email"`
		Name     string          `json:"preferred_username"`
		Subject  string          `json:"sub"`
	}
	if json.Unmarshal(payload, &c) != nil {
		return "", "", ""
	}
	clientID = c.For
	var one string
	var many []string
	switch {
	case clientID != "":
	case json.Unmarshal(c.Audience, &one) == nil:
		clientID = one
	case json.Unmarshal(c.Audience, &many) == nil && len(many) == 1:
		clientID = many[0]
	}
	for _, user = range []string{c.Email, c.Name, c.Subject} {
		if user != "" {
			break
		}
	}
	return c.Issuer, clientID, user
}
