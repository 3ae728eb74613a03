package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// What came back from the token endpoint decides what the caller hears and what
// becomes of the refresh token. After each of these the server works again.
func TestEveryOutcomeOfTheExchange(t *testing.T) {
	html := "<html><title>Please sign in to the proxy</title></html>"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, c := range []struct {
		name  string
		fault clienttest.Fault
		times int // how often the fault is met; the default is once

		temporary  bool
		retryAfter time.Duration
		login      bool   // ErrLoginRequired
		marked     bool   // in the shared record
		code       string // Error.Code
		sent       int    // token requests; the default is 1
		recovers   bool   // in the same call
	}{
		{name: "connection refused before anything was sent", fault: clienttest.Fault{Drop: true}, sent: 2, recovers: true},
		{name: "429", fault: clienttest.Fault{Status: 429, Header: header("Retry-After", "7")}, temporary: true, retryAfter: 7 * time.Second},
		{name: "503", fault: clienttest.Fault{Status: 503, Header: header("Retry-After", "7")}, temporary: true, retryAfter: 7 * time.Second},
		{name: "503 with an OAuth error", fault: clienttest.Fault{Status: 503, Body: `{"error":"invalid_grant"}`}, temporary: true, code: "invalid_grant"},
		{name: "a page of a proxy", fault: clienttest.Fault{Status: 403, Body: html}, temporary: true},
		{name: "400 with a page", fault: clienttest.Fault{Status: 400, Body: html}, temporary: true},
		{name: "400 with JSON of another kind", fault: clienttest.Fault{Status: 400, Body: `{"message":"no"}`}, temporary: true},
		{name: "a redirect for now", fault: clienttest.Fault{Status: 307, Header: header("Location", "https://evil.example/")}, temporary: true},
		{name: "a redirect for good", fault: clienttest.Fault{Status: 308, Header: header("Location", "https://evil.example/")}},
		{name: "500 once", fault: clienttest.Fault{Status: 500}, sent: 2, recovers: true},
		{name: "502 once", fault: clienttest.Fault{Status: 502, Body: html}, sent: 2, recovers: true},
		{name: "504 twice", fault: clienttest.Fault{Status: 504}, times: 2, sent: 2, temporary: true},
		{name: "200 with a page", fault: clienttest.Fault{Status: 200, Body: html}, times: 2, sent: 2, temporary: true},
		{name: "200 without a token", fault: clienttest.Fault{Status: 200, Body: `{}`}, times: 2, sent: 2, temporary: true},
		{name: "invalid_grant", fault: clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, login: true, marked: true, code: "invalid_grant"},
		{name: "403 with invalid_grant", fault: clienttest.Fault{Status: 403, Body: `{"error":"invalid_grant"}`}, login: true, marked: true, code: "invalid_grant"},
		{name: "200 with invalid_grant", fault: clienttest.Fault{Status: 200, Body: `{"error":"invalid_grant"}`}, login: true, marked: true, code: "invalid_grant"},
		{name: "invalid_request", fault: clienttest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, login: true, code: "invalid_request"},
		{name: "an empty 400", fault: clienttest.Fault{Status: 400}, login: true},
		{name: "invalid_client", fault: clienttest.Fault{Status: 401, Body: `{"error":"invalid_client"}`}, code: "invalid_client"},
		{name: "unauthorized_client", fault: clienttest.Fault{Status: 400, Body: `{"error":"unauthorized_client"}`}, code: "unauthorized_client"},
		{name: "unsupported_grant_type", fault: clienttest.Fault{Status: 400, Body: `{"error":"unsupported_grant_type"}`}, code: "unsupported_grant_type"},
		{name: "invalid_scope", fault: clienttest.Fault{Status: 400, Body: `{"error":"invalid_scope"}`}, code: "invalid_scope"},
		{name: "invalid_target", fault: clienttest.Fault{Status: 400, Body: `{"error":"invalid_target"}`}, code: "invalid_target"},
		{name: "temporarily_unavailable", fault: clienttest.Fault{Status: 400, Body: `{"error":"temporarily_unavailable"}`}, temporary: true, code: "temporarily_unavailable"},
		{name: "MFA is wanted", fault: clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant","suberror":"basic_action","error_description":"AADSTS50076"}`}, login: true, marked: true, code: "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				rt := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, c.fault, max(c.times, 1))
				_, err := x.me.Token(t.Context())
				w.requests(max(c.sent, 1))
				if c.recovers {
					if err != nil {
						t.Errorf("got %v", err)
					}
					return
				}
				var e *client.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v, want an *Error", err)
				}
				if e.Temporary != c.temporary || errors.Is(err, client.ErrLoginRequired) != c.login || e.Code != c.code || c.retryAfter > 0 && e.RetryAfter != c.retryAfter {
					t.Errorf("got %#v", e)
				}
				rec := w.stored()
				if (rec.Refused != nil) != c.marked {
					t.Errorf("marked as dead: %v", rec.Refused != nil)
				}
				if rec.RefreshToken != rt {
					t.Error("the refresh token is gone")
				}
				if c.login {
					return
				}
				time.Sleep(20 * time.Second) // the back-off
				x.works("X")
			})
		})
	}
}

// asserting authenticates by an assertion, which a server may take for replayed,
// or too old, and refuse in words that are about the grant (RFC 7521 section 4.1).
type asserting struct{ made int }

func (a *asserting) Authenticate(_ context.Context, r *client.TokenRequest) error {
	a.made++
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_assertion", fmt.Sprintf("assertion %d", a.made))
	return nil
}

func TestARefusedAssertionIsMadeAnewOnceBeforeTheGrantIsDeclaredDead(t *testing.T) {
	for refusals, dead := range map[int]bool{1: false, 2: true} {
		t.Run(fmt.Sprint(refusals), func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				auth := new(asserting)
				x := w.start(func(c *client.Config, _ *process) { c.Auth = auth })
				x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, refusals)
				r := <-x.async()
				if errors.Is(r.err, client.ErrLoginRequired) != dead || !dead && r.err != nil || (w.stored().Refused != nil) != dead {
					t.Errorf("X got %v", r.err)
				}
				w.requests(2)
				if auth.made != 2 {
					t.Errorf("%d assertions were made for 2 requests", auth.made)
				}
			})
		})
	}
}

// The answer says no, and carries a new refresh token all the same. GitHub and
// others answer errors with status 200.
func TestARefreshTokenBesideAnErrorIsSaved(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) {
		o.Claims = func(_ clienttest.Exchange, claims map[string]any) { delete(claims, "auth_time") }
	}, func(t *testing.T, w *world) {
		x := w.start()
		rt := x.login()
		w.expire()
		next := w.as.Grant("alice").RefreshToken
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 200, Body: `{"error":"invalid_scope","refresh_token":"` + next + `"}`}, 1)
		if _, err := x.me.Token(t.Context()); err == nil {
			t.Fatal("an error was taken for success")
		}
		if got := w.stored().RefreshToken; got != next || got == rt {
			t.Error("the new refresh token is lost")
		}
		time.Sleep(5 * time.Second)
		x.works("X")
	})
}

// output collects what is printed, by whatever goroutine.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Canaries: whatever goes wrong, nothing that is printed holds a secret.
func TestFieldCase_CVE_2024_51752_NothingPrintedHoldsASecret(t *testing.T) {
	const secret = "canary-client-secret-0123456789"
	inWorld(t, func(o *clienttest.Options) {
		o.Clients = []clienttest.Client{{ID: clienttest.PublicClient, Secret: secret}}
	}, func(t *testing.T, w *world) {
		var log output
		logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		var cfg client.Config
		x := w.start(func(c *client.Config, p *process) {
			c.Auth = client.Secret(secret)
			tell := c.OnEvent
			c.OnEvent = func(ctx context.Context, e client.Event) {
				logger.Info("oauth", "event", e)
				fmt.Fprintf(&log, "%v %+v %#v\n", e, e, e)
				tell(ctx, e)
			}
			cfg = *c
		})
		show := func(what any) {
			fmt.Fprintf(&log, "%v %+v %#v %s\n", what, what, what, what)
			logger.Info("a value", "value", what)
			if data, err := json.Marshal(what); err == nil {
				_, _ = log.Write(data)
			}
		}
		x.login()
		show(cfg)
		show(cfg.Auth)
		show(x.client)
		show(x.me)
		token, err := x.me.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range []func(live, echo string) clienttest.Fault{
			func(_, echo string) clienttest.Fault {
				return clienttest.Fault{Status: 400, Body: `{"error":"invalid_scope","error_description":"` + echo + `"}`}
			},
			func(live, _ string) clienttest.Fault {
				return clienttest.Fault{Status: 400, Body: `{"error":"` + live + `"}`}
			},
			func(_, echo string) clienttest.Fault { return clienttest.Fault{Status: 500, Body: echo} },
			func(_, echo string) clienttest.Fault { return clienttest.Fault{Status: 200, Body: echo} },
			func(live, _ string) clienttest.Fault {
				return clienttest.Fault{Status: 307, Header: http.Header{"Location": {"https://evil.example/?" + live}}}
			},
			func(_, _ string) clienttest.Fault { return clienttest.Fault{Drop: true} },
		} {
			w.expire()
			live := w.as.LiveRefreshToken("alice")
			w.as.FailNext(clienttest.TokenPath, fault(live, secret+" grant_type=refresh_token&refresh_token="+live), 2)
			_, err := x.me.Refresh(t.Context(), nil)
			show(err)
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
			w.expire()
			_, _ = x.me.Refresh(t.Context(), nil)
			st, err := x.me.Status(t.Context())
			show(st)
			show(err)
		}
		w.as.FailNext(clienttest.RevokePath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_request","error_description":"` + secret + w.as.LiveRefreshToken("alice") + `"}`}, -1)
		_, err = x.me.Logout(t.Context())
		show(err)
		_ = x.client.Close()

		secrets := map[string]string{"the client secret": secret}
		for _, e := range w.as.Exchanges() {
			if e.RefreshToken != "" {
				secrets["refresh token "+e.RefreshToken[:4]] = e.RefreshToken
			}
			if e.Issued != "" {
				secrets["refresh token "+e.Issued[:4]] = e.Issued
			}
		}
		if len(secrets) < 4 {
			t.Fatal("the test has lost its canaries")
		}
		text := log.String()
		for name, s := range secrets {
			if strings.Contains(text, s) {
				i := strings.Index(text, s)
				t.Errorf("%s was printed: …%s…", name, text[max(0, i-300):min(len(text), i+100)])
			}
		}
		if token.AccessToken != "" && strings.Contains(text, token.AccessToken) {
			t.Error("an access token was printed")
		}
	})
}
