package clienttest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

func TestBothConfigsAreReadyForUse(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		for id, cfg := range map[string]client.Config{
			clienttest.PublicClient: s.Config(), clienttest.ConfidentialClient: s.ConfidentialConfig(),
		} {
			c, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			me := c.Account("default")
			err = me.Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return s.GrantTo(id, "alice"), nil }))
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			time.Sleep(time.Hour) // so that it must refresh, and authenticate itself
			resp, err := me.HTTPClient().Get(s.URL(clienttest.APIPath))
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: the API answered %s", id, resp.Status)
			}
		}
		if s.RefreshCount() != 2 || s.Reused() != 0 {
			t.Errorf("RefreshCount %d, Reused %d", s.RefreshCount(), s.Reused())
		}
	})
}

func TestConfigsShareNothing(t *testing.T) {
	s := clienttest.NewServer(t)
	if s.Config().Store == s.Config().Store || s.Config().Sealer == s.Config().Sealer {
		t.Error("two configurations share a store or a sealer")
	}
}

func TestTheBrowserLogsIn(t *testing.T) {
	s := clienttest.NewServer(t)
	c, err := client.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Ensure(t.Context(), client.Browser{Open: s.Browser()}); err != nil {
		t.Fatal(err)
	}
	if s.LiveRefreshToken("alice") == "" {
		t.Error("alice has not logged in")
	}
}
