//go:build unix

package cli_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// TestTenShellsOutliveExpiriesAndOneThatIsKilled: ten shells call an API again and
// again, over expiries, while one of them is killed in the middle of a renewal, after
// the server has rotated the token and before anybody has the new one. The server has
// a grace period; so nobody is asked to log in again.
func TestTenShellsOutliveExpiriesAndOneThatIsKilled(t *testing.T) {
	t.Parallel()
	s := clienttest.NewServer(t)
	s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime, o.Grace = 2*time.Second, time.Minute })
	m := newMachine(t, "curl", "-sSL", "-o", "/dev/null").unlocked()
	m.must("login", s.Issuer(), "--client-id", clienttest.PublicClient)
	api := s.URL(clienttest.APIPath)

	var bad failures
	var shells sync.WaitGroup
	var pause sync.RWMutex // no shell is in the middle of a call while it is held
	over := make(chan struct{})
	calls := make([]int, 10)
	for i := range calls {
		shells.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				pause.RLock()
				o := m.run("call", "--fail", api)
				pause.RUnlock()
				if o.code != 0 || !strings.Contains(o.out, "alice") {
					bad.addf("shell %d, call %d: exit code %d: %s%s", i, calls[i], o.code, o.out, o.err)
					return
				}
				calls[i]++
			}
		})
	}
	time.Sleep(3 * time.Second) // an expiry, at least

	pause.Lock() // so that the renewal is the victim's
	held := s.HoldAnswer(clienttest.TokenPath)
	victim := m.command("token", "--refresh")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	<-held.Arrived()
	_ = victim.Process.Kill()
	_ = victim.Wait()
	pause.Unlock()
	held.Release()

	time.Sleep(5 * time.Second) // two more expiries
	close(over)
	shells.Wait()
	for _, text := range bad.all {
		t.Error(text)
	}
	total := 0
	for i, n := range calls {
		if total += n; n == 0 {
			t.Errorf("shell %d has called nothing", i)
		}
	}
	t.Logf("%d calls of 10 shells, %d renewals, %d refresh tokens used twice outside of the grace period", total, s.RefreshCount(), s.Reused())
	if n := m.opened(); n != 1 {
		t.Errorf("the browser was opened %d times, want once", n)
	}
	if s.Reused() != 0 || s.RefreshCount() < 3 {
		t.Errorf("%d renewals, %d refused as reused", s.RefreshCount(), s.Reused())
	}
}
