package client_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// More ways of servers, in what they grant and what ends it.

// dex keeps one refresh token for each user and client. What two programs of one user
// must not do then is to take it from each other.
func TestALoginThatEndsTheGrantOfAnotherProgramIsToldToThatProgram(t *testing.T) {
	for _, code := range []string{"invalid_grant", "invalid_request"} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, saying(func(answer map[string]any) { answer["error"] = code }), func(t *testing.T, w *world) {
				elsewhere := &world{t: t, as: w.as, shared: memstore.New(), key: w.key}
				x, y := w.start(), elsewhere.start()
				for _, login := range []struct{ ends, begins *process }{{nil, x}, {x, y}, {y, x}} {
					w.as.Revoke("alice") // whatever she had granted
					login.begins.login()
					before := w.as.RefreshCount()
					w.expire()
					for range 10 {
						login.begins.works("who has logged in last")
						if login.ends != nil {
							if _, err := login.ends.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
								t.Fatalf("the program whose grant has ended got %v", err)
							}
						}
						time.Sleep(time.Second)
					}
					want := 1 // renewal
					if login.ends != nil {
						want++ // one refusal
					}
					if n := w.as.RefreshCount() - before; n != want {
						t.Errorf("%d token requests, want %d", n, want)
					}
				}
			})
		})
	}
}

// dex counts the life of a device's token from the approval, and says so as if it began
// with the answer, for which a device asks later.
func TestATokenThatIsDeadOnArrivalIsRenewedAtTheFirst401(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, _ map[string]any) {
				if x.Path == clienttest.TokenPath && x.GrantType != "refresh_token" {
					as.RevokeAccess("alice")
				}
			}
		})
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
		if n, asked := as.RefreshCount(), as.Requests(clienttest.APIPath); n != 1 || asked != 2 {
			t.Errorf("%d renewals for %d requests to the API, want 1 for 2", n, asked)
		}
	})
}

// oidc-provider takes a refresh token for used before it looks at the resource. The
// program hears what was wrong with its request, and no less of the grant is left to it
// than the server has left.
func TestARefusalThatConsumesTheRefreshTokenEndsInALogin(t *testing.T) {
	const resource = "https://api.example/"
	for name, burns := range map[string]bool{"the token is consumed": true, "the token lives": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(o *clienttest.Options) { o.BurnOnRefusal = burns }, func(t *testing.T, w *world) {
				x := w.start(func(c *client.Config, _ *process) { c.Params = url.Values{"resource": {resource}} })
				kept := x.login()
				w.expire()
				_, err := x.me.Token(t.Context())
				if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_target" || e.Temporary || errors.Is(err, client.ErrLoginRequired) {
					t.Fatalf("for a resource that the server does not know: %v", err)
				}
				if rec := w.stored(); rec.RefreshToken != kept || rec.Refused != nil {
					t.Error("the refresh token is gone, or marked as dead")
				}
				w.requests(1)
				w.as.Set(func(o *clienttest.Options) { o.Resources = []string{resource} })
				time.Sleep(20 * time.Second) // the back-off
				if !burns {
					x.works("X, whose resource is known now,")
					return
				}
				for range 10 {
					_, err := x.me.Token(t.Context())
					if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_grant" || !errors.Is(err, client.ErrLoginRequired) {
						t.Fatalf("with a token that was consumed: %v", err)
					}
					time.Sleep(time.Second)
				}
				w.requests(2)
				x.login()
				x.works("X")
			})
		})
	}
}
