package client

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// newGrant is the record of a login.
func newGrant(o *obtained) *record.Record {
	rec := &record.Record{
		Grant:     o.grant,
		Requested: o.requested,
		Granted:   o.requested,
		Identity:  o.identity,
		LoggedIn:  o.started.UTC().Round(0),
	}
	if rec.Grant == "" {
		rec.Grant = rand.Text()
	}
	rec.Extra = maps.Clone(o.answer.Extra)
	receive(rec, o.answer, o.started)
	rec.IDToken = o.answer.IDToken
	return rec
}

// renewed is rec after a renewal that the server answered with a: the tokens of
// attempt n. The intent is fulfilled and a mark is outdated, so neither stays.
// The ID token needs a check first, and is left to the caller.
func renewed(rec *record.Record, n uint64, a *tokenendpoint.Answer, started time.Time) *record.Record {
	next := *rec
	next.Generation, next.Intent, next.Unanswered, next.Refused = n, nil, nil, nil
	// What the login told and a renewal leaves out stays (Salesforce's instance_url).
	next.Extra = maps.Clone(rec.Extra)
	if next.Extra == nil {
		next.Extra = map[string]json.RawMessage{}
	}
	maps.Copy(next.Extra, a.Extra)
	receive(&next, a, started)
	return &next
}

// receive takes over the tokens of an answer. Expiry counts from the start of
// the request, so that it is never later than the server's idea of it.
func receive(rec *record.Record, a *tokenendpoint.Answer, started time.Time) {
	started = started.UTC().Round(0)
	before, elapsed := rec.RefreshExpiry, started.Sub(rec.Renewed)
	if a.RefreshToken != "" && a.RefreshToken != rec.RefreshToken { // else the old one stays (RFC 6749 section 6)
		rec.RefreshToken, rec.RefreshExpiry = a.RefreshToken, time.Time{}
	}
	if a.RefreshLifetime > 0 {
		rec.RefreshExpiry = started.Add(a.RefreshLifetime)
		// A server that limits the whole grant promises each refresh token no more
		// than what is left of it: the end does not move on with time.
		if !before.IsZero() && elapsed > 10*time.Second && rec.RefreshExpiry.Sub(before) < elapsed*3/4 {
			rec.GrantExpiry = rec.RefreshExpiry
		} else if started.After(rec.GrantExpiry) {
			rec.GrantExpiry = time.Time{} // it has not come to that
		}
	}
	if a.AccessToken == "" {
		return // only the refresh token could be used
	}
	rec.Renewed = started
	rec.AccessToken, rec.TokenType = a.AccessToken, a.TokenType
	rec.Lifetime, rec.Expiry = a.Lifetime, time.Time{}
	if a.Lifetime > 0 {
		rec.Expiry = started.Add(a.Lifetime)
	}
	if scopes := scopeList(a.Scope); len(scopes) > 0 {
		rec.Granted = scopes
	}
}

// scopeList reads a scope parameter. Linear and a few others separate by commas.
// What cannot be a scope (RFC 6749 section 3.3) is left out: programs print them.
func scopeList(scope string) []string {
	scopes := strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return slices.DeleteFunc(scopes, func(s string) bool { return !tokenendpoint.HeaderSafe(s) })
}

func join(scopes []string) string { return strings.Join(scopes, " ") }

// joinScopes is how the server wants a scope parameter.
func (c *Client) joinScopes(scopes []string) string {
	return strings.Join(scopes, cmp.Or(c.profile.Answer.ScopeSeparator, " "))
}
