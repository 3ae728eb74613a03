package clienttest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/clienttest"
)

const callback = "http://127.0.0.1:1/callback"

var verifier = oauth2.GenerateVerifier()

func authParams() url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {"test-client"}, "redirect_uri": {callback}, "state": {"st"}, "nonce": {"no"},
		"scope": {"openid offline_access"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
}

// authorize opens the authorization URL in the browser of alice and returns
// where it is sent, or the page.
func authorize(t *testing.T, s *clienttest.Server, params url.Values) (*url.URL, reply) {
	t.Helper()
	return browse(t, s, s.UserAgent("alice"), params)
}

func browse(t *testing.T, s *clienttest.Server, c *http.Client, params url.Values) (*url.URL, reply) {
	t.Helper()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(clienttest.AuthorizePath)+"?"+params.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := do(t, c, req)
	if err != nil {
		t.Fatal(err)
	}
	return location(t, r), r
}

func location(t *testing.T, r reply) *url.URL {
	t.Helper()
	if r.Header.Get("Location") == "" {
		return nil
	}
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// code logs alice in and returns the authorization code.
func code(t *testing.T, s *clienttest.Server, params url.Values) string {
	t.Helper()
	to, r := authorize(t, s, params)
	if to == nil || to.Query().Get("code") == "" {
		t.Fatalf("no code: %d %v %s", r.Status, to, r.Body)
	}
	return to.Query().Get("code")
}

func codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"test-client"}, "code": {code},
		"redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

func TestALoginByAuthorizationCode(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		to, _ := authorize(t, s, authParams())
		q := to.Query()
		if !strings.HasPrefix(to.String(), callback+"?") || q.Get("state") != "st" || q.Get("iss") != s.Issuer() {
			t.Errorf("sent back to %v", to)
		}
		r := post(t, s, clienttest.TokenPath, codeForm(q.Get("code")))
		if r.Status != 200 || r.text("refresh_token") == "" || r.text("id_token") == "" || r.text("scope") != "openid offline_access" {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
		mustRefresh(t, s, r.text("refresh_token"))
	})
}

func TestACodeThatIsUsedTwiceRevokesWhatItBrought(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		code := code(t, s, authParams())
		r := post(t, s, clienttest.TokenPath, codeForm(code))
		wantError(t, post(t, s, clienttest.TokenPath, codeForm(code)), 400, "invalid_grant")
		wantError(t, refresh(t, s, r.text("refresh_token")), 400, "invalid_grant")
		if x := s.Exchanges()[2]; x.Outcome != clienttest.Reused {
			t.Errorf("recorded as %v", x.Outcome)
		}
		if s.Reused() != 0 {
			t.Error("a code counts as a refresh token")
		}
	})
}

func TestACodeIsRedeemedOnlyAsItWasAskedFor(t *testing.T) {
	for _, row := range []struct {
		name  string
		asked []string // changes of the authorization request
		token []string // changes of the token request
		wait  time.Duration
		ok    bool
	}{
		{name: "as asked", ok: true},
		{name: "other redirect_uri", token: []string{"redirect_uri", "http://127.0.0.1:2/callback"}},
		{name: "no redirect_uri", token: []string{"redirect_uri", ""}},
		{name: "other verifier", token: []string{"code_verifier", oauth2.GenerateVerifier()}},
		{name: "no verifier", token: []string{"code_verifier", ""}},
		{name: "unknown code", token: []string{"code", "x"}},
		{name: "too late", wait: 10 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				form := codeForm(code(t, s, with(authParams(), row.asked...)))
				time.Sleep(row.wait)
				r := post(t, s, clienttest.TokenPath, with(form, row.token...))
				if row.ok {
					wantError(t, r, 200, "")
				} else {
					wantError(t, r, 400, "invalid_grant")
				}
			})
		})
	}
}

func TestAVerifierWithoutAChallengeIsADowngrade(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Clients = []clienttest.Client{{ID: "web", Secret: "s", AuthMethod: "client_secret_post"}}
		})
		asked := with(authParams(), "client_id", "web", "code_challenge", "", "code_challenge_method", "")
		form := with(codeForm(code(t, s, asked)), "client_id", "web", "client_secret", "s")
		wantError(t, post(t, s, clienttest.TokenPath, form), 400, "invalid_grant")
		form = with(codeForm(code(t, s, asked)), "client_id", "web", "client_secret", "s", "code_verifier", "")
		wantError(t, post(t, s, clienttest.TokenPath, form), 200, "")
	})
}

func TestABadAuthorizationRequestIsSentBackWithAnError(t *testing.T) {
	for _, row := range []struct {
		name    string
		changes []string
		code    string
	}{
		{"implicit", []string{"response_type", "token"}, "unsupported_response_type"},
		{"no PKCE", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"PKCE without a method", []string{"code_challenge_method", ""}, "invalid_request"},
		{"a challenge of another length", []string{"code_challenge", "x"}, "invalid_request"},
		{"fragment", []string{"response_mode", "fragment"}, "invalid_request"},
		{"request object", []string{"request", "x"}, "request_not_supported"},
		{"request URI", []string{"request_uri", "x"}, "request_uri_not_supported"},
		{"secret", []string{"client_secret", "x"}, "invalid_request"},
		{"unknown resource", []string{"resource", "https://elsewhere.example"}, "invalid_target"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				to, r := authorize(t, s, with(authParams(), row.changes...))
				if to == nil {
					t.Fatalf("not sent back: %d", r.Status)
				}
				q := to.Query()
				if q.Get("error") != row.code || q.Get("state") != "st" || q.Get("iss") != s.Issuer() || q.Has("code") {
					t.Errorf("sent back with %v, want %s", q, row.code)
				}
			})
		})
	}
}

func TestARepeatedParameterIsSentBackWithAnError(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		params := authParams()
		params.Add("scope", "more")
		if to, _ := authorize(t, s, params); to == nil || to.Query().Get("error") != "invalid_request" {
			t.Errorf("sent to %v", to)
		}
	})
}

func TestNobodyIsSentToAnUnknownRedirectURI(t *testing.T) {
	registered := []string{"https://app.example/cb?a=b", "http://127.0.0.1:7/cb"}
	for _, row := range []struct {
		uri        string
		registered []string
		ok         bool
	}{
		{"http://127.0.0.1:999/any", nil, true},
		{"http://[::1]:999/any", nil, true},
		{"http://localhost:999/any", nil, true},
		{"https://127.0.0.1:999/any", nil, false},
		{"http://app.example/cb", nil, false},
		{"http://127.0.0.1:1/cb#f", nil, false},
		{"", nil, false},
		{"https://app.example/cb?a=b", registered, true},
		{"https://app.example/cb", registered, false},
		{"https://app.example:443/cb?a=b", registered, false},
		{"http://127.0.0.1:65000/cb", registered, true},
		{"http://127.0.0.1/cb", registered, true},
		{"http://127.0.0.1:7/other", registered, false},
		{"http://127.0.0.2:7/cb", registered, false},
		{"http://user@127.0.0.1:7/cb", registered, false},
		{"http://localhost:7/cb", registered, false},
	} {
		t.Run(row.uri, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				s.Set(func(o *clienttest.Options) {
					o.Clients = []clienttest.Client{{ID: "test-client", RedirectURIs: row.registered}}
				})
				to, r := authorize(t, s, with(authParams(), "redirect_uri", row.uri))
				if (to != nil) != row.ok || !row.ok && r.Status != 400 {
					t.Errorf("answer %d, Location %v", r.Status, to)
				}
			})
		})
	}
}

func TestAnUnknownClientIsSentNowhere(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		to, r := authorize(t, s, with(authParams(), "client_id", "<b>nobody"))
		if to != nil || r.Status != 400 {
			t.Errorf("answer %d, Location %v", r.Status, to)
		}
	})
}

func TestAUserWhoRefuses(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.UserDenies = true })
		to, _ := authorize(t, s, authParams())
		if q := to.Query(); q.Get("error") != "access_denied" || q.Get("state") != "st" {
			t.Errorf("sent back with %v", q)
		}
	})
}

func TestWhoLogsIn(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		login := func(c *http.Client, changes ...string) string {
			t.Helper()
			to, _ := browse(t, s, c, with(authParams(), changes...))
			if to == nil {
				return ""
			}
			post(t, s, clienttest.TokenPath, codeForm(to.Query().Get("code")))
			exchanges := s.Exchanges()
			return exchanges[len(exchanges)-1].Account
		}
		for _, row := range []struct {
			name string
			c    *http.Client
			hint string
			want string
		}{
			{"the first user, by default", s.HTTPClient(), "", "alice"},
			{"who is hinted at", s.HTTPClient(), "bob", "bob"},
			{"the first user, if the hint helps nobody", s.HTTPClient(), "nobody", "alice"},
			{"the user of the browser", s.UserAgent("bob"), "alice", "bob"},
			{"nobody, if the user of the browser is unknown", s.UserAgent("nobody"), "", ""},
		} {
			if got := login(row.c, "login_hint", row.hint); got != row.want {
				t.Errorf("%s: got %q", row.name, got)
			}
		}
	})
}

func TestTamperChangesWhereTheUserIsSentBack(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				answer["iss"] = []string{"https://one.example", "https://two.example"}
				delete(answer, "state")
			}
		})
		to, _ := authorize(t, s, authParams())
		if q := to.Query(); len(q["iss"]) != 2 || q.Has("state") || !q.Has("code") {
			t.Errorf("sent back with %v", q)
		}
	})
}
