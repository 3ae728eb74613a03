package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// Field cases of secrets, and of where they may go.

func TestFieldCase_Gitlawb_zero_729_NoRequestWithACredentialFollowsARedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				kept := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: status, Header: http.Header{"Location": {w.as.URL("/elsewhere")}}}, -1)
				_, err := x.me.Token(t.Context())
				if e, ok := errors.AsType[*client.Error](err); !ok || errors.Is(err, client.ErrLoginRequired) || !strings.Contains(e.Error(), "points elsewhere") {
					t.Errorf("the error is %v", err)
				}
				if n := w.as.Requests("/elsewhere"); n > 0 || w.stored().RefreshToken != kept {
					t.Errorf("%d requests have followed, or the refresh token is gone", n)
				}
			})
		})
	}
}

func TestFieldCase_CVE_2025_48947_NoAnswerWithACookieMayBeCached(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	c := b.machine()
	v := b.visitor("bob")
	begun, finished := httptest.NewRecorder(), httptest.NewRecorder()
	if err := c.BeginLogin(begun, v.request(http.MethodPost, "https://app.example/login"), "user-7", client.AuthRequest{}); err != nil {
		t.Fatal(err)
	}
	page := must(v.receive(begun).Location())
	if _, err := c.FinishLogin(finished, v.request(http.MethodGet, v.agree(page.String())), "user-7"); err != nil {
		t.Fatal(err)
	}
	for name, rec := range map[string]*httptest.ResponseRecorder{"BeginLogin": begun, "FinishLogin": finished} {
		resp := rec.Result()
		if len(resp.Cookies()) == 0 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d cookies, Cache-Control %q", name, len(resp.Cookies()), resp.Header.Get("Cache-Control"))
		}
	}
}

func TestFieldCase_golang_oauth2_521_TheResourceIsSentWithEveryTokenRequest(t *testing.T) {
	const resource = "https://api.example/"
	as := clienttest.NewMemoryServer(t)
	as.Set(func(o *clienttest.Options) { o.Resources = []string{resource} })
	b := newBackend(t, as)
	b.cfg.Params = url.Values{"resource": {resource}}
	c := b.machine()
	v := b.visitor("bob")
	me, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := me.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	requests := requestsTo(as, clienttest.TokenPath)
	for _, e := range requests {
		if !slices.Equal(e.Form["resource"], []string{resource}) {
			t.Errorf("a request with grant_type=%s has the resource %q", e.GrantType, e.Form["resource"])
		}
	}
	if len(requests) != 3 {
		t.Errorf("%d token requests", len(requests))
	}
}

func TestFieldCase_zalando_go_keyring_24_NoSecretIsInTheArgumentsOrTheEnvironmentOfAnotherProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program that opens a browser is a script of this test, found as on Linux")
	}
	bin, note := t.TempDir(), filepath.Join(t.TempDir(), "note")
	script := "#!/bin/sh\necho \"$1\" >" + note + ".new\nfor a in \"$@\"; do echo \"$a\" >>" + note + ".all; done\nexport >>" + note + ".all\nPATH=/usr/bin:/bin\nmv " + note + ".new " + note + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("DISPLAY", ":77")
	for _, name := range []string{"BROWSER", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "WSL_INTEROP"} {
		t.Setenv(name, "")
	}
	as := clienttest.NewServer(t)
	me := started(t, as.ConfidentialConfig()).Account("alice")
	done := make(chan error, 1)
	go func() { done <- me.Login(t.Context(), client.Browser{}) }()
	var page []byte
	for began := time.Now(); len(page) == 0 && time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		page, _ = os.ReadFile(note)
	}
	if err := somebody(as, "alice").open(strings.TrimSpace(string(page))); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	all := must(os.ReadFile(note + ".all"))
	code := requestsTo(as, clienttest.TokenPath)[0].Form
	for name, secret := range map[string]string{
		"the client secret": clienttest.ConfidentialSecret, "the refresh token": as.LiveRefreshToken("alice"),
		"the code": code.Get("code"), "the code verifier": code.Get("code_verifier"),
	} {
		if secret == "" || strings.Contains(string(all), secret) {
			t.Errorf("%s was given to the program that opens the browser", name)
		}
	}
}

func TestFieldCase_next_auth_GHSA_x445_f3h2_j279_ACookieOfOneProviderIsNoneOfAnother(t *testing.T) {
	one, two := newBackend(t, clienttest.NewMemoryServer(t)), newBackend(t, must(clienttest.Start(clienttest.Options{InMemory: true, Issuer: "https://other.example"})))
	t.Cleanup(two.as.Close)
	two.cfg.Sealer = one.cfg.Sealer
	v := one.visitor("bob")
	callback := v.agree(v.begin(one.machine(), "user-7", client.AuthRequest{}))
	if _, err := v.finish(two.machine(), callback, "user-7"); !errors.Is(err, client.ErrStaleLogin) {
		t.Errorf("FinishLogin: %v", err)
	}
	if n := two.as.Requests(clienttest.TokenPath); n > 0 {
		t.Errorf("%d token requests", n)
	}
}

// seen is a store that remembers what it was given.
type seen struct {
	*memstore.Store
	data [][]byte
}

func (s *seen) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	s.data = append(s.data, slices.Clone(data))
	return s.Store.Save(ctx, key, data, old)
}

func TestFieldCase_cli_cli_7757_NothingIsKeptInPlainTextUnlessTheProgramSaysSo(t *testing.T) {
	as := clienttest.NewMemoryServer(t)
	cfg := as.Config()
	store := &seen{Store: memstore.New()}
	cfg.Store, cfg.Sealer = store, nil
	if _, err := client.New(cfg); err == nil || !strings.Contains(err.Error(), "Config.Sealer is nil") {
		t.Fatalf("New without a Sealer: %v", err)
	}
	cfg.Sealer = must(tokenstore.NewSealer(slices.Repeat([]byte{7}, 32)))
	me := started(t, cfg).Account("alice")
	if err := me.Login(t.Context(), granted(as)); err != nil {
		t.Fatal(err)
	}
	tok := must(me.Refresh(t.Context(), nil))
	if len(store.data) < 3 { // a login, an intent, a result
		t.Errorf("%d saves", len(store.data))
	}
	for _, data := range store.data {
		for _, text := range []string{"token", "{", as.LiveRefreshToken("alice"), tok.AccessToken} {
			if len(text) > 1 && strings.Contains(string(data), text) {
				t.Errorf("%q… lies in the store", text[:2])
			}
		}
	}
}
