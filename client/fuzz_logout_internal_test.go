package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/record"
)

// FuzzLogoutToken: whatever the server signs in the place of a logout token, what
// passes is of this issuer, for this client, about somebody, tells of a logout, says
// what encoding/json reads under the exact names of the claims, ends nobody else's
// grant, and leaves a note that a record can hold. A form brings a token as it was
// sent, and no error repeats one.
func FuzzLogoutToken(f *testing.F) {
	const header = `{"alg":"ES256","typ":"logout+jwt"}`
	const events = `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`
	for _, claims := range []string{
		`{"iss":"https://as.example.com","sub":"alice","sid":"s","aud":"cli","jti":"j","iat":1795492800,"exp":4102444800,` + events + `}`,
		`{"iss":"https://as.example.com","sid":"s","aud":["api","cli"],"jti":"j","iat":1e9,"exp":1e300,` + events + `}`,
		`{"iss":"https://as.example.com","sub":"carol","Sub":"alice","\u017fub":"alice","aud":"cli","jti":"j","iat":1,"exp":4102444800,` + events + `}`,
		`{"iss":"https://as.example.com","SUB":"alice","aud":"cli","JTI":"j","iat":1,"exp":4102444800,` + events + `}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","jti":"j","iat":1,"exp":4102444800,"nonce":null,` + events + `}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","jti":"j","iat":-1e9,"exp":4102444800,"events":{"http://schemas.openid.net/event/backchannel-logout":null}}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","jti":"j","iat":1,"exp":4102444800,"Events":{"HTTP://schemas.openid.net/event/backchannel-logout":[]}}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","jti":"j","iat":1795492800,"exp":9007199254740993,` + events + `,"events":7}`,
		`[]`, ``,
	} {
		f.Add(header, claims, uint(60))
	}
	f.Add(`{"typ":"application/logout+jwt","alg":"ES256"}`, `{}`, uint(1))
	f.Add(`{"typ":"at+jwt","Typ":"logout+jwt","alg":"ES256"}`, `{}`, uint(1))
	f.Add(`{"alg":"none"}`, `{}`, uint(0))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	v := &idVerifier{clientID: "cli", issuer: "https://as.example.com"}
	v.verifier = oidc.NewVerifier(v.issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key.Public()}},
		&oidc.Config{ClientID: v.clientID, SupportedSigningAlgs: []string{oidc.ES256}})
	f.Fuzz(func(t *testing.T, header, claims string, at uint) {
		raw := signed(t, key, header, claims)
		changed := canary.Plant(raw, at)
		if _, err := v.verifyLogout(t.Context(), changed); err == nil || canary.Shown(err) != "" {
			t.Errorf("a changed logout token is %v", err)
		}
		if got, err := logoutTokenOf(httptest.NewRecorder(), logoutForm(t, changed)); err == nil && got != changed || canary.Shown(err) != "" {
			t.Errorf("a form brings %q as %q, %v", changed, got, err)
		}
		got, err := v.verifyLogout(t.Context(), raw)
		if err != nil {
			return
		}
		checkLogoutClaims(t, got, claims)
		if got.Issuer != v.issuer || !slices.Contains(got.Audience, v.clientID) || got.ID == "" || got.Subject+got.Session == "" || got.IssuedAt == 0 {
			t.Errorf("accepted %+v", got)
		}
		now := time.Now()
		for _, id := range []record.Identity{
			{Issuer: v.issuer, Subject: "alice", Session: "s"}, {Issuer: v.issuer, Subject: "alice"},
			{Issuer: "https://evil.example", Subject: got.Subject, Session: got.Session}, {Issuer: v.issuer, Subject: got.Subject, Session: got.Session},
		} {
			about := got.Subject == id.Subject && (got.Session == id.Session || got.Session == "" || id.Session == "") || got.Subject == "" && got.Session == id.Session
			want := id.Issuer == v.issuer && about && !now.After(got.issuedAt().Add(clockSkew))
			if concerns(got, &record.Record{Identity: &id, LoggedIn: now}) != want {
				t.Errorf("%+v concerns %+v: %v", got, id, !want)
			}
		}
		if concerns(got, &record.Record{}) {
			t.Error("it ends a login without an identity")
		}
		note := &record.Record{Grant: "logout", Expiry: got.expiry().UTC()}
		data, err := note.Encode("k")
		if err != nil {
			t.Fatal(err)
		}
		if rec, err := record.Decode(data, "k"); err != nil || !rec.Expiry.Equal(note.Expiry) {
			t.Errorf("%v is kept as %s, %v", note.Expiry, data, err)
		}
	})
}

// logoutForm is a request of a server.
func logoutForm(t *testing.T, token string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

// checkLogoutClaims compares what was read with what encoding/json reads.
func checkLogoutClaims(t *testing.T, got *logoutToken, claims string) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(claims), &want); err != nil {
		t.Fatalf("claims that are no object became %+v: %v", got, err)
	}
	for name, s := range map[string]string{"iss": got.Issuer, "sub": got.Subject, "sid": got.Session, "jti": got.ID} {
		if w, _ := want[name].(string); w != s {
			t.Errorf("%s is %q, want %q", name, s, w)
		}
	}
	for name, n := range map[string]number{"iat": got.IssuedAt, "exp": got.Expiry} {
		if w, _ := want[name].(float64); number(w) != n {
			t.Errorf("%s is %v, want %v", name, n, w)
		}
	}
	switch aud := want["aud"].(type) {
	case string:
		if len(got.Audience) != 1 || got.Audience[0] != aud {
			t.Errorf("the audience is %q, want %q", got.Audience, aud)
		}
	case []any:
		if len(got.Audience) != len(aud) {
			t.Errorf("the audience is %q, want %q", got.Audience, aud)
		}
	}
	all, _ := want["events"].(map[string]any)
	if _, ok := all[logoutEvent].(map[string]any); !ok {
		t.Errorf("the events are %v", want["events"])
	}
	if _, ok := want["nonce"]; ok {
		t.Error("it has a nonce")
	}
}
