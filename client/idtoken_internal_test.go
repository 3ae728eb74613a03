package client

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/record"
)

// token returns a JWT with this header and payload, and no signature to speak of.
func token(header, payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestOnlyAnIDTokenIsTakenForOne(t *testing.T) {
	for header, good := range map[string]bool{
		`{"alg":"RS256"}`:                            true,
		`{"alg":"RS256","typ":"JWT"}`:                true,
		`{"alg":"RS256","typ":"jwt"}`:                true,
		`{"alg":"RS256","typ":"application/JWT"}`:    true,
		`{"alg":"RS256","typ":"at+jwt"}`:             false, // an access token (RFC 9068)
		`{"alg":"RS256","typ":"logout+jwt"}`:         false,
		`{"alg":"RS256","typ":"dpop+jwt"}`:           false,
		`{"alg":"RS256","typ":["JWT"]}`:              false,
		`{"alg":"RS256","typ":"application/at+jwt"}`: false,
		`{"alg":"RS256","typ":"at+jwt","Typ":"JWT"}`: false,
		`no JSON`: false,
		``:        false,
	} {
		if err := checkType(token(header, "{}"), "jwt"); (err == nil) != good {
			t.Errorf("%s: %v", header, err)
		}
	}
	for _, raw := range []string{"", "opaque", "...", "a b.c.d"} {
		if checkType(raw, "jwt") == nil {
			t.Errorf("%q is taken for an ID token", raw)
		}
	}
}

func TestTheIdentityIsReadAsServersWriteIt(t *testing.T) {
	for claims, want := range map[string]*record.Identity{
		`{"iss":"i","sub":"s","aud":"c","azp":"c","nonce":"n","iat":1,"auth_time":2,"email":"x"}`: {
			Issuer: "i", Subject: "s", Audience: []string{"c"}, Party: "c", Nonce: "n", IssuedAt: 1, AuthTime: 2},
		`{"aud":["c","d"],"iat":1795492800.75}`:                        {Audience: []string{"c", "d"}, IssuedAt: 1795492800},
		`{"aud":[],"iat":null}`:                                        {Audience: []string{}},
		`{"iat":1e300,"auth_time":-1e300}`:                             {IssuedAt: 1 << 53, AuthTime: -1 << 53},
		`{"sub":"s","Sub":"mallory","\u017fub":"mallory","NONCE":"n"}`: {Subject: "s"},
		`{}`:                   {},
		`{"aud":{"a":1}}`:      nil,
		`{"aud":[1]}`:          nil,
		`{"iat":"1795492800"}`: nil,
		`{"sub":7}`:            nil,
		`[]`:                   nil,
		`{"sub":"s"`:           nil,
		`{"nonce":["n"]}`:      nil,
		`{"iat":1,"sub":"s","aud":"c"} {"sub":1}`: nil,
	} {
		got, err := identityOf(token(`{}`, claims))
		if want == nil && err == nil || want != nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v; want %+v", claims, got, err, want)
		}
	}
	for _, raw := range []string{"", "a", "a.b", "a.!!.c", "a.b.c.d"} {
		if _, err := identityOf(raw); err == nil {
			t.Errorf("%q has an identity", raw)
		}
	}
}

// The rules of OpenID Connect Core section 12.2, one change each.
func TestARenewedIDTokenHasToAgreeWithTheLogin(t *testing.T) {
	login := record.Identity{
		Issuer: "https://as.example.com", Subject: "alice", Audience: []string{"cli", "api"}, Party: "cli",
		Nonce: "n", IssuedAt: 1795492800, AuthTime: 1795492790,
	}
	bare := login
	bare.Party, bare.Nonce, bare.AuthTime = "", "", 0
	for _, c := range []struct {
		name   string
		login  record.Identity
		change func(*record.Identity)
		want   string // "": they agree
	}{
		{"nothing", login, func(*record.Identity) {}, ""},
		{"a later iat", login, func(i *record.Identity) { i.IssuedAt += 3600 }, ""},
		{"an iat of a clock that is a little behind", login, func(i *record.Identity) { i.IssuedAt -= 30 }, ""},
		{"an earlier iat", login, func(i *record.Identity) { i.IssuedAt -= 61 }, "older"},
		{"no nonce", login, func(i *record.Identity) { i.Nonce = "" }, ""},
		{"another nonce", login, func(i *record.Identity) { i.Nonce = "m" }, "nonce"},
		{"a nonce that was not there", bare, func(i *record.Identity) { i.Nonce = "m" }, "nonce"},
		{"another iss", login, func(i *record.Identity) { i.Issuer += "/" }, "issuer"},
		{"another sub", login, func(i *record.Identity) { i.Subject = "mallory" }, "user"},
		{"a sub in another case", login, func(i *record.Identity) { i.Subject = "Alice" }, "user"},
		{"no sub", login, func(i *record.Identity) { i.Subject = "" }, "user"},
		{"aud in another order", login, func(i *record.Identity) { i.Audience = []string{"api", "cli"} }, ""},
		{"one aud less", login, func(i *record.Identity) { i.Audience = []string{"cli"} }, "audience"},
		{"one aud more", login, func(i *record.Identity) { i.Audience = []string{"cli", "api", "x"} }, "audience"},
		{"another aud", login, func(i *record.Identity) { i.Audience = []string{"cli", "x"} }, "audience"},
		{"no azp", login, func(i *record.Identity) { i.Party = "" }, "azp"},
		{"another azp", login, func(i *record.Identity) { i.Party = "x" }, "azp"},
		{"an azp that was not there", bare, func(i *record.Identity) { i.Party = "cli" }, "azp"},
		{"no auth_time", login, func(i *record.Identity) { i.AuthTime = 0 }, ""},
		{"another auth_time", login, func(i *record.Identity) { i.AuthTime++ }, "auth_time"},
		{"an auth_time that was not there", bare, func(i *record.Identity) { i.AuthTime = 1795492790 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			renewed := c.login
			c.change(&renewed)
			err := sameIdentity(&c.login, &renewed)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheClaimsOfAnIDTokenAreForThisClient(t *testing.T) {
	now := time.Now()
	good := record.Identity{Subject: "alice", Audience: []string{"cli"}, IssuedAt: now.Unix()}
	v := &idVerifier{clientID: "cli"}
	for _, c := range []struct {
		name   string
		change func(*record.Identity)
		want   string
	}{
		{"nothing", func(*record.Identity) {}, ""},
		{"azp is this client", func(i *record.Identity) { i.Party = "cli" }, ""},
		{"several audiences and azp", func(i *record.Identity) { i.Audience, i.Party = []string{"x", "cli"}, "cli" }, ""},
		{"a clock that is a little ahead", func(i *record.Identity) { i.IssuedAt += 240 }, ""},
		{"no sub", func(i *record.Identity) { i.Subject = "" }, "sub"},
		{"an endless sub", func(i *record.Identity) { i.Subject = strings.Repeat("s", 256) }, "sub"},
		{"another aud", func(i *record.Identity) { i.Audience = []string{"x"} }, "aud"},
		{"no aud", func(i *record.Identity) { i.Audience = nil }, "aud"},
		{"another azp", func(i *record.Identity) { i.Party = "x" }, "azp"},
		{"several audiences and no azp", func(i *record.Identity) { i.Audience = []string{"x", "cli"} }, "azp"},
		{"no iat", func(i *record.Identity) { i.IssuedAt = 0 }, "iat"},
		{"an iat of tomorrow", func(i *record.Identity) { i.IssuedAt += 86400 }, "future"},
		{"an iat at the end of time", func(i *record.Identity) { i.IssuedAt = 1 << 53 }, "future"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := good
			c.change(&id)
			if err := v.checkClaims(&id); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheIDTokenOfALoginIsOfThisLogin(t *testing.T) {
	now := time.Now().Unix()
	for _, c := range []struct {
		name, nonce string
		id          record.Identity
		want        string
	}{
		{"its nonce", "n", record.Identity{Nonce: "n", IssuedAt: now}, ""},
		{"another nonce", "n", record.Identity{Nonce: "m", IssuedAt: now}, "nonce"},
		{"no nonce", "n", record.Identity{IssuedAt: now}, "nonce"},
		{"none was sent", "", record.Identity{Nonce: "m", IssuedAt: now}, ""},
		{"an old one", "", record.Identity{IssuedAt: now - 90_000}, "long ago"},
		{"one from before time", "", record.Identity{IssuedAt: -1 << 53}, "long ago"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := checkLogin(&c.id, c.nonce); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestATemplateStandsForOneTenant(t *testing.T) {
	const microsoft = "https://login.microsoftonline.com/{tenantid}/v2.0"
	for _, c := range []struct {
		discovered, issuer string
		want               bool
	}{
		{microsoft, "https://login.microsoftonline.com/organizations/v2.0", true},
		{microsoft, "https://login.microsoftonline.com/common/v2.0", true},
		{microsoft, "https://login.microsoftonline.com//v2.0", false},
		{microsoft, "https://login.microsoftonline.com/a/b/v2.0", false},
		{microsoft, "https://login.microsoftonline.com/v2.0", false},
		{microsoft, "https://login.microsoftonline.com/common/v1.0", false},
		{microsoft, "https://evil.example.com/common/v2.0", false},
		{microsoft, "http://login.microsoftonline.com/common/v2.0", false},
		{"https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/common/v2.0", false},
		{"https://{tenantid}/v2.0", "https://as.example.com/v2.0", false},
		{"https://{tenantid}", "https://as.example.com", false},
		{"{tenantid}", "https://as.example.com", false},
		{"https://as.example.com/x{tenantid}/v2.0", "https://as.example.com/xy/v2.0", false},
	} {
		if got := tenantTemplate(c.discovered, c.issuer); got != c.want {
			t.Errorf("%s for %s is %v", c.discovered, c.issuer, got)
		}
	}
}

func TestTheTenantOfAnIDTokenFillsTheTemplate(t *testing.T) {
	const template = "https://as.example.com/{tenantid}/v2.0"
	claims := func(iss, rest string) string {
		return token(`{}`, `{"iss":"`+iss+`","sub":"alice","aud":"cli","iat":1795492800`+rest+`}`)
	}
	for _, c := range []struct {
		name, issuer, raw string
		want              string // "": refused
	}{
		{"no template", "https://as.example.com", claims("https://as.example.com", ""), "https://as.example.com"},
		{"its tenant", template, claims("https://as.example.com/t1/v2.0", `,"tid":"t1"`), "https://as.example.com/t1/v2.0"},
		{"another tenant", template, claims("https://as.example.com/t1/v2.0", `,"tid":"t2"`), ""},
		{"no tenant", template, claims("https://as.example.com/t1/v2.0", ""), ""},
		{"an empty tenant", template, claims("https://as.example.com//v2.0", `,"tid":""`), ""},
		{"a tenant that is a number", template, claims("https://as.example.com/1/v2.0", `,"tid":1`), ""},
		{"the template itself", template, claims(template, `,"tid":"t1"`), ""},
		{"Google", "https://accounts.google.com", claims("https://accounts.google.com", ""), "https://accounts.google.com"},
		{"Google without its scheme", "https://accounts.google.com", claims("accounts.google.com", ""), "https://accounts.google.com"},
		{"another server without its scheme", "https://as.example.com", claims("as.example.com", ""), ""},
		{"another server as Google", "https://as.example.com", claims("accounts.google.com", ""), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &idVerifier{clientID: "cli", issuer: c.issuer}
			id, err := v.check(c.raw)
			if c.want == "" && err == nil || c.want != "" && (err != nil || id.Issuer != c.want) {
				t.Errorf("got %+v, %v; want the issuer %q", id, err, c.want)
			}
		})
	}
}
