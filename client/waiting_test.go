package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// crowd calls Token from n goroutines at once and returns how long each took.
func (p *process) crowd(n int, patience time.Duration) (took []time.Duration, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			begun := time.Now()
			_, err := p.me.Token(ctx)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(begun))
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return took, errs
}

func count[T any](list []T, like func(T) bool) (n int) {
	for _, e := range list {
		if like(e) {
			n++
		}
	}
	return n
}

func failed(err error) bool                   { return err != nil }
func waited(took time.Duration) bool          { return took > 0 }
func background(c *client.Config, _ *process) { c.Background = true }

func TestOfManyCallersNearTheEndOneRenewsAndTheOthersDoNotWait(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		time.Sleep(lifetime * 85 / 100)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
		took, errs := x.crowd(64, time.Second)
		if n := count(errs, failed); n > 0 {
			t.Errorf("%d callers failed", n)
		}
		if n := count(took, waited); n != 1 {
			t.Errorf("%d callers waited, want 1", n)
		}
		w.requests(1)
	})
}

func TestWithBackgroundNobodyWaits(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		for range 300 { // five minutes, five lifetimes
			if took, errs := x.crowd(4, time.Second); count(errs, failed) > 0 || count(took, waited) > 0 {
				t.Fatalf("callers waited %v, %v", took, errs)
			}
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
			time.Sleep(time.Second)
		}
		if n := w.as.RefreshCount(); n < 5 || n > 7 {
			t.Errorf("%d renewals in five lifetimes", n)
		}
	})
}

func TestWithBackgroundTheFirstCallerInALongTimeDoesNotWait(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		time.Sleep(lifetime) // the background has renewed once, and nobody has used that token
		st, err := x.me.Status(t.Context())
		if err != nil || st.Generation != 1 {
			t.Fatalf("generation %d, %v", st.Generation, err)
		}
		time.Sleep(time.Until(st.Expiry.Add(-lifetime * 12 / 100))) // it ends soon
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
		if took, errs := x.crowd(4, time.Second); count(errs, failed) > 0 || count(took, waited) > 0 {
			t.Errorf("callers waited %v, %v", took, errs)
		}
		time.Sleep(time.Second)
		w.requests(2)
	})
}

func TestBackgroundLeavesAnUnusedAccountAlone(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		x.works("X")
		time.Sleep(10 * lifetime)
		if n := w.as.RefreshCount(); n > 1 {
			t.Errorf("an account that nobody uses was renewed %d times", n)
		}
	})
}

func TestAFailingServerIsAskedOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{
			Status: http.StatusServiceUnavailable, Delay: 100 * time.Millisecond, Header: http.Header{"Retry-After": {"20"}}}, -1)
		took, errs := x.crowd(64, 200*time.Millisecond)
		for _, err := range errs {
			var e *client.Error
			if !errors.As(err, &e) || !e.Temporary || e.RetryAfter <= 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a caller got %v, want a temporary error with RetryAfter", err)
			}
		}
		if slow := slices.Max(took); slow > 150*time.Millisecond {
			t.Errorf("a caller waited %v", slow)
		}
		for range 19 { // the server has said when to come back
			time.Sleep(time.Second)
			_, _ = x.me.Token(t.Context())
		}
		w.requests(1)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
		time.Sleep(10 * time.Second)
		x.works("X")
	})
}

func TestATokenThatStillWorksIsServedWhileTheServerFails(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		time.Sleep(lifetime * 85 / 100)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, -1)
		for range 3 {
			x.works("X")
			time.Sleep(time.Second)
		}
	})
}

func TestACallerLeavesAndTheRenewalGoesOn(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 2 * time.Second}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := x.me.Token(ctx)
		if took := time.Since(begun); took != 50*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v; want the caller's own deadline at 50ms", took, err)
		}
		time.Sleep(3 * time.Second)
		if got := w.stored().Generation; got != 1 {
			t.Errorf("generation %d is stored, want 1", got)
		}
		x.works("X")
		w.requests(1)
	})
}

func TestShortLifetimesDoNotMeanARenewalPerCall(t *testing.T) {
	for _, seconds := range []int{1, 2, 5, 10} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			l := time.Duration(seconds) * time.Second
			inWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = l }, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				run := 20 * l
				for range 2000 {
					if _, err := x.me.Token(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(run / 2000)
				}
				if n, limit := w.as.RefreshCount(), int(float64(run)/(0.7*float64(l)))+1; n > limit {
					t.Errorf("%d token requests, want at most %d", n, limit)
				}
			})
		})
	}
}

func TestBackgroundRenewsBetweenRareCalls(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		for range 20 { // each call comes outside of the window in which callers would notice
			if took, errs := x.crowd(1, time.Second); count(errs, failed) > 0 || count(took, waited) > 0 {
				t.Fatalf("a caller waited %v, %v", took, errs)
			}
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
			time.Sleep(lifetime)
		}
	})
}

func TestATokenThatWasRefusedToThisProcessIsNotSentAgain(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusBadRequest, Body: `{"error":"invalid_request"}`}, -1)
		for range 100 {
			if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		w.requests(1)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
		if _, err := x.me.Refresh(t.Context(), nil); err != nil {
			t.Errorf("an explicit Refresh: %v", err)
		}
	})
}

func TestAnEndpointThatHasMovedIsDiscoveredAgain(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(e clienttest.Exchange, answer map[string]any) {
				if e.Path == clienttest.DiscoveryPath {
					answer["token_endpoint"] = w.as.URL("/old/token")
				}
			}
		})
		x.login()
		w.expire()
		if _, err := x.me.Token(t.Context()); err == nil {
			t.Fatal("a token from nowhere")
		}
		w.as.Set(func(o *clienttest.Options) { o.Tamper = nil })
		time.Sleep(5 * time.Second)
		x.works("X")
	})
}
