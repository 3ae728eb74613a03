package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/canary"
)

const pasteRedirect = "http://127.0.0.1:9/callback"

// pasteConfig is that of a program with a redirect URI on which nobody listens.
func pasteConfig(as *clienttest.Server) client.Config {
	cfg := as.Config()
	cfg.RedirectURL = pasteRedirect
	return cfg
}

// visit logs alice in at authURL, and returns the URL that the browser is sent to.
func visit(t *testing.T, as *clienttest.Server, authURL string) *url.URL {
	t.Helper()
	location, err := loggedInElsewhere(as, authURL)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// pasting is a user who logs in and pastes what edit makes of the URL.
func pasting(t *testing.T, as *clienttest.Server, edit func(*url.URL) string) client.Paste {
	return client.Paste{Read: func(_ context.Context, authURL string) (string, error) { return edit(visit(t, as, authURL)), nil }}
}

// withParams changes the query of u.
func withParams(u *url.URL, change func(url.Values)) string {
	q := u.Query()
	change(q)
	v := *u
	v.RawQuery = q.Encode()
	return v.String()
}

func TestPasteTakesTheURLOrTheCode(t *testing.T) {
	for name, edit := range map[string]func(*url.URL) string{
		"URL":                (*url.URL).String,
		"code":               func(u *url.URL) string { return u.Query().Get("code") },
		"white space around": func(u *url.URL) string { return "\t  " + u.String() + " \r\n" },
		"code and newline":   func(u *url.URL) string { return u.Query().Get("code") + "\n" },
		"fragment":           func(u *url.URL) string { return u.String() + "#_=_" },
		"upper case":         func(u *url.URL) string { return "HTTP" + strings.TrimPrefix(u.String(), "http") },
		"unknown parameters": func(u *url.URL) string { return u.String() + "&session_state=x" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := accountOf(t, pasteConfig(as))
				wantSignedIn(t, as, me, me.Login(t.Context(), pasting(t, as, edit)))
				if got := requestsTo(as, clienttest.TokenPath)[0].Form.Get("redirect_uri"); got != pasteRedirect {
					t.Errorf("redirect_uri %q in the token request, want %q", got, pasteRedirect)
				}
			})
		})
	}
}

func TestPasteWorksWithOtherKindsOfRedirectURIs(t *testing.T) {
	for _, redirect := range []string{"com.example.app:/callback", "com.example.app:callback", "https://example.com", "https://example.com/show?app=1"} {
		t.Run(redirect, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.Set(func(o *clienttest.Options) {
					o.Clients = []clienttest.Client{{ID: clienttest.PublicClient, RedirectURIs: []string{redirect}}}
				})
				cfg := as.Config()
				cfg.RedirectURL = redirect
				me := accountOf(t, cfg)
				edit := func(u *url.URL) string {
					if u.Path == "" && u.Opaque == "" {
						u.Path = "/" // as browsers write it
					}
					return u.String()
				}
				wantSignedIn(t, as, me, me.Login(t.Context(), pasting(t, as, edit)))
			})
		})
	}
}

func TestPasteRefusesWhatDoesNotBelongToTheLogin(t *testing.T) {
	set := func(name string, values ...string) func(*url.URL) string {
		return func(u *url.URL) string { return withParams(u, func(q url.Values) { q[name] = values }) }
	}
	elsewhere := func(change func(*url.URL)) func(*url.URL) string {
		return func(u *url.URL) string {
			change(u)
			return u.String()
		}
	}
	for name, c := range map[string]struct {
		edit func(*url.URL) string
		text string
	}{
		"wrong state":     {set("state", "abc"), "another login (state)"},
		"no state":        {set("state"), "another login (state)"},
		"state twice":     {func(u *url.URL) string { return u.String() + "&state=" + u.Query().Get("state") }, "another login (state)"},
		"another issuer":  {set("iss", "https://evil.example"), "another authorization server"},
		"issuer twice":    {func(u *url.URL) string { return u.String() + "&iss=" + u.Query().Get("iss") }, "another authorization server"},
		"no issuer":       {set("iss"), "does not say which server it is from"},
		"no code":         {set("code"), "no authorization code"},
		"two codes":       {set("code", "a", "b"), "no authorization code"},
		"another host":    {elsewhere(func(u *url.URL) { u.Host = "evil.example" }), "begins with " + pasteRedirect},
		"another port":    {elsewhere(func(u *url.URL) { u.Host = "127.0.0.1:10" }), "begins with " + pasteRedirect},
		"another path":    {elsewhere(func(u *url.URL) { u.Path = "/cb/b" }), "begins with " + pasteRedirect},
		"another scheme":  {elsewhere(func(u *url.URL) { u.Scheme = "https" }), "begins with " + pasteRedirect},
		"not a URL":       {func(*url.URL) string { return "http://[::1" }, "not a URL"},
		"nothing":         {func(*url.URL) string { return " \n" }, "neither an authorization code nor the URL"},
		"several words":   {func(*url.URL) string { return "yes please" }, "neither an authorization code nor the URL"},
		"a torn code":     {func(u *url.URL) string { return u.Query().Get("code")[:8] + "\n" + u.Query().Get("code")[8:] }, "neither an authorization code nor the URL"},
		"terminal junk":   {func(u *url.URL) string { return "\x1b[200~" + u.Query().Get("code") }, "neither an authorization code nor the URL"},
		"somebody's code": {func(*url.URL) string { return "not-a-code-of-this-server" }, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := accountOf(t, pasteConfig(as))
				var code string
				err := me.Login(t.Context(), pasting(t, as, func(u *url.URL) string {
					code = u.Query().Get("code")
					return c.edit(u)
				}))
				want := 0
				if c.text == "invalid_grant" {
					want = 1
				}
				wantNoLogin(t, me, err, []string{"", "invalid_grant"}[want], c.text)
				if n := as.Requests(clienttest.TokenPath); n != want {
					t.Errorf("%d token requests, want %d", n, want)
				}
				if strings.Contains(err.Error(), code) {
					t.Errorf("the error holds the code: %v", err)
				}
			})
		})
	}
}

// It is the commonest mistake, and its state is the right one.
func TestPasteTellsTheAuthorizationURLFromTheResponse(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		me := accountOf(t, pasteConfig(as))
		err := me.Login(t.Context(), client.Paste{Read: func(_ context.Context, authURL string) (string, error) { return authURL, nil }})
		wantNoLogin(t, me, err, "", "begins with "+pasteRedirect)
	})
}

func TestPasteShowsARefusalOfTheUser(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) { o.UserDenies = true })
		me := accountOf(t, pasteConfig(as))
		wantNoLogin(t, me, me.Login(t.Context(), pasting(t, as, (*url.URL).String)), "access_denied", "refused the login")
	})
}

// A bare code has no state: PKCE has to tell whose it is (RFC 9700 section 4.5).
func TestPasteIsSafeFromTheCodeOfAnotherLogin(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		cfg := pasteConfig(as)
		var stolen string
		attacker := accountOf(t, cfg)
		stop := errors.New("stop")
		_ = attacker.Login(t.Context(), client.Paste{Read: func(_ context.Context, authURL string) (string, error) {
			stolen = visit(t, as, authURL).Query().Get("code")
			return "", stop
		}})
		me := accountOf(t, cfg)
		err := me.Login(t.Context(), client.Paste{Read: func(context.Context, string) (string, error) { return stolen, nil }})
		wantNoLogin(t, me, err, "invalid_grant")
	})
}

func TestWhatReadReturnsEndsTheLogin(t *testing.T) {
	noTerminal := errors.New("there is no terminal")
	flows := func(read func(context.Context) error) map[string]client.Flow {
		return map[string]client.Flow{
			"Paste":    client.Paste{Read: func(ctx context.Context, _ string) (string, error) { return "", read(ctx) }},
			"Password": client.Password{Read: func(ctx context.Context) (string, string, error) { return "", "", read(ctx) }},
			"Device":   client.Device{Show: func(ctx context.Context, _ *prompt) error { return read(ctx) }},
		}
	}
	for name, flow := range flows(func(context.Context) error { return noTerminal }) {
		t.Run(name+" with an error", func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := accountOf(t, pasteConfig(as))
				err := me.Login(t.Context(), flow)
				wantNoLogin(t, me, err, "", name, noTerminal.Error())
				if !errors.Is(err, noTerminal) || as.Requests(clienttest.TokenPath) != 0 {
					t.Errorf("Login returned %v after %d token requests", err, as.Requests(clienttest.TokenPath))
				}
			})
		})
	}
	for name, flow := range flows(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) {
		t.Run(name+" too late", func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := accountOf(t, pasteConfig(as))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := me.Login(ctx, flow)
				wantNoLogin(t, me, err, "", "did not finish the login in time")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Login returned %v, want context.DeadlineExceeded in it", err)
				}
			})
		})
		t.Run(name+" and Close", func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				c, err := client.New(pasteConfig(as))
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Minute, func() { _ = c.Close() })
				if err := c.Account("alice").Login(t.Context(), flow); !errors.Is(err, client.ErrClosed) {
					t.Errorf("Login returned %v, want ErrClosed", err)
				}
			})
		})
	}
}

// FuzzPaste: whatever a user pastes, what gets to the server is the code that it
// is, or the only code of the response to this very login; and no error repeats
// any of it but what the server says in an error response.
func FuzzPaste(f *testing.F) {
	const issuer = "https://as.example"
	for _, s := range []string{
		pasteRedirect + "?code=C&state=S&iss=I", pasteRedirect + "?code=C&state=x", "C", " C\r\n", "http://[C", "HTTPS:C", "C#S", "//C", "", "\x00",
		pasteRedirect + "?error=C&state=S&iss=I", pasteRedirect + "?code=C&code=D&state=S", pasteRedirect + "?code=C&state=S&state=S",
		"HTTP://127.0.0.1:9/callback?state=S&code=C&session_state=x#_=_", "http://127.0.0.1:9/callback/?state=S&code=C", "http://user@127.0.0.1:9/callback?state=S&code=C",
		pasteRedirect + "?code=%00C%0a&state=S", pasteRedirect + "?code=C;state=S", "urn:ietf:wg:oauth:2.0:oob", "4/0AX4XfWh", "M.C105_BAY.2.U:C",
	} {
		f.Add(s)
	}
	base := clienttest.NewMemoryServer(f).Config()
	base.RedirectURL = pasteRedirect
	base.Endpoint.AuthURL, base.Endpoint.TokenURL = issuer+"/authorize", issuer+"/token"
	f.Fuzz(func(t *testing.T, pasted string) {
		var state string
		var posted []string
		cfg := base
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			_ = r.ParseForm()
			posted = r.PostForm["code"]
			return answering(400, "application/json", []byte(`{"error":"invalid_grant"}`)).RoundTrip(r)
		})}
		err := accountOf(t, cfg).Login(t.Context(), client.Paste{Read: func(_ context.Context, authURL string) (string, error) {
			u, err := url.Parse(authURL)
			if err != nil {
				t.Fatal(err)
			}
			state = u.Query().Get("state")
			pasted = strings.NewReplacer("C", canary.Secret, "S", state, "I", url.QueryEscape(issuer)).Replace(pasted)
			return pasted, nil
		}})
		u, parseErr := url.Parse(strings.TrimSpace(pasted))
		if err == nil {
			t.Fatalf("%q logs in", pasted)
		}
		if refused := parseErr == nil && u.Query().Has("error"); !refused && canary.Shown(err) != "" {
			t.Errorf("the error repeats what was pasted: %v", err)
		}
		switch {
		case len(posted) == 0:
		case posted[0] == strings.TrimSpace(pasted):
			if strings.ContainsFunc(posted[0], func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%q got to the server", posted[0])
			}
		case parseErr != nil, u.Scheme != "http", u.Host != "127.0.0.1:9", u.Path != "/callback",
			!slices.Equal(u.Query()["state"], []string{state}), !slices.Equal(u.Query()["code"], posted):
			t.Errorf("of %q there got %q to the server", pasted, posted)
		}
	})
}

func ExamplePaste() {
	as, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer as.Close()
	cfg := as.Config()
	cfg.RedirectURL = "http://127.0.0.1/callback" // as it is registered with the server
	c, err := client.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	me := c.Account("default")
	err = me.Ensure(context.Background(), client.Paste{Read: func(_ context.Context, authorizationURL string) (string, error) {
		fmt.Println("Open this page on any machine, log in, and paste the address that you end up at:")
		return loggedInElsewhere(as, authorizationURL) // in a program: print authorizationURL, and read a line
	}})
	fmt.Println("logged in:", err == nil)
	// Output:
	// Open this page on any machine, log in, and paste the address that you end up at:
	// logged in: true
}

// loggedInElsewhere is a user with a browser on another machine, who brings back
// the URL that it is sent to.
func loggedInElsewhere(as *clienttest.Server, authorizationURL string) (string, error) {
	browser := as.UserAgent("alice")
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(authorizationURL)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("Location"), nil
}
