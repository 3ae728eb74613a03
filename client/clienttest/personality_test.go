package clienttest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/client/provider"
)

// A played is a provider in memory, and what its token endpoint is sent.
type played struct {
	*testing.T
	s *clienttest.Server
	p *provider.Profile
}

func play(t *testing.T, name string) *played {
	t.Helper()
	s, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &played{t, s, provider.ByName(name).At(s.Issuer())}
}

// refresh sends a refresh token of the confidential client, in the way that the
// profile says.
func (p *played) refresh(token string, edit func(*http.Request)) (status int, header http.Header, body string) {
	p.Helper()
	endpoint := p.p.TokenURL
	if p.p.RefreshURL != "" {
		endpoint = p.p.RefreshURL
	}
	if p.p.Discovery {
		endpoint = p.s.URL(clienttest.TokenPath)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	maps.Copy(form, p.p.TokenParams)
	if p.p.ClientAuth == "client_secret_post" {
		form.Set("client_id", clienttest.ConfidentialClient)
		form.Set("client_secret", clienttest.ConfidentialSecret)
	}
	content, kind := form.Encode(), "application/x-www-form-urlencoded"
	if p.p.Answer.JSONRequest {
		content, kind = `{"grant_type":"refresh_token","refresh_token":"`+token+`"}`, "application/json"
	}
	r, err := http.NewRequestWithContext(p.Context(), http.MethodPost, endpoint, strings.NewReader(content))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", "application/json")
	switch p.p.ClientAuth {
	case "client_secret_post":
	case "none":
		form.Set("client_id", clienttest.PublicClient)
		r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		r.ContentLength = int64(len(form.Encode()))
	default:
		r.SetBasicAuth(clienttest.ConfidentialClient, clienttest.ConfidentialSecret)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := p.s.HTTPClient().Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

func (p *played) grant() string {
	id := clienttest.ConfidentialClient
	if p.p.ClientAuth == "none" {
		id = clienttest.PublicClient
	}
	return p.s.GrantTo(id, "alice").RefreshToken
}

// members is the shape of an answer: its members, and what they hold unless that is
// a secret.
func members(t *testing.T, body string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return m
}

func TestAProviderAnswersInItsWay(t *testing.T) {
	for name, want := range map[string]struct {
		has, lacks []string // of a refresh; "a=b": a holds b
		status     int      // of a refusal, and
		refusal    []string
	}{
		"slack": {
			has: []string{"ok=true", "access_token", "refresh_token", "token_type=bot", "scope=openid,offline_access,profile", "expires_in=43200"}, lacks: []string{"id_token", "authed_user"},
			status: 200, refusal: []string{"ok=false", "error=invalid_refresh_token"},
		},
		"github": {
			has: []string{"access_token", "refresh_token", "refresh_token_expires_in=15897600", "expires_in=28800"}, lacks: []string{"ok", "id_token"},
			status: 200, refusal: []string{"error=bad_refresh_token"},
		},
		"withings":     {has: []string{"status=0", "body"}, lacks: []string{"access_token", "error"}, status: 200, refusal: []string{"status=503", "error"}},
		"hubspot":      {has: []string{"access_token"}, lacks: []string{"status"}, status: 400, refusal: []string{"status=BAD_REFRESH_TOKEN", "message"}},
		"openai-codex": {has: []string{"access_token"}, lacks: []string{"id_token"}, status: 401, refusal: []string{"error"}},
		"atlassian":    {has: []string{"access_token", "refresh_token"}, lacks: []string{"refresh_token_expires_in"}, status: 403, refusal: []string{"error=unauthorized_client", "error_description=refresh_token is invalid"}},
		"quickbooks":   {has: []string{"x_refresh_token_expires_in=8640000"}, lacks: []string{"refresh_token_expires_in"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"keycloak":     {has: []string{"refresh_expires_in=2592000", "id_token"}, lacks: []string{"refresh_token_expires_in"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"google":       {has: []string{"access_token", "id_token", "expires_in=3600"}, lacks: []string{"refresh_token", "refresh_token_expires_in"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"notion":       {has: []string{"access_token", "refresh_token"}, lacks: []string{"expires_in"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"shopify":      {has: []string{"access_token", "refresh_token"}, lacks: []string{"token_type"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"naver":        {has: []string{"access_token", `expires_in="3600"`}, lacks: []string{"refresh_token_expires_in"}, status: 400, refusal: []string{"error=invalid_grant"}},
		"figma":        {has: []string{"access_token"}, lacks: []string{"refresh_token"}, status: 400, refusal: []string{"error=invalid_grant"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, name)
			check := func(m map[string]any, has []string) {
				for _, h := range has {
					name, value, exact := strings.Cut(h, "=")
					got, ok := m[name]
					text, _ := json.Marshal(got)
					if !ok || exact && string(text) != value && strings.Trim(string(text), `"`) != value {
						t.Errorf("%s is %s, want %q", name, text, value)
					}
				}
			}
			status, _, body := p.refresh(p.grant(), nil)
			if status != http.StatusOK {
				t.Fatalf("%d: %s", status, body)
			}
			m := members(t, body)
			check(m, want.has)
			for _, name := range want.lacks {
				if _, ok := m[name]; ok {
					t.Errorf("the answer has a member %s", name)
				}
			}
			status, _, body = p.refresh("unknown", nil)
			if status != want.status {
				t.Errorf("a refusal has status %d, want %d", status, want.status)
			}
			check(members(t, body), want.refusal)
		})
	}
}

func TestGitHubAnswersWithAFormUnlessItIsAskedForJSON(t *testing.T) {
	p := play(t, "github")
	_, header, body := p.refresh(p.grant(), func(r *http.Request) { r.Header.Del("Accept") })
	form, err := url.ParseQuery(body)
	if err != nil || !form.Has("access_token") || !strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		t.Errorf("the answer is %q (%v) of %q", body, err, header.Get("Content-Type"))
	}
}

func TestARefreshGoesToTheRefreshEndpoint(t *testing.T) {
	p := play(t, "figma")
	elsewhere := func(r *http.Request) { r.URL, _ = url.Parse(p.p.TokenURL) }
	if status, _, body := p.refresh(p.grant(), elsewhere); status != http.StatusBadRequest {
		t.Errorf("the token endpoint refreshes: %d: %s", status, body)
	}
}

func TestAProviderOfJSONTakesNoForms(t *testing.T) {
	p := play(t, "notion")
	status, _, body := p.refresh(p.grant(), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
	if status != http.StatusUnsupportedMediaType {
		t.Errorf("%d: %s", status, body)
	}
}

func TestARefreshTokenOfADayChangesAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(t, "quickbooks")
		first := p.grant()
		_, _, body := p.refresh(first, nil)
		if got := members(t, body)["refresh_token"]; got != first {
			t.Errorf("the refresh token was replaced on the first day")
		}
		time.Sleep(25 * time.Hour)
		_, _, body = p.refresh(first, nil)
		if got := members(t, body)["refresh_token"]; got == nil || got == first {
			t.Errorf("the refresh token was not replaced after a day: %s", body)
		}
		if status, _, _ := p.refresh(first, nil); status != http.StatusBadRequest {
			t.Errorf("the old refresh token still works")
		}
	})
}

func TestAGrantEndsWhateverIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(t, "atlassian")
		rt := p.grant()
		for range 13 {
			time.Sleep(28 * 24 * time.Hour)
			status, _, body := p.refresh(rt, nil)
			if status != http.StatusOK {
				t.Fatalf("it has ended too early: %s", body)
			}
			rt, _ = members(t, body)["refresh_token"].(string)
		}
		time.Sleep(2 * 24 * time.Hour) // 366 days
		if status, _, _ := p.refresh(rt, nil); status == http.StatusOK {
			t.Error("the grant outlives its year")
		}
	})
}

func TestWhatIsGoodUntilUseIsNotGoodForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(t, "withings")
		first := p.grant()
		for _, wait := range []time.Duration{0, 7 * time.Hour} {
			time.Sleep(wait)
			if _, _, body := p.refresh(first, nil); members(t, body)["body"] == nil {
				t.Fatalf("after %v: %s", wait, body)
			}
		}
		time.Sleep(2 * time.Hour)
		if _, _, body := p.refresh(first, nil); members(t, body)["body"] != nil {
			t.Error("the old refresh token works after 9 hours")
		}
	})
}

func TestRingCentralRepeatsItsAnswer(t *testing.T) {
	p := play(t, "ringcentral")
	first := p.grant()
	_, _, one := p.refresh(first, nil)
	_, _, two := p.refresh(first, nil)
	a, b := members(t, one), members(t, two)
	if a["access_token"] != b["access_token"] || a["refresh_token"] != b["refresh_token"] {
		t.Error("a repeat brings other tokens")
	}
}

func TestAProviderOnTheNetworkIsMetByItsProfileToo(t *testing.T) {
	for _, name := range []string{"github", "google"} {
		s, err := clienttest.Start(clienttest.Options{Provider: name})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		cfg := s.ConfidentialConfig()
		if cfg.Provider != name {
			t.Fatalf("the configuration names the provider %q", cfg.Provider)
		}
		c, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		me := c.Account("default")
		if err := me.Login(t.Context(), client.Browser{Open: s.Browser()}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := me.Refresh(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = c.Close()
	}
}

func TestOnlyAProviderThatCanBePlayedIs(t *testing.T) {
	for name, want := range map[string]string{
		"gihub": `no profile "gihub"`, "fiserv": "has no token endpoint to play", "timify": "has no token endpoint to play", "aws-identity-center": "has no token endpoint to play",
	} {
		if _, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
