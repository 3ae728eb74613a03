package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
)

func TestTwoThousandAccountsInUseTakeNoGoroutineEach(t *testing.T) {
	const users, expiries = 2000, 1
	inService(t, users, func(t *testing.T, s *service) {
		s.cfg.Background = true
		c := s.machine()
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 100 * time.Millisecond}, -1)
		quiet := goroutines()
		use := func() {
			t.Helper()
			began := time.Now()
			for i := range users {
				if _, err := c.Account(name(i)).Token(t.Context()); err != nil {
					t.Fatalf("Token: %v", err)
				}
			}
			if took := time.Since(began); took > 0 {
				t.Errorf("somebody waited: %v", took)
			}
			if n := goroutines() - quiet; n > users/20 { // some renewals are always under way
				t.Errorf("%d goroutines for %d accounts in use", n, users)
			}
		}
		use()
		for range expiries {
			// In the middle of a lifetime, and while some have been renewed ahead of time.
			for range 4 {
				time.Sleep(5 * time.Minute / 4)
				use()
			}
		}
		renewals := map[string]int{}
		for _, account := range s.renewed() {
			renewals[account]++
		}
		for i := range users {
			// Renewed in the last quarter of its life, a token lasts for three quarters of it at least.
			if n := renewals[name(i)]; n < expiries || n > expiries*4/3 {
				t.Errorf("%s was renewed %d times in %d lifetimes", name(i), n, expiries)
			}
		}
		if s.as.Reused() != 0 {
			t.Error("a refresh token was spent twice")
		}
	})
}

// A flaky store fails every save for some accounts, once it is told to.
type flaky struct {
	tokenstore.Store

	fails func(account string) bool
	on    atomic.Bool
}

func (f *flaky) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	if f.on.Load() && f.fails(key.Account) {
		return "", errStore
	}
	return f.Store.Save(ctx, key, data, old)
}

func TestCloseFinishesWhatIsUnderWayAndSaysWhatItCouldNotSave(t *testing.T) {
	const users = 30
	inService(t, users, func(t *testing.T, s *service) {
		time.Sleep(month)
		lost := func(account string) bool { return strings.HasSuffix(account, "7") } // 7, 17, 27
		store := &flaky{Store: s.cfg.Store, fails: lost}
		working := s.cfg
		s.cfg.Store = store
		c := s.machine()
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 20 * time.Second}, users)
		var callers sync.WaitGroup
		for i := range users {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := c.Account(name(i)).Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Token: %v", err)
				}
			})
		}
		callers.Wait() // they have left; the server has all requests, and has answered none
		store.on.Store(true)

		began := time.Now()
		err := c.Close()
		if took := time.Since(began); took < 19*time.Second || took > 40*time.Second {
			t.Errorf("Close took %v, and the answers 20 s", took)
		}
		for i := range users {
			if named := strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", name(i))); named != lost(name(i)) {
				t.Errorf("Close names %s: %v", name(i), named)
			}
		}
		if e, ok := errors.AsType[*client.Error](err); !ok || !errors.Is(err, errStore) || !strings.Contains(e.Error(), "could not be saved") {
			t.Errorf("Close: %v", err)
		}

		// Another process has what was saved, without a request.
		s.cfg = working
		other, before := s.machine(), s.as.RefreshCount()
		for i := range users {
			if lost(name(i)) {
				continue
			}
			resp, err := other.Account(name(i)).HTTPClient().Get(s.as.URL(clienttest.APIPath))
			if err != nil {
				t.Fatalf("%s: %v", name(i), err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", name(i), resp.Status)
			}
		}
		if n := s.as.RefreshCount() - before; n != 0 {
			t.Errorf("%d renewals of what had been saved", n)
		}
	})
}
