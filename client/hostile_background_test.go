package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// atOnce is how many renewals a Client has under way that nobody waits for.
const atOnce = 64

// each is what a renewal takes: itself, its heartbeat, and the connection at its
// other end, with the transport's two.
const each = 6

// inBackground runs a test in a bubble, in which the accounts of a Client with
// Config.Background are all in use, and its server has a mood since.
func inBackground(t *testing.T, users int, m *mood, early time.Duration, test func(t *testing.T, s *service, c *client.Client, x *turncoat)) {
	t.Helper()
	inService(t, users, func(t *testing.T, s *service) {
		x := newTurncoat(t, s.as)
		s.cfg.HTTPClient.Transport = x
		s.cfg.Background, s.cfg.EarlyRefresh = true, early
		c := s.machine()
		if err := c.Discover(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.callAll(c, users)
		x.mood.Store(m)
		test(t, s, c, x)
	})
}

// callAll lets somebody call for every user, none of whom has to wait.
func (s *service) callAll(c *client.Client, users int) {
	s.t.Helper()
	for i := range users {
		began := time.Now()
		if _, err := c.Account(name(i)).Token(s.t.Context()); err != nil || time.Since(began) > 0 {
			s.t.Fatalf("Token of %s: %v, after %v", name(i), err, time.Since(began))
		}
	}
}

// most returns how many goroutines there were at most above quiet, looking every
// second for so long.
func most(quiet int, d time.Duration) (n int) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		n = max(n, goroutines()-quiet)
	}
	return n
}

var silence = &moods[0]

// The defaults of clienttest: a token lives for five minutes, and is renewed in the
// last 75 s, less a jitter of 15 s.
const (
	allAreDue  = 4*time.Minute + time.Second
	someAreDue = 3*time.Minute + 40*time.Second
	allEnd     = 4*time.Minute + 50*time.Second
)

func TestASilentServerHoldsAFewRenewalsAheadOfTimeHoweverManyAccountsThereAre(t *testing.T) {
	users := manyUsers(t, 400)
	inBackground(t, users, silence, 0, func(t *testing.T, s *service, c *client.Client, x *turncoat) {
		s.as.Set(func(o *clienttest.Options) { o.Users = append(o.Users, clienttest.User{Account: "caller"}) })
		s.cfg.Background = false
		s.login(s.machine(), "caller") // on another machine, so that it is not in use here
		quiet := goroutines()
		time.Sleep(someAreDue)
		n := most(quiet, allAreDue-someAreDue)
		if t.Logf("at most %d goroutines for %d accounts in use", n, users); n > each*atOnce {
			t.Error("they are too many")
		}
		if n := x.asked.Load(); n < atOnce/2 || n > atOnce {
			t.Errorf("%d requests are under way", n)
		}

		// Whoever waits does not wait for a place.
		x.mood.Store(nil)
		began := time.Now()
		if _, err := c.Account("caller").Refresh(t.Context(), nil); err != nil || time.Since(began) > 0 {
			t.Errorf("Refresh: %v, after %v", err, time.Since(began))
		}
		s.callAll(c, users)

		// Those who wait for one all get one, and nobody has noticed.
		time.Sleep(allEnd - allAreDue - time.Second)
		s.callAll(c, users)
		if n := len(s.renewed()); n != users+1 {
			t.Errorf("%d renewals for %d accounts", n, users+1)
		}
	})
}

func TestCloseDoesNotBeginWhatWaitsForAPlace(t *testing.T) {
	const users = 3 * atOnce
	inBackground(t, users, silence, 0, func(t *testing.T, s *service, c *client.Client, x *turncoat) {
		time.Sleep(allAreDue)
		before := x.asked.Load()
		x.mood.Store(nil)
		began := time.Now()
		if err := c.Close(); err != nil || time.Since(began) > time.Minute {
			t.Errorf("Close: %v, after %v", err, time.Since(began))
		}
		time.Sleep(time.Minute)
		if n := len(s.renewed()); n != 0 || x.asked.Load() != before {
			t.Errorf("%d renewals have begun since", n)
		}
	})
}

// A token ends while its renewal waits for a place: its callers renew it themselves.
func TestACallerDoesNotWaitForARenewalThatWaitsForAPlace(t *testing.T) {
	const users = 3 * atOnce
	early := time.Minute / 2 // so that the first renewals have not failed when the tokens end
	inBackground(t, users, silence, early, func(t *testing.T, s *service, c *client.Client, x *turncoat) {
		time.Sleep(allEnd + time.Second)
		x.mood.Store(nil)
		var callers sync.WaitGroup
		var waiting atomic.Int64
		for i := range users {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				switch _, err := c.Account(name(i)).Token(ctx); {
				case errors.Is(err, context.DeadlineExceeded):
					waiting.Add(1) // its renewal has begun, and the server is silent about it
				case err != nil || time.Since(began) > 0:
					t.Errorf("Token: %v, after %v", err, time.Since(began))
				}
			})
		}
		callers.Wait()
		if n := waiting.Load(); n > atOnce {
			t.Errorf("%d users wait, and %d renewals were under way", n, atOnce)
		}
	})
}

func TestAHostileServerIsNotNoticedWhileTokensWorkThatAreRenewedAheadOfTime(t *testing.T) {
	for _, m := range moods {
		users := 12
		if strings.Contains(m.name, "has no end") { // which takes work, not time
			users = 4
		}
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			inBackground(t, users, &m, 0, func(t *testing.T, s *service, c *client.Client, x *turncoat) {
				quiet := goroutines()
				time.Sleep(someAreDue)
				var highest int
				var before int64
				for range 6 {
					highest = max(highest, most(quiet, 10*time.Second))
					s.callAll(c, users)
					if before == 0 {
						before = heap()
					}
				}
				if grown := heap() - before; grown > 8<<20 {
					t.Errorf("memory has grown by %d KiB", grown>>10)
				}
				if highest > each*users {
					t.Errorf("%d goroutines for %d users", highest, users)
				}
				t.Logf("%d token requests, at most %d goroutines", x.asked.Load(), highest)

				time.Sleep(3 * time.Minute)
				x.isOver(t, c, users, quiet)
			})
		})
	}
}

func TestKeepAliveLeavesAHostileServerAloneInBoundedTime(t *testing.T) {
	for _, m := range moods {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			const users = 50
			inService(t, users, func(t *testing.T, s *service) {
				x := newTurncoat(t, s.as)
				s.cfg.HTTPClient.Transport = x
				c := s.machine()
				if err := c.Discover(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(month)
				quiet := goroutines()
				before := heap()
				x.mood.Store(&m)

				began := time.Now()
				outcome := make(chan error, 1)
				go func() { outcome <- c.KeepAlive(t.Context(), month) }()
				var highest int
				for time.Since(began) < 20*time.Minute && len(outcome) == 0 {
					highest = max(highest, most(quiet, time.Second))
				}
				if len(outcome) == 0 {
					t.Fatal("it does not end")
				}
				err := <-outcome
				if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
					t.Errorf("KeepAlive: %v", err)
				}
				if n := x.asked.Load(); n > 50 {
					t.Errorf("the server was asked %d times", n)
				}
				if highest > 100 {
					t.Errorf("%d goroutines", highest)
				}
				if grown := heap() - before; grown > 8<<20 {
					t.Errorf("memory has grown by %d KiB", grown>>10)
				}
				t.Logf("%d token requests in %v, at most %d goroutines", x.asked.Load(), time.Since(began), highest)

				x.mood.Store(nil)
				time.Sleep(2 * time.Hour)
				if err := c.KeepAlive(t.Context(), month); err != nil || len(s.renewed()) != users {
					t.Errorf("once the server works again: %v, %d renewals", err, len(s.renewed()))
				}
			})
		})
	}
}
