package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// Field cases of contexts, of lifetimes, and of what is repeated after which
// answer.

func TestFieldCase_golang_oauth2_262_ACallerLeavesAtItsDeadlineAndTheRenewalIsSaved(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 2 * time.Second}, 1)
		took, errs := x.crowd(1, 50*time.Millisecond)
		if took[0] > 60*time.Millisecond || !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("after %v: %v", took[0], errs[0])
		}
		time.Sleep(3 * time.Second)
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("the renewal was cut off with its caller")
		}
		w.requests(1)
	})
}

func TestFieldCase_golang_oauth2_388_TheEndOfALoginsContextDoesNotEndItsGrant(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		ctx, cancel := context.WithCancel(t.Context())
		if err := x.me.Login(ctx, granted(w.as)); err != nil {
			t.Fatal(err)
		}
		if _, err := x.me.Token(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		for range 2 {
			w.expire()
			x.works("X")
		}
	})
}

func TestFieldCase_kandev_2805_TheEndOfACallersContextDoesNotStopTheSave(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		ctx, cancel := context.WithCancel(t.Context())
		x.afterAnswer = cancel
		_, _ = x.me.Token(ctx)
		time.Sleep(time.Second)
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("what the server gave is not stored")
		}
	})
}

func TestFieldCase_golang_oauth2_481_TheMarginIsOneOfTheLifetimeAndCanBeSet(t *testing.T) {
	for _, seconds := range []int{5, 10} {
		inWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = time.Duration(seconds) * time.Second }, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			for range 100 {
				x.works("X")
				time.Sleep(10 * time.Millisecond)
			}
			if n := w.as.RefreshCount(); n > 2 {
				t.Errorf("%d token requests for 100 calls with tokens of %d s", n, seconds)
			}
		})
	}
	for early, want := range map[time.Duration]int{0: 0, 25 * time.Second: 1} { // of a minute, after 40 s
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start(func(c *client.Config, _ *process) { c.EarlyRefresh = early })
			x.login()
			time.Sleep(40 * time.Second)
			x.works("X")
			w.requests(want)
		})
	}
}

func TestFieldCase_golang_oauth2_226_TroubleOnTheWayKeepsTheGrantAndIsTemporary(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"500": {Status: 500}, "502": {Status: 502}, "503": {Status: 503}, "504": {Status: 504},
		"429":                           {Status: 429},
		"no answer":                     {Delay: time.Minute},
		"a firewall":                    {Status: 403, Body: "<html>Access denied</html>"},
		"JSON of another kind with 404": {Status: 404, Body: `{"message":"no route"}`},
		"401 of a proxy":                {Status: 401, Body: "<html>Sign in</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				kept := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, fault, 2)
				_, err := x.me.Token(t.Context())
				stillThere(t, w, kept, err)
			})
		})
	}
	t.Run("no address", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			kept := w.start().login()
			w.expire()
			unreachable := w.start(func(c *client.Config, _ *process) {
				c.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "as.example", IsNotFound: true}}
				})}
			})
			_, err := unreachable.me.Token(t.Context())
			stillThere(t, w, kept, err)
			w.requests(0)
		})
	})
}

func stillThere(t *testing.T, w *world, kept string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("the error is %v", err)
	}
	if rec := w.stored(); rec.RefreshToken != kept || rec.Refused != nil {
		t.Error("the refresh token is gone, or marked as dead")
	}
}

func TestFieldCase_golang_oauth2_measured_AFailureIsSharedByAllWhoWait(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503, Delay: 100 * time.Millisecond, Header: http.Header{"Retry-After": {"5"}}}, -1)
		took, errs := x.crowd(64, time.Minute)
		for i, err := range errs {
			if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || took[i] > 200*time.Millisecond {
				t.Fatalf("after %v: %v", took[i], err)
			}
		}
		w.requests(1)
		time.Sleep(4 * time.Second)
		_, _ = x.me.Token(t.Context())
		w.requests(1)
		time.Sleep(4 * time.Second)
		_, _ = x.me.Token(t.Context())
		w.requests(2)
	})
}

func TestFieldCase_golang_oauth2_718_NoOtherAuthenticationMethodIsTried(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"refused": {Status: 401, Body: `{"error":"invalid_client"}`},
		"lost":    {Drop: true, Commit: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := started(t, as.ConfidentialConfig()).Account("alice")
				if err := me.Login(t.Context(), client.Password{Read: alicesPassword}); err != nil {
					t.Fatal(err)
				}
				as.FailNext(clienttest.TokenPath, fault, -1)
				_, err := me.Refresh(t.Context(), nil)
				if e, ok := errors.AsType[*client.Error](err); !ok || name == "refused" && (e.Code != "invalid_client" || e.Temporary) {
					t.Errorf("the error is %v", err)
				}
				requests := requestsTo(as, clienttest.TokenPath)
				for _, e := range requests {
					if e.Header.Get("Authorization") == "" || e.Form.Has("client_secret") {
						t.Error("a request authenticates by another method than the first")
					}
				}
				if n := len(requests) - 1; name == "refused" && n != 1 {
					t.Errorf("a refusal was answered with %d requests", n)
				}
			})
		})
	}
}

func alicesPassword(context.Context) (string, string, error) { return "alice", "password", nil }

func TestFieldCase_amp_labs_connectors_1053_AfterA401ThereIsOneRenewalAndOneRepeat(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.as.RevokeAccess("alice")
		x.works("X, whose token was revoked early,")
		w.requests(1)

		asked := 0
		w.as.Set(func(o *clienttest.Options) {
			o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
		})
		time.Sleep(15 * time.Second) // the renewal before is no part of this
		resp, err := x.me.HTTPClient().Get(w.as.URL(clienttest.APIPath))
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("the second 401 does not reach the caller: %v", err)
		}
		_ = resp.Body.Close()
		if asked != 2 {
			t.Errorf("the API was asked %d times", asked)
		}
		w.requests(2)
	})
}

func TestFieldCase_modelcontextprotocol_python_sdk_source_NoFailedRenewalBeginsALogin(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		before := w.stored()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, -1)
		asked := false
		err := x.me.Ensure(t.Context(), client.Password{Read: func(context.Context) (string, string, error) {
			asked = true
			return "", "", errors.New("nobody is here")
		}})
		if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || asked {
			t.Errorf("the user was asked: %v; %v", asked, err)
		}
		if after := w.stored(); !reflect.DeepEqual(before, after) {
			t.Errorf("the record has changed: the intent was left: %v, marked: %v", after.Intent != nil, after.Refused != nil)
		}
	})
}

func TestFieldCase_cli_oauth_76_ADevicePollsSlowerAfterEachSlowDown(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		for _, code := range []string{"authorization_pending", "slow_down", "slow_down", "authorization_pending"} {
			as.FailNext(clienttest.TokenPath, pollFault(http.StatusBadRequest, code), 1)
		}
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
		if got, want := fmt.Sprint(gaps(as)[1:]), fmt.Sprint(seconds(5, 10, 15, 15)); got != want {
			t.Errorf("gaps between polls %s, want %s", got, want)
		}
	})
}

func TestFieldCase_modelcontextprotocol_go_sdk_source_WithoutATokenNoRequestIsSent(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		_, err := w.start().me.HTTPClient().Get(w.as.URL(clienttest.APIPath))
		if !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("the error is %v", err)
		}
		if n := len(requestsTo(w.as, clienttest.APIPath)); n > 0 {
			t.Errorf("%d requests have reached the API", n)
		}
	})
}
