package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/clienttest"
)

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestATokenFileOfOAuth2IsImportedOnceAndStays(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	grant := s.Grant("alice")
	old := encode(t, &oauth2.Token{AccessToken: "old", RefreshToken: grant.RefreshToken, Expiry: time.Now().Add(-time.Hour)})
	h.write("token.json", old)
	args := []string{"import", "token.json", "--issuer", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file"}
	contains(t, h.must(args...).err, "it works", "token.json: delete it")
	if data, err := os.ReadFile(h.path("token.json")); err != nil || string(data) != old {
		t.Errorf("the source was changed: %v", err)
	}
	token := h.must("token").out

	// The file has a spent token now. Importing it again must not send it.
	contains(t, h.must(args...).err, "nothing was imported")
	if again := h.must("token").out; again != token || s.Reused() != 0 {
		t.Errorf("the second import changed the token, or used a refresh token twice (%d)", s.Reused())
	}
}

func TestWhatOAuth2cPrintsIsImportedFromAPipe(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	grant := s.Grant("bob")
	in := encode(t, map[string]any{
		"access_token": grant.AccessToken, "expires_in": 300, "refresh_token": grant.RefreshToken,
		"id_token": grant.Extra("id_token"), "scope": "openid offline_access", "token_type": "Bearer",
	})
	o := h.feed(in, "import", "-", "--store", "file", "--json") // the ID token names server and client
	got := parse[struct {
		Issuer   string
		Imported bool
	}](t, o.out)
	if o.code != 0 || !got.Imported || got.Issuer != s.Issuer() {
		t.Fatalf("%d: %s%s", o.code, o.out, o.err)
	}
	if token := strings.TrimSpace(h.must("token").out); token != grant.AccessToken {
		t.Error("the access token works still, and was thrown away")
	}
	if n := s.RefreshCount(); n != 0 {
		t.Errorf("%d renewals for nothing", n)
	}
}

func TestTheCacheOfKubeloginIsImportedByServerAndClient(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	if err := os.MkdirAll(h.path("cache", "oidc-login"), 0o700); err != nil {
		t.Fatal(err)
	}
	grant := s.Grant("alice")
	h = h.with("KUBECACHEDIR=" + h.path("cache"))
	h.write("cache/oidc-login/0123", encode(t, map[string]any{"id_token": grant.Extra("id_token"), "refresh_token": grant.RefreshToken}))
	h.write("cache/oidc-login/0123.lock", "")
	h.write("cache/oidc-login/4567", encode(t, map[string]any{"id_token": grant.Extra("id_token")}))
	h.write("cache/oidc-login/89ab", "\x1b[31mgarbage")
	o := h.must("import", "--from", "kubelogin", "--store", "file")
	contains(t, o.err, "Imported the grant of alice", "4567: it has an ID token alone", "89ab: it is not the JSON of a token")
	if strings.Contains(o.err, "\x1b") {
		t.Errorf("the terminal is sent what a file has: %q", o.err)
	}
	h.must("token")
}

func TestTheTokensOfGHAreImportedByUser(t *testing.T) {
	h := newHome(t)
	h.write("hosts.yml", `github.com:
    user: alice
    oauth_token: gho_a
    git_protocol: https
    users:
        alice:
            oauth_token: gho_a
        bob:
        carol:
            refreshable_oauth_token:
                access_token: ghu_c
                refresh_token: ghr_c
                expires_at: "2999-01-01T00:00:00Z"
`)
	h = h.with("GH_CONFIG_DIR=" + h.dir)
	o := h.run("import", "--from", "gh", "--store", "file")
	if o.code != 2 {
		t.Errorf("which of them? %d", o.code)
	}
	contains(t, o.err, "bob at github.com is in the keychain", "there are 2 grants", "--user alice", "--user carol")
	h.must("import", "--from", "gh", "--store", "file", "--user", "alice")
	contains(t, h.must("import", "--from", "gh", "--store", "file", "--user", "carol", "--as", "carol").err, "log out of gh")
	if token := strings.TrimSpace(h.must("token", "--as", "carol").out); token != "ghu_c" {
		t.Errorf("carol's token is %q", token)
	}
	if token := strings.TrimSpace(h.must("token").out); token != "gho_a" {
		t.Errorf("alice's token is %q", token)
	}
}

func TestAnImportThatIsOfNoUseSaysWhyAndShowsNothingOfIt(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	grant := s.Grant("alice")
	s.Revoke("alice")
	h.write("dead.json", encode(t, map[string]string{"refresh_token": grant.RefreshToken}))
	h.write("refusal.json", `{"error":"invalid_grant"}`)
	h.write("hunter2", "hunter2")
	for file, c := range map[string]struct {
		code int
		says string
	}{
		"dead.json":    {3, "of no use any more"},
		"refusal.json": {2, "the refusal of a server"},
		"hunter2":      {2, "not the JSON of a token"},
		"missing.json": {2, "missing.json"},
	} {
		o := h.run("import", file, "--issuer", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file")
		if o.code != c.code || !strings.Contains(o.err, c.says) {
			t.Errorf("%s: exit code %d: %s", file, o.code, o.err)
		}
		if strings.Contains(strings.ReplaceAll(o.err, file, ""), "hunter2") || strings.Contains(o.err, grant.RefreshToken) {
			t.Errorf("%s: it repeats what is in the file: %s", file, o.err)
		}
	}
}
