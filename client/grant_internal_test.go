package client

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// began is the start of the requests of these tests, as time.Now gives it.
func began() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 123, time.FixedZone("CET", 3600)) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func before() *record.Record {
	return &record.Record{
		Grant: "g", Generation: 3, RefreshToken: "rt-3", AccessToken: "at-3", TokenType: "Bearer",
		Extra:     map[string]json.RawMessage{"instance_url": raw(`"old"`), "team": raw(`1`)},
		IDToken:   "old.id.token",
		Identity:  &record.Identity{Subject: "alice"},
		Requested: []string{"openid", "read", "write"}, Granted: []string{"openid", "read"},
		LoggedIn: began().Add(-time.Hour), Renewed: began().Add(-time.Hour), Lifetime: time.Hour, Expiry: began(),
		RefreshExpiry: began().Add(24 * time.Hour), GrantExpiry: began().Add(48 * time.Hour),
		Intent: &record.Intent{ID: "i"}, Unanswered: &record.Intent{ID: "u"}, Refused: &record.Refused{Code: "invalid_grant"},
	}
}

func TestARenewalTakesOverWhatCameAndKeepsTheRest(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer tokenendpoint.Answer
		change func(*record.Record) // from before() without intent and marks, of generation 5
	}{
		{"everything", tokenendpoint.Answer{
			AccessToken: "at-5", TokenType: "bearer", RefreshToken: "rt-5", IDToken: "new.id.token", Scope: "read, write",
			Lifetime: 2 * time.Hour, RefreshLifetime: time.Minute, Extra: map[string]json.RawMessage{"instance_url": raw(`"new"`), "x": raw(`[]`)},
		}, func(r *record.Record) {
			r.AccessToken, r.TokenType, r.RefreshToken = "at-5", "bearer", "rt-5"
			r.Granted = []string{"read", "write"}
			r.Lifetime, r.Expiry, r.RefreshExpiry = 2*time.Hour, began().UTC().Add(2*time.Hour), began().UTC().Add(time.Minute)
			r.GrantExpiry = r.RefreshExpiry
			r.Extra = map[string]json.RawMessage{"instance_url": raw(`"new"`), "team": raw(`1`), "x": raw(`[]`)}
		}},
		{"no refresh token, no scope, no lifetime", tokenendpoint.Answer{AccessToken: "at-5", TokenType: "Bearer"}, func(r *record.Record) {
			r.AccessToken, r.Lifetime, r.Expiry = "at-5", 0, time.Time{}
		}},
		{"the same refresh token", tokenendpoint.Answer{AccessToken: "at-5", TokenType: "Bearer", RefreshToken: "rt-3", Lifetime: time.Hour}, func(r *record.Record) {
			r.AccessToken, r.Expiry = "at-5", began().UTC().Add(time.Hour)
		}},
		{"a new refresh token of unknown life", tokenendpoint.Answer{AccessToken: "at-5", TokenType: "Bearer", RefreshToken: "rt-5", Lifetime: time.Hour}, func(r *record.Record) {
			r.AccessToken, r.Expiry, r.RefreshToken, r.RefreshExpiry = "at-5", began().UTC().Add(time.Hour), "rt-5", time.Time{}
		}},
		{"nothing but a refresh token", tokenendpoint.Answer{RefreshToken: "rt-5", RefreshLifetime: time.Minute}, func(r *record.Record) {
			r.RefreshToken, r.RefreshExpiry, r.Renewed = "rt-5", began().UTC().Add(time.Minute), before().Renewed
			r.GrantExpiry = r.RefreshExpiry
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := before()
			got := renewed(old, 5, &c.answer, began())
			want := before()
			want.Generation, want.Intent, want.Unanswered, want.Refused, want.Renewed = 5, nil, nil, nil, began().UTC()
			c.change(want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", members(t, got), members(t, want))
			}
			if !reflect.DeepEqual(old, before()) {
				t.Errorf("the old record was changed: %s", members(t, old))
			}
		})
	}
}

func members(t *testing.T, r *record.Record) string {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func TestALoginIsANewGrant(t *testing.T) {
	o := &obtained{
		answer: &tokenendpoint.Answer{
			AccessToken: "at", TokenType: "Bearer", RefreshToken: "rt", IDToken: "a.b.c", Lifetime: time.Hour,
			Extra: map[string]json.RawMessage{"team": raw(`1`)},
		},
		started: began(), requested: []string{"openid", "read"}, identity: &record.Identity{Subject: "alice"},
	}
	a, b := newGrant(o), newGrant(o)
	if a.Grant == "" || a.Grant == b.Grant {
		t.Errorf("two logins are the grants %q and %q", a.Grant, b.Grant)
	}
	if a.Generation != 0 || a.RefreshToken != "rt" || a.AccessToken != "at" || a.IDToken != "a.b.c" || a.Identity.Subject != "alice" || string(a.Extra["team"]) != "1" {
		t.Errorf("record is %s", members(t, a))
	}
	if !a.LoggedIn.Equal(began()) || a.LoggedIn.Location() != time.UTC || !a.Expiry.Equal(began().Add(time.Hour)) {
		t.Errorf("logged in %v, until %v", a.LoggedIn, a.Expiry)
	}
	// The server did not say what it granted: what was asked for (RFC 6749 section 3.3).
	if !slices.Equal(a.Granted, o.requested) || !slices.Equal(a.Requested, o.requested) {
		t.Errorf("requested %q, granted %q", a.Requested, a.Granted)
	}
	o.answer.Scope, o.grant = "openid", "i:abc"
	if c := newGrant(o); c.Grant != "i:abc" || !slices.Equal(c.Granted, []string{"openid"}) || !slices.Equal(c.Requested, o.requested) {
		t.Errorf("record is %s", members(t, c))
	}
}

func TestScopesAreSeparatedBySpacesOrCommas(t *testing.T) {
	for scope, want := range map[string][]string{
		"":                 {},
		" ":                {},
		"read":             {"read"},
		"read write":       {"read", "write"},
		" read  write ":    {"read", "write"},
		"read,write":       {"read", "write"}, // Linear
		"read, write":      {"read", "write"},
		"https://a/x y:z!": {"https://a/x", "y:z!"},
		"a\r\nb\tc":        {"a", "b", "c"},
		"a \x1b[2J é b":    {"a", "b"},
	} {
		if got := scopeList(scope); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", scope, got, want)
		}
	}
}

func TestNewCopiesWhatItIsGiven(t *testing.T) {
	cfg := Config{Scopes: []string{"openid"}, Params: map[string][]string{"resource": {"a", "b"}}}
	c := cfg.clone()
	cfg.Scopes[0] = "changed"
	cfg.Params["resource"][0] = "changed"
	cfg.Params["more"] = []string{"changed"}
	if want := (Config{Scopes: []string{"openid"}, Params: map[string][]string{"resource": {"a", "b"}}}); !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

// Keycloak promises each refresh token its idle time, until the end of the session
// is nearer than that.
func TestTheEndOfAGrantIsSeenWhenItsRefreshTokensGetShorter(t *testing.T) {
	rec := &record.Record{Grant: "g", RefreshToken: "rt"}
	for i, c := range []struct {
		after, lifetime time.Duration
		end             time.Duration // of the grant, from the beginning; 0: not known
	}{
		{0, 30 * time.Minute, 0},
		{20 * time.Minute, 30 * time.Minute, 0},
		{40 * time.Minute, 30 * time.Minute, 0},
		{50 * time.Minute, 25 * time.Minute, 75 * time.Minute},
		{55 * time.Minute, 20 * time.Minute, 75 * time.Minute},
		{55*time.Minute + time.Second, 20 * time.Minute, 75 * time.Minute}, // too soon to tell
		{80 * time.Minute, 30 * time.Minute, 0},                            // it was another limit
	} {
		receive(rec, &tokenendpoint.Answer{AccessToken: "at", RefreshLifetime: c.lifetime}, began().Add(c.after))
		want := time.Time{}
		if c.end > 0 {
			want = began().UTC().Add(c.end)
		}
		if !rec.GrantExpiry.Equal(want) {
			t.Errorf("answer %d: the grant ends at %v, want %v", i, rec.GrantExpiry, want)
		}
	}
}
