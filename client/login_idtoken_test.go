package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// wantNoGrant checks that a login with an ID token that is not right brought
// nothing, neither here nor to anybody who has seen its refresh token.
func wantNoGrant(t *testing.T, as *clienttest.Server, cfg client.Config, words string) {
	t.Helper()
	cfg.RedirectURL = pasteRedirect
	me := accountOf(t, cfg)
	before := as.Requests(clienttest.TokenPath)
	err := me.Login(t.Context(), pasting(t, as, (*url.URL).String))
	wantNoLogin(t, me, err, "", words)
	if n := as.Requests(clienttest.TokenPath) - before; n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	if as.FamilyAlive("alice") {
		t.Error("the refresh token that came with it was not revoked")
	}
}

// OpenID Connect Core section 3.1.3.7.
func TestALoginRefusesAnIDTokenWithWrongClaims(t *testing.T) {
	type claims = map[string]any
	for name, c := range map[string]struct {
		change func(claims)
		words  string
	}{
		"another nonce":         {func(c claims) { c["nonce"] = "another" }, "nonce"},
		"no nonce":              {func(c claims) { delete(c, "nonce") }, "nonce"},
		"another issuer":        {func(c claims) { c["iss"] = "https://evil.example" }, "ID token"},
		"issuer with a slash":   {func(c claims) { c["iss"] = c["iss"].(string) + "/" }, "ID token"},
		"no issuer":             {func(c claims) { delete(c, "iss") }, "ID token"},
		"another audience":      {func(c claims) { c["aud"] = "another" }, "ID token"},
		"no audience":           {func(c claims) { delete(c, "aud") }, "ID token"},
		"audience not alone":    {func(c claims) { c["aud"] = []string{clienttest.PublicClient, "another"} }, "azp"},
		"another party":         {func(c claims) { c["azp"] = "another" }, "azp"},
		"expired":               {func(c claims) { c["exp"] = time.Now().Add(-2 * time.Minute).Unix() }, "expired"},
		"no expiry":             {func(c claims) { delete(c, "exp") }, "ID token"},
		"issued in the future":  {func(c claims) { c["iat"] = time.Now().Add(time.Hour).Unix() }, "clock"},
		"issued long ago":       {func(c claims) { c["iat"] = time.Now().Add(-48 * time.Hour).Unix() }, "clock"},
		"no time of issue":      {func(c claims) { delete(c, "iat") }, "iat"},
		"no subject":            {func(c claims) { delete(c, "sub") }, "sub"},
		"an endless subject":    {func(c claims) { c["sub"] = strings.Repeat("a", 256) }, "sub"},
		"another access token":  {func(c claims) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "at_hash"},
		"claims of other types": {func(c claims) { c["sub"] = 7 }, "ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.Set(func(o *clienttest.Options) {
					o.Claims = func(_ clienttest.Exchange, claims map[string]any) { c.change(claims) }
				})
				wantNoGrant(t, as, as.Config(), c.words)
			})
		})
	}
}

func TestALoginAcceptsWhatTheSpecificationAllows(t *testing.T) {
	type claims = map[string]any
	for name, change := range map[string]func(claims){
		"a list of one audience": func(c claims) { c["aud"] = []string{clienttest.PublicClient} },
		"two audiences and azp": func(c claims) {
			c["aud"] = []string{clienttest.PublicClient, "api"}
			c["azp"] = clienttest.PublicClient
		},
		"a clock a bit behind": func(c claims) { c["exp"] = time.Now().Add(-30 * time.Second).Unix() },
		"a clock a bit ahead":  func(c claims) { c["iat"] = time.Now().Add(time.Minute).Unix() },
		"claims that are new":  func(c claims) { c["https://example.com/x"] = map[string]any{"y": []int{1}} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.Set(func(o *clienttest.Options) {
					o.Claims = func(_ clienttest.Exchange, claims map[string]any) { change(claims) }
				})
				me := accountOf(t, pasteConfig(as))
				wantSignedIn(t, as, me, me.Login(t.Context(), pasting(t, as, (*url.URL).String)))
			})
		})
	}
}

// A forger knows everything that is public: the claims, the key set, the kid.
func TestALoginRefusesAnIDTokenThatTheServerHasNotSigned(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, payload []byte, key jose.JSONWebKey) string{
		"no signature": func(_ *testing.T, payload []byte, _ jose.JSONWebKey) string {
			return encoded(`{"alg":"none"}`) + "." + encoded(string(payload)) + "."
		},
		"no signature, odd spelling": func(_ *testing.T, payload []byte, key jose.JSONWebKey) string {
			return encoded(`{"alg":"nOnE","kid":"`+key.KeyID+`"}`) + "." + encoded(string(payload)) + "."
		},
		"the client secret as a key": func(t *testing.T, payload []byte, key jose.JSONWebKey) string {
			return signed(t, jose.HS256, []byte(strings.Repeat(clienttest.ConfidentialSecret, 4)), key.KeyID, payload, nil)
		},
		"the public key as a secret": func(t *testing.T, payload []byte, key jose.JSONWebKey) string {
			public, err := key.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			return signed(t, jose.HS256, public, key.KeyID, payload, nil)
		},
		"another key of the same name": func(t *testing.T, payload []byte, key jose.JSONWebKey) string {
			return signed(t, jose.ES256, newKey(t), key.KeyID, payload, nil)
		},
		"a key that the token brings along": func(t *testing.T, payload []byte, _ jose.JSONWebKey) string {
			return signed(t, jose.ES256, newKey(t), "", payload, &jose.SignerOptions{EmbedJWK: true})
		},
		"another algorithm": func(t *testing.T, payload []byte, key jose.JSONWebKey) string {
			k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return signed(t, jose.ES384, k, key.KeyID, payload, nil)
		},
		"a JWT of another kind": func(t *testing.T, payload []byte, key jose.JSONWebKey) string {
			return signed(t, jose.ES256, newKey(t), key.KeyID, payload, (&jose.SignerOptions{}).WithType("at+jwt"))
		},
		"no JWT":       func(*testing.T, []byte, jose.JSONWebKey) string { return "opaque" },
		"many dots":    func(*testing.T, []byte, jose.JSONWebKey) string { return strings.Repeat(".", 500<<10) }, // CVE-2025-22868
		"an empty JWT": func(*testing.T, []byte, jose.JSONWebKey) string { return ".." },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				key := publicKey(t, as)
				tamper(as, clienttest.TokenPath, func(_ clienttest.Exchange, answer map[string]any) {
					payload, err := base64.RawURLEncoding.DecodeString(strings.Split(answer["id_token"].(string), ".")[1])
					if err != nil {
						t.Error(err)
					}
					answer["id_token"] = forge(t, payload, key)
				})
				wantNoGrant(t, as, as.ConfidentialConfig(), "ID token")
			})
		})
	}
}

func TestALoginIsNotBelievedWhileTheKeysAreOutOfReach(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"down": {Status: 500}, "slow": {Delay: time.Hour}, "huge": {Pad: 8 << 20}, "no JSON": {Body: "<html>"}, "empty": {Body: `{"keys":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.JWKSPath, fault, -1)
				begun := time.Now()
				wantNoGrant(t, as, as.Config(), "")
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("Login took %v", took)
				}
			})
		})
	}
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, payload []byte, o *jose.SignerOptions) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, o)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// publicKey fetches the key that the server signs with.
func publicKey(t *testing.T, as *clienttest.Server) jose.JSONWebKey {
	t.Helper()
	resp, err := as.HTTPClient().Get(as.URL(clienttest.JWKSPath))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set %s, %v", body, err)
	}
	return set.Keys[0]
}
