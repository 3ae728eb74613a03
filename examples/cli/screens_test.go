//go:build unix

package main

import (
	"net/http"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestCallShowsAPersonWhatTheAPISays(t *testing.T) {
	s, h := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="write"`)
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte(`{"name":"thing","tags":["a","b"]}`))
	})
	x := h.open(90, 24, "call", s.URL(clienttest.APIPath))
	x.Wait()
	x.Golden("call")
	x = h.open(90, 24, "call", s.URL(clienttest.APIPath), "-d", "{}")
	x.Wait()
	x.Golden("call-refused")
}

func TestAPersonSeesWhoIsLoggedInAndWhatBecomesOfALogout(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h.login(s, "--as", "work")
	x := h.open(90, 24, "accounts")
	x.Wait()
	x.Golden("accounts")

	x = h.open(90, 24, "logout")
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	x.Golden("logout")

	s.FailNext(clienttest.RevokePath, clienttest.Fault{Status: http.StatusForbidden}, -1)
	x = h.open(90, 24, "logout", "--all")
	if code := x.Wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	x.Golden("logout-unheard")
}
