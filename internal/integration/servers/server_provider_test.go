package servers_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/client/provider"
)

// personality is a provider that the server of clienttest plays: it does what the
// table of package provider says. A program knows no more of it than its name.
func personality(p *provider.Profile) server {
	return server{
		name:  p.Title,
		lacks: lacksOf(p),
		open: alike(func(t *testing.T, _ settings) *running {
			return startPersonality(t, p)
		}),
	}
}

func personalities() []server {
	var all []server
	for _, p := range provider.All() {
		if p.Unsupported == "" {
			all = append(all, personality(p))
		}
	}
	return all
}

// lacksOf tells what is not known of a provider. What the table does not say is not
// played.
func lacksOf(p *provider.Profile) map[string]string {
	lacks := map[string]string{"login by password": "whether it has a password grant is not known"}
	not := func(reason string, stories ...string) {
		for _, name := range stories {
			lacks[name] = reason
		}
	}
	if p.DeviceURL == "" && !p.Discovery {
		not("no device flow of it is known", "login by device", "the user refuses a device")
	}
	switch {
	case len(p.Params) == 0:
		not("nothing can be forgotten", "a login brings no refresh token")
	case p.Answer.NoLifetime:
		not("no answer says how long a token lives, so nobody can tell that the login will end", "a login brings no refresh token")
	}
	switch {
	case p.ClientAuth == "none":
		not("its clients have no secret", "a wrong secret", "the secret is changed")
	case p.Answer.ErrorNone != "":
		not("it has one error for a wrong secret and a dead token", "a wrong secret", "the secret is changed")
	}
	if !p.Discovery {
		not("no ID token of it is known", "the signing keys are changed")
	}
	if plays(p) > 0 {
		not("it takes a token again", "an answer is lost, without a grace period")
	} else {
		not("it has no grace period that is known", "an answer is lost within a grace period", "parallel renewals within a grace period")
	}
	if p.Idle == 0 {
		not("no idle lifetime of it is known", "KeepAlive")
	}
	if p.Absolute == 0 {
		not("no absolute lifetime of it is known", "forecast")
	}
	return lacks
}

// plays is for how long the server takes a refresh token again. That is more than the
// client relies on where the fact is not verified.
func plays(p *provider.Profile) time.Duration {
	if p.Rotation == provider.RotationDaily {
		return 24 * time.Hour
	}
	sure := *p
	sure.Facts = slices.Clone(p.Facts)
	for i := range sure.Facts {
		sure.Facts[i].Verified = true
	}
	return sure.Repeats()
}

func startPersonality(t *testing.T, p *provider.Profile) *running {
	f := newFake(t, clienttest.Options{InMemory: true, Provider: p.Name})
	p = p.At(f.Issuer())
	r := f.running()
	r.password = ""
	r.played, r.profile = f, p
	r.lifetime = cmp.Or(p.AccessLifetime, 5*time.Minute) // or the default of clienttest
	r.scopes = append([]string{"read"}, p.Scopes...)
	r.asks = r.scopes
	if p.Discovery {
		r.asks = append([]string{"openid"}, r.asks...)
	}
	r.web = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		return f.HTTPClient().Transport.RoundTrip(req) // of the server that is there now
	})}
	r.lose = func(answer bool) {
		as, before := f.Server, f.Requests(clienttest.TokenPath)
		as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: answer}, 1)
		t.Cleanup(func() {
			if as.Requests(clienttest.TokenPath) < before+2 {
				t.Error("no token request was lost, or none came after it")
			}
		})
	}
	if p.ClientAuth == "none" {
		r.confidential, r.changeSecret = r.public, nil
	} else {
		r.public = r.confidential
	}
	if p.Answer.ErrorNone != "" {
		r.changeSecret = nil
	}
	if len(p.Issuers) == 1 && !strings.Contains(p.Issuers[0], "{") { // its name is enough
		r.public.Issuer, r.confidential.Issuer = "", ""
	}
	if !p.Discovery {
		r.rotateKeys = nil
		r.says = map[string]any{"userinfo_endpoint": f.URL(clienttest.UserInfoPath)}
		if p.DeviceURL != "" {
			r.says["device_authorization_endpoint"] = p.DeviceURL
		}
	}
	r.noRefresh = func(c *client.Config) {
		c.Params = url.Values{}
		for name := range p.Params {
			c.Params.Set(name, "other") // the program's own word goes first
		}
	}
	r.advice = p.Advice
	r.spend = r.imports
	r.revoke = func() { f.Revoke("alice") } // as a user does on a page of the provider
	return r
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// imports spends a refresh token in another program, which has found it somewhere.
func (r *running) imports(refreshToken string) (next string, ok bool) {
	r.t.Helper()
	p := r.program(nil)
	err := p.ask(client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		return &oauth2.Token{RefreshToken: refreshToken}, nil
	}))
	if err == nil {
		err = p.token()
	}
	if errors.Is(err, client.ErrLoginRequired) {
		return "", false
	}
	if err != nil {
		r.t.Fatalf("the token is neither taken nor refused: %v", err)
	}
	return p.stored().RefreshToken, true
}
