package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
)

// slowLogin is a flow whose user takes a while, and that counts its runs.
func (w *world) slowLogin(runs *atomic.Int32, takes time.Duration) client.Flow {
	return client.FlowFunc(func(ctx context.Context) (*oauth2.Token, error) {
		runs.Add(1)
		select {
		case <-time.After(takes):
			return w.as.Grant("alice"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func TestTenShellsAtTheFirstRunAskTheUserOnce(t *testing.T) {
	for name, options := range map[string][]option{"with a lock": {withLock}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				var runs atomic.Int32
				var wg sync.WaitGroup
				for range 10 {
					p := w.start(options...)
					wg.Go(func() {
						if err := p.me.Ensure(t.Context(), w.slowLogin(&runs, 3*time.Minute)); err != nil {
							t.Errorf("Ensure: %v", err)
						}
						p.works("a shell")
					})
				}
				wg.Wait()
				if n := runs.Load(); n != 1 {
					t.Errorf("the user was asked %d times", n)
				}
			})
		})
	}
}

func TestAnotherShellTakesOverWhenTheFirstDiesInItsLogin(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		var runs atomic.Int32
		go func() { _ = x.me.Ensure(context.Background(), w.slowLogin(&runs, time.Minute)) }()
		time.Sleep(time.Second)
		x.stop() // for good
		begun := time.Now()
		if err := y.me.Ensure(t.Context(), w.slowLogin(&runs, 0)); err != nil {
			t.Errorf("Ensure: %v", err)
		}
		if took := time.Since(begun); took > 20*time.Second || runs.Load() != 2 {
			t.Errorf("after %v, %d logins", took, runs.Load())
		}
		time.Sleep(2 * time.Minute)
		x.cont()
	})
}

func TestAWaitingShellLeavesWithItsContext(t *testing.T) {
	for name, options := range map[string][]option{"with a lock": {withLock}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(options...), w.start(options...)
				var runs atomic.Int32
				go func() { _ = x.me.Ensure(context.Background(), w.slowLogin(&runs, time.Minute)) }()
				time.Sleep(time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := y.me.Ensure(ctx, w.slowLogin(&runs, 0)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Ensure: %v, want the end of its context", err)
				}
				if runs.Load() != 1 {
					t.Error("the user was asked twice")
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

func TestAWaitingShellLeavesWhenItsClientCloses(t *testing.T) {
	for name, options := range map[string][]option{"with a lock": {withLock}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x, y := w.start(options...), w.start(options...)
				var runs atomic.Int32
				go func() { _ = x.me.Ensure(context.Background(), w.slowLogin(&runs, time.Minute)) }()
				time.Sleep(time.Second)
				left := make(chan error, 1)
				go func() { left <- y.me.Ensure(context.Background(), w.slowLogin(&runs, 0)) }()
				time.Sleep(time.Second)
				begun := time.Now()
				if err := y.client.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if err := <-left; !errors.Is(err, client.ErrClosed) || time.Since(begun) > time.Second {
					t.Errorf("Ensure after %v: %v, want ErrClosed at once", time.Since(begun), err)
				}
				time.Sleep(2 * time.Minute)
				if runs.Load() != 1 {
					t.Error("the user was asked twice")
				}
			})
		})
	}
}

func TestATemporaryFailureNeverAsksTheUser(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, -1)
		var runs atomic.Int32
		err := w.start().me.Ensure(t.Context(), w.slowLogin(&runs, 0))
		var e *client.Error
		if !errors.As(err, &e) || !e.Temporary || runs.Load() != 0 {
			t.Errorf("Ensure: %v, %d logins", err, runs.Load())
		}
	})
}

func TestARevokedGrantAsksTheUserAtOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.Revoke("alice")
		var runs atomic.Int32
		if err := x.me.Ensure(t.Context(), w.slowLogin(&runs, 0)); err != nil || runs.Load() != 1 {
			t.Errorf("Ensure: %v, %d logins", err, runs.Load())
		}
		x.works("X")
	})
}

func TestARevokedGrantAsksOneOfManyShells(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		first := w.start()
		first.login()
		w.expire()
		w.as.Revoke("alice")
		var runs atomic.Int32
		var wg sync.WaitGroup
		for range 5 {
			p := w.start(withLock)
			wg.Go(func() {
				if err := p.me.Ensure(t.Context(), w.slowLogin(&runs, 500*time.Millisecond)); err != nil {
					t.Errorf("Ensure: %v", err)
				}
			})
		}
		wg.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("the user was asked %d times", n)
		}
	})
}

func TestANewScopeAsksTheUserOnce(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		scopes := func(list ...string) option {
			return func(c *client.Config, _ *process) { c.Scopes = list }
		}
		var runs atomic.Int32
		for _, step := range []struct {
			scopes []string
			want   int32
		}{
			{[]string{"openid", "offline_access"}, 1},
			{[]string{"openid", "offline_access"}, 1},
			{[]string{"openid", "offline_access", "mail.read"}, 2}, // an update of the program
			{[]string{"openid", "offline_access", "mail.read"}, 2}, // which the server did not grant
			{[]string{"openid"}, 2},
		} {
			if err := w.start(scopes(step.scopes...)).me.Ensure(t.Context(), w.slowLogin(&runs, 0)); err != nil {
				t.Fatal(err)
			}
			if runs.Load() != step.want {
				t.Errorf("scopes %v: %d logins, want %d", step.scopes, runs.Load(), step.want)
			}
		}
	})
}

func TestFieldCase_anthropics_claude_code_9403_ALoginThatCannotBeSavedFails(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(func(c *client.Config, p *process) { c.Store = brokenStore{&desk{p}} })
		var runs atomic.Int32
		err := x.me.Login(t.Context(), w.slowLogin(&runs, 0))
		if !errors.Is(err, errStore) {
			t.Errorf("Login: %v, want the error of the store", err)
		}
	})
}

// brokenStore takes nothing.
type brokenStore struct{ *desk }

func (brokenStore) Save(context.Context, tokenstore.Key, []byte, tokenstore.Version) (tokenstore.Version, error) {
	return "", errStore
}

// sealed gives a process a key of its own for what it keeps.
type sealed byte

func (s sealed) Encrypt(plaintext, _ []byte) ([]byte, error) {
	return append([]byte{byte(s)}, plaintext...), nil
}
func (s sealed) Decrypt(c, _ []byte) ([]byte, error) {
	if len(c) == 0 || c[0] != byte(s) {
		return nil, errors.New("sealed with another key")
	}
	return c[1:], nil
}

func TestARecordThatDoesNotOpenIsLeftAsItIs(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		key := func(b byte) option {
			return func(c *client.Config, _ *process) { c.Store, c.Sealer = w.shared, sealed(b) }
		}
		x, wrong := w.start(key(1)), w.start(key(2))
		x.login()
		before, _, _ := w.shared.Load(t.Context(), w.key)
		w.expire()
		var runs atomic.Int32
		for name, call := range map[string]func() error{
			"Token":   func() error { _, err := wrong.me.Token(t.Context()); return err },
			"Refresh": func() error { _, err := wrong.me.Refresh(t.Context(), nil); return err },
			"Ensure":  func() error { return wrong.me.Ensure(t.Context(), w.slowLogin(&runs, 0)) },
			"Login":   func() error { return wrong.me.Login(t.Context(), w.slowLogin(&runs, 0)) },
			"Claims":  func() error { return wrong.me.Claims(t.Context(), new(any)) },
		} {
			err := call()
			var e *client.Error
			if !errors.As(err, &e) || e.Temporary || errors.Is(err, client.ErrLoginRequired) || !strings.Contains(err.Error(), "another key") {
				t.Errorf("%s: %v, want a permanent error that says why", name, err)
			}
		}
		if st, err := wrong.me.Status(t.Context()); err != nil || st.Err == nil {
			t.Errorf("Status: %v, %v", st.Err, err)
		}
		if after, _, _ := w.shared.Load(t.Context(), w.key); string(after) != string(before) || runs.Load() != 0 {
			t.Error("the record was touched, or the user was asked")
		}
		x.works("X, with the right key,")
		w.requests(1)

		if _, err := wrong.me.Logout(t.Context()); err == nil {
			t.Error("Logout of an unreadable record does not say that nothing was revoked")
		}
		if w.stored() != nil {
			t.Error("Logout did not remove the unreadable record")
		}
	})
}

func TestLogoutEndsTheGrantEverywhere(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		end, err := x.me.Logout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(end, w.as.URL(clienttest.EndSessionPath)) || !strings.Contains(end, "id_token_hint=") {
			t.Errorf("endSessionURL is %q", end)
		}
		if w.as.FamilyAlive("alice") || w.stored() != nil {
			t.Error("the grant lives on")
		}
		if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("Token after Logout: %v", err)
		}
		if _, err := x.me.Logout(t.Context()); err != nil {
			t.Errorf("logging out twice: %v", err)
		}
		x.login()
		x.works("X, logged in again,")
	})
}

func TestLogoutForgetsHereWhateverTheServerSays(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"out of reach": {Drop: true},
		"refused":      {Status: http.StatusBadRequest, Body: `{"error":"unsupported_token_type"}`},
		"down":         {Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				w.as.FailNext(clienttest.RevokePath, fault, -1)
				_, err := x.me.Logout(t.Context())
				var e *client.Error
				if !errors.As(err, &e) || e.Op != "logout" {
					t.Errorf("Logout: %v, want an error that says what the server may not know", err)
				}
				if w.stored() != nil {
					t.Error("the grant is still kept")
				}
			})
		})
	}
	t.Run("busy for a moment", func(t *testing.T) {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			w.as.FailNext(clienttest.RevokePath, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"2"}}}, 2)
			if _, err := x.me.Logout(t.Context()); err != nil || w.as.FamilyAlive("alice") {
				t.Errorf("Logout: %v", err)
			}
		})
	})
}

// An error with Op "logout" says that the grant is forgotten here.
func TestALogoutThatIsNotDoneInTimeDoesNotSayThatItIs(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.beforeDelete = func() { x.stop(); x.gate() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := x.me.Logout(ctx)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Op == "logout" || !e.Temporary || !errors.Is(err, context.DeadlineExceeded) || w.stored() == nil {
			t.Errorf("Logout: %v", err)
		}
		x.cont()
		time.Sleep(time.Second)
		if w.stored() != nil {
			t.Error("it did not go on")
		}
	})
}

func TestALogoutAwaitsTheRenewalUnderWay(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 5 * time.Second}, 1)
		gotX := x.async()
		time.Sleep(time.Second)
		if _, err := x.me.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-gotX
		if w.as.FamilyAlive("alice") || w.stored() != nil {
			t.Error("the grant lives on")
		}
	})
}

func TestAnAccountWithoutAUsableNameFailsInItsMethods(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		for _, name := range []string{"", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 2000)} {
			a := x.client.Account(name)
			_, tokenErr := a.Token(t.Context())
			_, refreshErr := a.Refresh(t.Context(), nil)
			_, statusErr := a.Status(t.Context())
			_, logoutErr := a.Logout(t.Context())
			_, httpErr := a.HTTPClient().Get(w.as.URL(clienttest.APIPath))
			for method, err := range map[string]error{
				"Token": tokenErr, "Refresh": refreshErr, "Status": statusErr, "Logout": logoutErr, "HTTPClient": httpErr,
				"Login":  a.Login(t.Context(), w.slowLogin(new(atomic.Int32), 0)),
				"Ensure": a.Ensure(t.Context(), w.slowLogin(new(atomic.Int32), 0)),
				"Claims": a.Claims(t.Context(), new(any)),
			} {
				var e *client.Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), "account") {
					t.Errorf("%s of %.10q: %v", method, name, err)
				}
			}
		}
	})
}

func TestEverythingFailsAfterClose(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		for range 2 {
			if err := x.client.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, a := range []*client.Account{x.me, x.client.Account("bob")} {
			_, tokenErr := a.Token(t.Context())
			_, refreshErr := a.Refresh(t.Context(), nil)
			_, statusErr := a.Status(t.Context())
			_, logoutErr := a.Logout(t.Context())
			_, httpErr := a.HTTPClient().Get(w.as.URL(clienttest.APIPath))
			for method, err := range map[string]error{
				"Token": tokenErr, "Refresh": refreshErr, "Status": statusErr, "Logout": logoutErr, "HTTPClient": httpErr,
				"Login":    a.Login(t.Context(), w.slowLogin(new(atomic.Int32), 0)),
				"Ensure":   a.Ensure(t.Context(), w.slowLogin(new(atomic.Int32), 0)),
				"Claims":   a.Claims(t.Context(), new(any)),
				"Discover": x.client.Discover(t.Context()),
			} {
				if !errors.Is(err, client.ErrClosed) {
					t.Errorf("%s: %v, want ErrClosed", method, err)
				}
			}
		}
		for _, err := range x.client.Accounts(t.Context()) {
			if err == nil {
				t.Error("Accounts works after Close")
			}
		}
	})
}

// Close comes while the answer to a login is on its way: nobody will know the
// grant, so it must not live on.
func TestAGrantThatCannotBeKeptAfterCloseIsRevoked(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 5 * time.Second}, 1)
		login := make(chan error, 1)
		go func() {
			login <- x.me.Login(context.Background(), client.Password{Read: func(context.Context) (string, string, error) {
				return "alice", "password", nil
			}})
		}()
		time.Sleep(time.Second)
		if err := x.client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-login; !errors.Is(err, client.ErrClosed) {
			t.Errorf("Login: %v, want ErrClosed", err)
		}
		if w.as.FamilyAlive("alice") || w.stored() != nil {
			t.Error("a grant that nobody knows lives on")
		}
	})
}

func TestALoginWithAnEndedContextSaysSo(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.start().me.Login(ctx, w.slowLogin(new(atomic.Int32), 0)); !errors.Is(err, context.Canceled) {
			t.Errorf("Login: %v", err)
		}
	})
}
