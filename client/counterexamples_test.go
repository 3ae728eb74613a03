package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// H1 to H21. Each test is a history in which a simpler protocol loses a token, revokes a
// family, or brings back what was ended. X holds the intent on the first
// refresh token; Y is another process.

// X has the successor and pauses past its lease; Y takes over. X's save meets
// Y's intent: what is stored must not win, since X holds the only live token.
func TestH1TheLateHolderSavesOverAnIntent(t *testing.T) {
	inWorld(t, strict, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		y.works("Y")
		w.expire()
		x.afterAnswer = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		y.beforeSend = func() { // Y has declared its intent by now
			x.cont()
			if r := <-gotX; r.err != nil {
				t.Errorf("X: %v", r.err)
			}
		}
		y.works("Y")
		x.works("X")
		w.requests(2)
		if !w.as.FamilyAlive("alice") {
			t.Error("the session is lost")
		}
		if !x.happened(client.LeaseOverrun) {
			t.Error("nobody was told that a lease was overrun")
		}
	})
}

// X has the successor; meanwhile the user logs out, or in again, elsewhere. To
// load the new version and write over it would undo that.
func TestH2ASaveDoesNotUndoALogoutOrALogin(t *testing.T) {
	t.Run("logout", func(t *testing.T) {
		inWorld(t, strict, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			x.afterAnswer = x.stop
			gotX := x.async()
			time.Sleep(time.Second)
			if _, err := y.me.Logout(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.cont()
			if r := <-gotX; !errors.Is(r.err, client.ErrLoginRequired) {
				t.Errorf("X got %v, want ErrLoginRequired", r.err)
			}
			if w.stored() != nil {
				t.Error("the grant came back after the logout")
			}
		})
	})
	t.Run("login", func(t *testing.T) {
		inWorld(t, strict, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			x.afterAnswer = x.stop
			gotX := x.async()
			time.Sleep(time.Second)
			second := y.login()
			x.cont()
			if r := <-gotX; r.err != nil {
				t.Errorf("X: %v", r.err)
			}
			if w.stored().RefreshToken != second {
				t.Error("the new login was overwritten")
			}
			x.works("X")
			y.works("Y")
		})
	})
}

// As H1, but Y has already marked the grant as dead when X saves. The mark was
// about the token that X has spent, not about the one that it holds.
func TestH3AMarkLosesAgainstTheLateHolder(t *testing.T) {
	inWorld(t, strict, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		y.works("Y")
		w.expire()
		x.afterAnswer = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		if r := <-y.async(); !errors.Is(r.err, client.ErrLoginRequired) {
			t.Fatalf("Y got %v, want ErrLoginRequired", r.err)
		}
		if w.stored().Refused == nil {
			t.Fatal("Y has not marked the record")
		}
		x.cont()
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		x.works("X")
		time.Sleep(5 * time.Second)
		y.works("Y, which had declared the grant dead,")
	})
}

// The save of the successor fails, or seems to. The old token must not be sent
// again.
func TestH4AFailedSaveIsNotALostToken(t *testing.T) {
	for _, c := range []struct {
		name string
		hook func(*process) *func(*record.Record) error
	}{
		{"nothing was written", func(p *process) *func(*record.Record) error { return &p.beforeSave }},
		{"it was written all the same", func(p *process) *func(*record.Record) error { return &p.afterSave }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strict, func(t *testing.T, w *world) {
				x := w.start()
				first := x.login()
				w.expire()
				onResult(x, c.hook(x), func(*record.Record) error { return errStore })
				x.works("X")
				w.expire()
				x.works("X after the next expiry")
				if n := w.as.Presented(first); n != 1 {
					t.Errorf("the first refresh token was sent %d times", n)
				}
			})
		})
	}
}

// The write of the intent fails. If it is not in the store, nobody else sees
// it, and would send the same token.
func TestH5NothingIsSentWithoutAnIntentInTheStore(t *testing.T) {
	t.Run("not written", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			var always func(*record.Record) error
			always = func(*record.Record) error { plant(x, &x.beforeSave, always); return errStore }
			x.beforeSave = always
			r := <-x.async()
			var e *client.Error
			if !errors.As(r.err, &e) || !e.Temporary || !errors.Is(r.err, errStore) {
				t.Errorf("X got %v, want a temporary error of the store", r.err)
			}
			w.requests(0)
			y.works("Y")
			w.requests(1)
		})
	})
	t.Run("written all the same", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			w.expire()
			x.afterSave = func(*record.Record) error { return errStore }
			begun := time.Now()
			x.works("X")
			w.requests(1)
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("X took %v: it has waited for its own intent", took)
			}
		})
	})
}

// The answer is lost. The first request may still be under way, so neither its
// sender nor anybody else may send the token at once.
func TestH6ALostAnswerIsGivenTimeToSettle(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		inWorld(t, oneSlot, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			y.works("Y")
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
			gotX := x.async()
			time.Sleep(100 * time.Millisecond)
			y.works("Y")
			if r := <-gotX; r.err != nil {
				t.Errorf("X: %v", r.err)
			}
			x.works("X")
			apart(w, 2, 2*time.Second)
		})
	})
	t.Run("twice", func(t *testing.T) {
		inWorld(t, oneSlot, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 2)
			var e *client.Error
			if r := <-x.async(); !errors.As(r.err, &e) || !e.Temporary {
				t.Fatalf("X got %v, want a temporary error", r.err)
			}
			if w.stored().Intent == nil {
				t.Error("the intent was released while a request may be under way")
			}
			y.works("Y")
			apart(w, 3, 2*time.Second)
			x.works("X")
		})
	})
	t.Run("twice, and nobody else is there", func(t *testing.T) {
		inWorld(t, oneSlot, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 2)
			if r := <-x.async(); r.err == nil {
				t.Fatal("a token from nowhere")
			}
			begun := time.Now()
			time.Sleep(1300 * time.Millisecond) // the back-off
			x.works("X")
			apart(w, 3, 2*time.Second)
			if took := time.Since(begun); took > 4*time.Second {
				t.Errorf("X went on after %v: it knows better than to wait for its own lease", took)
			}
		})
	})
}

// apart checks that so many refresh requests were sent, no two of them within d.
func apart(w *world, n int, d time.Duration) {
	w.t.Helper()
	w.requests(n)
	var last time.Time
	for _, x := range w.as.Exchanges() {
		if x.GrantType != "refresh_token" {
			continue
		}
		if gap := x.Time.Sub(last); !last.IsZero() && gap < d {
			w.t.Errorf("a refresh request was sent %v after another", gap)
		}
		last = x.Time
	}
}

// The store loses the save of the successor (a failover, a restored backup).
// One process is enough to send the spent token again.
func TestH7ALostWriteDoesNotBringTheOldTokenBack(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		first := x.login()
		before := w.stored()
		w.expire()
		x.works("X")
		w.overwrite(before)
		w.expire()
		x.works("X, after the store has lost a write,")
		y.works("Y")
		if n := w.as.Presented(first); n != 1 {
			t.Errorf("the first refresh token was sent %d times", n)
		}
	})
}

// As H7, and before X looks into the store again, it imports the token that it
// was given first, as some programs do at every start. The store has that very
// token; what X knows beyond it must not be forgotten over that.
func TestH7AnImportDoesNotForgetWhatTheStoreHasLost(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		old := w.as.Grant("alice")
		file := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return old, nil })
		if err := x.me.Login(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		before := w.stored()
		w.expire()
		x.works("X")
		w.overwrite(before)
		if err := x.me.Login(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		w.expire()
		x.works("X, after an import,")
		if n := w.as.Presented(old.RefreshToken); n != 1 {
			t.Errorf("the old refresh token was sent %d times", n)
		}
	})
}

// X pauses between intent and request; Y takes over and rotates. X must look
// again before it sends.
func TestH8ThePausedHolderLooksAgainBeforeItSends(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		first := x.login()
		w.expire()
		x.afterSave = func(*record.Record) error { x.stop(); return nil } // it never hears that the intent is written
		gotX := x.async()
		time.Sleep(time.Second)
		y.works("Y")
		x.cont()
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		if n := w.as.Presented(first); n != 1 {
			t.Errorf("the first refresh token was sent %d times", n)
		}
		if !w.as.FamilyAlive("alice") {
			t.Error("the family was revoked")
		}
	})
}

// As H8, but X pauses in the very write that is to renew its intent.
func TestH8APauseWhileTheIntentIsRenewedCountsAsWell(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		x.afterSave = func(*record.Record) error {
			time.Sleep(6 * time.Second) // too long to send without a look at the clock
			plant(x, &x.afterSave, func(*record.Record) error { time.Sleep(14 * time.Second); return nil })
			return nil
		}
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 3 * time.Second}, 1)
		gotX, gotY := x.async(), y.async()
		for who, got := range map[string]<-chan result{"X": gotX, "Y": gotY} {
			if r := <-got; r.err != nil {
				t.Errorf("%s: %v", who, r.err)
			}
		}
		w.requests(1)
	})
}

// Writes of the intent and the server are slow, and nothing fails. A lease that
// must only cover the start of the exchange would run out before its end.
func TestH9TheIntentIsRenewedWhileTheExchangeRuns(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		slow := func(*record.Record) error { time.Sleep(9 * time.Second); return nil }
		x.afterSave = func(rec *record.Record) error {
			plant(x, &x.afterSave, slow)
			return slow(rec)
		}
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 25 * time.Second}, 1)
		gotX, gotY := x.async(), y.async()
		for who, got := range map[string]<-chan result{"X": gotX, "Y": gotY} {
			if r := <-got; r.err != nil {
				t.Errorf("%s: %v", who, r.err)
			}
		}
		w.requests(1)
		if !w.as.FamilyAlive("alice") {
			t.Error("the family was revoked")
		}
	})
}

// The user logs out while X holds a successor that is not saved. At servers that
// revoke token by token it would live on, and nobody would know it.
func TestH10TheHolderRevokesWhatALogoutMissed(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) { strict(o); o.Revocation = clienttest.RevokesToken }, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		x.afterAnswer = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		if _, err := y.me.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.cont()
		<-gotX
		if w.as.FamilyAlive("alice") {
			t.Error("a refresh token lives on after the logout")
		}
	})
	t.Run("revocation comes before deletion", func(t *testing.T) {
		inWorld(t, strict, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			x.beforeDelete = func() {
				if w.as.FamilyAlive("alice") {
					t.Error("a crash here would leave a live token that nobody knows")
				}
			}
			if _, err := x.me.Logout(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// The user logs in again while X holds a successor of the old grant. Some
// servers join both logins: revoking the old one would end the new one.
func TestH11ASupersededTokenIsDroppedNotRevoked(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) { strict(o); o.Revocation = clienttest.RevokesLogins }, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		x.afterAnswer = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		y.login()
		x.cont()
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		if n := w.as.Requests(clienttest.RevokePath); n != 0 {
			t.Errorf("%d tokens were revoked", n)
		}
		y.works("Y")
	})
}

// A program imports its old token file at every start. Once the token has been
// rotated, that would overwrite the successor.
func TestH12AnImportDoesNotOverwriteARotatedGrant(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		old := w.as.Grant("alice")
		file := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return old, nil })
		for start := range 3 {
			p := w.start()
			if err := p.me.Ensure(t.Context(), file); err != nil {
				t.Fatalf("start %d: %v", start, err)
			}
			w.expire()
			p.works(fmt.Sprintf("start %d", start))
		}
		if err := w.start().me.Login(t.Context(), file); err != nil {
			t.Errorf("importing what is kept already: %v", err)
		}
		w.start().works("the process after it")
		if n := w.as.Presented(old.RefreshToken); n != 1 {
			t.Errorf("the old refresh token was sent %d times", n)
		}
	})
}
