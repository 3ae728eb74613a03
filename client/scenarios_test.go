package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// S1 to S8 are histories that the protocol has to come out of well. X and Y are
// processes, as in the counterexamples.

func TestS1AStoppedLockHolderIsWaitedForNoLongerThanItsLease(t *testing.T) {
	inWorld(t, grace(time.Minute), func(t *testing.T, w *world) {
		x, y := w.start(withLock), w.start(withLock)
		x.login()
		w.expire()
		x.beforeSend = x.stop
		gotX := x.async()
		time.Sleep(time.Second)
		begun := time.Now()
		y.works("Y")
		if d := time.Since(begun); d < 14*time.Second || d > 17*time.Second {
			t.Errorf("Y went on after %v, want the lease of 15 s", d)
		}
		x.cont()
		if r := <-gotX; r.err != nil {
			t.Errorf("X: %v", r.err)
		}
		x.works("X")
	})
}

// A gateway gives up and asks to come back after the server's grace period.
func TestS2AGatewaysTimeOutIsRetriedInsideTheGracePeriod(t *testing.T) {
	inWorld(t, grace(30*time.Second), func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{
			Status: http.StatusGatewayTimeout, Commit: true, Header: http.Header{"Retry-After": {"60"}}}, 1)
		begun := time.Now()
		x.works("X")
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("the second try came after %v", d)
		}
		w.requests(2)
	})
}

func TestS3ACrashWithoutALockHealsWithinTheGracePeriod(t *testing.T) {
	inWorld(t, grace(30*time.Second), func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		y.works("Y")
		w.expire()
		x.afterAnswer = x.stop // for good: it dies with the answer
		gotX := x.async()
		time.Sleep(time.Second)
		begun := time.Now()
		y.works("Y")
		if d := time.Since(begun); d > 17*time.Second {
			t.Errorf("Y went on after %v", d)
		}
		x.cont()
		<-gotX
	})
}

func TestS4ALoginElsewhereHealsAProcessThatWasRefused(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.Revoke("alice")
		r := <-x.async()
		var e *client.Error
		if !errors.Is(r.err, client.ErrLoginRequired) || !errors.As(r.err, &e) || e.Code != "invalid_grant" {
			t.Fatalf("X got %v, want ErrLoginRequired with the code invalid_grant", r.err)
		}
		before := x.loads
		for range 100 { // callers that do not give up cost the server nothing, and the store little
			_, _ = x.me.Token(t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		w.requests(1)
		if n := x.loads - before; n > 5 {
			t.Errorf("the store was asked %d times in ten seconds", n)
		}
		y.login()
		time.Sleep(3 * time.Second)
		x.works("X")
	})
}

// The store is down for X alone. Meanwhile Y goes on: by grace it rotates, and
// at a strict server it is refused.
func TestS5AnUnsavedTokenMeetsWhatOthersDidMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*clienttest.Options)
		fails bool // Y is refused until X can save
	}{
		{"grace", grace(2 * time.Minute), false},
		{"strict", strict, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, c.set, func(t *testing.T, w *world) {
				x, y := w.start(), w.start()
				x.login()
				y.works("Y")
				w.expire()
				x.storeFails(30 * time.Second)
				begun := time.Now()
				x.works("X, whose token is not saved yet,") // works already
				if d := time.Since(begun); d < 5*time.Second || d > 8*time.Second {
					t.Errorf("X was given its token after %v, want five seconds", d)
				}
				if r := <-y.async(); (r.err != nil) != c.fails {
					t.Errorf("Y: %v", r.err)
				}
				time.Sleep(35 * time.Second)
				x.works("X")
				y.works("Y")
			})
		})
	}
}

// The program ends in the middle of a renewal, and says so with Close.
func TestS6CloseAwaitsAnExchangeAndItsSave(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 10 * time.Second}, 1)
		gotX := x.async()
		time.Sleep(time.Second)
		if err := x.client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		<-gotX
		if got := w.stored().Generation; got != 1 {
			t.Errorf("generation %d is stored after Close, want 1", got)
		}
		y.works("Y")
		w.requests(1)
		if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Token after Close: %v, want ErrClosed", err)
		}
	})
	t.Run("before the request", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y, z := w.start(), w.start(), w.start()
			x.login()
			w.expire()
			x.afterAnswer = x.stop
			gotX := x.async()
			time.Sleep(time.Second)
			gotY := y.async() // waits for the end of X's lease
			time.Sleep(time.Second)
			begun := time.Now()
			if err := y.client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("Close took %v, and nothing of Y's was under way", took)
			}
			if r := <-gotY; !errors.Is(r.err, client.ErrClosed) {
				t.Errorf("Y got %v, want ErrClosed", r.err)
			}
			x.cont()
			<-gotX
			z.works("Z")
		})
	})
	t.Run("before the intent", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			y.login()
			w.expire()
			w.as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Delay: 5 * time.Second}, 1)
			gotX := x.async()
			time.Sleep(time.Second)
			if err := x.client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if r := <-gotX; !errors.Is(r.err, client.ErrClosed) {
				t.Errorf("X got %v, want ErrClosed", r.err)
			}
			if w.stored().Intent != nil {
				t.Error("an intent was written after Close")
			}
			w.requests(0)
		})
	})
	t.Run("a lost answer is left to others", func(t *testing.T) {
		inWorld(t, grace(time.Minute), func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			x.login()
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 5 * time.Second, Drop: true, Commit: true}, 1)
			gotX := x.async()
			time.Sleep(time.Second)
			if err := x.client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if r := <-gotX; r.err == nil {
				t.Error("a token from nowhere")
			}
			if w.stored().Intent == nil {
				t.Error("the intent was released, and the request may be under way")
			}
			w.requests(1)
			y.works("Y")
		})
	})
	t.Run("an unsaved token is an error", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			w.expire()
			var failing func(*record.Record) error
			failing = func(*record.Record) error { onResult(x, &x.beforeSave, failing); return errStore }
			onResult(x, &x.beforeSave, failing)
			x.works("X")
			err := x.client.Close()
			var e *client.Error
			if !errors.As(err, &e) || e.Key.Account != "alice" || !errors.Is(err, errStore) {
				t.Errorf("Close: %v, want the account whose token is lost, and why", err)
			}
		})
	})
}

// Heartbeats fail or meet somebody else while the exchange runs.
func TestS7TroubleWithTheLeaseDoesNotLoseTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  time.Duration // how long the server takes
		trouble func(w *world, x *process)
	}{
		// The beats that follow hold the lease.
		{"a beat fails", 25 * time.Second, func(_ *world, x *process) { plant(x, &x.beforeSave, func(*record.Record) error { return errStore }) }},
		{"a beat may fail", 25 * time.Second, func(_ *world, x *process) { plant(x, &x.afterSave, func(*record.Record) error { return errStore }) }},
		{"the record moves", 25 * time.Second, func(w *world, _ *process) { w.overwrite(w.stored()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(), w.start()
				x.login()
				y.works("Y")
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: c.answer}, 1)
				gotX := x.async()
				time.Sleep(3 * time.Second)
				c.trouble(w, x)
				y.works("Y")
				if r := <-gotX; r.err != nil {
					t.Errorf("X: %v", r.err)
				}
				x.works("X")
				w.requests(1)
			})
		})
	}
}

func TestS8ImportsAndLoginsMeetARenewal(t *testing.T) {
	t.Run("the old token is imported while it is spent", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			old := w.as.Grant("alice")
			file := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return old, nil })
			if err := x.me.Login(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			w.expire()
			x.beforeSend = func() {
				if err := y.me.Login(t.Context(), file); err != nil {
					t.Error(err)
				}
			}
			x.works("X")
			y.works("Y")
			w.requests(1)
		})
	})
	t.Run("a dead token is imported again", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start()
			old := w.as.Grant("alice")
			file := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return old, nil })
			if err := x.me.Login(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			w.expire()
			w.as.Revoke("alice")
			<-x.async()
			for name, again := range map[string]func(context.Context, client.Flow) error{"Login": x.me.Login, "Ensure": x.me.Ensure} {
				if err := again(t.Context(), file); !errors.Is(err, client.ErrLoginRequired) {
					t.Errorf("%s: %v, want ErrLoginRequired", name, err)
				}
			}
			w.requests(1)
			another := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return w.as.Grant("alice"), nil })
			if err := x.me.Ensure(t.Context(), another); err != nil {
				t.Errorf("a living token: %v", err)
			}
		})
	})
	t.Run("a login brings the same refresh token", func(t *testing.T) {
		inWorld(t, func(o *clienttest.Options) { o.Rotation = clienttest.NoRotation }, func(t *testing.T, w *world) {
			x, y := w.start(), w.start()
			first := w.as.Grant("alice")
			file := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return first, nil })
			for range 2 {
				if err := x.me.Login(t.Context(), file); err != nil {
					t.Fatal(err)
				}
				w.expire()
				x.works("X")
				y.works("Y")
			}
		})
	})
}

// Two generals: the answer is lost, and the server has no grace period. That
// cannot be helped, but it must not be a mystery.
func TestALostAnswerIsToldFromARevocation(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
		r := <-x.async()
		if !errors.Is(r.err, client.ErrLoginRequired) || !strings.Contains(r.err.Error(), "never received") {
			t.Errorf("X got %v, want a login, and the lost answer named as its cause", r.err)
		}
		if r := <-y.async(); !errors.Is(r.err, client.ErrLoginRequired) || !strings.Contains(r.err.Error(), "never received") {
			t.Errorf("Y got %v, want the same cause", r.err)
		}
	})
}

// The store has lost a write, and does not take it again. Who asks for a renewal
// meanwhile waits, and does not spin.
func TestARefreshWaitsForASaveThatFails(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		before := w.stored()
		w.expire()
		x.works("X")
		w.overwrite(before)
		x.storeFails(20 * time.Second)
		first := make(chan error, 1)
		go func() {
			_, err := x.me.Refresh(t.Context(), nil)
			first <- err
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		if _, err := x.me.Refresh(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh: %v, want the end of its context", err)
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if _, err := x.me.Refresh(t.Context(), nil); err != nil {
			t.Errorf("Refresh, once the store works: %v", err)
		}
	})
}

// X cannot save, and its callers have their token already, when it finds that Y has
// imported another grant. It renews that one, and then has a fresh token.
func TestATokenThatAFlightBringsAfterItsCallersHaveLeftIsFree(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		until := time.Now().Add(8 * time.Second)
		var failing func(*record.Record) error
		failing = func(*record.Record) error {
			if time.Now().After(until) {
				return nil
			}
			onResult(x, &x.beforeSave, failing)
			return errStore
		}
		onResult(x, &x.beforeSave, failing)
		x.works("X")
		other := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{RefreshToken: w.as.Grant("alice").RefreshToken}, nil
		})
		if err := y.me.Login(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		looks := func() int {
			x.mu.Lock()
			defer x.mu.Unlock()
			return x.loads
		}
		before := looks()
		x.works("X")
		if n := looks() - before; n != 0 {
			t.Errorf("its fresh token has cost %d looks into the store", n)
		}
		w.requests(2)
	})
}
