package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/transport"
)

// What a program can get wrong, and what it is told. None of it reaches the server
// or the user. What each part makes of its own input is tested beside it.
func TestAMisuseIsAnErrorThatSaysWhatToDo(t *testing.T) {
	ctx := t.Context()
	read := client.Paste{Read: func(context.Context, string) (string, error) { panic("the user was asked") }}
	get := func(rt http.RoundTripper, url string) error {
		_, err := (&http.Client{Transport: rt}).Get(url)
		return err
	}
	token := transport.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "at"}))
	for _, row := range []struct {
		what string
		do   func(cfg client.Config, c *client.Client) error
		want []string
	}{
		{"an empty Config", func(client.Config, *client.Client) error {
			_, err := client.New(client.Config{})
			return err
		}, []string{"Config.Issuer is empty", "Config.ClientID is empty", "Config.Store is nil", "keyringstore", "sqlstore", "memstore"}},
		{"an issuer over http", func(cfg client.Config, _ *client.Client) error {
			cfg.Issuer = "http://as.example"
			_, err := client.New(cfg)
			return err
		}, []string{"Config.Issuer is plain http"}},
		{"no Sealer", func(cfg client.Config, _ *client.Client) error {
			cfg.Sealer = nil
			_, err := client.New(cfg)
			return err
		}, []string{"Config.Sealer is nil", "*memstore.Store", "NewSealer"}},
		{"an empty secret", func(cfg client.Config, _ *client.Client) error {
			cfg.Auth = client.Secret("")
			_, err := client.New(cfg)
			return err
		}, []string{"secret is empty", "is the variable it comes from set?"}},
		{"a Sealer without a key", func(client.Config, *client.Client) error {
			_, err := tokenstore.NewSealer()
			return err
		}, []string{"32 bytes"}},
		{"a key of another length", func(client.Config, *client.Client) error {
			_, err := tokenstore.NewSealer(make([]byte, 16))
			return err
		}, []string{"16 bytes instead of 32"}},
		{"an empty passphrase", func(client.Config, *client.Client) error {
			_, err := tokenstore.NewPassphraseSealer("")
			return err
		}, []string{"environment variable"}},
		{"an account without a name", func(_ client.Config, c *client.Client) error {
			_, err := c.Account("").Token(ctx)
			return err
		}, []string{"the account has no name"}},
		{"no Flow", func(_ client.Config, c *client.Client) error { return c.Account("alice").Login(ctx, nil) }, []string{"the Flow is nil", "Browser"}},
		{"Device without Show", func(_ client.Config, c *client.Client) error { return c.Account("alice").Login(ctx, client.Device{}) }, []string{"Device.Show is nil"}},
		{"Paste without Read", func(_ client.Config, c *client.Client) error { return c.Account("alice").Login(ctx, client.Paste{}) }, []string{"Paste.Read is nil"}},
		{"Paste without RedirectURL", func(_ client.Config, c *client.Client) error { return c.Account("alice").Login(ctx, read) }, []string{"Config.RedirectURL is empty"}},
		{"BeginLogin without RedirectURL", func(_ client.Config, c *client.Client) error {
			return c.BeginLogin(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil), "alice", client.AuthRequest{})
		}, []string{"Config.RedirectURL is empty"}},
		{"a Transport without a Source", func(client.Config, *client.Client) error {
			return get(&transport.Transport{}, "https://api.example")
		}, []string{"Transport.Source is nil"}},
		{"a request over http", func(client.Config, *client.Client) error {
			return get(&transport.Transport{Source: token}, "http://api.example")
		}, []string{"goes over https"}},
		{"a request to another origin", func(client.Config, *client.Client) error {
			return get(&transport.Transport{Source: token, Origins: []string{"https://api.example"}}, "https://evil.example")
		}, []string{"https://evil.example is not in Origins"}},
		{"a call after Close", func(_ client.Config, c *client.Client) error {
			_ = c.Close()
			_, err := c.Account("alice").Token(ctx)
			return err
		}, []string{client.ErrClosed.Error()}},
	} {
		t.Run(row.what, func(t *testing.T) {
			as := clienttest.NewMemoryServer(t)
			cfg := as.Config()
			c, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			err = row.do(cfg, c)
			for _, words := range row.want {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("the error does not say %q: %v", words, err)
				}
			}
			if n := len(as.Exchanges()); n != 0 {
				t.Errorf("%d requests to the server, want none", n)
			}
		})
	}
}
