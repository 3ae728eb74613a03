package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A person logs in with a browser, and looks at the page that it ends up with.
type person struct {
	agent *http.Client
	page  chan string
}

func somebody(as *clienttest.Server, account string) *person {
	return &person{agent: as.UserAgent(account), page: make(chan string, 1)}
}

// open waits for the last page, as a program does that is the browser itself.
func (p *person) open(url string) error {
	resp, err := p.agent.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	p.page <- string(body)
	return err
}

// location logs in, and returns where the browser would be sent to.
func (p *person) location(authURL string) (*url.URL, error) {
	agent := *p.agent
	agent.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := agent.Get(authURL)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return resp.Location()
}

// wantPage checks what the person has seen.
func (p *person) wantPage(t *testing.T, words string) {
	t.Helper()
	select {
	case page := <-p.page:
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q:\n%s", words, page)
		}
	case <-time.After(10 * time.Second):
		t.Error("the browser was never shown a page")
	}
}

// authorizationRequests are the queries that the authorization endpoint got.
func authorizationRequests(as *clienttest.Server) (queries []url.Values) {
	for _, x := range requestsTo(as, clienttest.AuthorizePath) {
		queries = append(queries, x.Query)
	}
	return queries
}

func TestABrowserLoginSignsInAndSaysSo(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	alice := somebody(as, "alice")
	wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: alice.open}))
	alice.wantPage(t, "You are signed in")
}

func TestAnAuthorizationRequestIsBoundToItsLogin(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	cfg.Params = url.Values{"access_type": {"offline"}}
	me := accountOf(t, cfg)
	flow := client.Browser{Open: as.Browser()}
	flow.Params = url.Values{"acr_values": {"gold"}}
	flow.Scopes = []string{"profile"}
	for range 2 {
		wantSignedIn(t, as, me, me.Login(t.Context(), flow))
	}
	queries := authorizationRequests(as)
	for i, q := range queries {
		for name, want := range map[string]string{
			"response_type": "code", "client_id": clienttest.PublicClient, "scope": "openid offline_access profile",
			"code_challenge_method": "S256", "prompt": "consent", "access_type": "offline", "acr_values": "gold",
		} {
			if got := q[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if !regexp.MustCompile(`^http://127\.0\.0\.1:[0-9]+/callback$`).MatchString(q.Get("redirect_uri")) {
			t.Errorf("redirect_uri %q", q.Get("redirect_uri"))
		}
		sent := requestsTo(as, clienttest.TokenPath)[i].Form
		if got := sent.Get("redirect_uri"); got != q.Get("redirect_uri") {
			t.Errorf("redirect_uri is %q in the authorization request and %q in the token request", q.Get("redirect_uri"), got)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`).MatchString(sent.Get("code_verifier")) {
			t.Errorf("code_verifier %q (RFC 7636 section 4.1)", sent.Get("code_verifier"))
		}
		for _, name := range []string{"state", "nonce"} {
			if len(q.Get(name)) < 22 { // 128 bits in base64
				t.Errorf("%s %q can be guessed", name, q.Get(name))
			}
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if queries[0].Get(name) == queries[1].Get(name) {
			t.Errorf("two logins had the same %s", name)
		}
	}
}

func TestAnAuthorizationRequestAsksForNoMoreThanIsWanted(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	cfg.Scopes = []string{"api"}
	cfg.Params = url.Values{"prompt": {"login"}}
	me := accountOf(t, cfg)
	wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}))
	q := authorizationRequests(as)[0]
	if q.Get("scope") != "api" || q.Has("nonce") || q.Get("prompt") != "login" {
		t.Errorf("the request was %v", q)
	}
}

// RFC 8252 section 8.9. Any web page and any program can send such requests.
func TestForeignCallbacksDoNotEndTheWait(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	alice := somebody(as, "alice")
	err := me.Login(t.Context(), client.Browser{Open: func(authURL string) error {
		callback, err := alice.location(authURL)
		if err != nil {
			return err
		}
		for name, edit := range map[string]func(url.Values){
			"no state":             func(q url.Values) { q.Del("state") },
			"wrong state":          func(q url.Values) { q.Set("state", "abc") },
			"state twice":          func(q url.Values) { q.Add("state", q.Get("state")) },
			"empty state":          func(q url.Values) { q.Set("state", "") },
			"state in other case":  func(q url.Values) { q.Set("state", strings.ToLower(q.Get("state"))) },
			"an error":             func(q url.Values) { clear(q); q.Set("error", "access_denied") },
			"error of other state": func(q url.Values) { q.Set("error", "access_denied"); q.Set("state", "x") },
			"nothing":              func(q url.Values) { clear(q) },
		} {
			resp, err := http.Get(withParams(callback, edit))
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode/100 != 4 {
				t.Errorf("%s: status %d, want 4xx", name, resp.StatusCode)
			}
		}
		return alice.open(callback.String())
	}})
	wantSignedIn(t, as, me, err)
	alice.wantPage(t, "You are signed in")
	if n := as.Requests(clienttest.TokenPath); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestTwoLoginsAtOnceDoNotDisturbEachOther(t *testing.T) {
	as := clienttest.NewServer(t)
	cfg := as.Config()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var logins sync.WaitGroup
	for i := range 20 {
		logins.Go(func() {
			if err := c.Account(fmt.Sprint(i)).Login(t.Context(), client.Browser{Open: as.Browser()}); err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		})
	}
	logins.Wait()
}

// RFC 9700 section 4.5: the code of one login in the response to another.
func TestASwappedCodeBringsNothing(t *testing.T) {
	as := clienttest.NewServer(t)
	login := func(account string, mine chan<- string, theirs <-chan string) {
		me := accountOf(t, as.Config())
		user := somebody(as, account)
		err := me.Login(t.Context(), client.Browser{Open: func(authURL string) error {
			callback, err := user.location(authURL)
			if err != nil {
				return err
			}
			mine <- callback.Query().Get("code")
			other := <-theirs
			return user.open(withParams(callback, func(q url.Values) { q.Set("code", other) }))
		}})
		wantNoLogin(t, me, err, "invalid_grant")
		user.wantPage(t, "Sign-in failed")
	}
	ofAlice, ofBob := make(chan string, 1), make(chan string, 1)
	var logins sync.WaitGroup
	logins.Go(func() { login("alice", ofAlice, ofBob) })
	logins.Go(func() { login("bob", ofBob, ofAlice) })
	logins.Wait()
	for _, account := range []string{"alice", "bob"} {
		if as.FamilyAlive(account) {
			t.Errorf("there is a grant of %s", account)
		}
	}
}

// RFC 9207 section 2.4: then it is not known whose the error is, either.
func TestAResponseOfAnotherIssuerEndsTheLoginUnread(t *testing.T) {
	for name, iss := range map[string]any{
		"missing": nil, "another": "https://evil.example", "with a slash": "/", "upper case": strings.ToUpper, "twice": "twice", "empty": "",
	} {
		for _, denied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, denied %v", name, denied), func(t *testing.T) {
				as := clienttest.NewServer(t)
				as.Set(func(o *clienttest.Options) { o.UserDenies = denied })
				tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
					switch iss := iss.(type) {
					case nil:
						delete(answer, "iss")
					case func(string) string:
						answer["iss"] = iss(as.Issuer())
					case string:
						answer["iss"] = map[string]any{"/": as.Issuer() + "/", "twice": []string{as.Issuer(), as.Issuer()}}[iss]
						if answer["iss"] == nil {
							answer["iss"] = iss
						}
					}
					if denied {
						answer["error_description"] = "call 0900-EVIL"
					}
				})
				me := accountOf(t, as.Config())
				alice := somebody(as, "alice")
				err := me.Login(t.Context(), client.Browser{Open: alice.open})
				wantNoLogin(t, me, err, "", "RFC 9207")
				alice.wantPage(t, "Sign-in failed")
				if strings.Contains(err.Error(), "EVIL") || as.Requests(clienttest.TokenPath) != 0 {
					t.Errorf("%d token requests, and the error is %v", as.Requests(clienttest.TokenPath), err)
				}
			})
		}
	}
}

// RFC 9700 section 4.4: the user begins at an evil server, which sends the
// browser on to an honest one, to get at its code.
func TestAMixUpBringsTheEvilServerNothing(t *testing.T) {
	honest, evil := clienttest.NewServer(t), clienttest.NewServer(t)
	tamper(evil, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) {
		m["authorization_endpoint"] = honest.URL(clienttest.AuthorizePath)
	})
	for name, iss := range map[string]string{"honest iss": honest.Issuer(), "no iss": ""} {
		t.Run(name, func(t *testing.T) {
			tamper(honest, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				if iss == "" {
					delete(answer, "iss")
				}
			})
			me := accountOf(t, evil.Config())
			alice := somebody(honest, "alice")
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: alice.open}), "", "RFC 9207")
			alice.wantPage(t, "Sign-in failed")
			if n := evil.Requests(clienttest.TokenPath); n != 0 {
				t.Errorf("the evil server got %d token requests", n)
			}
		})
	}
}

func TestARefusalIsToldToTheUserAndToTheProgram(t *testing.T) {
	for code, page := range map[string]string{
		"access_denied": "Sign-in refused", "login_required": "Sign-in failed", "server_error": "Sign-in failed", "\x1b[2Jodd": "Sign-in failed",
	} {
		t.Run(code, func(t *testing.T) {
			as := clienttest.NewServer(t)
			as.Set(func(o *clienttest.Options) { o.UserDenies = true })
			tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				answer["error"], answer["error_description"] = code, "not \x1b]0;owned\x07<b>today</b>"
			})
			me := accountOf(t, as.Config())
			alice := somebody(as, "alice")
			err := me.Login(t.Context(), client.Browser{Open: alice.open})
			wantNoLogin(t, me, err, strings.TrimPrefix(code, "\x1b[2J"), "not <b>today</b>")
			alice.wantPage(t, page)
			if strings.Contains(err.Error(), "\x1b") || as.Requests(clienttest.TokenPath) != 0 {
				t.Errorf("after %d token requests: %q", as.Requests(clienttest.TokenPath), err)
			}
		})
	}
}

func TestAResponseWithoutACodeIsAnError(t *testing.T) {
	for name, code := range map[string]any{"none": nil, "empty": "", "two": []string{"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
				if answer["code"] = code; code == nil {
					delete(answer, "code")
				}
			})
			me := accountOf(t, as.Config())
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: somebody(as, "alice").open}), "", "no authorization code")
			if n := as.Requests(clienttest.TokenPath); n != 0 {
				t.Errorf("%d token requests, want none", n)
			}
		})
	}
}

// RFC 6749 section 4.1.2: a code is used once, whatever becomes of the answer.
func TestACodeIsSentOnce(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"lost before": {Drop: true},
		"lost after":  {Drop: true, Commit: true},
		"torn":        {Truncate: true},
		"redirect":    {Status: 307, Header: http.Header{"Location": {"/elsewhere"}}},
		"down":        {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
		"page":        {Status: 200, Body: "<html>"},
		"refused":     {Status: 401, Body: `{"error":"invalid_client"}`},
	} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			as.FailNext(clienttest.TokenPath, fault, 1)
			me := accountOf(t, as.ConfidentialConfig())
			alice := somebody(as, "alice")
			err := me.Login(t.Context(), client.Browser{Open: alice.open})
			code := ""
			if fault.Status == 401 {
				code = "invalid_client"
			}
			wantNoLogin(t, me, err, code)
			alice.wantPage(t, "Sign-in failed")
			sent := requestsTo(as, clienttest.TokenPath)
			if len(sent) != 1 || as.Requests("/elsewhere") != 0 {
				t.Errorf("%d token requests and %d elsewhere, want 1 and none", len(sent), as.Requests("/elsewhere"))
			}
			for _, secret := range []string{sent[0].Form.Get("code"), sent[0].Form.Get("code_verifier"), clienttest.ConfidentialSecret} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
		})
	}
}

// RFC 7636 section 7.2.
func TestPKCEIsNeverDowngraded(t *testing.T) {
	for name, methods := range map[string]any{"plain only": []string{"plain"}, "none at all": []string{}} {
		t.Run(name, func(t *testing.T) {
			as := clienttest.NewServer(t)
			tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { m["code_challenge_methods_supported"] = methods })
			me := accountOf(t, as.Config())
			wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}), "", "PKCE with S256")
			if n := as.Requests(clienttest.AuthorizePath); n != 0 {
				t.Errorf("%d authorization requests, want none", n)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		as := clienttest.NewServer(t)
		as.Set(func(o *clienttest.Options) { o.UserDenies = true })
		tamper(as, clienttest.AuthorizePath, func(_ clienttest.Exchange, answer map[string]any) {
			answer["error"], answer["error_description"] = "invalid_request", "transform algorithm not supported"
		})
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}), "invalid_request", "transform algorithm")
		if n := as.Requests(clienttest.AuthorizePath); n != 1 {
			t.Errorf("%d authorization requests, want 1", n)
		}
	})
	t.Run("not announced", func(t *testing.T) {
		as := clienttest.NewServer(t)
		tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { delete(m, "code_challenge_methods_supported") })
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: as.Browser()}))
		if q := authorizationRequests(as)[0]; q.Get("code_challenge_method") != "S256" {
			t.Errorf("the request was sent without a challenge: %v", q)
		}
	})
}

func TestIfNoBrowserOpensLoginReturnsAtOnceAndSaysWhatToDo(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	noBrowser := errors.New("no display")
	var redirect string
	err := me.Login(t.Context(), client.Browser{Open: func(authURL string) error {
		u, err := url.Parse(authURL)
		redirect = u.Query().Get("redirect_uri")
		return errors.Join(err, noBrowser)
	}})
	wantNoLogin(t, me, err, "", "no display", "Device", "Paste")
	if !errors.Is(err, noBrowser) {
		t.Errorf("Login returned %v, want the error of Open in it", err)
	}
	wantNobodyListens(t, redirect)
}

// wantNobodyListens checks that the port of redirect is closed (RFC 8252 section 8.3).
func wantNobodyListens(t *testing.T, redirect string) {
	t.Helper()
	u, err := url.Parse(redirect)
	if err != nil || u.Port() == "" {
		t.Fatalf("redirect_uri %q", redirect)
	}
	if conn, err := net.DialTimeout("tcp", u.Host, time.Second); err == nil {
		conn.Close()
		t.Errorf("%s is still open after the login", u.Host)
	}
}

func TestTheZeroBrowserOpensThatOfTheUser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it would open a browser here; on Linux the environment says whether there is one")
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME", "WSL_INTEROP", "PATH"} {
		t.Setenv(name, "")
	}
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	wantNoLogin(t, me, me.Login(t.Context(), client.Browser{}), "", "no browser can be opened here", "Device")
}

func TestOpenBrowserOpensWebPagesOnly(t *testing.T) {
	for _, u := range []string{"file:///etc/passwd", "--version", "javascript:alert(1)", "calc.exe", "", "https://"} {
		if err := client.OpenBrowser(u); err == nil {
			t.Errorf("OpenBrowser(%q) succeeded", u)
		}
	}
}

func TestABrowserLoginEndsWithItsContextAndWithTheClient(t *testing.T) {
	as := clienttest.NewServer(t)
	c, err := client.New(as.Config())
	if err != nil {
		t.Fatal(err)
	}
	me := c.Account("alice")
	redirect := make(chan string, 1)
	waiting := func(then func()) client.Browser {
		return client.Browser{Open: func(authURL string) error {
			u, err := url.Parse(authURL)
			redirect <- u.Query().Get("redirect_uri")
			then()
			return err
		}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = me.Login(ctx, waiting(cancel))
	wantNoLogin(t, me, err, "", "given up before the user had finished")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Login returned %v, want context.Canceled in it", err)
	}
	wantNobodyListens(t, <-redirect)

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = me.Login(ctx, waiting(func() {}))
	wantNoLogin(t, me, err, "", "the user did not finish the login in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Login returned %v, want context.DeadlineExceeded in it", err)
	}
	wantNobodyListens(t, <-redirect)

	err = me.Login(t.Context(), waiting(func() { _ = c.Close() }))
	if !errors.Is(err, client.ErrClosed) {
		t.Errorf("Login returned %v, want ErrClosed", err)
	}
	wantNobodyListens(t, <-redirect)
}

func TestTheRedirectURLIsUsedAsItIsRegistered(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fixed := free.Addr().String()
	free.Close()
	for registered, want := range map[string]string{
		"":                              `^http://127\.0\.0\.1:\d+/callback$`,
		"http://127.0.0.1/cb/a":         `^http://127\.0\.0\.1:\d+/cb/a$`,
		"http://127.0.0.1:0/":           `^http://127\.0\.0\.1:\d+/$`,
		"http://127.0.0.1":              `^http://127\.0\.0\.1:\d+$`,
		"http://127.0.0.1/cb?app=1":     `^http://127\.0\.0\.1:\d+/cb\?app=1$`,
		"http://localhost/callback":     `^http://localhost:\d+/callback$`,
		"http://" + fixed + "/callback": `^http://` + regexp.QuoteMeta(fixed) + `/callback$`,
		"http://[::1]/callback":         `^http://\[::1\]:\d+/callback$`,
	} {
		t.Run(registered, func(t *testing.T) {
			if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
				l.Close()
			} else if strings.Contains(registered, "::1") {
				t.Skip("there is no IPv6 here")
			}
			as := clienttest.NewServer(t)
			me := accountOf(t, as.Config())
			alice := somebody(as, "alice")
			wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: alice.open, RedirectURL: registered}))
			alice.wantPage(t, "You are signed in")
			got := authorizationRequests(as)[0].Get("redirect_uri")
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("redirect_uri %q, want %s", got, want)
			}
			wantNobodyListens(t, got)
		})
	}
}

func TestARedirectURLThatCannotBeReceivedIsAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, redirect := range []string{
		"https://127.0.0.1/cb", "http://example.com/cb", "http://192.0.2.1/cb", "http://0.0.0.0/cb", "com.example:/cb",
		"http://127.0.0.1/cb#x", "http://user@127.0.0.1/cb", "/cb", "http://" + taken.Addr().String() + "/cb",
	} {
		t.Run(redirect, func(t *testing.T) {
			as := clienttest.NewServer(t)
			me := accountOf(t, as.Config())
			err := me.Login(t.Context(), client.Browser{RedirectURL: redirect, Open: func(string) error {
				t.Error("a browser was opened")
				return nil
			}})
			wantNoLogin(t, me, err, "", "redirect")
		})
	}
}

func TestALoginWithoutARefreshTokenSaysWhatToSet(t *testing.T) {
	as := clienttest.NewServer(t)
	as.Set(func(o *clienttest.Options) { o.NoOfflineAccess = true })
	me := accountOf(t, as.Config())
	err := me.Login(t.Context(), client.Browser{Open: as.Browser()})
	wantNoLogin(t, me, err, "", "no refresh token", "offline_access", `"openid"`)
}

func TestAFlowMayNotSetWhatTheProtocolSets(t *testing.T) {
	as := clienttest.NewServer(t)
	as.Set(func(o *clienttest.Options) { o.Users = []clienttest.User{{Account: "alice"}} })
	for _, name := range []string{"state", "redirect_uri", "scope", "nonce", "code_challenge", "client_id", "response_type", "request_uri"} {
		t.Run(name, func(t *testing.T) {
			ask := client.AuthRequest{Params: url.Values{name: {"x"}}}
			cfg := as.Config()
			cfg.RedirectURL = pasteRedirect
			me := accountOf(t, cfg)
			for _, flow := range []client.Flow{
				client.Browser{AuthRequest: ask, Open: as.Browser()},
				client.Paste{AuthRequest: ask, Read: func(context.Context, string) (string, error) { return "", nil }},
				client.Device{AuthRequest: ask, Show: ignored},
				client.Password{AuthRequest: ask, Read: typing("alice", "password").Read},
			} {
				wantNoLogin(t, me, me.Login(t.Context(), flow), "", "AuthRequest.Params", name)
			}
		})
	}
}

func TestALoginWithoutAFlowSaysWhichThereAre(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	wantNoLogin(t, me, me.Login(t.Context(), nil), "", "Browser", "Device", "Paste", "Password", "FlowFunc")
}
