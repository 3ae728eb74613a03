package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

const month = 30 * 24 * time.Hour

// A service is a backend with many users, on one or more machines.
type service struct {
	t   *testing.T
	as  *clienttest.Server
	cfg client.Config

	mu     sync.Mutex
	events []client.Event
}

// inService runs a test in a bubble, in which n users have logged in.
func inService(t *testing.T, n int, test func(t *testing.T, s *service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		as := clienttest.NewMemoryServer(t)
		as.Set(func(o *clienttest.Options) {
			for i := range n {
				o.Users = append(o.Users, clienttest.User{Account: name(i)})
			}
		})
		s := &service{t: t, as: as, cfg: as.Config()}
		s.cfg.OnEvent = func(_ context.Context, e client.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		}
		c := s.machine()
		for i := range n {
			s.login(c, name(i))
		}
		test(t, s)
	})
}

func name(i int) string { return fmt.Sprintf("user-%d", i) }

func (s *service) machine() *client.Client {
	s.t.Helper()
	c, err := client.New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *service) login(c *client.Client, account string) {
	s.t.Helper()
	err := c.Account(account).Login(s.t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return s.as.Grant(account), nil }))
	if err != nil {
		s.t.Fatal(err)
	}
}

// renewed names the accounts whose grants were renewed, in no order.
func (s *service) renewed() (accounts []string) {
	for _, x := range s.as.Exchanges() {
		if x.GrantType == "refresh_token" && x.Outcome == clienttest.Accepted {
			accounts = append(accounts, x.Account)
		}
	}
	slices.Sort(accounts)
	return accounts
}

// last returns the last event of a kind.
func (s *service) last(kind client.EventKind) (client.Event, bool) {
	synctest.Wait() // events come after the answer
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if e.Kind == kind {
			return e, true
		}
	}
	return client.Event{}, false
}

func TestKeepAliveRenewsWhatNobodyHasUsed(t *testing.T) {
	inService(t, 5, func(t *testing.T, s *service) {
		time.Sleep(month)
		c := s.machine()
		if _, err := c.Account(name(1)).Token(t.Context()); err != nil { // is used
			t.Fatal(err)
		}
		s.as.Revoke(name(2))
		if err := c.KeepAlive(t.Context(), month); err != nil {
			t.Fatal(err)
		}
		if got, want := s.renewed(), []string{name(0), name(1), name(3), name(4)}; !slices.Equal(got, want) {
			t.Errorf("renewed: %q, want %q", got, want)
		}
		if e, ok := s.last(client.LoginNeeded); !ok || e.Key.Account != name(2) {
			t.Errorf("the user who has to log in again: %v", e)
		}
		if e, ok := s.last(client.KeptAlive); !ok || e.Done != 5 || e.Total != 5 {
			t.Errorf("the progress: %+v", e)
		}
		// Nothing is due any more; the dead grant is not tried again.
		before := s.as.RefreshCount()
		if err := c.KeepAlive(t.Context(), month); err != nil || s.as.RefreshCount() != before {
			t.Errorf("a second run: %v, %d requests", err, s.as.RefreshCount()-before)
		}
	})
}

func TestKeepAliveOnEveryMachineRenewsEachGrantOnce(t *testing.T) {
	inService(t, 40, func(t *testing.T, s *service) {
		time.Sleep(month)
		var machines sync.WaitGroup
		for range 4 {
			c := s.machine()
			machines.Go(func() {
				if err := c.KeepAlive(t.Context(), month); err != nil {
					t.Error(err)
				}
			})
		}
		machines.Wait()
		if n := s.as.RefreshCount(); n != 40 || s.as.Reused() != 0 {
			t.Errorf("%d token requests for 40 grants, %d of them reused", n, s.as.Reused())
		}
	})
}

// An inOrder store lists what it keeps in the same order for everybody, as most do.
type inOrder struct{ *memstore.Store }

func (s inOrder) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		var keys []tokenstore.Key
		for key, err := range s.Store.List(ctx, match) {
			if err != nil {
				yield(key, err)
				return
			}
			keys = append(keys, key)
		}
		slices.SortFunc(keys, func(a, b tokenstore.Key) int { return strings.Compare(a.Account, b.Account) })
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func TestMachinesShareTheWorkOfKeepAliveAlthoughTheyBeginTogether(t *testing.T) {
	const users, machines = 200, 4
	inService(t, users, func(t *testing.T, s *service) {
		s.cfg.Store = inOrder{s.cfg.Store.(*memstore.Store)}
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, -1)
		time.Sleep(month)
		began := time.Now()
		var walks sync.WaitGroup
		for range machines {
			c := s.machine()
			walks.Go(func() {
				if err := c.KeepAlive(t.Context(), month); err != nil {
					t.Error(err)
				}
			})
		}
		walks.Wait()
		if n := s.as.RefreshCount(); n != users || s.as.Reused() != 0 {
			t.Errorf("%d token requests for %d grants, %d of them reused", n, users, s.as.Reused())
		}
		// One machine takes 50 ms for each.
		if took, alone := time.Since(began), users*50*time.Millisecond; took > alone*4/10 {
			t.Errorf("%d machines took %v, and one would take some %v", machines, took, alone)
		}
	})
}

func TestKeepAliveGoesByWhatTheServerSaid(t *testing.T) {
	inService(t, 0, func(t *testing.T, s *service) {
		s.as.Set(func(o *clienttest.Options) {
			o.Users = append(o.Users, clienttest.User{Account: "bob"})
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if x.Path == clienttest.TokenPath {
					answer["refresh_token_expires_in"] = int(month / time.Second)
				}
			}
		})
		c := s.machine()
		s.login(c, "bob")
		if _, err := c.Account("bob").Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{month/2 - time.Hour, 1}, {2 * time.Hour, 2}, {time.Hour, 2}} {
			time.Sleep(step.after)
			if err := c.KeepAlive(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if n := s.as.RefreshCount(); n != step.want {
				t.Errorf("%d token requests, want %d", n, step.want)
			}
		}
	})
}

func TestKeepAliveIsEasyOnTheServer(t *testing.T) {
	inService(t, 100, func(t *testing.T, s *service) {
		time.Sleep(month)
		began := time.Now()
		if err := s.machine().KeepAlive(t.Context(), month); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("100 renewals took %v, which is not about 20 a second", took)
		}
	})
}

func TestKeepAliveLeavesAServerAloneThatFails(t *testing.T) {
	inService(t, 50, func(t *testing.T, s *service) {
		time.Sleep(month)
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"30"}}}, 1000)
		began := time.Now()
		err := s.machine().KeepAlive(t.Context(), month)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("KeepAlive: %v", err)
		}
		if n := s.as.RefreshCount(); n > 20 {
			t.Errorf("the server was asked %d times", n)
		}
		if took := time.Since(began); took < time.Minute {
			t.Errorf("it was asked to come back after 30 s, again and again, and %d requests took %v", s.as.RefreshCount(), took)
		}
		if e, ok := s.last(client.KeptAlive); !ok || e.Done >= e.Total || e.Total != 50 {
			t.Errorf("the progress: %+v", e)
		}
	})
}

func TestKeepAliveEndsWithItsContextAndWithTheClient(t *testing.T) {
	inService(t, 100, func(t *testing.T, s *service) {
		time.Sleep(month)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.machine().KeepAlive(ctx, month); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("KeepAlive: %v", err)
		}
		if n := len(s.renewed()); n == 0 || n > 30 {
			t.Errorf("%d renewals in a second", n)
		}
		c := s.machine()
		time.AfterFunc(time.Second, func() { _ = c.Close() })
		if err := c.KeepAlive(t.Context(), month); !errors.Is(err, client.ErrClosed) {
			t.Errorf("KeepAlive: %v", err)
		}
		if s.as.Reused() != 0 {
			t.Error("a refresh token was spent twice")
		}
	})
}

func TestKeepAliveNeedsAStoreThatLists(t *testing.T) {
	as := clienttest.NewMemoryServer(t)
	cfg := as.Config()
	cfg.Store = struct{ tokenstore.Store }{memstore.New()}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.KeepAlive(t.Context(), month); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("KeepAlive: %v", err)
	}
}
