package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/secureurl"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// FuzzIDToken: whatever the server signs in the place of an ID token, what passes
// is about somebody, for this client, from this issuer, says what encoding/json
// reads under the exact names of the claims, agrees with itself at a renewal, and
// survives in a record. No error repeats the token.
func FuzzIDToken(f *testing.F) {
	const header = `{"alg":"ES256","typ":"JWT"}`
	for _, claims := range []string{
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","exp":4102444800,"iat":1795492800,"nonce":"n","at_hash":"x","rat":1,"sid":"s","acr":"0","amr":["pwd"]}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":["cli","api"],"azp":"cli","exp":4102444800.5,"iat":1795492800.75,"auth_time":1e3}`,
		`{"iss":"https://as.example.com","sub":"alice","Sub":"mallory","aud":"cli","AUD":"cli","exp":4102444800,"iat":1,"\u017fub":"mallory"}`,
		`{"iss":"https://as.example.com","sub":"x","aud":["cli","cli"],"azp":"cli","exp":1e300,"iat":1e300}`,
		`{"iss":"https://as.example.com","sub":"\u0000","aud":null,"exp":4102444800,"iat":-1.5,"auth_time":1e999}`,
		`{"iss":"https://as.example.com","sub":"alice","aud":"cli","exp":4102444800,"iat":1,"_claim_names":{"a":"b"},"_claim_sources":{"b":{}}}`,
		`{"iss":"accounts.google.com","sub":1}`, `[]`, ``,
	} {
		f.Add(header, claims, uint(60))
	}
	f.Add(`{"typ":"at+jwt","Typ":"JWT","alg":"ES256"}`, `{}`, uint(1))
	f.Add(`{"alg":"none"}`, `{}`, uint(0))
	f.Add(`{"alg":"ES256","crit":["b64"],"b64":false}`, `{}`, uint(0))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	v := &idVerifier{clientID: "cli", issuer: "https://as.example.com"}
	v.verifier = oidc.NewVerifier(v.issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key.Public()}},
		&oidc.Config{ClientID: v.clientID, SupportedSigningAlgs: []string{oidc.ES256}})
	f.Fuzz(func(t *testing.T, header, claims string, at uint) {
		raw := signed(t, key, header, claims)
		if _, err := v.verify(t.Context(), canary.Plant(raw, at), ""); err == nil || canary.Shown(err) != "" {
			t.Errorf("a changed ID token is %v", err)
		}
		id, err := v.verify(t.Context(), raw, "")
		if err != nil {
			if id, err := v.check(raw); err == nil {
				checkIdentity(t, id, claims) // a renewal compares it before the signature is looked at
			}
			return
		}
		checkIdentity(t, id, claims)
		if id.Issuer != v.issuer || !slices.Contains(id.Audience, v.clientID) || id.Subject == "" || len(id.Subject) > 255 || id.IssuedAt == 0 {
			t.Errorf("accepted %+v", id)
		}
		if err := sameIdentity(id, id); err != nil {
			t.Errorf("%+v does not agree with itself: %v", id, err)
		}
		data, err := (&record.Record{Grant: "g", Identity: id}).Encode("k")
		if err != nil {
			t.Fatal(err)
		}
		if rec, err := record.Decode(data, "k"); err != nil || !reflect.DeepEqual(rec.Identity, id) {
			t.Errorf("%+v is kept as %s, %v", id, data, err)
		}
	})
}

// signed returns a JWT with a good signature (RFC 7518 section 3.4), whatever its
// header says.
func signed(t *testing.T, key *ecdsa.PrivateKey, header, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))))
}

// checkIdentity compares id with what encoding/json reads.
func checkIdentity(t *testing.T, id *record.Identity, claims string) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(claims), &want); err != nil {
		t.Fatalf("claims that are no object became %+v: %v", id, err)
	}
	for name, got := range map[string]string{"iss": id.Issuer, "sub": id.Subject, "azp": id.Party, "nonce": id.Nonce} {
		if s, _ := want[name].(string); s != got {
			t.Errorf("%s is %q, want %q", name, got, s)
		}
	}
	var audience []string
	switch aud := want["aud"].(type) {
	case string:
		audience = []string{aud}
	case []any:
		for _, a := range aud {
			s, _ := a.(string)
			audience = append(audience, s)
		}
	}
	if len(audience) > 0 && !slices.Equal(id.Audience, audience) {
		t.Errorf("the audience is %q, want %q", id.Audience, audience)
	}
	for name, got := range map[string]int64{"iat": id.IssuedAt, "auth_time": id.AuthTime} {
		if n, _ := want[name].(float64); int64(max(-1<<53, min(n, 1<<53))) != got {
			t.Errorf("%s is %d, want %v", name, got, n)
		}
	}
}

// FuzzDiscovery: whatever is served in the place of a metadata document, either
// it names the issuer of Config, endpoints that a credential may go to, and what
// encoding/json reads under the exact names of its members; or the error is one
// of Discover, short, fit for a terminal, and repeats no endpoint. No other host
// is asked, and no more than a few times.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://as.example/{tenantid}/v2.0"
	const tenant = "https://as.example/common/v2.0"
	for _, document := range []string{
		`{"issuer":"https://as.example/common/v2.0","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token",` +
			`"jwks_uri":"https://as.example/jwks","scopes_supported":["openid"],"code_challenge_methods_supported":null,"authorization_response_iss_parameter_supported":true}`,
		`{"issuer":"https://as.example/{tenantid}/v2.0","token_endpoint":"https://as.example/token","id_token_signing_alg_values_supported":["none","HS256"]}`,
		`{"issuer":"https://as.example/common/v2.0","token_endpoint":"https://as.example/token","Token_Endpoint":"https://evil.example/?` + canary.Secret + `"}`,
		`{"issuer":"https://as.example/common/v2.0","token_endpoint":"ftp://as.example/` + canary.Secret + `"}`,
		`{"issuer":"https://as.example/common/v2.0","token_endpoint":"https://` + canary.Secret + `@as.example/"}`,
		`{"issuer":"https://as.example/common/v2.0/"}`, `{"issuer":"https://evil.example/\u001b]0;owned\u0007"}`, `{"issuer":7}`, `<html>`, `null`, ``,
	} {
		f.Add(200, "application/json", "", []byte(document))
	}
	f.Add(302, "", "/elsewhere", []byte(canary.Secret))
	f.Add(307, "", "https://evil.example/", []byte(canary.Secret))
	f.Add(203, "text/html", "", []byte(canary.Secret))
	f.Add(304, "", "/x", []byte(canary.Secret))
	f.Add(503, "", "", []byte(canary.Secret))
	sealer, err := tokenstore.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, location string, document []byte) {
		status = 200 + (status%400+400)%400
		requests := 0
		c, err := New(Config{Issuer: tenant, ClientID: "cli", Store: memstore.New(), Sealer: sealer, HTTPClient: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				requests++
				if r.URL.Scheme != "https" || r.URL.Host != "as.example" || requests > 10 {
					t.Errorf("request %d goes to %s", requests, r.URL)
				}
				header := http.Header{"Content-Type": {contentType}}
				if location != "" {
					header.Set("Location", location)
				}
				return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(document)), Request: r}, nil
			}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.server(t.Context())
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Op != "discover" || s != nil {
				t.Fatalf("got %+v, %v", s, err)
			}
			text := err.Error()
			if len(text) > 1500 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) {
				t.Errorf("the error is %q", text)
			}
			if !toldSecret(document) && canary.Shown(err) != "" {
				t.Errorf("the error repeats an endpoint or a page: %v", err)
			}
			return
		}
		if s.issuer != tenant && s.issuer != issuer || s.tokenURL == "" {
			t.Errorf("the issuer is %q, the token endpoint %q", s.issuer, s.tokenURL)
		}
		var want map[string]any
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		for name, endpoint := range map[string]string{
			"issuer": s.issuer, "authorization_endpoint": s.authURL, "token_endpoint": s.tokenURL,
			"device_authorization_endpoint": s.deviceURL, "revocation_endpoint": s.revocationURL, "end_session_endpoint": s.endSessionURL,
		} {
			if text, _ := want[name].(string); text != endpoint {
				t.Errorf("%s is %q, want %q", name, endpoint, text)
			}
			if _, err := secureurl.Parse(endpoint); endpoint != "" && name != "issuer" && err != nil {
				t.Errorf("%s is %q: it %v", name, endpoint, err)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// toldSecret tells whether the secret is in a member of the document that is no
// endpoint: an error may quote the issuer, since the program may be asking the
// wrong server.
func toldSecret(document []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil {
		return false
	}
	for name, value := range members {
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" && canary.In(name+string(value)) {
			return true
		}
	}
	return false
}

// FuzzScopes: whatever a server says about scopes, each that is read is one
// (RFC 6749 section 3.3), nothing else is lost, and what is read is read the same
// again when it is written.
func FuzzScopes(f *testing.F) {
	for _, scope := range []string{
		"openid offline_access", "read,write", " a  b\t,c,\n", "https://www.googleapis.com/auth/drive.readonly openid",
		"api://1f2e/.default", "\x1b]0;owned\x07 read", "é a\u00a0b \u2028c", `"a" \b`, "", ",",
	} {
		f.Add(scope)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		list := scopeList(scope)
		for _, s := range list {
			if s == "" || !tokenendpoint.HeaderSafe(s) || strings.Contains(s, ",") || !strings.Contains(scope, s) {
				t.Errorf("%q holds the scope %q", scope, s)
			}
		}
		if again := scopeList(join(list)); !slices.Equal(again, list) {
			t.Errorf("%q is read as %q, and that as %q", scope, list, again)
		}
		if plain := strings.ReplaceAll(scope, ",", " "); tokenendpoint.HeaderSafe(strings.ReplaceAll(plain, " ", "")) && !slices.Equal(list, strings.Fields(plain)) {
			t.Errorf("%q is read as %q", scope, list)
		}
		// A form that asks for them says the same.
		if q, err := url.ParseQuery(url.Values{"scope": {join(list)}}.Encode()); err != nil || !slices.Equal(scopeList(q.Get("scope")), list) {
			t.Errorf("%q is sent as %v, %v", list, q, err)
		}
	})
}
