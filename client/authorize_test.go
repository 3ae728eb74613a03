package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// authorizationRequests are the queries that the authorization endpoint got.
func authorizationRequests(as *clienttest.Server) (queries []url.Values) {
	for _, x := range requestsTo(as, clienttest.AuthorizePath) {
		queries = append(queries, x.Query)
	}
	return queries
}

func TestAnAuthorizationRequestIsBoundToItsLogin(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	cfg.Params = url.Values{"access_type": {"offline"}}
	me := accountOf(t, cfg)
	flow := client.Browser{Open: as.Browser()}
	flow.Params = url.Values{"acr_values": {"gold"}}
	flow.Scopes = []string{"profile"}
	for range 2 {
		wantSignedIn(t, as, me, me.Login(t.Context(), flow))
	}
	queries := authorizationRequests(as)
	for i, q := range queries {
		for name, want := range map[string]string{
			"response_type": "code", "client_id": clienttest.PublicClient, "scope": "openid offline_access profile",
			"code_challenge_method": "S256", "prompt": "consent", "access_type": "offline", "acr_values": "gold",
		} {
			if got := q[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if !regexp.MustCompile(`^http://127\.0\.0\.1:[0-9]+/callback$`).MatchString(q.Get("redirect_uri")) {
			t.Errorf("redirect_uri %q", q.Get("redirect_uri"))
		}
		sent := requestsTo(as, clienttest.TokenPath)[i].Form
		if got := sent.Get("redirect_uri"); got != q.Get("redirect_uri") {
			t.Errorf("redirect_uri is %q in the authorization request and %q in the token request", q.Get("redirect_uri"), got)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`).MatchString(sent.Get("code_verifier")) {
			t.Errorf("code_verifier %q (RFC 7636 section 4.1)", sent.Get("code_verifier"))
		}
		for _, name := range []string{"state", "nonce"} {
			if len(q.Get(name)) < 22 { // 128 bits in base64
				t.Errorf("%s %q can be guessed", name, q.Get(name))
			}
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if queries[0].Get(name) == queries[1].Get(name) {
			t.Errorf("two logins had the same %s", name)
		}
	}
}

func TestAnAuthorizationRequestAsksForNoMoreThanIsWanted(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	cfg.Scopes = []string{"api"}
	cfg.Params = url.Values{"prompt": {"login"}}
	me := accountOf(t, cfg)
	wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}))
	q := authorizationRequests(as)[0]
	if q.Get("scope") != "api" || q.Has("nonce") || q.Get("prompt") != "login" {
		t.Errorf("the request was %v", q)
	}
}

func TestTwoLoginsAtOnceDoNotDisturbEachOther(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var logins sync.WaitGroup
	for i := range 20 {
		logins.Go(func() {
			if err := c.Account(fmt.Sprint(i)).Login(t.Context(), client.Browser{Open: as.Browser()}); err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		})
	}
	logins.Wait()
}

// RFC 9700 section 4.5: the code of one login in the response to another.
func TestASwappedCodeBringsNothing(t *testing.T) {
	as := clienttest.NewServer(t)
	login := func(account string, mine chan<- string, theirs <-chan string) {
		me := accountOf(t, as.Config())
		user := somebody(as, account)
		err := me.Login(t.Context(), client.Browser{Open: func(authURL string) error {
			callback, err := user.location(authURL)
			if err != nil {
				return err
			}
			mine <- callback.Query().Get("code")
			other := <-theirs
			return user.open(withParams(callback, func(q url.Values) { q.Set("code", other) }))
		}})
		wantNoLogin(t, me, err, "invalid_grant")
		user.wantPage(t, "Sign-in failed")
	}
	ofAlice, ofBob := make(chan string, 1), make(chan string, 1)
	var logins sync.WaitGroup
	logins.Go(func() { login("alice", ofAlice, ofBob) })
	logins.Go(func() { login("bob", ofBob, ofAlice) })
	logins.Wait()
	for _, account := range []string{"alice", "bob"} {
		if as.FamilyAlive(account) {
			t.Errorf("there is a grant of %s", account)
		}
	}
}

// RFC 9207 section 2.4: then it is not known whose the error is, either.
func TestAResponseOfAnotherIssuerEndsTheLoginUnread(t *testing.T) {
	for name, iss := range map[string]any{
		"missing": nil, "another": "https://evil.example", "with a slash": "/", "upper case": strings.ToUpper, "twice": "twice", "empty": "",
	} {
		for _, denied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, denied %v", name, denied), func(t *testing.T) {
				as := clienttest.NewServer(t)
				as.Set(func(o *clienttest.Options) { o.UserDenies = denied })
				tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
					switch iss := iss.(type) {
					case nil:
						delete(answer, "iss")
					case func(string) string:
						answer["iss"] = iss(as.Issuer())
					case string:
						answer["iss"] = map[string]any{"/": as.Issuer() + "/", "twice": []string{as.Issuer(), as.Issuer()}}[iss]
						if answer["iss"] == nil {
							answer["iss"] = iss
						}
					}
					if denied {
						answer["error_description"] = "call 0900-EVIL"
					}
				})
				me := accountOf(t, as.Config())
				alice := somebody(as, "alice")
				err := me.Login(t.Context(), client.Browser{Open: alice.open})
				wantNoLogin(t, me, err, "", "RFC 9207")
				alice.wantPage(t, "Sign-in failed")
				if strings.Contains(err.Error(), "EVIL") || as.Requests(clienttest.TokenPath) != 0 {
					t.Errorf("%d token requests, and the error is %v", as.Requests(clienttest.TokenPath), err)
				}
			})
		}
	}
}

// RFC 9700 section 4.4: the user begins at an evil server, which sends the
// browser on to an honest one, to get at its code.
func TestAMixUpBringsTheEvilServerNothing(t *testing.T) {
	honest, evil := clienttest.NewServer(t), clienttest.NewServer(t)
	tamper(evil, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) {
		m["authorization_endpoint"] = honest.URL(clienttest.AuthorizePath)
	})
	for name, iss := range map[string]string{"honest iss": honest.Issuer(), "no iss": ""} {
		t.Run(name, func(t *testing.T) {
			tamper(honest, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				if iss == "" {
					delete(answer, "iss")
				}
			})
			me := accountOf(t, evil.Config())
			alice := somebody(honest, "alice")
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: alice.open}), "", "RFC 9207")
			alice.wantPage(t, "Sign-in failed")
			if n := evil.Requests(clienttest.TokenPath); n != 0 {
				t.Errorf("the evil server got %d token requests", n)
			}
		})
	}
}

func TestARefusalIsToldToTheUserAndToTheProgram(t *testing.T) {
	for code, page := range map[string]string{
		"access_denied": "Sign-in refused", "login_required": "Sign-in failed", "server_error": "Sign-in failed", "\x1b[2Jodd": "Sign-in failed",
	} {
		t.Run(code, func(t *testing.T) {
			as := clienttest.NewServer(t)
			as.Set(func(o *clienttest.Options) { o.UserDenies = true })
			tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				answer["error"], answer["error_description"] = code, "not \x1b]0;owned\x07<b>today</b>"
			})
			me := accountOf(t, as.Config())
			alice := somebody(as, "alice")
			err := me.Login(t.Context(), client.Browser{Open: alice.open})
			wantNoLogin(t, me, err, strings.TrimPrefix(code, "\x1b[2J"), "not <b>today</b>")
			alice.wantPage(t, page)
			if strings.Contains(err.Error(), "\x1b") || as.Requests(clienttest.TokenPath) != 0 {
				t.Errorf("after %d token requests: %q", as.Requests(clienttest.TokenPath), err)
			}
		})
	}
}

func TestAResponseWithoutACodeIsAnError(t *testing.T) {
	for name, code := range map[string]any{"none": nil, "empty": "", "two": []string{"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				if answer["code"] = code; code == nil {
					delete(answer, "code")
				}
			})
			me := accountOf(t, as.Config())
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: somebody(as, "alice").open}), "", "no authorization code")
			if n := as.Requests(clienttest.TokenPath); n != 0 {
				t.Errorf("%d token requests, want none", n)
			}
		})
	}
}

// RFC 6749 section 4.1.2: a code is used once, whatever becomes of the answer.
func TestACodeIsSentOnce(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"lost before": {Drop: true},
		"lost after":  {Drop: true, Commit: true},
		"torn":        {Truncate: true},
		"redirect":    {Status: 307, Header: http.Header{"Location": {"/elsewhere"}}},
		"down":        {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
		"page":        {Status: 200, Body: "<html>"},
		"refused":     {Status: 401, Body: `{"error":"invalid_client"}`},
	} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			as.FailNext(clienttest.TokenPath, fault, 1)
			me := accountOf(t, as.ConfidentialConfig())
			alice := somebody(as, "alice")
			err := me.Login(t.Context(), client.Browser{Open: alice.open})
			code := ""
			if fault.Status == 401 {
				code = "invalid_client"
			}
			wantNoLogin(t, me, err, code)
			alice.wantPage(t, "Sign-in failed")
			sent := requestsTo(as, clienttest.TokenPath)
			if len(sent) != 1 || as.Requests("/elsewhere") != 0 {
				t.Errorf("%d token requests and %d elsewhere, want 1 and none", len(sent), as.Requests("/elsewhere"))
			}
			for _, secret := range []string{sent[0].Form.Get("code"), sent[0].Form.Get("code_verifier"), clienttest.ConfidentialSecret} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
		})
	}
}

// RFC 7636 section 7.2.
func TestPKCEIsNeverDowngraded(t *testing.T) {
	for name, methods := range map[string]any{"plain only": []string{"plain"}, "none at all": []string{}} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { m["code_challenge_methods_supported"] = methods })
			me := accountOf(t, as.Config())
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}), "", "PKCE with S256")
			if n := as.Requests(clienttest.AuthorizePath); n != 0 {
				t.Errorf("%d authorization requests, want none", n)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		as := clienttest.NewServer(t)
		as.Set(func(o *clienttest.Options) { o.UserDenies = true })
		tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
			answer["error"], answer["error_description"] = "invalid_request", "transform algorithm not supported"
		})
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}), "invalid_request", "transform algorithm")
		if n := as.Requests(clienttest.AuthorizePath); n != 1 {
			t.Errorf("%d authorization requests, want 1", n)
		}
	})
	t.Run("not announced", func(t *testing.T) {
		as := clienttest.NewServer(t)
		tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { delete(m, "code_challenge_methods_supported") })
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}))
		if q := authorizationRequests(as)[0]; q.Get("code_challenge_method") != "S256" {
			t.Errorf("the request was sent without a challenge: %v", q)
		}
	})
}

func TestALoginWithoutARefreshTokenSaysWhatToSet(t *testing.T) {
	as := clienttest.NewServer(t)
	as.Set(func(o *clienttest.Options) { o.NoOfflineAccess = true })
	me := accountOf(t, as.Config())
	err := me.Login(t.Context(), client.Browser{Open: as.Browser()})
	wantNoLogin(t, me, err, "", "no refresh token", "offline_access", `"openid"`)
}

func TestAFlowMayNotSetWhatTheProtocolSets(t *testing.T) {
	as := clienttest.NewServer(t)
	as.Set(func(o *clienttest.Options) { o.Users = []clienttest.User{{Account: "alice"}} })
	for _, name := range []string{"state", "redirect_uri", "scope", "nonce", "code_challenge", "client_id", "response_type", "request_uri"} {
		t.Run(name, func(t *testing.T) {
			ask := client.AuthRequest{Params: url.Values{name: {"x"}}}
			cfg := as.Config()
			cfg.RedirectURL = pasteRedirect
			me := accountOf(t, cfg)
			for _, flow := range []client.Flow{
				client.Browser{AuthRequest: ask, Open: as.Browser()},
				client.Paste{AuthRequest: ask, Read: func(context.Context, string) (string, error) { return "", nil }},
				client.Device{AuthRequest: ask, Show: ignored},
				client.Password{AuthRequest: ask, Read: typing("alice", "password").Read},
			} {
				wantNoLogin(t, me, me.Login(t.Context(), flow), "", "AuthRequest.Params", name)
			}
		})
	}
}

func TestALoginWithoutAFlowSaysWhichThereAre(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	wantNoLogin(t, me, me.Login(t.Context(), nil), "", "Browser", "Device", "Paste", "Password", "FlowFunc")
}

// For a caller, context.DeadlineExceeded means its own deadline.
func TestATimeOutOfTheServerIsNotTheCallersDeadline(t *testing.T) {
	for _, path := range []string{clienttest.DiscoveryPath, clienttest.DevicePath, clienttest.TokenPath} {
		t.Run(path, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(path, clienttest.Fault{Delay: time.Hour}, -1)
				flow := client.Flow(client.Device{Show: ignored})
				if path == clienttest.TokenPath {
					flow = typing("alice", "password")
				}
				me := accountOf(t, as.Config())
				err := me.Login(t.Context(), flow)
				if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("without a deadline: %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := me.Login(ctx, flow); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("with a deadline: %v", err)
				}
			})
		})
	}
}
