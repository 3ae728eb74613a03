package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A handler that waits for a server is a connection of the program's own that is
// taken. Nobody who comes in by one waits longer than a minute, whatever it is that
// does not answer.
func TestNoHandlerOfAWebProgramHangsWithTheServer(t *testing.T) {
	for name, path := range map[string]string{
		"metadata": clienttest.DiscoveryPath, "keys": clienttest.JWKSPath, "tokens": clienttest.TokenPath, "revocation": clienttest.RevokePath,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				b := newBackend(t, as)
				v := b.visitor("bob")
				kept := b.machine()
				if _, err := v.finish(kept, v.agree(v.begin(kept, "user-7", client.AuthRequest{})), "user-7"); err != nil {
					t.Fatal(err)
				}
				callback := v.agree(v.begin(kept, "user-8", client.AuthRequest{}))
				as.FailNext(path, clienttest.Fault{Delay: time.Hour}, -1)
				c := b.machine() // knows nothing of the server yet
				for _, handler := range []struct {
					name  string
					serve func() error
				}{
					{"BeginLogin", func() error {
						return c.BeginLogin(httptest.NewRecorder(), v.request(http.MethodPost, "https://app.example/login"), "user-9", client.AuthRequest{})
					}},
					{"FinishLogin", func() error {
						_, err := v.finish(c, callback, "user-8")
						return err
					}},
					{"BackChannelLogout", func() error {
						return c.BackChannelLogout(httptest.NewRecorder(), logoutRequest(t, as.LogoutToken(map[string]any{"sub": "carol"})), nil)
					}},
					{"Logout", func() error {
						_, err := c.Account("user-7").Logout(t.Context())
						return err
					}},
				} {
					began := time.Now()
					err := handler.serve()
					if took := time.Since(began); took > time.Minute {
						t.Errorf("%s took %v: %v", handler.name, took, err)
					}
					if e, ok := errors.AsType[*client.Error](err); err != nil && (!ok || errors.Is(err, client.ErrLoginRequired)) {
						t.Errorf("%s: %v", handler.name, e)
					}
				}
				if st, err := c.Account("user-7").Status(t.Context()); err != nil || st.State != client.StateLoginRequired {
					t.Errorf("the grant was to be forgotten here, and is %v, %v", st.State, err)
				}
			})
		})
	}
}
