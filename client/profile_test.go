package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/client/provider"
)

// authorizationURL is where a program with cfg sends its user's browser.
func authorizationURL(t *testing.T, cfg client.Config, ask client.AuthRequest) *url.URL {
	t.Helper()
	cfg.RedirectURL = pasteRedirect
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var seen *url.URL
	enough := errors.New("seen enough")
	err = c.Account("alice").Login(t.Context(), client.Paste{AuthRequest: ask, Read: func(_ context.Context, authURL string) (string, error) {
		seen, err = url.Parse(authURL)
		return "", errors.Join(err, enough)
	}})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return seen
}

// google is a server at Google's issuer, in memory.
func google(t *testing.T) *clienttest.Server {
	t.Helper()
	as, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: "google"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(as.Close)
	return as
}

func TestAKnownIssuerGetsItsProfileByItself(t *testing.T) {
	as := google(t)
	cfg := usable(t)
	cfg.Issuer, cfg.HTTPClient = as.Issuer(), as.HTTPClient()
	if cfg.Issuer != "https://accounts.google.com" {
		t.Fatalf("the server plays %q", cfg.Issuer)
	}
	q := authorizationURL(t, cfg, client.AuthRequest{}).Query()
	if q.Get("access_type") != "offline" || q.Get("prompt") != "consent" {
		t.Errorf("the request does not ask for a refresh token: %v", q)
	}
	cfg.Provider = "none"
	if q := authorizationURL(t, cfg, client.AuthRequest{}).Query(); q.Has("access_type") || q.Has("prompt") {
		t.Errorf("no profile is wanted, and the request has its parameters: %v", q)
	}
}

func TestTheProgramsOwnParametersGoBeforeThoseOfAProfile(t *testing.T) {
	as := google(t)
	cfg := usable(t)
	cfg.Issuer, cfg.HTTPClient = as.Issuer(), as.HTTPClient()
	cfg.Params = url.Values{"prompt": {"select_account"}}
	q := authorizationURL(t, cfg, client.AuthRequest{}).Query()
	if q.Get("prompt") != "select_account" || q.Get("access_type") != "offline" {
		t.Errorf("the request is %v", q)
	}
	q = authorizationURL(t, cfg, client.AuthRequest{Params: url.Values{"access_type": {"online"}, "prompt": {"none"}}}).Query()
	if q.Get("prompt") != "none" || q.Get("access_type") != "online" {
		t.Errorf("the request is %v", q)
	}
	if len(cfg.Params) != 1 {
		t.Errorf("the program's own map has changed: %v", cfg.Params)
	}
}

func TestAProviderWithoutDiscoveryNeedsNothingButItsName(t *testing.T) {
	for _, c := range []struct {
		provider, issuer, want string
		scopes                 []string
		query                  url.Values
	}{
		{provider: "github", want: "https://github.com/login/oauth/authorize"},
		{provider: "github", scopes: []string{"repo", "user"}, want: "https://github.com/login/oauth/authorize", query: url.Values{"scope": {"repo user"}}},
		{provider: "slack", scopes: []string{"chat:write", "users:read"}, want: "https://slack.com/oauth/v2/authorize", query: url.Values{"scope": {"chat:write,users:read"}}},
		{provider: "x", scopes: []string{"tweet.read"}, want: "https://x.com/i/oauth2/authorize", query: url.Values{"scope": {"tweet.read offline.access"}}},
		{provider: "x", want: "https://x.com/i/oauth2/authorize", query: url.Values{"scope": {"offline.access"}}},
		{provider: "dropbox", want: "https://www.dropbox.com/oauth2/authorize", query: url.Values{"token_access_type": {"offline"}}},
		{provider: "atlassian", want: "https://auth.atlassian.com/authorize", query: url.Values{"audience": {"api.atlassian.com"}, "prompt": {"consent"}, "scope": {"offline_access"}}},
		{provider: "shopify", issuer: "https://example.myshopify.com", want: "https://example.myshopify.com/admin/oauth/authorize"},
		{issuer: "https://example.myshopify.com", want: "https://example.myshopify.com/admin/oauth/authorize"},
		{issuer: "https://github.com", want: "https://github.com/login/oauth/authorize"},
	} {
		t.Run(c.provider+" "+c.issuer, func(t *testing.T) {
			cfg := usable(t)
			cfg.Provider, cfg.Issuer, cfg.Scopes = c.provider, c.issuer, c.scopes
			u := authorizationURL(t, cfg, client.AuthRequest{})
			q := u.Query()
			u.RawQuery = ""
			if u.String() != c.want {
				t.Errorf("the user is sent to %s, want %s", u, c.want)
			}
			for name := range c.query {
				if q.Get(name) != c.query.Get(name) {
					t.Errorf("%s is %q, want %q", name, q.Get(name), c.query.Get(name))
				}
			}
		})
	}
}

func TestTheProgramsOwnEndpointsGoBeforeThoseOfAProfile(t *testing.T) {
	cfg := usable(t)
	cfg.Provider = "github"
	cfg.Issuer = "https://ghe.example.com"
	cfg.Endpoint = oauth2.Endpoint{AuthURL: "https://ghe.example.com/login/oauth/authorize", TokenURL: "https://ghe.example.com/login/oauth/access_token"}
	if u := authorizationURL(t, cfg, client.AuthRequest{}); u.Host != "ghe.example.com" {
		t.Errorf("the user is sent to %s", u)
	}
}

// refusing records requests, and answers none.
type refusing struct{ got []*http.Request }

func (w *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	w.got = append(w.got, r)
	return nil, errors.New("nobody is there")
}

func TestTheClientAuthenticatesAsTheProviderWantsIt(t *testing.T) {
	for _, c := range []struct {
		provider string
		style    oauth2.AuthStyle
		endpoint bool
		basic    bool
	}{
		{provider: "fitbit", basic: true},
		{provider: "box"},
		{provider: "fitbit", endpoint: true, basic: true},
		{provider: "fitbit", endpoint: true, style: oauth2.AuthStyleInParams},
		{provider: "box", endpoint: true, style: oauth2.AuthStyleInHeader, basic: true},
	} {
		cfg := usable(t)
		w := &refusing{}
		cfg.Provider, cfg.Auth, cfg.HTTPClient = c.provider, client.Secret("s3cret"), &http.Client{Transport: w}
		if c.endpoint {
			cfg.Endpoint = oauth2.Endpoint{TokenURL: "https://as.example.com/token", AuthStyle: c.style}
		}
		cl, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_ = cl.Account("alice").Login(t.Context(), client.Password{Read: func(context.Context) (string, string, error) { return "u", "p", nil }})
		_ = cl.Close()
		if len(w.got) != 1 {
			t.Fatalf("%s: %d requests", c.provider, len(w.got))
		}
		if _, _, basic := w.got[0].BasicAuth(); basic != c.basic {
			t.Errorf("%s (endpoint given: %v, style %v): Basic is %v, want %v", c.provider, c.endpoint, c.style, basic, c.basic)
		}
	}
}

func TestAProviderThatCannotBeUsedIsAProblemOfNew(t *testing.T) {
	for _, c := range []struct{ provider, want string }{
		{"gihub", `there is no profile "gihub", but these: google, entra, github,`},
		{"okta", "Okta has several issuers (https://{org}.okta.com"},
		{"aws-identity-center", "AWS IAM Identity Center: its CreateToken is an API of JSON"},
		{"fiserv", "Fiserv: its grant is that of client credentials"},
		{"keycloak", "Config.Issuer is empty"},
	} {
		cfg := usable(t)
		cfg.Provider, cfg.Issuer = c.provider, ""
		if _, err := client.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Provider %q: got %v, want %q", c.provider, err, c.want)
		}
	}
}

// Whatever the table says of endpoints, New takes it: no profile is wrong.
func TestNewTakesEveryProfile(t *testing.T) {
	for _, p := range provider.All() {
		if p.Unsupported != "" {
			continue
		}
		cfg := usable(t)
		cfg.Provider, cfg.Issuer = p.Name, ""
		if len(p.Issuers) != 1 || strings.Contains(p.Issuers[0], "{") {
			cfg.Issuer = "https://issuer.example.com"
		}
		c, err := client.New(cfg)
		if err != nil {
			t.Errorf("%s: %v", p.Title, err)
			continue
		}
		_ = c.Close()
	}
}

// A web program that does not ask for consent each time hears when it has to, and why.
func TestAWebLoginWithoutConsentIsAdvisedByTheProfile(t *testing.T) {
	b := newBackend(t, google(t))
	b.cfg.Params = url.Values{"prompt": {"select_account"}}
	c := b.machine()
	v := b.visitor("bob")
	_, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7")
	if !errors.Is(err, client.ErrConsentRequired) || !strings.Contains(err.Error(), "Google gives a refresh token only with consent") {
		t.Fatalf("FinishLogin: %v", err)
	}
	again := client.AuthRequest{Params: url.Values{"prompt": {"consent"}}}
	me, err := v.finish(c, v.agree(v.begin(c, "user-7", again)), "user-7")
	if err != nil {
		t.Fatalf("FinishLogin after the consent: %v", err)
	}
	b.works(me)
}
