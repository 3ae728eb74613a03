package webapp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

// realServer goes through the application at oidc-provider: it asks for a password
// and for consent at each login, rotates refresh tokens, and has a session of its own.
func realServer(t *testing.T, c *chromium) {
	p := lab.StartOIDCProvider(t, "AT_TTL=600")
	id, secret := register(t, p)
	app := startWith(t, []string{"REGRANT_WEB_CLIENT_SECRET=" + secret}, c.program,
		"-data", t.TempDir(), "-issuer", p.Issuer, "-client-id", id, "-after-logout", "-job", "1s", "-idle", "1ns")
	b := c.person(t)
	b.open(app.URL + "/connections/account")
	b.press("Sign in with " + strings.TrimPrefix(p.Issuer, "http://"))
	b.fill("login", "alice")
	b.fill("password", "wonderland")
	b.press("Sign-in")
	b.press("Continue")
	b.sees("You are signed in.", "Signed in as alice", "Not connected")
	b.press("Connect")
	b.press("Continue")
	b.sees("Account is connected.", "All 2 work.")

	b.press("Run it now")
	b.pressUntil("2 of 2 grants", "Refresh")
	b.press("Run the job")
	b.pressUntil("Finished 40 rounds", "Refresh")
	b.sees("All 2 work.")
	if failed := b.failedCalls(); failed != "0 0" {
		t.Errorf("calls that failed: %s", failed)
	}
	renewals := 0
	for _, r := range p.Requests() {
		if r.Form().Get("grant_type") == "refresh_token" {
			renewals++
			if r.Status != http.StatusOK {
				t.Errorf("a renewal is answered with %d: %s", r.Status, r.Answer)
			}
		}
	}
	if renewals < 2 {
		t.Errorf("%d renewals", renewals)
	}

	b.press("Disconnect Account")
	b.sees("Account is disconnected, and its server has forgotten the grant.")
	b.shot("real-server")
	b.press("Sign out")
	b.press("Yes, sign me out")
	b.sees("You are signed out")
	if at := b.location(); at != app.URL+"/signed-out" {
		t.Errorf("the server sent the browser to %s", at)
	}
	b.press("Sign in with " + strings.TrimPrefix(p.Issuer, "http://"))
	b.sees("Sign-in") // the session at the server has ended, too
}

// register registers the application (RFC 7591). Of a native client the port of a
// redirect URI does not matter (RFC 8252 section 7.3), and nobody knows it yet.
func register(t *testing.T, p *lab.OIDCProvider) (id, secret string) {
	t.Helper()
	const home = "http://127.0.0.1"
	body, err := json.Marshal(map[string]any{
		"application_type": "native", "grant_types": []string{"authorization_code", "refresh_token"},
		"redirect_uris":             []string{home + "/signin/callback", home + "/connections/account/callback"},
		"post_logout_redirect_uris": []string{home + "/signed-out"},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL("/reg"), strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&client); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the registration is answered with %s, %v", resp.Status, err)
	}
	return client.ID, client.Secret
}
