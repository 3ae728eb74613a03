//go:build unix

package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// arrived waits until the server holds a request.
func arrived(t *testing.T, held *clienttest.Held) {
	t.Helper()
	select {
	case <-held.Arrived():
	case <-time.After(30 * time.Second):
		t.Fatal("no request comes to the server")
	}
}

func TestWhoWaitsForTheServerIsToldSo(t *testing.T) {
	for _, tc := range []struct {
		path string
		args []string
		left string // on the screen
	}{
		{clienttest.TokenPath, []string{"token", "--refresh", "--force"}, ""},
		{clienttest.TokenPath, []string{"exec", "--fresh", "--", "echo", "done"}, "done"},
		{clienttest.DiscoveryPath, []string{"login"}, "Logged in as alice"},
		{clienttest.APIPath, []string{"call"}, "the answer"},
		{clienttest.RevokePath, []string{"logout"}, "revoked"},
	} {
		t.Run(tc.args[0], func(t *testing.T) {
			t.Parallel() // each waits for a second
			s, h := serveAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the answer")) })
			if tc.args[0] == "call" {
				tc.args = append(tc.args, s.URL(clienttest.APIPath))
			}
			held := s.HoldAnswer(tc.path)
			x := h.open(80, 24, tc.args...)
			arrived(t, held)
			x.See("Waiting for 127.0.0.1:")
			held.Release()
			if code := x.Wait(); code != 0 || strings.Contains(x.Text(), "Waiting") || !strings.Contains(x.Text(), tc.left) {
				t.Errorf("exit code %d, and what is left is\n%s", code, x.Text())
			}
		})
	}
}

func TestWhoWaitsForTheRenewalOfAnotherShellIsToldSo(t *testing.T) {
	t.Parallel()
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	held := s.HoldAnswer(clienttest.TokenPath)
	other := h.command("token", "--refresh")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	arrived(t, held)
	x := h.open(80, 24, "token", "--refresh", "--force")
	x.See("Waiting for 127.0.0.1:")
	if n := s.RefreshCount(); n != 1 {
		t.Errorf("%d renewals: it does not wait for that of the other shell", n)
	}
	held.Release()
	if code := x.Wait(); code != 0 || strings.Contains(x.Text(), "Waiting") {
		t.Errorf("exit code %d, and what is left is\n%s", code, x.Text())
	}
	if err := other.Wait(); err != nil {
		t.Errorf("the other shell: %v", err)
	}
}

func TestAWaitIsNotToldToAPipe(t *testing.T) {
	t.Parallel()
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	s.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 1500 * time.Millisecond}, 1)
	var errs bytes.Buffer
	cmd := h.command("token", "--refresh")
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, and it says %q", err, &errs)
	}
}
