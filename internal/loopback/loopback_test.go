package loopback_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/loopback"
)

const state = "the-right-state"

func rightState(v url.Values) bool { return len(v["state"]) == 1 && v["state"][0] == state }

// A login is a Receiver that waits for the right state.
type login struct {
	*loopback.Receiver
	http *http.Client // a browser: follows redirects

	waited chan struct{} // closed when Wait returned what follows
	params url.Values
	err    error
}

func begin(t *testing.T, redirectURI string) *login {
	t.Helper()
	r, err := loopback.Listen(t.Context(), redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	l := &login{Receiver: r, http: &http.Client{Transport: transport}, waited: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(l.waited)
		l.params, l.err = r.Wait(ctx, rightState)
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		<-l.waited
		r.Close(loopback.Failed)
	})
	return l
}

// callback is the redirect URI with a query that holds state and more.
func (l *login) callback(more string) string {
	return l.RedirectURI() + "?code=the-code&state=" + state + more
}

// stillWaits fails the test if anything was accepted so far.
func (l *login) stillWaits(t *testing.T) {
	t.Helper()
	select {
	case <-l.waited:
		t.Fatalf("the wait ended with %v, %v", l.params, l.err)
	default:
	}
}

// goesOn shows that the right callback is still accepted, and ends the login.
func (l *login) goesOn(t *testing.T) {
	t.Helper()
	l.stillWaits(t)
	l.ends(t, l.ask(t, "GET", l.callback(""), nil))
	if l.err != nil || l.params.Get("code") != "the-code" {
		t.Errorf("Wait = %v, %v", l.params, l.err)
	}
}

// ends follows the answer to the right callback, and shows the user the end.
func (l *login) ends(t *testing.T, a answer) {
	t.Helper()
	if a.status != http.StatusSeeOther {
		t.Fatalf("the callback was answered %d", a.status)
	}
	got := l.visit(t, a.header.Get("Location"))
	<-l.waited
	l.Close(loopback.SignedIn)
	if a := <-got; a.err != nil || a.status != http.StatusOK || !strings.Contains(a.body, "You are signed in") {
		t.Errorf("the user saw %d %q, %v", a.status, a.body, a.err)
	}
}

type answer struct {
	url    string
	status int
	header http.Header
	body   string
	err    error
}

// visit goes to a URL as a browser does, and tells where it ended.
func (l *login) visit(t *testing.T, rawURL string) <-chan answer {
	t.Helper()
	got := make(chan answer, 1)
	go func() {
		resp, err := l.http.Get(rawURL)
		if err != nil {
			got <- answer{err: err}
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		got <- answer{resp.Request.URL.String(), resp.StatusCode, resp.Header, string(body), err}
	}()
	return got
}

// ask sends one request and follows nothing.
func (l *login) ask(t *testing.T, method, rawURL string, change func(*http.Request)) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := l.http.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{rawURL, resp.StatusCode, resp.Header, string(body), err}
}

func TestTheUserIsShownHowTheLoginEnded(t *testing.T) {
	for _, tc := range []struct {
		outcome loopback.Outcome
		want    string
	}{
		{loopback.SignedIn, "You are signed in"},
		{loopback.Refused, "Sign-in refused"},
		{loopback.Failed, "Sign-in failed"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			l := begin(t, "")
			got := l.visit(t, l.callback("&iss=https%3A%2F%2Fas.example"))
			<-l.waited
			if l.err != nil {
				t.Fatal(l.err)
			}
			if want := "code=the-code&iss=https%3A%2F%2Fas.example&state=the-right-state"; l.params.Encode() != want {
				t.Errorf("Wait = %q, want %q", l.params.Encode(), want)
			}
			select {
			case a := <-got:
				t.Fatalf("the user was told %q before there was an outcome", a.body)
			default:
			}
			l.Close(tc.outcome)
			a := <-got
			if a.err != nil || a.status != http.StatusOK || !strings.Contains(a.body, "<h1>"+tc.want+"</h1>") {
				t.Errorf("the user saw %d %q, %v", a.status, a.body, a.err)
			}
		})
	}
}

func TestTheCodeIsNotInTheURLThatTheBrowserShows(t *testing.T) {
	l := begin(t, "")
	first := l.ask(t, "GET", l.callback(""), nil)
	if first.status != http.StatusSeeOther || first.body != "" {
		t.Errorf("the callback was answered %d %q", first.status, first.body)
	}
	if want := l.RedirectURI() + "/result"; first.header.Get("Location") != want {
		t.Errorf("the browser is sent to %q, want %q", first.header.Get("Location"), want)
	}
	l.ends(t, first)
}

func TestARedirectStaysOnTheOriginWhateverThePath(t *testing.T) {
	for path, want := range map[string]string{
		"":                  "/result",
		"/":                 "/result",
		"/cb":               "/cb/result",
		"/cb/":              "/cb/result",
		"//evil.example/cb": "//evil.example/cb/result",
		"/a%2Fb%20c":        "/a%2Fb%20c/result",
	} {
		t.Run(path, func(t *testing.T) {
			l := begin(t, "http://127.0.0.1:0"+path)
			u, err := url.Parse(l.RedirectURI())
			if err != nil || u.EscapedPath() != path {
				t.Fatalf("the redirect URI is %s, %v", l.RedirectURI(), err)
			}
			a := l.ask(t, "GET", l.callback(""), nil)
			if want := "http://" + u.Host + want; a.header.Get("Location") != want {
				t.Errorf("the browser is sent to %q, want %q", a.header.Get("Location"), want)
			}
			l.ends(t, a)
		})
	}
}

func TestForeignCallbacksDoNotEndTheWait(t *testing.T) {
	l := begin(t, "")
	for _, query := range []string{
		"",
		"?",
		"?state=",
		"?code=evil&state=another",
		"?code=evil",
		"?error=access_denied",
		"?error=access_denied&state=another",
		"?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=%3Cscript%3E",
		"?state=" + state + "&state=another",
		"?state=" + state + "&state=" + state,
		"?STATE=" + state,
		"?state=" + state + "%00",
		"?state=%zz",
		"?;state=" + state,
		"?code=" + strings.Repeat("x", 32<<10),
	} {
		t.Run(query[:min(len(query), 60)], func(t *testing.T) {
			a := l.ask(t, "GET", l.RedirectURI()+query, nil)
			if a.status != http.StatusBadRequest || !strings.Contains(a.body, "<h1>Unexpected sign-in</h1>") {
				t.Errorf("answered %d %q", a.status, a.body)
			}
			l.stillWaits(t)
		})
	}
	l.goesOn(t)
}

func TestOnlyAGETOfTheRedirectURIIsACallback(t *testing.T) {
	l := begin(t, "http://127.0.0.1/callback")
	origin := strings.TrimSuffix(l.RedirectURI(), "/callback")
	host := strings.TrimPrefix(origin, "http://")
	_, port, _ := strings.Cut(host, ":")
	query := "?code=evil&state=" + state
	setHost := func(host string) func(*http.Request) {
		return func(r *http.Request) { r.Host = host }
	}
	setHeader := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tc := range []struct {
		name, method, path string
		change             func(*http.Request)
		want               int
	}{
		{"the name of somebody else", "GET", "/callback", setHost("evil.example"), 421},
		{"the name of somebody else with our port", "GET", "/callback", setHost("evil.example:" + port), 421},
		{"localhost, which was not announced", "GET", "/callback", setHost("localhost:" + port), 421},
		{"the other IP version", "GET", "/callback", setHost("[::1]:" + port), 421},
		{"another port", "GET", "/callback", setHost("127.0.0.1:1"), 421},
		{"no port", "GET", "/callback", setHost("127.0.0.1"), 421},
		{"another spelling of the address", "GET", "/callback", setHost("127.1:" + port), 421},
		{"another path", "GET", "/", nil, 404},
		{"a longer path", "GET", "/callback/", nil, 404},
		{"a path in other letters", "GET", "/Callback", nil, 404},
		{"an escaped path", "GET", "/c%61llback", nil, 404},
		{"a path to clean", "GET", "/x/../callback", nil, 404},
		{"a double slash", "GET", "//callback", nil, 404},
		{"the icon", "GET", "/favicon.ico", nil, 404},
		{"the result before there is one", "GET", "/callback/result", nil, 404},
		{"POST", "POST", "/callback", nil, 405},
		{"HEAD", "HEAD", "/callback", nil, 405},
		{"OPTIONS", "OPTIONS", "/callback", setHeader("Access-Control-Request-Private-Network", "true"), 405},
		{"PUT", "PUT", "/callback", nil, 405},
		{"another method", "get", "/callback", nil, 405},
		{"a prefetch", "GET", "/callback", setHeader("Sec-Purpose", "prefetch"), 503},
		{"a prerendering", "GET", "/callback", setHeader("Sec-Purpose", "prefetch;prerender"), 503},
		{"an old prefetch", "GET", "/callback", setHeader("Purpose", "prefetch"), 503},
		{"a huge header", "GET", "/callback", setHeader("X", strings.Repeat("x", 128<<10)), 431},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := l.ask(t, tc.method, origin+tc.path+query, tc.change)
			if a.status != tc.want {
				t.Errorf("answered %d, want %d", a.status, tc.want)
			}
			if tc.want == 405 && a.header.Get("Allow") != "GET" {
				t.Errorf("Allow is %q", a.header.Get("Allow"))
			}
			l.stillWaits(t)
		})
	}
	l.goesOn(t)
}

func TestRequestsThatAreNotHTTPChangeNothing(t *testing.T) {
	l := begin(t, "http://127.0.0.1/callback")
	u, _ := url.Parse(l.RedirectURI())
	target := "/callback?code=evil&state=" + state
	for _, raw := range []string{
		"GET " + target + " HTTP/1.1\r\n\r\n",
		"GET " + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\nHost: evil.example\r\n\r\n",
		"GET http://evil.example" + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\n\r\n",
		"GET " + target + " HTTP/9.9\r\nHost: " + u.Host + "\r\n\r\n",
		"GET " + target + "\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: " + u.Host + "\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x00\xa1\x01\x00\r\n\r\n",
		strings.Repeat("x", 1<<20),
	} {
		t.Run(fmt.Sprintf("%.40q", raw), func(t *testing.T) {
			c, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			go io.WriteString(c, raw)
			if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && resp.StatusCode < 400 {
				t.Errorf("answered %s", resp.Status)
			}
			l.stillWaits(t)
		})
	}
	l.goesOn(t)
}

func TestSlowAndManyClientsDoNotKeepTheTrueOneOut(t *testing.T) {
	l := begin(t, "http://127.0.0.1/callback")
	u, _ := url.Parse(l.RedirectURI())
	for i := range 200 {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			io.WriteString(c, "GET /callback?code=evil HTTP/1.1\r\nHos")
		}
	}
	l.goesOn(t)
}

func TestASecondCallbackChangesNothing(t *testing.T) {
	l := begin(t, "")
	l.ask(t, "GET", l.callback(""), nil)
	<-l.waited
	if again := l.ask(t, "GET", l.callback(""), nil); again.status != http.StatusSeeOther {
		t.Errorf("the browser's second try was answered %d", again.status)
	}
	other := l.RedirectURI() + "?code=another&state=" + state
	if a := l.ask(t, "GET", other, nil); a.status != http.StatusBadRequest {
		t.Errorf("another callback was answered %d", a.status)
	}
	if l.params.Get("code") != "the-code" {
		t.Errorf("Wait = %v", l.params)
	}
}

func TestOfManyCallbacksAtOnceOneIsAccepted(t *testing.T) {
	l := begin(t, "")
	answers := make(chan answer)
	for i := range 32 {
		go func() {
			answers <- l.ask(t, "GET", fmt.Sprintf("%s?code=%d&state=%s", l.RedirectURI(), i, state), nil)
		}()
	}
	accepted := 0
	for range 32 {
		if a := <-answers; a.status == http.StatusSeeOther {
			accepted++
			if <-l.waited; !strings.Contains(a.url, "?code="+l.params.Get("code")+"&") {
				t.Errorf("Wait = %v, and the browser of %s was sent on", l.params, a.url)
			}
		}
	}
	if accepted != 1 {
		t.Errorf("%d callbacks were accepted", accepted)
	}
}

func TestACallbackBeforeWaitIsNotLost(t *testing.T) {
	r, err := loopback.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	l := &login{Receiver: r, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	got := l.visit(t, l.callback(""))
	time.Sleep(50 * time.Millisecond) // most likely it has come by now
	params, err := r.Wait(t.Context(), rightState)
	r.Close(loopback.SignedIn)
	if err != nil || params.Get("code") != "the-code" {
		t.Errorf("Wait = %v, %v", params, err)
	}
	if a := <-got; a.status != http.StatusOK || !strings.Contains(a.body, "You are signed in") {
		t.Errorf("the user saw %d %q, %v", a.status, a.body, a.err)
	}
}

func TestWaitEndsWithTheCauseOfItsContext(t *testing.T) {
	r, err := loopback.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(loopback.Failed)
	noBrowser := errors.New("no browser")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(noBrowser)
	if params, err := r.Wait(ctx, rightState); !errors.Is(err, noBrowser) || params != nil {
		t.Errorf("Wait = %v, %v", params, err)
	}
}

func TestNothingIsLeftAfterClose(t *testing.T) {
	for _, tc := range []struct {
		name string
		use  func(*testing.T, *login)
	}{
		{"with a result that was shown", func(t *testing.T, l *login) { l.goesOn(t) }},
		{"with a result that nobody fetched", func(t *testing.T, l *login) {
			l.ask(t, "GET", l.callback(""), nil)
			<-l.waited
			l.Close(loopback.SignedIn)
		}},
		{"without a callback", func(t *testing.T, l *login) { l.Close(loopback.Failed) }},
		{"after a foreign callback", func(t *testing.T, l *login) {
			l.ask(t, "GET", l.RedirectURI(), nil)
			l.Close(loopback.Failed)
		}},
		{"with a client that says nothing", func(t *testing.T, l *login) {
			u, _ := url.Parse(l.RedirectURI())
			c, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l.Close(loopback.Failed)
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
		}},
		{"closed twice", func(t *testing.T, l *login) {
			l.Close(loopback.Failed)
			l.Close(loopback.SignedIn)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runtime.ReadMemStats(new(runtime.MemStats)) // stops the world, or the number may be wrong by 32
			before := runtime.NumGoroutine()
			t.Run("login", func(t *testing.T) {
				l := begin(t, "http://localhost/cb")
				tc.use(t, l)
				u, _ := url.Parse(l.RedirectURI())
				for _, host := range []string{"127.0.0.1", "::1"} {
					if c, err := net.Dial("tcp", net.JoinHostPort(host, u.Port())); err == nil {
						c.Close()
						t.Errorf("%s still listens", host)
					}
				}
			})
			for range 500 {
				if runtime.NumGoroutine() <= before {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			stacks := make([]byte, 1<<20)
			t.Errorf("goroutines were left:\n%s", stacks[:runtime.Stack(stacks, true)])
		})
	}
}
