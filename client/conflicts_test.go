package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// X has the successor of what is stored, and its save meets something else. One
// rule decides: same grant, the higher generation; equal, what is stored; another
// grant, what is stored; absent, logout.
func TestOneRuleDecidesEveryConflict(t *testing.T) {
	const theirs = "what-others-have"
	for _, c := range []struct {
		name   string
		change func(r *record.Record) // of what is stored when X saves
		keeps  bool                   // what X has is stored in the end
		login  bool                   // X hears that a login is required
	}{
		{name: "only the version has changed", change: func(*record.Record) {}, keeps: true},
		{name: "the intent was released", change: func(r *record.Record) { r.Intent = nil }, keeps: true},
		{name: "another holds an intent", change: func(r *record.Record) { r.Intent = foreign(15 * time.Second) }, keeps: true},
		{name: "the old token was refused", change: func(r *record.Record) { r.Intent, r.Refused = nil, &record.Refused{Code: "invalid_grant"} }, keeps: true},
		{name: "a later attempt", change: func(r *record.Record) { r.Generation = 7 }},
		{name: "the same attempt with another token", change: func(r *record.Record) { r.Generation = 1 }},
		{name: "a later attempt that was refused", change: func(r *record.Record) { r.Generation, r.Refused = 7, &record.Refused{Code: "invalid_grant"} }, login: true},
		{name: "another grant", change: func(r *record.Record) { r.Grant = "another" }},
		{name: "another grant that was refused", change: func(r *record.Record) { r.Grant, r.Refused = "another", &record.Refused{Code: "invalid_grant"} }, login: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				w.expire()
				onResult(x, &x.beforeSave, func(*record.Record) error {
					rec := *w.stored()
					c.change(&rec)
					if rec.Generation > 0 || rec.Grant == "another" {
						rec.AccessToken, rec.RefreshToken, rec.Intent = theirs, theirs, nil
						rec.Renewed, rec.Lifetime, rec.Expiry = time.Now(), time.Hour, time.Now().Add(time.Hour)
					}
					w.overwrite(&rec)
					return nil
				})
				r := <-x.async()
				switch {
				case errors.Is(r.err, client.ErrLoginRequired) != c.login, !c.login && r.err != nil:
					t.Errorf("X got %v", r.err)
				case !c.login && (r.token.AccessToken == theirs) == c.keeps:
					t.Error("X got the token that has lost")
				}
				kept := w.stored()
				if (kept.RefreshToken == w.as.LiveRefreshToken("alice")) != c.keeps {
					t.Errorf("in the end the token of X is stored: %v", !c.keeps)
				}
				if c.keeps && (kept.Intent != nil || kept.Refused != nil) {
					t.Error("an intent or a mark has stayed that is no longer true")
				}
				w.requests(1)
				if n := w.as.Requests(clienttest.RevokePath); n != 0 {
					t.Errorf("%d tokens were revoked", n)
				}
			})
		})
	}
}

// foreign is the intent of a process that is not there.
func foreign(lease time.Duration) *record.Intent {
	return &record.Intent{ID: rand.Text(), Attempt: 1, Lease: lease, Started: time.Now()}
}

// While what is stored does not open, nobody can tell whose it is: X holds its
// successor back, and saves it once the record can be read.
func TestAnUnreadableRecordIsNotWrittenOver(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		var before *record.Record
		onResult(x, &x.beforeSave, func(*record.Record) error {
			before = w.stored()
			w.write([]byte("something else"))
			return nil
		})
		if r := <-x.async(); r.err != nil { // after five seconds, unsaved
			t.Errorf("X: %v", r.err)
		}
		time.Sleep(30 * time.Second)
		if data, _, err := w.shared.Load(t.Context(), w.key); err != nil || string(data) != "something else" {
			t.Errorf("what does not open was written over: %q, %v", data, err)
		}
		w.overwrite(before)
		time.Sleep(5 * time.Second)
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("the successor is not saved")
		}
		w.requests(1)
	})
}

// How long others are waited for is what the record says, within bounds: it may
// be of another version of this library.
func TestTheLeaseIsThatOfTheRecord(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{
		0:               0,
		4 * time.Second: 4 * time.Second,
		time.Hour:       time.Minute,
	} {
		t.Run(lease.String(), func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				w.expire()
				w.overwrite(w.stored().With(foreign(lease)))
				begun := time.Now()
				x.works("X")
				if took := time.Since(begun); took < want || took > want+2*time.Second {
					t.Errorf("X went on after %v, want %v", took, want)
				}
			})
		})
	}
}

// A holder dies, there is no lock, and no program lives as long as its lease.
func TestShortLivedProcessesTakeOverByTheWallClock(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.overwrite(w.stored().With(foreign(15 * time.Second)))
		begun := time.Now()
		for {
			p := w.start()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := p.me.Token(ctx)
			cancel()
			if cerr := p.client.Close(); cerr != nil {
				t.Fatal(cerr)
			}
			took := time.Since(begun)
			switch {
			case took > 6*time.Minute:
				t.Fatalf("nobody has taken over after %v: %v", took, err)
			case err != nil:
				continue
			case took < 5*time.Minute:
				t.Errorf("taken over after %v: the clocks of two machines may be further apart", took)
			}
			w.requests(1)
			return
		}
	})
}

// A holder dies with its request on the way, and the server has no grace period.
func TestAnAttemptThatDiedIsNamedIfTheGrantIsRefused(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.overwrite(w.stored().With(foreign(time.Second)))
		w.as.Revoke("alice")
		if r := <-x.async(); !errors.Is(r.err, client.ErrLoginRequired) || !strings.Contains(r.err.Error(), "never received") {
			t.Errorf("X got %v, want a login, and the attempt that was never answered as its cause", r.err)
		}
	})
}

// Nothing was sent, so nobody has to wait.
func TestAnIntentIsReleasedIfTheClientCannotAuthenticate(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		locked := errors.New("the key is locked")
		x, y := w.start(func(c *client.Config, _ *process) {
			c.Auth = client.SecretFunc(func(context.Context) (string, error) { return "", locked })
		}), w.start()
		y.login()
		w.expire()
		if r := <-x.async(); !errors.Is(r.err, locked) || errors.Is(r.err, client.ErrLoginRequired) {
			t.Errorf("X got %v, want the error of SecretFunc", r.err)
		}
		if w.stored().Intent != nil {
			t.Error("the intent has stayed")
		}
		w.requests(0)
		y.works("Y")
	})
}

// The server refuses X's request, for whatever reason; meanwhile Y was faster.
func TestARefusalIsNoMatterIfSomebodyElseHasRenewed(t *testing.T) {
	for _, code := range []string{"invalid_grant", "invalid_request"} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"` + code + `"}`}, 1)
				x.beforeSend = func() {
					rec := w.stored().With(nil)
					rec.Generation, rec.AccessToken = 5, "what-Y-has"
					rec.Renewed, rec.Expiry = time.Now(), time.Now().Add(rec.Lifetime)
					w.overwrite(rec)
				}
				if r := <-x.async(); r.err != nil || r.token.AccessToken != "what-Y-has" {
					t.Errorf("X got %v, want the token of Y", r.err)
				}
				if w.stored().Refused != nil {
					t.Error("the token of Y was declared dead")
				}
			})
		})
	}
}

// X needs the metadata, which do not come; meanwhile Y was faster.
func TestMetadataThatDoNotComeAreNoMatterIfSomebodyElseHasRenewed(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		y.login()
		w.expire()
		if err := y.client.Discover(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Delay: 5 * time.Second, Status: 503}, 1)
		gotX := x.async()
		time.Sleep(time.Second)
		y.works("Y")
		if r := <-gotX; r.err != nil {
			t.Errorf("X got %v, want the token of Y", r.err)
		}
		w.requests(1)
	})
}

// The refresh token that is kept, brought by hand (from an export, say), is the
// grant that is kept.
func TestImportingTheCurrentTokenChangesNothing(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		x.works("X")
		before := *w.stored()
		again := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{RefreshToken: before.RefreshToken}, nil
		})
		if err := x.me.Login(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if after := w.stored(); after.Grant != before.Grant || after.Generation != before.Generation {
			t.Errorf("generation %d of another grant replaced generation %d", after.Generation, before.Generation)
		}
	})
}

// A server that does not rotate gives the same refresh token at each login. That
// is a new login all the same: what was asked for is what counts from now on, and
// a mark from before is outdated.
func TestALoginThatBringsTheSameRefreshTokenIsANewLogin(t *testing.T) {
	var first string
	always := func(o *clienttest.Options) {
		o.Rotation = clienttest.NoRotation
		o.Claims = func(_ clienttest.Exchange, claims map[string]any) { delete(claims, "auth_time") } // it has two logins for one
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.GrantType == "password" {
				answer["refresh_token"] = first
			}
		}
	}
	user := client.Password{Read: func(context.Context) (string, string, error) { return "alice", "password", nil }}
	t.Run("with more scopes", func(t *testing.T) {
		inWorld(t, always, func(t *testing.T, w *world) {
			x := w.start()
			first = x.login()
			more := user
			more.Scopes = []string{"profile"}
			if err := x.me.Login(t.Context(), more); err != nil {
				t.Fatal(err)
			}
			if rec := w.stored(); rec.RefreshToken != first || !slices.Contains(rec.Requested, "profile") {
				t.Errorf("asked for %v", rec.Requested)
			}
		})
	})
	t.Run("after a refusal", func(t *testing.T) {
		inWorld(t, always, func(t *testing.T, w *world) {
			x := w.start()
			first = x.login()
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, 1)
			if r := <-x.async(); !errors.Is(r.err, client.ErrLoginRequired) {
				t.Fatalf("X got %v", r.err)
			}
			if err := x.me.Ensure(t.Context(), user); err != nil {
				t.Fatal(err)
			}
			w.expire()
			x.works("X")
		})
	})
}
