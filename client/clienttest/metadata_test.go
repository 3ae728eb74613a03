package clienttest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/regrant/regrant/client/clienttest"
)

// claims verifies an ID token as a relying party does, with discovery and keys.
func claims(t *testing.T, s *clienttest.Server, idToken string) (map[string]any, error) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), s.HTTPClient())
	provider, err := oidc.NewProvider(ctx, s.Issuer())
	if err != nil {
		return nil, err
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: clienttest.PublicClient}).Verify(ctx, idToken)
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	return m, token.Claims(&m)
}

func mustClaims(t *testing.T, s *clienttest.Server, idToken string) map[string]any {
	t.Helper()
	m, err := claims(t, s, idToken)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestIDTokensAreThoseOfOpenIDConnect(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		login := post(t, s, clienttest.TokenPath, codeForm(code(t, s, authParams())))
		first := mustClaims(t, s, login.text("id_token"))
		if first["sub"] != "alice" || first["nonce"] != "no" || first["iss"] != s.Issuer() {
			t.Errorf("claims of the login: %v", first)
		}
		time.Sleep(time.Second)
		second := mustClaims(t, s, refresh(t, s, login.text("refresh_token")).text("id_token"))
		if second["sub"] != "alice" || second["auth_time"] != first["auth_time"] || second["iat"] == first["iat"] {
			t.Errorf("claims after a refresh: %v, at login: %v", second, first)
		}
		if _, has := second["nonce"]; has {
			t.Error("the ID token of a refresh has a nonce (OpenID Connect Core 12.2)")
		}
	})
}

func TestAGrantHasAnIDTokenAndTheScopesOfALogin(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		grant := s.Grant("bob")
		idToken, _ := grant.Extra("id_token").(string)
		if got := mustClaims(t, s, idToken)["sub"]; got != "bob" {
			t.Errorf("sub %v", got)
		}
		if grant.Extra("scope") != "openid offline_access profile" || grant.TokenType != "Bearer" || !grant.Valid() {
			t.Errorf("scope %v, type %s, valid %t", grant.Extra("scope"), grant.TokenType, grant.Valid())
		}
		if s.Requests(clienttest.TokenPath) != 0 {
			t.Error("Grant has sent requests")
		}
	})
}

func TestRotatedKeysVerifyOnlyWhatTheySigned(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		before, _ := s.Grant("alice").Extra("id_token").(string)
		s.RotateKeys()
		after, _ := s.Grant("alice").Extra("id_token").(string)
		if _, err := claims(t, s, before); err == nil {
			t.Error("the old key is still in the set")
		}
		mustClaims(t, s, after)
	})
}

func TestClaimsChangesAnIDTokenBeforeItIsSigned(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Claims = func(x clienttest.Exchange, claims map[string]any) {
				if x.GrantType == "refresh_token" {
					claims["sub"] = "mallory"
				}
			}
		})
		r := refresh(t, s, s.Grant("alice").RefreshToken)
		if got := mustClaims(t, s, r.text("id_token"))["sub"]; got != "mallory" {
			t.Errorf("sub %v", got)
		}
	})
}

func TestTamperChangesTheMetadata(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.NoOfflineAccess = true
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if x.Path == clienttest.DiscoveryPath {
					answer["issuer"] = "https://evil.example"
					delete(answer, "authorization_response_iss_parameter_supported")
				}
			}
		})
		r := get(t, s, clienttest.DiscoveryPath, "")
		_, iss := r.JSON["authorization_response_iss_parameter_supported"]
		if r.text("issuer") != "https://evil.example" || iss || strings.Contains(r.Body, "offline_access") {
			t.Errorf("metadata %s", r.Body)
		}
	})
}

func TestTheIssuerCanHaveAPath(t *testing.T) {
	for _, o := range []clienttest.Options{
		{Issuer: "http://127.0.0.1:0/tenant"},
		{Issuer: "https://login.example/tenant/", InMemory: true},
	} {
		s, err := clienttest.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		want := strings.Replace(o.Issuer, ":0", "", 1)
		if got := s.Issuer(); len(got) < len(want) || strings.HasSuffix(got, "/") != strings.HasSuffix(want, "/") {
			t.Errorf("issuer %s, asked for %s", got, o.Issuer)
		}
		r := refresh(t, s, s.Grant("alice").RefreshToken)
		mustClaims(t, s, r.text("id_token"))
		if s.Exchanges()[0].Path != clienttest.TokenPath {
			t.Errorf("recorded as %s", s.Exchanges()[0].Path)
		}
	}
}

func TestAnIssuerThatCannotBeServedIsAnError(t *testing.T) {
	for _, o := range []clienttest.Options{
		{Issuer: "https://127.0.0.1:0"}, {Issuer: "http://192.0.2.1:0"}, {Issuer: "http://localhost:0"}, {Issuer: "://"},
		{Issuer: "https://as.example?x", InMemory: true}, {Issuer: "as", InMemory: true},
	} {
		if s, err := clienttest.Start(o); err == nil {
			s.Close()
			t.Errorf("%q was accepted", o.Issuer)
		}
	}
}

func TestAnUnknownPathIsRecordedAndNotFound(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		if r := get(t, s, "/nothing", ""); r.Status != http.StatusNotFound {
			t.Errorf("answer %d", r.Status)
		}
		if x := s.Exchanges()[0]; x.Path != "/nothing" || x.Outcome != clienttest.Refused {
			t.Errorf("recorded %+v", x)
		}
	})
}
