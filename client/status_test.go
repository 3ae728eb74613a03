package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// status is what Status and Accounts tell of alice, which has to be the same.
func (p *process) status() client.Status {
	p.w.t.Helper()
	st, err := p.me.Status(p.w.t.Context())
	if err != nil {
		p.w.t.Fatalf("Status: %v", err)
	}
	for other, err := range p.client.Accounts(p.w.t.Context()) {
		if err != nil {
			p.w.t.Fatalf("Accounts: %v", err)
		}
		if other.Account == st.Account && fmt.Sprint(other) != fmt.Sprint(st) {
			p.w.t.Errorf("Accounts tells %v\nand Status %v", other, st)
		}
	}
	return st
}

// listed is a process whose store lists what it keeps.
func listed(c *client.Config, p *process) { c.Store = &listingDesk{&desk{p: p}} }

type listingDesk struct{ *desk }

func (d *listingDesk) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return d.p.w.shared.List(ctx, match)
}

func TestAStatusTellsTheStateOfAGrant(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, looker := w.start(listed), w.start(listed)
		want := func(when string, state client.State, failure client.Failure) {
			t.Helper()
			st := looker.status()
			if st.State != state || st.Failure != failure || errors.Is(st.Err, client.ErrLoginRequired) != (state == client.StateLoginRequired) {
				t.Errorf("%s: %v, failure %v, %v; want %v, %v", when, st.State, st.Failure, st.Err, state, failure)
			}
			if (failure == client.FailureNone) != st.FailedAt.IsZero() {
				t.Errorf("%s: failure %v at %v", when, st.Failure, st.FailedAt)
			}
		}
		want("before the login", client.StateLoginRequired, client.FailureNone)
		x.login()
		want("after it", client.StateFresh, client.FailureNone)
		w.expire()
		want("after the access token has expired", client.StateRenewable, client.FailureNone)
		plant(x, &x.beforeSend, func() { want("while the other process renews it", client.StateRenewing, client.FailureNone) })
		x.works("X")
		want("after the renewal", client.StateFresh, client.FailureNone)
		w.as.Revoke("alice")
		if _, err := x.me.Refresh(t.Context(), nil); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("a grant that was revoked: %v", err)
		}
		want("after the server has refused it, to somebody else", client.StateLoginRequired, client.FailureLogin)
		w.write([]byte("junk"))
		want("if the record is damaged", client.StateUnreadable, client.FailureNone)
	})
}

func TestAGrantWithoutARefreshTokenEndsWithItsAccessToken(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		x := w.start(listed)
		x.login()
		rec := *w.stored()
		rec.RefreshToken = ""
		w.overwrite(&rec)
		if st := x.status(); st.State != client.StateFresh || st.Err != nil {
			t.Errorf("at first: %v, %v", st.State, st.Err)
		}
		w.expire()
		if st := x.status(); st.State != client.StateLoginRequired || !errors.Is(st.Err, client.ErrLoginRequired) {
			t.Errorf("in the end: %v, %v", st.State, st.Err)
		}
	})
}

func TestAStatusTellsWhoHoldsTheLease(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, looker := w.start(listed), w.start(listed)
		x.login()
		if st := looker.status(); st.Holder != "" || !st.HolderUntil.IsZero() {
			t.Errorf("nobody renews, and the holder is %q until %v", st.Holder, st.HolderUntil)
		}
		w.expire()
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		// The server takes so long that the intent has to be written again and again.
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 20 * time.Second}, 1)
		answer := x.async()
		time.Sleep(18 * time.Second)
		st := looker.status()
		if want := fmt.Sprintf("%s:%d", host, os.Getpid()); st.Holder != want || st.State != client.StateRenewing {
			t.Errorf("%v, held by %q, want %q", st.State, st.Holder, want)
		}
		if !st.HolderSince.Equal(began) || !st.HolderUntil.After(time.Now()) {
			t.Errorf("held since %v, want %v; until %v", st.HolderSince, began, st.HolderUntil)
		}
		if r := <-answer; r.err != nil {
			t.Error(r.err)
		}
		if st := looker.status(); st.Holder != "" || st.State != client.StateFresh {
			t.Errorf("after the renewal: %v, held by %q", st.State, st.Holder)
		}
	})
}

// A holder that died is still named, which is what an operator looks for.
func TestAStatusTellsOfAHolderThatDied(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		x := w.start(listed)
		x.login()
		w.expire()
		died := time.Now().Add(-time.Hour).UTC().Round(0)
		rec := w.stored()
		w.overwrite(rec.With(&record.Intent{ID: "i", Attempt: 1, Lease: 24 * time.Hour, Started: died, Holder: "web-3:4711", Since: died.Add(-time.Second)}))
		st := x.status()
		if st.State != client.StateRenewable || st.Holder != "web-3:4711" || !st.HolderSince.Equal(died.Add(-time.Second)) || !st.HolderUntil.Equal(died.Add(time.Minute)) {
			t.Errorf("%v, held by %q since %v until %v", st.State, st.Holder, st.HolderSince, st.HolderUntil)
		}
		// What older versions wrote, and what somebody made up.
		w.overwrite(rec.With(&record.Intent{ID: "i", Attempt: 1, Lease: time.Second, Started: died}))
		if st := x.status(); st.Holder != "?" || !st.HolderSince.Equal(died) {
			t.Errorf("held by %q since %v", st.Holder, st.HolderSince)
		}
		w.overwrite(rec.With(&record.Intent{ID: "i", Attempt: 1, Lease: time.Second, Started: died, Holder: "\x1b[2J" + strings.Repeat("h\n", 500)}))
		if st := x.status(); len(st.Holder) > 100 || st.Holder != printable.Text(st.Holder, 100) {
			t.Errorf("held by %q", st.Holder)
		}
	})
}

func TestAStatusTellsTheKindOfTheLastError(t *testing.T) {
	refuse := func(status int, body string) func(*world, *process) {
		return func(w *world, _ *process) {
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: status, Body: body}, 1)
		}
	}
	for name, c := range map[string]struct {
		fault func(*world, *process)
		want  client.Failure
	}{
		"overloaded":          {refuse(http.StatusServiceUnavailable, ""), client.FailureServer},
		"a proxy's page":      {refuse(http.StatusForbidden, "<html>no</html>"), client.FailureServer},
		"a wrong secret":      {refuse(http.StatusUnauthorized, `{"error":"invalid_client"}`), client.FailureConfiguration},
		"refused to us alone": {refuse(http.StatusBadRequest, `{"error":"invalid_request"}`), client.FailureLogin},
		"no answer": {func(w *world, _ *process) {
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true}, 2)
		}, client.FailureServer},
		"a store that cannot be written": {func(_ *world, p *process) {
			var fail func(*record.Record) error
			fail = func(*record.Record) error { plant(p, &p.beforeSave, fail); return errStore }
			plant(p, &p.beforeSave, fail)
		}, client.FailureStore},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, grace(time.Minute), func(t *testing.T, w *world) {
				x, other := w.start(listed), w.start(listed)
				x.login()
				w.expire()
				c.fault(w, x)
				began := time.Now()
				if _, err := x.me.Token(t.Context()); err == nil {
					t.Fatal("nothing failed")
				}
				st := x.status()
				if st.Failure != c.want || st.FailedAt.Before(began) || st.FailedAt.After(time.Now()) || st.Err != nil {
					t.Errorf("failure %v at %v, and %v; want %v", st.Failure, st.FailedAt, st.Err, c.want)
				}
				if st := other.status(); st.Failure != client.FailureNone {
					t.Errorf("another process tells of %v", st.Failure)
				}
				take(x, &x.beforeSave)
				time.Sleep(2 * time.Minute)
				other.works("the other process")
				if st := x.status(); st.Failure != client.FailureNone || st.State != client.StateFresh {
					t.Errorf("after another has renewed it: %v, failure %v", st.State, st.Failure)
				}
			})
		})
	}
}

func TestAStatusTellsOfTokensThatAreNotSaved(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		x := w.start(listed)
		x.login()
		w.expire()
		var fail func(*record.Record) error
		fail = func(rec *record.Record) error {
			plant(x, &x.beforeSave, fail)
			if rec.Intent == nil {
				return errStore
			}
			return nil
		}
		plant(x, &x.beforeSave, fail)
		x.works("X")
		if st := x.status(); st.Failure != client.FailureStore {
			t.Errorf("failure %v", st.Failure)
		}
		take(x, &x.beforeSave)
		time.Sleep(5 * time.Second)
		if st := x.status(); st.Failure != client.FailureNone || st.State != client.StateFresh {
			t.Errorf("once it is saved: %v, failure %v", st.State, st.Failure)
		}
	})
}

func TestStatesAndFailuresAreWords(t *testing.T) {
	var words []string
	for s := client.StateUnknown; s <= client.StateUnreadable; s++ {
		words = append(words, s.String())
	}
	for f := client.FailureNone; f <= client.FailureLogin; f++ {
		words = append(words, f.String())
	}
	want := []string{"unknown", "fresh", "renewable", "renewing", "login_required", "unreadable", "none", "server", "store", "configuration", "login"}
	if !slices.Equal(words, want) {
		t.Errorf("%q", words)
	}
	if client.State(99).String() != "unknown" || client.Failure(-1).String() != "unknown" {
		t.Error("a number that is none has a name")
	}
}
