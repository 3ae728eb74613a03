package client_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// Servers have ways of their own. These are the classes of them; the servers of
// which each is known are in internal/docs/servers.md.

// saying lets the server say otherwise what it means by invalid_grant.
func saying(change func(answer map[string]any)) func(*clienttest.Options) {
	return func(o *clienttest.Options) {
		o.Rotation = clienttest.RefuseReuse
		o.Tamper = func(_ clienttest.Exchange, answer map[string]any) {
			if answer["error"] == "invalid_grant" {
				change(answer)
			}
		}
	}
}

// dex says invalid_request, or answers without a body.
func TestADeadTokenIsSeenAlsoWithoutInvalidGrant(t *testing.T) {
	for name, change := range map[string]func(answer map[string]any){
		"another code":        func(answer map[string]any) { answer["error"] = "invalid_request" },
		"a code of its own":   func(answer map[string]any) { answer["error"] = "token_gone" },
		"a code with a space": func(answer map[string]any) { answer["error"] = "The token is dead" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, saying(change), func(t *testing.T, w *world) {
				x, y := w.start(), w.start()
				x.login()
				w.expire()
				w.as.Revoke("alice")
				for range 20 {
					if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
						t.Fatalf("X got %v", err)
					}
					time.Sleep(time.Second)
				}
				w.requests(1)
				y.login()
				time.Sleep(5 * time.Second)
				x.works("X, after a login elsewhere,")
			})
		})
	}
}

func TestALostAnswerIsToldAlsoWithoutInvalidGrant(t *testing.T) {
	inWorld(t, saying(func(answer map[string]any) { answer["error"] = "invalid_request" }), func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
		for range 2 { // it is told again, and to the next process, too
			_, err := x.me.Token(t.Context())
			if !errors.Is(err, client.ErrLoginRequired) || !strings.Contains(err.Error(), "never received") {
				t.Errorf("the error does not say that an answer was lost: %v", err)
			}
			x = w.start()
		}
	})
}

// oidc-provider says so of a proof that it does not like, Entra ID of a new policy.
// The refresh token is good.
func TestALivingTokenThatWasCalledDeadIsNotLost(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		kept := x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, 1)
		if r := <-x.async(); !errors.Is(r.err, client.ErrLoginRequired) {
			t.Fatalf("X got %v", r.err)
		}
		if w.stored().RefreshToken != kept {
			t.Fatal("the refresh token is gone")
		}
		if _, err := y.me.Refresh(t.Context(), nil); err != nil {
			t.Errorf("Refresh, on purpose: %v", err)
		}
		time.Sleep(3 * time.Second)
		x.works("X")
	})
}

// hydra answers an expired assertion with 500, dex the loser of a race. Nobody can
// tell that from a server that is out of order, so it must stay bearable: few
// requests, and the grant is kept.
func TestAFaultForGoodThatLooksLikeTroubleIsBorne(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"a code of its own": {Status: 500, Body: `{"error":"error","error_description":"The error is unrecognizable"}`},
		"a known code":      {Status: 500, Body: `{"error":"invalid_request"}`},
		"no body":           {Status: 500},
		"a page":            {Status: 502, Body: "<html>Bad gateway</html>"},
		"an empty 200":      {Status: 200, Body: " "},
		"a 200 of HTML":     {Status: 200, Body: "<html>Hello</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				kept := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, fault, -1)
				for range 3600 / 5 {
					_, err := x.me.Token(t.Context())
					if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
						t.Fatalf("X got %v", err)
					}
					time.Sleep(5 * time.Second)
				}
				if n := w.as.RefreshCount(); n > 2*70 { // two for each minute of back-off
					t.Errorf("%d requests in an hour", n)
				}
				if rec := w.stored(); rec.RefreshToken != kept || rec.Refused != nil {
					t.Error("the refresh token is gone, or marked as dead")
				}
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
				time.Sleep(2 * time.Minute)
				x.works("X")
			})
		})
	}
}

func TestTheGrantedScopesStayKnown(t *testing.T) {
	for name, c := range map[string]struct {
		scope any // of each answer to a renewal; nil: none
		want  []string
	}{
		"the answer has none":      {nil, []string{"openid", "offline_access", "profile"}},
		"the answer has an empty":  {"", []string{"openid", "offline_access", "profile"}},
		"the answer has fewer":     {"openid profile", []string{"openid", "profile"}},
		"the answer has commas":    {"openid,profile", []string{"openid", "profile"}},
		"the answer has no string": {[]string{"openid"}, []string{"openid", "offline_access", "profile"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(o *clienttest.Options) {
				o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
					if x.GrantType == "refresh_token" {
						delete(answer, "scope")
						if c.scope != nil {
							answer["scope"] = c.scope
						}
					}
				}
			}, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				for range 2 {
					w.expire()
					x.works("X")
				}
				st, err := x.me.Status(t.Context())
				slices.Sort(st.Scopes)
				slices.Sort(c.want)
				if err != nil || !slices.Equal(st.Scopes, c.want) {
					t.Errorf("the scopes are %q, %v, want %q", st.Scopes, err, c.want)
				}
				for _, e := range requestsTo(w.as, clienttest.TokenPath) {
					if e.Form.Has("scope") {
						t.Error("a renewal asks for scopes, which some servers refuse, and others narrow for good")
					}
				}
			})
		})
	}
}

// What a metadata document does not say may work all the same.
func TestMetadataThatSayLittleAreEnough(t *testing.T) {
	as := clienttest.NewServer(t)
	as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path != clienttest.DiscoveryPath {
				return
			}
			for name := range answer {
				if !slices.Contains([]string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "id_token_signing_alg_values_supported"}, name) {
					delete(answer, name)
				}
			}
		}
	})
	me := accountOf(t, as.Config())
	wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}))
	if _, err := me.Refresh(t.Context(), nil); err != nil {
		t.Errorf("Refresh: %v", err)
	}
	authorization := requestsTo(as, clienttest.AuthorizePath)[0].Query
	if authorization.Get("code_challenge_method") != "S256" || !strings.Contains(authorization.Get("scope"), "offline_access") {
		t.Error("the login asks for less, because the metadata do not list it")
	}
	// Without a revocation endpoint the grant is forgotten here, and the program
	// hears that the server may not know.
	_, err := me.Logout(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Op != "logout" {
		t.Errorf("Logout: %v", err)
	}
	if _, err := me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("after the logout: %v", err)
	}
}

// hydra has request_unauthorized for an access token that has ended.
func TestA401WithACodeOfItsOwnRenewsTheToken(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		dead, err := x.me.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.as.Set(func(o *clienttest.Options) {
			o.API = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer "+dead.AccessToken {
					rw.Header().Set("WWW-Authenticate", `Bearer error="request_unauthorized",error_description="The request could not be authorized."`)
					rw.WriteHeader(http.StatusUnauthorized)
				}
			})
		})
		x.works("X")
		w.requests(1)
	})
}

// hydra goes on to name the key of the login in the ID tokens of renewals, whatever
// key has signed them.
func TestAnIDTokenThatNamesTheWrongKeyIsVerifiedAllTheSame(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				keys, _ := answer["keys"].([]jose.JSONWebKey)
				for i := range keys {
					keys[i].KeyID = "of another name"
				}
			}
		})
		x := w.start()
		asked := 0
		for i := range 5 {
			w.expire()
			before := w.stored()
			x.works("X")
			time.Sleep(time.Second) // the signature is checked after the callers have their token
			if after := w.stored(); after.Refused != nil || after.IDToken == before.IDToken {
				t.Fatalf("the new ID token was verified: %v; the grant has ended: %v", after.IDToken != before.IDToken, after.Refused)
			}
			if i == 0 {
				asked = w.as.Requests(clienttest.JWKSPath)
			}
		}
		if n := w.as.Requests(clienttest.JWKSPath); n != asked {
			t.Errorf("the keys were asked for %d times more", n-asked)
		}
		w.as.RotateKeys()
		w.expire()
		x.works("X")
		time.Sleep(time.Second)
		x.works("X")
	})
}

// hydra ends the access token with the renewal. Who is told so while the successor is
// on its way to another process waits for it, also shortly after a renewal of its own.
func TestARefusedTokenIsReplacedByTheOneThatIsOnItsWay(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.as.RevokeAccess("alice")
		x.works("X, whose token was ended,") // by a renewal of its own
		y.works("Y")
		w.as.RevokeAccess("alice")
		held := w.as.HoldAnswer(clienttest.TokenPath)
		renewed := make(chan error, 1)
		go func() {
			_, err := y.me.Refresh(t.Context(), nil)
			renewed <- err
		}()
		<-held.Arrived()
		time.AfterFunc(time.Second, held.Release)
		x.works("X, while Y renews,")
		if err := <-renewed; err != nil {
			t.Errorf("Y: %v", err)
		}
		w.requests(2)
	})
}
