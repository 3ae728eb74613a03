package client_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

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
