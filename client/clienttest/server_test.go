package clienttest_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/regrant/regrant/client/clienttest"
)

func TestARefreshTokenThatIsUsedTwiceEndsItsFamily(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		rt := s.Grant("alice").RefreshToken
		other := s.Grant("alice").RefreshToken
		next, access := mustRefresh(t, s, rt)
		if got := get(t, s, clienttest.APIPath, access); got.text("account") != "alice" {
			t.Errorf("the API answered %d %s", got.Status, got.Body)
		}
		wantError(t, refresh(t, s, rt), http.StatusBadRequest, "invalid_grant")
		wantError(t, refresh(t, s, next), http.StatusBadRequest, "invalid_grant")
		if got := get(t, s, clienttest.APIPath, access); got.Status != http.StatusUnauthorized {
			t.Errorf("the API answered %d to the access token of a revoked family", got.Status)
		}
		if s.Spent(rt) != 1 || s.Presented(rt) != 2 || s.Reused() != 1 || s.RefreshCount() != 3 {
			t.Errorf("Spent %d, Presented %d, Reused %d, RefreshCount %d; want 1, 2, 1, 3",
				s.Spent(rt), s.Presented(rt), s.Reused(), s.RefreshCount())
		}
		if s.LiveRefreshToken("alice") != other {
			t.Error("another login of the same account has ended too")
		}
	})
}

func TestABubbleEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clienttest.NewMemoryServer(t)
		for range 4 {
			go func() { _, _ = tryPost(t, s, clienttest.TokenPath, refreshForm("x")) }()
		}
		synctest.Wait()
		if n := s.Requests(clienttest.TokenPath); n != 4 {
			t.Errorf("%d requests came", n)
		}
	})
}
