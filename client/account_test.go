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

// crowd calls Token from n goroutines at once and returns how long each took.
func (p *process) crowd(n int, patience time.Duration) (took []time.Duration, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			begun := time.Now()
			_, err := p.me.Token(ctx)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(begun))
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return took, errs
}

func count[T any](list []T, like func(T) bool) (n int) {
	for _, e := range list {
		if like(e) {
			n++
		}
	}
	return n
}

func failed(err error) bool                   { return err != nil }
func waited(took time.Duration) bool          { return took > 0 }
func background(c *client.Config, _ *process) { c.Background = true }

func TestOfManyCallersNearTheEndOneRenewsAndTheOthersDoNotWait(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		time.Sleep(lifetime * 85 / 100)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
		took, errs := x.crowd(64, time.Second)
		if n := count(errs, failed); n > 0 {
			t.Errorf("%d callers failed", n)
		}
		if n := count(took, waited); n != 1 {
			t.Errorf("%d callers waited, want 1", n)
		}
		w.requests(1)
	})
}

func TestAfterTheEndAllCallersShareOneRequest(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
		if _, errs := x.crowd(64, time.Second); count(errs, failed) > 0 {
			t.Errorf("callers failed: %v", errs)
		}
		w.requests(1)
	})
}

func TestWithBackgroundNobodyWaits(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		for range 300 { // five minutes, five lifetimes
			if took, errs := x.crowd(4, time.Second); count(errs, failed) > 0 || count(took, waited) > 0 {
				t.Fatalf("callers waited %v, %v", took, errs)
			}
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
			time.Sleep(time.Second)
		}
		if n := w.as.RefreshCount(); n < 5 || n > 7 {
			t.Errorf("%d renewals in five lifetimes", n)
		}
	})
}

func TestBackgroundLeavesAnUnusedAccountAlone(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		x.works("X")
		time.Sleep(10 * lifetime)
		if n := w.as.RefreshCount(); n > 1 {
			t.Errorf("an account that nobody uses was renewed %d times", n)
		}
	})
}

func TestAFailingServerIsAskedOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{
			Status: http.StatusServiceUnavailable, Delay: 100 * time.Millisecond, Header: http.Header{"Retry-After": {"20"}}}, -1)
		took, errs := x.crowd(64, 200*time.Millisecond)
		for _, err := range errs {
			var e *client.Error
			if !errors.As(err, &e) || !e.Temporary || e.RetryAfter <= 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a caller got %v, want a temporary error with RetryAfter", err)
			}
		}
		if slow := slices.Max(took); slow > 150*time.Millisecond {
			t.Errorf("a caller waited %v", slow)
		}
		for range 19 { // the server has said when to come back
			time.Sleep(time.Second)
			_, _ = x.me.Token(t.Context())
		}
		w.requests(1)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
		time.Sleep(10 * time.Second)
		x.works("X")
	})
}

func TestATokenThatStillWorksIsServedWhileTheServerFails(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		time.Sleep(lifetime * 85 / 100)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, -1)
		for range 3 {
			x.works("X")
			time.Sleep(time.Second)
		}
	})
}

func TestACallerLeavesAndTheRenewalGoesOn(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 2 * time.Second}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := x.me.Token(ctx)
		if took := time.Since(begun); took != 50*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v; want the caller's own deadline at 50ms", took, err)
		}
		time.Sleep(3 * time.Second)
		if got := w.stored().Generation; got != 1 {
			t.Errorf("generation %d is stored, want 1", got)
		}
		x.works("X")
		w.requests(1)
	})
}

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

func TestShortLifetimesDoNotMeanARenewalPerCall(t *testing.T) {
	for _, seconds := range []int{1, 2, 5, 10} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			l := time.Duration(seconds) * time.Second
			inWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = l }, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				run := 20 * l
				for range 2000 {
					if _, err := x.me.Token(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(run / 2000)
				}
				if n, limit := w.as.RefreshCount(), int(float64(run)/(0.7*float64(l)))+1; n > limit {
					t.Errorf("%d token requests, want at most %d", n, limit)
				}
			})
		})
	}
}

func TestAMissingLifetimeLastsUntilA401(t *testing.T) {
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

func TestClaimsAreThoseOfTheIDToken(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		var claims struct {
			Subject string `json:"sub"`
		}
		if err := x.me.Claims(t.Context(), &claims); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("before a login: %v", err)
		}
		x.login()
		for range 2 {
			if err := x.me.Claims(t.Context(), &claims); err != nil || claims.Subject != "alice" {
				t.Errorf("claims: %+v, %v", claims, err)
			}
			w.expire()
			x.works("X")
		}
	})
}

func TestARenewedIDTokenOfAnotherIdentityEndsTheGrant(t *testing.T) {
	for name, change := range map[string]func(claims map[string]any){
		"sub":       func(c map[string]any) { c["sub"] = "mallory" },
		"iss":       func(c map[string]any) { c["iss"] = "https://evil.example" },
		"aud":       func(c map[string]any) { c["aud"] = []string{"test-client", "another"} },
		"azp":       func(c map[string]any) { c["azp"] = "another" },
		"auth_time": func(c map[string]any) { c["auth_time"] = time.Now().Unix() + 1 },
		"iat":       func(c map[string]any) { c["iat"] = time.Now().Add(-time.Hour).Unix() },
		"nonce":     func(c map[string]any) { c["nonce"] = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(), w.start()
				x.login()
				w.expire()
				w.as.Set(func(o *clienttest.Options) {
					o.Claims = func(_ clienttest.Exchange, claims map[string]any) { change(claims) }
				})
				for who, p := range map[string]*process{"X": x, "Y": y} {
					_, err := p.me.Token(t.Context())
					var e *client.Error
					if !errors.Is(err, client.ErrLoginRequired) || !errors.As(err, &e) || e.Code != "invalid_id_token" {
						t.Errorf("%s got %v, want ErrLoginRequired with the code invalid_id_token", who, err)
					}
				}
				rec := w.stored()
				if rec == nil || rec.RefreshToken != w.as.LiveRefreshToken("alice") || rec.AccessToken != "" {
					t.Error("the rotated refresh token is lost, or the foreign access token is kept")
				}
			})
		})
	}
}

func TestUnreachableKeysDoNotEndAGrant(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.as.FailNext(clienttest.JWKSPath, clienttest.Fault{Status: http.StatusInternalServerError}, -1)
		p := w.start()
		p.works("a process that cannot fetch the keys")
		if err := p.client.Close(); err != nil {
			t.Fatal(err)
		}
		if !p.happened(client.IDTokenUnchecked) {
			t.Error("nobody was told")
		}
	})
}

func TestASignatureByAnotherKeyEndsTheGrant(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if raw, ok := answer["id_token"].(string); ok {
					head, sig := raw[:strings.LastIndex(raw, ".")+1], raw[strings.LastIndex(raw, ".")+1:]
					answer["id_token"] = head + strings.Repeat("A", len(sig))
				}
			}
		})
		p := w.start()
		_, _ = p.me.Token(t.Context())
		time.Sleep(time.Second)
		if _, err := p.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("got %v, want ErrLoginRequired", err)
		}
		if !p.happened(client.LoginNeeded) {
			t.Error("nobody was told")
		}
	})
}
