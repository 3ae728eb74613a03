package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// logoutRequest is what a server sends.
func logoutRequest(t *testing.T, token string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://app.example/logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// inOffice runs a test in a bubble where users have logged in on the web: bob as
// user-1 with session s1 and as user-2 with session s2, alice as user-3 with s3.
func inOffice(t *testing.T, test func(t *testing.T, b *backend, c *client.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, clienttest.NewMemoryServer(t))
		c := b.machine()
		for _, login := range []struct{ user, account, session string }{
			{"bob", "user-1", "s1"}, {"bob", "user-2", "s2"}, {"alice", "user-3", "s3"},
		} {
			b.as.Set(func(o *clienttest.Options) {
				o.Claims = func(_ clienttest.Exchange, claims map[string]any) { claims["sid"] = login.session }
			})
			v := b.visitor(login.user)
			if _, err := v.finish(c, v.agree(v.begin(c, login.account, client.AuthRequest{})), login.account); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		test(t, b, c)
	})
}

// loggedIn names the accounts that have a grant.
func loggedIn(t *testing.T, c *client.Client) (accounts []string) {
	t.Helper()
	for s, err := range c.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, s.Account)
	}
	slices.Sort(accounts)
	return accounts
}

func TestALogoutAtTheServerEndsTheGrantsThatItIsAbout(t *testing.T) {
	for _, x := range []struct {
		name     string
		claims   map[string]any
		accounts func(string) []string
		left     []string
	}{
		{"a user", map[string]any{"sub": "bob"}, nil, []string{"user-3"}},
		{"a session", map[string]any{"sid": "s1"}, nil, []string{"user-2", "user-3"}},
		{"a session of a user", map[string]any{"sub": "bob", "sid": "s2"}, nil, []string{"user-1", "user-3"}},
		{"the session of another user", map[string]any{"sub": "bob", "sid": "s3"}, nil, []string{"user-1", "user-2", "user-3"}},
		{"a stranger", map[string]any{"sub": "carol"}, nil, []string{"user-1", "user-2", "user-3"}},
		{"a stranger, and a user under a name that is none", map[string]any{"sub": "carol", "\u017fub": "bob", "SUB": "bob"}, nil, []string{"user-1", "user-2", "user-3"}},
		{"a user whose accounts the program knows", map[string]any{"sub": "bob"}, func(sub string) []string {
			return map[string][]string{"bob": {"user-2", "user-3", "nobody", ""}}[sub]
		}, []string{"user-1", "user-3"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
				rec := httptest.NewRecorder()
				err := c.BackChannelLogout(rec, logoutRequest(t, b.as.LogoutToken(x.claims)), x.accounts)
				if err != nil || rec.Code != http.StatusOK || rec.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("status %d, %v, %v", rec.Code, rec.Header(), err)
				}
				if got := loggedIn(t, c); !slices.Equal(got, x.left) {
					t.Errorf("still logged in: %q, want %q", got, x.left)
				}
				if _, err := c.Account("user-1").Token(t.Context()); errors.Is(err, client.ErrLoginRequired) == slices.Contains(x.left, "user-1") {
					t.Errorf("Token of user-1: %v", err)
				}
				if want := 3 - len(x.left); b.as.Requests(clienttest.RevokePath) != want {
					t.Errorf("%d grants were revoked, want %d", b.as.Requests(clienttest.RevokePath), want)
				}
			})
		})
	}
}

func TestALogoutTokenIsGoodForOneLogoutOnWhateverMachine(t *testing.T) {
	inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
		token := b.as.LogoutToken(map[string]any{"sub": "bob"})
		if err := c.BackChannelLogout(httptest.NewRecorder(), logoutRequest(t, token), nil); err != nil {
			t.Fatal(err)
		}
		v := b.visitor("bob")
		if _, err := v.finish(c, v.agree(v.begin(c, "user-1", client.AuthRequest{})), "user-1"); err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		err := b.machine().BackChannelLogout(rec, logoutRequest(t, token), nil)
		if err == nil || !strings.Contains(err.Error(), "used already") || rec.Code != http.StatusBadRequest {
			t.Errorf("the second time: status %d, %v", rec.Code, err)
		}
		if got := loggedIn(t, c); !slices.Contains(got, "user-1") {
			t.Error("the second login has ended with the first")
		}
	})
}

func TestALogoutTokenSaysNothingAboutALaterLogin(t *testing.T) {
	inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
		token := b.as.LogoutToken(map[string]any{"sub": "bob", "iat": time.Now().Add(-2 * time.Hour).Unix()})
		if err := c.BackChannelLogout(httptest.NewRecorder(), logoutRequest(t, token), nil); err != nil {
			t.Fatal(err)
		}
		if got := loggedIn(t, c); len(got) != 3 {
			t.Errorf("still logged in: %q", got)
		}
	})
}

func TestALogoutTokenThatCannotBeTrustedEndsNothing(t *testing.T) {
	for name, request := range map[string]func(t *testing.T, as *clienttest.Server) *http.Request{
		"for another client": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "aud": "another"}))
		},
		"of another issuer": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "iss": "https://evil.example"}))
		},
		"signed by another server": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, clienttest.NewMemoryServer(t).LogoutToken(map[string]any{"sub": "bob", "iss": as.Issuer(), "aud": "backend"}))
		},
		"expired": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "exp": time.Now().Add(-time.Hour).Unix()}))
		},
		"of the future": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "iat": time.Now().Add(time.Hour).Unix()}))
		},
		"without a user": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(nil))
		},
		"with a user under a name that is none": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"Sub": "bob"}))
		},
		"with an event that is no object": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": nil}}))
		},
		"with a nonce": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "nonce": ""}))
		},
		"without an event": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "events": nil}))
		},
		"without a name of its own": func(t *testing.T, as *clienttest.Server) *http.Request {
			return logoutRequest(t, as.LogoutToken(map[string]any{"sub": "bob", "jti": nil}))
		},
		"an ID token": func(t *testing.T, as *clienttest.Server) *http.Request {
			idToken, _ := as.Grant("bob").Extra("id_token").(string)
			return logoutRequest(t, idToken)
		},
		"no token": func(t *testing.T, _ *clienttest.Server) *http.Request { return logoutRequest(t, "") },
		"no JWT":   func(t *testing.T, _ *clienttest.Server) *http.Request { return logoutRequest(t, "a.b.c") },
		"a large body": func(t *testing.T, _ *clienttest.Server) *http.Request {
			return logoutRequest(t, strings.Repeat("x", 1<<20))
		},
		"by GET": func(t *testing.T, as *clienttest.Server) *http.Request {
			return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example/logout?logout_token="+as.LogoutToken(map[string]any{"sub": "bob"}), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
				rec := httptest.NewRecorder()
				err := c.BackChannelLogout(rec, request(t, b.as), nil)
				if e, ok := errors.AsType[*client.Error](err); !ok || e.Temporary || rec.Code != http.StatusBadRequest {
					t.Errorf("status %d, %v", rec.Code, err)
				}
				if got := loggedIn(t, c); len(got) != 3 {
					t.Errorf("still logged in: %q", got)
				}
			})
		})
	}
}

func TestALogoutThatFailsForNowCanComeAgain(t *testing.T) {
	inOffice(t, func(t *testing.T, b *backend, _ *client.Client) {
		c := b.machine() // has no keys yet
		b.as.FailNext(clienttest.JWKSPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, 1)
		token := b.as.LogoutToken(map[string]any{"sub": "alice"})
		rec := httptest.NewRecorder()
		if err := c.BackChannelLogout(rec, logoutRequest(t, token), nil); err == nil || rec.Code != http.StatusServiceUnavailable {
			t.Errorf("without keys: status %d, %v", rec.Code, err)
		}
		synctest.Wait() // or it joins the fetch that has just failed
		if err := c.BackChannelLogout(httptest.NewRecorder(), logoutRequest(t, token), nil); err != nil {
			t.Errorf("the second time: %v", err)
		}
		if got := loggedIn(t, c); slices.Contains(got, "user-3") {
			t.Errorf("still logged in: %q", got)
		}
	})
}

func TestALogoutTokenThatReachesTwoMachinesAtOnceCountsOnce(t *testing.T) {
	inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
		token := b.as.LogoutToken(map[string]any{"sub": "bob"})
		var machines sync.WaitGroup
		var accepted atomic.Int64
		for _, c := range []*client.Client{c, b.machine(), b.machine()} {
			machines.Go(func() {
				rec := httptest.NewRecorder()
				err := c.BackChannelLogout(rec, logoutRequest(t, token), nil)
				if err == nil {
					accepted.Add(1)
				} else if !strings.Contains(err.Error(), "used already") || rec.Code != http.StatusBadRequest {
					t.Errorf("status %d, %v", rec.Code, err)
				}
			})
		}
		machines.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("accepted %d times", n)
		}
		if got := loggedIn(t, c); !slices.Equal(got, []string{"user-3"}) {
			t.Errorf("still logged in: %q", got)
		}
	})
}

// A machine that has a fresh token learns of it from the API's 401.
func TestALogoutAtTheServerHoldsOnEveryMachine(t *testing.T) {
	inOffice(t, func(t *testing.T, b *backend, c *client.Client) {
		other := b.machine()
		for _, account := range []string{"user-1", "user-3"} {
			b.works(other.Account(account))
		}
		if err := c.BackChannelLogout(httptest.NewRecorder(), logoutRequest(t, b.as.LogoutToken(map[string]any{"sub": "bob"})), nil); err != nil {
			t.Fatal(err)
		}
		resp, err := other.Account("user-1").HTTPClient().Get(b.as.URL(clienttest.APIPath))
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("the API answers %s", resp.Status)
			}
		}
		if _, err := other.Account("user-1").Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("the other machine still has a token: %v", err)
		}
		b.works(other.Account("user-3"))
	})
}
