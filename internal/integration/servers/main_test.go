// Package servers_test uses the module at real authorization servers, each test
// at one of its own.
package servers_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

// configFor returns the configuration of the public client of an oidc-provider,
// with a store of its own.
func configFor(t *testing.T, p *lab.OIDCProvider) client.Config {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	sealer, err := tokenstore.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return client.Config{
		Issuer: p.Issuer, ClientID: lab.PublicClient,
		Store: filestore.New(t.TempDir() + "/grants"), Sealer: sealer,
	}
}

// open returns the account of a program of its own: two of them over one store
// behave as two processes do.
func open(t *testing.T, cfg client.Config) *client.Account {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.Account("alice")
}

// browser is a Browser with a scripted user.
func browser(t *testing.T, args ...string) client.Browser {
	return client.Browser{Open: func(url string) error {
		callback, err := lab.User(t, url, args...)
		if err == nil && callback == "" {
			err = errors.New("the user has gone away")
		}
		return err
	}}
}

// patient bounds a login: a user who never comes back is to be told from a
// program that is slow.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// login logs in by the Browser flow.
func login(t *testing.T, me *client.Account) {
	t.Helper()
	if err := me.Login(patient(t), browser(t)); err != nil {
		t.Fatal(err)
	}
}

// whoami asks the UserInfo endpoint, which is the protected API here, whose
// token came with the request.
func whoami(ctx context.Context, p *lab.OIDCProvider, me *client.Account) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL("/me"), nil)
	if err != nil {
		return "", err
	}
	resp, err := me.HTTPClient().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", errors.New("the API answers " + resp.Status)
	}
	var who struct {
		Sub string `json:"sub"`
	}
	return who.Sub, json.NewDecoder(resp.Body).Decode(&who)
}

// works checks that the account can be used.
func works(t *testing.T, p *lab.OIDCProvider, me *client.Account) {
	t.Helper()
	if who, err := whoami(t.Context(), p, me); err != nil || who != "alice" {
		t.Errorf("the API lets in %q, %v", who, err)
	}
}

// A rotation is one token request with a refresh token.
type rotation struct {
	Spent  string `json:"-"`
	Issued string `json:"refresh_token"`
	Status int    `json:"-"`
}

// tokenRequests returns what has come to the token endpoint since the last call.
func tokenRequests(t *testing.T, p *lab.OIDCProvider) []rotation {
	t.Helper()
	var all []rotation
	for _, r := range p.Requests() {
		if r.Path != "/token" {
			continue
		}
		var ro rotation
		_ = json.Unmarshal([]byte(r.Answer), &ro) // an answer that was dropped is empty
		ro.Spent, ro.Status = r.Form().Get("refresh_token"), r.Status
		all = append(all, ro)
	}
	return all
}

// newest returns the refresh token that the last token request has brought.
func newest(t *testing.T, p *lab.OIDCProvider) string {
	t.Helper()
	all := tokenRequests(t, p)
	if len(all) == 0 || all[len(all)-1].Issued == "" {
		t.Fatalf("no refresh token came of the last of %d token requests", len(all))
	}
	return all[len(all)-1].Issued
}

// post sends a form as another program would, and returns what is in the answer.
func post(t *testing.T, u string, form url.Values) (status int, token oauth2.Token) {
	t.Helper()
	resp, err := http.PostForm(u, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return resp.StatusCode, token
}
