package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
)

func TestAFreshTokenInANewProcessCostsNoRequest(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		before := len(w.as.Exchanges())
		if _, err := w.start().me.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(w.as.Exchanges()) - before; n != 0 {
			t.Errorf("%d requests to the server", n)
		}
	})
}

func TestAnExpiredTokenInANewProcessCostsDiscoveryAndOneTokenRequest(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		p := w.start()
		before := len(w.as.Exchanges())
		if _, err := p.me.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, x := range w.as.Exchanges()[before:] {
			if x.Path != clienttest.JWKSPath { // the keys for the ID token are no part of the wait
				paths = append(paths, x.Path)
			}
		}
		if want := []string{clienttest.DiscoveryPath, clienttest.TokenPath}; !slices.Equal(paths, want) {
			t.Errorf("requests to %v, want %v", paths, want)
		}
	})
}

func TestARejectedTokenIsRenewedOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		rejected, err := x.me.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				got, err := x.me.Refresh(t.Context(), rejected)
				if err != nil || got.AccessToken == rejected.AccessToken {
					t.Errorf("Refresh: %v", err)
				}
			})
		}
		wg.Wait()
		w.requests(1)
	})
}

func TestAnAPIThatRefusesEveryTokenDoesNotCauseARenewalPerRequest(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		for range 100 {
			resp, err := x.me.HTTPClient().Get(w.as.URL(clienttest.APIPath))
			if err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("the 401 did not reach the caller: %v", err)
			}
			_ = resp.Body.Close()
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.as.RefreshCount(); n > 2 {
			t.Errorf("%d renewals in ten seconds", n)
		}
	})
}

// Tokens that live for seconds have ended before a 401 is the API's own trouble.
func TestARejectedTokenThatHasEndedIsRenewedHoweverYoungItIs(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = 4 * time.Second }, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		rejected, err := x.me.Token(t.Context())
		for range 3 {
			if err != nil {
				t.Fatal(err)
			}
			var got *oauth2.Token
			if got, err = x.me.Refresh(t.Context(), rejected); err == nil && got.AccessToken == rejected.AccessToken {
				t.Error("the token that was refused came back")
			}
			rejected = got
			time.Sleep(4 * time.Second)
		}
		w.requests(3)
	})
}

func TestRefreshWithoutATokenRenewsInAnyCase(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		for want := 1; want <= 3; want++ {
			if _, err := w.start().me.Refresh(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			w.requests(want)
		}
	})
}

// Without a bubble: what one call leaves behind for a moment must not be what the
// next one gets, and the scheduler decides how long that moment is.
func TestEachRefreshWithoutATokenBringsAnotherOne(t *testing.T) {
	as := clienttest.NewMemoryServer(t)
	c, err := client.New(as.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	me := c.Account("alice")
	if err := me.Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil })); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 600 {
		tok, err := me.Refresh(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if seen[tok.AccessToken] {
			t.Fatalf("call %d got the token of a call before", len(seen)+1)
		}
		seen[tok.AccessToken] = true
	}
}

func TestAnExplicitRefreshClearsAMark(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusBadRequest, Body: `{"error":"invalid_grant"}`}, 1) // it lies
		if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
			t.Fatalf("X got %v", err)
		}
		if _, err := y.me.Refresh(t.Context(), nil); err != nil {
			t.Fatalf("Refresh: %v", err)
		}
		time.Sleep(3 * time.Second)
		x.works("X")
	})
}

func TestATokenNeverCarriesTheRefreshTokenAndKeepsExtra(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == clienttest.TokenPath && x.Generation == 0 {
				answer["instance_url"] = "https://na1.example.com"
			}
		}
	}, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		x.works("X") // the answer to the first renewal holds instance_url, later ones do not
		w.expire()
		for _, p := range []*process{x, w.start()} {
			got, err := p.me.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.RefreshToken != "" {
				t.Error("the token carries a refresh token")
			}
			if u := got.Extra("instance_url"); u != "https://na1.example.com" {
				t.Errorf("instance_url is %v", u)
			}
		}
	})
}

func TestFieldCase_gitlab_org_gitlab_360729_AMissingLifetimeLastsUntilA401(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) { delete(answer, "expires_in") }
	}, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		if _, err := x.me.Refresh(t.Context(), nil); err != nil { // the grant of the login does tell
			t.Fatal(err)
		}
		for range 10 {
			if _, err := x.me.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		w.requests(1)
		w.as.RevokeAccess("alice")
		x.works("X")
		w.requests(2)
	})
}

func TestEventsArriveInOrderAndMayCallTheAccount(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		var kinds []client.EventKind
		var p *process
		p = w.start(func(c *client.Config, _ *process) {
			c.OnEvent = func(ctx context.Context, e client.Event) {
				kinds = append(kinds, e.Kind)
				if _, err := p.me.Token(ctx); err != nil && !errors.Is(err, client.ErrLoginRequired) && !errors.Is(err, client.ErrClosed) {
					t.Errorf("Token in an event: %v", err)
				}
				if e.Key != w.key || e.Start.IsZero() {
					t.Errorf("an incomplete event: %+v", e)
				}
			}
		})
		p.login()
		w.expire()
		p.works("X")
		if _, err := p.me.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.client.Close(); err != nil {
			t.Fatal(err)
		}
		want := []client.EventKind{client.LoggedIn, client.Renewed, client.LoggedOut}
		got := slices.DeleteFunc(kinds, func(k client.EventKind) bool { return !slices.Contains(want, k) })
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestStatusAndAccountsTellWithoutSecrets(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(func(c *client.Config, p *process) { c.Store = w.shared; c.Sealer = noSeal{} })
		if st, err := x.me.Status(t.Context()); err != nil || !errors.Is(st.Err, client.ErrLoginRequired) {
			t.Errorf("before a login: %v, %v", st.Err, err)
		}
		rt := x.login()
		w.expire()
		x.works("X")
		bob := x.client.Account("bob")
		if err := bob.Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return w.as.Grant("bob"), nil })); err != nil {
			t.Fatal(err)
		}
		if _, err := w.shared.Save(t.Context(), tokenstore.Key{Issuer: w.key.Issuer, ClientID: w.key.ClientID, Account: "carol"}, []byte("junk"), ""); err != nil {
			t.Fatal(err)
		}
		seen := map[string]client.Status{}
		for st, err := range x.client.Accounts(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			seen[st.Account] = st
		}
		if len(seen) != 3 || seen["carol"].Err == nil || seen["alice"].Err != nil {
			t.Errorf("accounts: %v", seen)
		}
		st := seen["alice"]
		if st.Generation != 1 || st.Expiry.Before(time.Now()) || st.LoggedIn.IsZero() || !st.Renewed.After(st.LoggedIn) {
			t.Errorf("status: %+v", st)
		}
		if text := fmt.Sprintf("%+v %#v", seen, seen); strings.Contains(text, rt) || strings.Contains(text, w.as.LiveRefreshToken("alice")) {
			t.Error("a status shows a secret")
		}
	})
}

// noSeal lets a test look at what would be sealed.
type noSeal struct{}

func (noSeal) Encrypt(plaintext, _ []byte) ([]byte, error)  { return plaintext, nil }
func (noSeal) Decrypt(ciphertext, _ []byte) ([]byte, error) { return ciphertext, nil }
