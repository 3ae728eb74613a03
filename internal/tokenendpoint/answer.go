package tokenendpoint

import (
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Answer is what a token endpoint issued (RFC 6749 section 5.1).
type Answer struct {
	AccessToken  string
	TokenType    string
	RefreshToken string // "" if none came: absent, null and "" are one
	IDToken      string
	Scope        string // as the server wrote it; "" if it said nothing: as requested (section 3.3)

	Lifetime        time.Duration // from expires_in; 0: the server did not say
	RefreshLifetime time.Duration // of the refresh token, by whatever name; 0: the server did not say

	// Extra holds all other members as they came.
	Extra map[string]json.RawMessage
}

// maxLifetime bounds what a server may say about time. Ten years are as good as
// any longer lifetime, and far from overflowing a time.Duration.
const maxLifetime = 10 * 365 * 24 * time.Hour

// members is a JSON object whose names are compared exactly, and whose last
// member wins: a struct would match names in any case, so that "Access_Token"
// could override "access_token" (RFC 7515 section 10.12 tells why it matters).
type members map[string]json.RawMessage

func parseMembers(contentType string, body []byte) (members, error) {
	media, _, _ := mime.ParseMediaType(contentType)
	if media == "application/x-www-form-urlencoded" || media == "text/plain" {
		// Some servers answer in the format of a form, as drafts of OAuth 2.0
		// had it. Others send JSON with a wrong type, so look at it first.
		if !strings.HasPrefix(strings.TrimLeft(string(body), " \t\r\n"), "{") {
			return parseForm(string(body))
		}
	}
	var m members
	if err := json.Unmarshal(body, &m); err != nil || m == nil {
		return nil, errors.New("the body is not a JSON object")
	}
	return m, nil
}

func parseForm(body string) (members, error) {
	values, err := url.ParseQuery(strings.TrimSpace(body))
	if err != nil {
		return nil, errors.New("the body is not a form")
	}
	m := members{}
	for name, list := range values {
		m[name], _ = json.Marshal(list[len(list)-1]) // a string always has a notation
	}
	return m, nil
}

// text returns a string member, "" if it is absent, null or not a string.
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// present tells whether the member is there and says something.
func (m members) present(name string) bool {
	raw := string(m[name])
	return raw != "" && raw != "null" && raw != `""` && raw != "false"
}

// seconds reads a number of seconds that may be written as a string or a
// fraction. What is not a positive number says nothing about the lifetime: zero
// is used for "does not expire" by some servers and would mean a renewal for
// every call if it were believed.
func (m members) seconds(name string) time.Duration {
	raw := m.text(name)
	if raw == "" {
		raw = string(m[name])
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), math.IsNaN(n), n <= 0:
		return 0
	case n >= maxLifetime.Seconds():
		return maxLifetime
	}
	return time.Duration(n * float64(time.Second))
}

// modelled are the members that have a field of their own in Answer, and those
// that must never be mistaken for data.
var modelled = map[string]bool{
	"access_token": true, "token_type": true, "refresh_token": true, "id_token": true, "scope": true,
	"expires_in": true, "refresh_token_expires_in": true, "refresh_expires_in": true, "x_refresh_token_expires_in": true,
	"error": true, "error_description": true, "error_uri": true,
}

func (m members) answer() *Answer {
	a := &Answer{
		AccessToken:  m.text("access_token"),
		TokenType:    m.text("token_type"),
		RefreshToken: m.text("refresh_token"),
		IDToken:      m.text("id_token"),
		Scope:        m.text("scope"),
		Lifetime:     m.seconds("expires_in"),
	}
	a.RefreshLifetime = max(
		m.seconds("refresh_token_expires_in"),   // GitHub
		m.seconds("refresh_expires_in"),         // Keycloak
		m.seconds("x_refresh_token_expires_in"), // Intuit
	)
	for name, raw := range m {
		if !modelled[name] && !tooDeep(raw) {
			if a.Extra == nil {
				a.Extra = map[string]json.RawMessage{}
			}
			a.Extra[name] = raw
		}
	}
	return a
}

// tooDeep tells whether raw nests so deep that encoding/json, which has a limit,
// could not read it where it comes to lie: some levels down in a record.
func tooDeep(raw json.RawMessage) bool {
	return !json.Valid(slices.Concat([]byte("[[[["), raw, []byte("]]]]")))
}

// check tells why an answer cannot be used, in words without its content.
func (a *Answer) check() error {
	switch {
	case a.AccessToken == "":
		return errors.New("it has no access_token")
	case a.TokenType == "":
		return errors.New("it has no token_type (RFC 6749 section 5.1)")
	case !strings.EqualFold(a.TokenType, "Bearer") && !strings.EqualFold(a.TokenType, "DPoP"):
		// A client must not use a token of a type that it does not understand
		// (RFC 6749 section 7.1): N_A of RFC 8693 is no access token at all.
		return errors.New("its token_type is neither Bearer nor DPoP")
	case !HeaderSafe(a.AccessToken):
		return errors.New("its access_token holds characters that no HTTP header can carry")
	}
	return nil
}

// HeaderSafe tells whether s can be sent in an Authorization header: it holds
// the characters of RFC 6749 appendix A.12, and no space.
func HeaderSafe(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
