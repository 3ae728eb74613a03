package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A world is the site, mounted with one of the routers, and its authorization server.
type world struct {
	*testing.T

	as   *clienttest.Server
	site *httptest.Server
	c    *client.Client
}

// withEach runs a test with each router.
func withEach(t *testing.T, test func(w *world)) {
	t.Helper()
	for name, mount := range routers {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, as: clienttest.NewServer(t), site: httptest.NewUnstartedServer(nil)}
			url := "http://" + w.site.Listener.Addr().String()
			w.as.Set(func(o *clienttest.Options) {
				o.Clients = []clienttest.Client{{ID: "site", Secret: "secret", RedirectURIs: []string{url + "/callback"}}}
				o.Users = []clienttest.User{{Account: "alice"}, {Account: "mallory"}}
			})
			cfg := w.as.ConfidentialConfig()
			cfg.RedirectURL = url + "/callback"
			cfg.Params = map[string][]string{"prompt": {"login"}} // without one, each login asks for consent
			var err error
			if w.c, err = client.New(cfg); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.c.Close() })
			w.site.Config.Handler = mount(newSite(w.c, url+"/"))
			w.site.Start()
			t.Cleanup(w.site.Close)
			test(w)
		})
	}
}

// A page is what a browser shows in the end.
type page struct {
	status int
	url    *url.URL
	text   string
}

func (w *world) show(resp *http.Response, err error) page {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL, string(text)}
}

// post submits a form of the site.
func (w *world) post(browser *http.Client, path string, form url.Values) page {
	w.Helper()
	return w.show(browser.PostForm(w.site.URL+path, form))
}

func (w *world) get(browser *http.Client, path string) page {
	w.Helper()
	return w.show(browser.Get(w.site.URL + path))
}

// signedIn tells whom the site takes a browser for; "": nobody.
func (w *world) signedIn(browser *http.Client) string {
	w.Helper()
	_, rest, _ := strings.Cut(w.get(browser, "/").text, "Hello, ")
	name, _, _ := strings.Cut(rest, "<")
	return name
}

func TestAUserSignsInAndReturnsToWhereTheyWere(t *testing.T) {
	withEach(t, func(w *world) {
		alice := w.as.UserAgent("alice")
		if p := w.get(alice, "/reports?year=2026&x=%2F"); !strings.Contains(p.text, `value="/reports?year=2026&amp;x=%2F"`) {
			w.Errorf("the form does not say where to return to:\n%s", p.text)
		}
		p := w.post(alice, "/login", url.Values{"return": {"/reports?year=2026&x=%2F"}})
		if p.status != http.StatusOK || p.url.String() != w.site.URL+"/reports?year=2026&x=%2F" || !strings.Contains(p.text, "can work for you") {
			w.Errorf("after the login: %d at %v\n%s", p.status, p.url, p.text)
		}
		if who := w.signedIn(alice); who != "alice" {
			w.Errorf("signed in: %q", who)
		}
		if who := w.signedIn(w.as.UserAgent("bob")); who != "" {
			w.Errorf("another browser is taken for %q", who)
		}
	})
}

func TestSigningOutEndsTheSessionAndLeavesTheGrant(t *testing.T) {
	withEach(t, func(w *world) {
		alice := w.as.UserAgent("alice")
		w.post(alice, "/login", nil)
		old := w.session(alice)
		if p := w.post(alice, "/logout", nil); p.status != http.StatusOK || w.signedIn(alice) != "" {
			w.Errorf("after the logout: %d, %q", p.status, w.signedIn(alice))
		}
		if who := w.signedIn(w.browserWith(old)); who != "" {
			w.Errorf("the session of before is still that of %q", who)
		}
		if _, err := w.c.Account("alice").Token(w.Context()); err != nil {
			w.Errorf("the jobs of the night do not work any more: %v", err)
		}
	})
}

func TestDisconnectingEndsTheGrantAndBothSessions(t *testing.T) {
	withEach(t, func(w *world) {
		alice := w.as.UserAgent("alice")
		w.post(alice, "/login", nil)
		p := w.post(alice, "/disconnect", nil)
		if p.status != http.StatusOK || p.url.String() != w.site.URL+"/" || w.signedIn(alice) != "" {
			w.Errorf("afterwards: %d at %v, signed in: %q", p.status, p.url, w.signedIn(alice))
		}
		if w.as.FamilyAlive("alice") {
			w.Error("the grant lives on at the server")
		}
		if _, err := w.c.Account("alice").Token(w.Context()); err == nil {
			w.Error("the grant lives on here")
		}
		var hint string
		for _, x := range w.as.Exchanges() {
			if x.Path == clienttest.EndSessionPath {
				hint = x.Query.Get("id_token_hint")
			}
		}
		if strings.Count(hint, ".") != 2 {
			w.Errorf("the server was asked to end its session with the hint %q", hint)
		}
	})
}

// What a page of another site makes a browser send has these headers.
func TestOtherSitesCannotBeginALoginOrALogout(t *testing.T) {
	withEach(t, func(w *world) {
		alice := w.as.UserAgent("alice")
		w.post(alice, "/login", nil)
		for _, path := range []string{"/login", "/logout", "/disconnect"} {
			for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
				r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.site.URL+path, nil)
				if err != nil {
					w.Fatal(err)
				}
				r.Header.Set(name, value)
				if p := w.show(alice.Do(r)); p.status != http.StatusForbidden {
					w.Errorf("POST %s with %s: %s is answered with %d", path, name, value, p.status)
				}
			}
			// Nor by a link or an image.
			if p := w.get(alice, path); strings.HasPrefix(p.url.String(), w.as.Issuer()) {
				w.Errorf("GET %s goes to %v", path, p.url)
			}
		}
		if who := w.signedIn(alice); who != "alice" || w.as.Requests(clienttest.AuthorizePath) != 1 {
			w.Errorf("signed in: %q, after %d logins", who, w.as.Requests(clienttest.AuthorizePath))
		}
	})
}

// Somebody plants a session of their own in the browser of alice, and waits.
func TestASessionIsRenewedAtTheLogin(t *testing.T) {
	withEach(t, func(w *world) {
		mallory := w.as.UserAgent("mallory")
		w.post(mallory, "/login", nil) // so that there is a session
		planted := w.session(mallory)
		alice := w.as.UserAgent("alice")
		alice.Jar.SetCookies(w.base(), []*http.Cookie{planted})
		if who := w.signedIn(alice); who != "mallory" {
			w.Fatalf("with the planted session: %q", who)
		}
		w.post(alice, "/login", nil)
		if who := w.signedIn(alice); who != "alice" {
			w.Fatalf("signed in: %q", who)
		}
		if now := w.session(alice); now.Value == planted.Value {
			w.Error("the session is still the planted one")
		}
		if who := w.signedIn(w.browserWith(planted)); who == "alice" {
			w.Error("whoever planted the session is taken for alice")
		}
	})
}

func TestEachTabReturnsToItsOwnPage(t *testing.T) {
	withEach(t, func(w *world) {
		alice := w.as.UserAgent("alice")
		first, second := w.beginOnly(alice, "/first"), w.beginOnly(alice, "/second")
		for _, tab := range []struct{ at, want string }{{second, "/second"}, {first, "/first"}} {
			if p := w.show(alice.Get(tab.at)); p.url.String() != w.site.URL+tab.want {
				w.Errorf("the tab of %s is at %v", tab.want, p.url)
			}
		}
	})
}

// Many servers give a refresh token only if the user was asked for consent (OpenID
// Connect Core 1.0 section 11).
func TestAUserIsAskedForConsentWhereTheServerWantsIt(t *testing.T) {
	withEach(t, func(w *world) {
		prompts := func() (all []string) {
			for _, x := range w.as.Exchanges() {
				if x.Path == clienttest.AuthorizePath {
					all = append(all, x.Query.Get("prompt"))
				}
			}
			return all
		}
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if asked := prompts(); x.Path == clienttest.TokenPath && asked[len(asked)-1] != "consent" {
					delete(answer, "refresh_token")
				}
			}
		})
		alice := w.as.UserAgent("alice")
		signIn := func() {
			w.Helper()
			p := w.post(alice, "/login", url.Values{"return": {"/reports"}})
			if p.status != http.StatusOK || p.url.String() != w.site.URL+"/reports" || !strings.Contains(p.text, "can work for you") {
				w.Errorf("after the login: %d at %v\n%s", p.status, p.url, p.text)
			}
		}
		signIn()
		w.post(alice, "/logout", nil)
		signIn() // the grant is still there
		if asked := prompts(); !slices.Equal(asked, []string{"login", "consent", "login"}) {
			w.Errorf("the server was asked to prompt for %q", asked)
		}
	})
}

// The user was asked, and there is nothing left to ask for.
func TestAServerThatNeverGivesARefreshTokenIsNotAskedForEver(t *testing.T) {
	withEach(t, func(w *world) {
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(_ clienttest.Exchange, answer map[string]any) { delete(answer, "refresh_token") }
		})
		alice := w.as.UserAgent("alice")
		if p := w.post(alice, "/login", nil); p.status != http.StatusBadGateway || !strings.Contains(p.text, "does not work at the moment") {
			w.Errorf("after the login: %d at %v\n%s", p.status, p.url, p.text)
		}
		if n := w.as.Requests(clienttest.AuthorizePath); n != 2 || w.signedIn(alice) != "" {
			w.Errorf("%d logins, signed in: %q", n, w.signedIn(alice))
		}
	})
}

func TestARefusalAndAStaleLoginAreTold(t *testing.T) {
	withEach(t, func(w *world) {
		w.as.Set(func(o *clienttest.Options) { o.UserDenies = true })
		alice := w.as.UserAgent("alice")
		if p := w.post(alice, "/login", nil); p.status != http.StatusForbidden || !strings.Contains(p.text, "You have refused") {
			w.Errorf("after a refusal: %d\n%s", p.status, p.text)
		}
		if p := w.get(alice, "/callback?code=x&state=y"); p.status != http.StatusBadRequest || !strings.Contains(p.text, "sign in again") {
			w.Errorf("a callback that nobody waits for: %d\n%s", p.status, p.text)
		}
		if who := w.signedIn(alice); who != "" {
			w.Errorf("signed in: %q", who)
		}
	})
}

// beginOnly begins a login, and returns the page of the authorization server.
func (w *world) beginOnly(browser *http.Client, goal string) string {
	w.Helper()
	stays := *browser
	stays.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := stays.PostForm(w.site.URL+"/login", url.Values{"return": {goal}})
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		w.Fatalf("a login is answered with %s", resp.Status)
	}
	return to.String()
}

func (w *world) base() *url.URL {
	u, err := url.Parse(w.site.URL)
	if err != nil {
		w.Fatal(err)
	}
	return u
}

// session returns the cookie by which the site knows a browser.
func (w *world) session(browser *http.Client) *http.Cookie {
	w.Helper()
	for _, c := range browser.Jar.Cookies(w.base()) {
		if c.Name == "session" {
			return c
		}
	}
	w.Fatal("the browser has no session")
	return nil
}

// browserWith is the browser of somebody who knows a session.
func (w *world) browserWith(session *http.Cookie) *http.Client {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	jar.SetCookies(w.base(), []*http.Cookie{session})
	return &http.Client{Jar: jar}
}
