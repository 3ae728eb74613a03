package client_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// X works without the lock (its store was opened by an older version, or the
// lock was refused). That Y gets the lock proves nothing then.
func TestH13TheLockProvesDeathOnlyOfALockHolder(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start(withLock)
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 12 * time.Second}, 1)
		gotX := x.async()
		time.Sleep(100 * time.Millisecond)
		y.works("Y")
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		w.requests(1)
	})
}

// X has loaded a record; the user logs out and in again. If versions began anew,
// X's write would succeed and bring the old record back.
func TestH14AVersionIsNeverGivenAgain(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		var second string
		x.beforeSave = func(*record.Record) error {
			if _, err := y.me.Logout(t.Context()); err != nil {
				t.Error(err)
			}
			second = y.login()
			return nil
		}
		x.works("X")
		if w.stored().RefreshToken != second {
			t.Error("the old record came back")
		}
		w.requests(0)
	})
}

// The clocks of two machines differ, or a machine was asleep. Nobody may take a
// living holder for dead because of what the wall clock says.
func TestH15TheWallClockDoesNotEndALease(t *testing.T) {
	for _, c := range []struct {
		name string
		lock []option
		skew time.Duration
	}{
		{"an hour behind, with a lock", []option{withLock}, -time.Hour},
		{"an hour ahead, with a lock", []option{withLock}, time.Hour},
		{"four minutes behind, without", nil, -4 * time.Minute},
		{"an hour ahead, without", nil, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(c.lock...), w.start(c.lock...)
				x.skew = c.skew
				x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 10 * time.Second}, 1)
				gotX := x.async()
				time.Sleep(100 * time.Millisecond)
				y.works("Y")
				if r := <-gotX; r.err != nil {
					t.Errorf("X: %v", r.err)
				}
				w.requests(1)
			})
		})
	}
}

// X spent the token first and saves last; Y, by grace, has the newer successor.
// If generations were counted at the save, both would be the first.
func TestH16TheLaterAttemptWinsWhoeverSavesFirst(t *testing.T) {
	inWorld(t, oneSlot, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		x.afterAnswer = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		y.works("Y")
		x.cont()
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		x.works("X")
		if got := w.stored(); got.Generation != 2 || got.RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Errorf("generation %d is stored, and it is not the live one", got.Generation)
		}
	})
}

// Many processes at one expiry: with a compare-and-swap alone each would send
// the token before it learns of the others.
func TestH17OneProcessSpendsTheToken(t *testing.T) {
	for name, options := range map[string][]option{"with a lock": {withLock}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				var all []*process
				for range 20 {
					all = append(all, w.start(options...))
				}
				all[0].login()
				for expiry := 1; expiry <= 3; expiry++ {
					w.expire()
					var got []<-chan result
					for _, p := range all {
						got = append(got, p.async())
					}
					for i, c := range got {
						if r := <-c; r.err != nil {
							t.Errorf("process %d: %v", i, r.err)
						}
					}
					w.requests(expiry)
				}
			})
		})
	}
}

// Somebody logs in between a look and the write that is based on it.
func TestH18AMarkAndADeletionHitOnlyWhatWasRead(t *testing.T) {
	t.Run("mark", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			w.as.Revoke("alice")
			onMark := func(rec *record.Record) error { y.login(); return nil }
			onResult(x, &x.beforeSave, onMark)
			x.works("X")
			if w.stored().Refused != nil {
				t.Error("the new login was declared dead")
			}
			y.works("Y")
		})
	})
	t.Run("deletion", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			x.beforeDelete = func() { y.login() }
			if _, err := x.me.Logout(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.stored() == nil {
				t.Fatal("the new login was deleted")
			}
			y.works("Y")
		})
	})
}

// As H18, but what lies there when the refusal arrives is an older record: the
// store has lost writes. The server has said nothing about that one's token.
func TestH18AMarkHitsOnlyTheTokenThatWasRefused(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		first := x.login()
		before := w.stored()
		w.expire()
		x.works("X")
		w.expire()
		w.as.Revoke("alice")
		x.afterAnswer = func() { w.overwrite(before) }
		if r := <-x.async(); !errors.Is(r.err, client.ErrLoginRequired) {
			t.Errorf("X got %v, want ErrLoginRequired", r.err)
		}
		if got := w.stored(); got.Refused == nil || got.Generation != 1 {
			t.Errorf("generation %d is stored, marked: %v; want the mark on generation 1", got.Generation, got.Refused != nil)
		}
		if n := w.as.Presented(first); n != 1 {
			t.Errorf("the first refresh token was sent %d times", n)
		}
	})
}

// The mark is written, but its writer hears of an error. Until it looks again,
// somebody has begun to renew on purpose: that intent must stay.
func TestH18AMarkIsWrittenOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.Revoke("alice")
		onResult(x, &x.afterSave, func(rec *record.Record) error {
			w.overwrite(rec.With(&record.Intent{ID: "another's", Attempt: 1, Lease: 15 * time.Second, Started: time.Now()}))
			return errStore
		})
		if r := <-x.async(); !errors.Is(r.err, client.ErrLoginRequired) {
			t.Errorf("X got %v, want ErrLoginRequired", r.err)
		}
		if got := w.stored(); got.Refused == nil || got.Intent == nil {
			t.Errorf("marked: %v, the intent is there: %v; want both", got.Refused != nil, got.Intent != nil)
		}
	})
}

// One program has a wrong secret, or asks for a wrong resource. That must not
// end the grant for the others.
func TestH19OnlyADeadTokenEndsTheGrantForAll(t *testing.T) {
	for _, code := range []string{"invalid_client", "invalid_target", "invalid_scope", "invalid_request", "unauthorized_client", "made_up"} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(), w.start()
				x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusBadRequest, Body: `{"error":"` + code + `"}`}, 1)
				r := <-x.async()
				var e *client.Error
				if !errors.As(r.err, &e) || e.Code != code || e.Temporary {
					t.Errorf("X got %#v, want the code %s", r.err, code)
				}
				login := code == "invalid_request" || code == "made_up"
				if errors.Is(r.err, client.ErrLoginRequired) != login {
					t.Errorf("ErrLoginRequired is %v for %s", !login, code)
				}
				if rec := w.stored(); rec.Refused != nil || rec.Intent != nil {
					t.Error("the refusal of one process has left its mark on the shared record")
				}
				y.works("Y")
				time.Sleep(5 * time.Second)
				x.works("X, once Y has renewed,")
			})
		})
	}
}

// X dies with its request under way, and its lock falls free. Servers with one
// slot count the request that comes last: Y must not be first.
func TestH20ADeadHoldersRequestIsGivenTimeToArrive(t *testing.T) {
	inWorld(t, oneSlot, func(t *testing.T, w *world) {
		x, y := w.start(withLock), w.start(withLock)
		x.login()
		y.works("Y")
		w.expire()
		late := w.as.HoldRequest(clienttest.TokenPath)
		gotX := x.async()
		time.Sleep(time.Second)
		x.stop() // for good
		x.lock() // the kernel frees what a dead process held
		gotY := y.async()
		time.Sleep(time.Second)
		late.Release()
		if r := <-gotY; r.err != nil {
			t.Errorf("Y: %v", r.err)
		}
		if got := w.stored(); got.RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("what Y has kept was ended by the late request")
		}
		w.expire()
		y.works("Y after the next expiry")
		x.cont()
		<-gotX
	})
}

// X has a successor that it cannot save yet. If it let go of the lock, Y would
// take it for dead and send the spent token.
func TestH21TheLockIsHeldUntilTheSave(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(withLock), w.start(withLock)
		x.login()
		w.expire()
		x.storeFails(10 * time.Second)
		gotX := x.async()
		time.Sleep(100 * time.Millisecond)
		y.works("Y")
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		w.requests(1)
		if !x.happened(client.SaveFailed) {
			t.Error("nobody was told that the save failed")
		}
	})
}
