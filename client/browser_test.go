package client_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
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

func TestABrowserLoginSignsInAndSaysSo(t *testing.T) {
	as := clienttest.NewServer(t)
	me := accountOf(t, as.Config())
	alice := somebody(as, "alice")
	wantSignedIn(t, as, me, me.Login(t.Context(), client.Browser{Open: alice.open}))
	alice.wantPage(t, "You are signed in")
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
	// One that the system does not give to connections meanwhile.
	fixed := "127.0.0.1:" + strconv.Itoa(5000+rand.IntN(5000))
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
