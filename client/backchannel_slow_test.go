package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A keeping store deletes nothing of these accounts.
type keeping struct {
	*memstore.Store

	accounts []string
}

func (k *keeping) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	if slices.Contains(k.accounts, key.Account) {
		return errStore
	}
	return k.Store.Delete(ctx, key, old)
}

// inCrowd runs a test in a bubble where a user has n accounts.
func inCrowd(t *testing.T, n int, test func(t *testing.T, b *backend, c *client.Client, accounts []string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, clienttest.NewMemoryServer(t))
		b.cfg.Store = &keeping{Store: b.cfg.Store.(*memstore.Store)}
		c := b.machine()
		var accounts []string
		for i := range n {
			accounts = append(accounts, fmt.Sprintf("user-%02d", i))
			v := b.visitor("bob")
			if _, err := v.finish(c, v.agree(v.begin(c, accounts[i], client.AuthRequest{})), accounts[i]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		test(t, b, c, accounts)
	})
}

func TestAServerThatIsSlowToRevokeHasTheAnswerToItsLogoutSoon(t *testing.T) {
	inCrowd(t, 20, func(t *testing.T, b *backend, c *client.Client, accounts []string) {
		b.as.FailNext(clienttest.RevokePath, clienttest.Fault{Delay: 3 * time.Second}, -1)
		rec := httptest.NewRecorder()
		began := time.Now()
		err := c.BackChannelLogout(rec, logoutRequest(t, b.as.LogoutToken(map[string]any{"sub": "bob"})), func(string) []string { return accounts })
		if err != nil || rec.Code != http.StatusOK {
			t.Errorf("status %d, %v", rec.Code, err)
		}
		// Eight at a time, neither fewer nor more.
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("20 accounts took %v, with 3 s for each", took)
		}
		if got := loggedIn(t, c); got != nil {
			t.Errorf("still logged in: %q", got)
		}
		if n := b.as.Requests(clienttest.RevokePath); n != len(accounts) {
			t.Errorf("%d revocations", n)
		}
	})
}

func TestALogoutAtTheServerThatFailsForSomeAccountsNamesThemInTheirOrder(t *testing.T) {
	inCrowd(t, 12, func(t *testing.T, b *backend, c *client.Client, accounts []string) {
		want := []string{"user-01", "user-04", "user-11"}
		b.cfg.Store.(*keeping).accounts = want
		b.as.FailNext(clienttest.RevokePath, clienttest.Fault{Delay: 3 * time.Second}, 2) // some are slower than others
		rec := httptest.NewRecorder()
		err := c.BackChannelLogout(rec, logoutRequest(t, b.as.LogoutToken(map[string]any{"sub": "bob"})), func(string) []string { return accounts })
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", rec.Code)
		}
		if got := slices.Compact(regexp.MustCompile(`user-\d\d`).FindAllString(fmt.Sprint(err), -1)); !slices.Equal(got, want) {
			t.Errorf("named are %q: %v", got, err)
		}
		if got := loggedIn(t, c); !slices.Equal(got, want) {
			t.Errorf("still logged in: %q", got)
		}
	})
}
