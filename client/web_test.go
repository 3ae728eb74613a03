package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

const callbackURL = "https://app.example/callback"

// A backend is a program with users, on one or several machines.
type backend struct {
	t   *testing.T
	as  *clienttest.Server
	cfg client.Config

	mu     sync.Mutex
	events []client.Event
}

func newBackend(t *testing.T, as *clienttest.Server) *backend {
	t.Helper()
	as.Set(func(o *clienttest.Options) {
		o.Clients = []clienttest.Client{{ID: "backend", Secret: "backend-secret", RedirectURIs: []string{callbackURL}}}
	})
	b := &backend{t: t, as: as, cfg: as.ConfidentialConfig()}
	b.cfg.RedirectURL = callbackURL
	b.cfg.OnEvent = func(_ context.Context, e client.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}
	return b
}

// machine starts the program on one more machine.
func (b *backend) machine() *client.Client {
	b.t.Helper()
	c, err := client.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return c
}

// failure returns the error of the last event, which has to be a LoginFailed.
func (b *backend) failure() error {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) == 0 || b.events[len(b.events)-1].Kind != client.LoginFailed {
		b.t.Fatalf("the last event is not LoginFailed: %v", b.events)
	}
	return b.events[len(b.events)-1].Err
}

// A visitor is somebody with a browser, which keeps the cookies of the backend.
type visitor struct {
	b       *backend
	at      *person // the authorization server
	cookies map[string]*http.Cookie
}

func (b *backend) visitor(account string) *visitor {
	return &visitor{b: b, at: somebody(b.as, account), cookies: map[string]*http.Cookie{}}
}

func (v *visitor) request(method, target string) *http.Request {
	r := httptest.NewRequestWithContext(v.b.t.Context(), method, target, nil)
	for _, c := range v.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

func (v *visitor) receive(rec *httptest.ResponseRecorder) *http.Response {
	resp := rec.Result()
	for _, c := range resp.Cookies() {
		v.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return resp
}

// begin begins a login, and returns the page of the authorization server.
func (v *visitor) begin(c *client.Client, account string, ask client.AuthRequest) string {
	v.b.t.Helper()
	rec := httptest.NewRecorder()
	if err := c.BeginLogin(rec, v.request(http.MethodPost, "https://app.example/login"), account, ask); err != nil {
		v.b.t.Fatalf("BeginLogin: %v", err)
	}
	resp := v.receive(rec)
	page, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Cache-Control") != "no-store" {
		v.b.t.Fatalf("BeginLogin answered %s, %v, %v", resp.Status, err, resp.Header)
	}
	return page.String()
}

// agree logs in at the authorization server, and returns the callback.
func (v *visitor) agree(page string) string {
	v.b.t.Helper()
	callback, err := v.at.location(page)
	if err != nil {
		v.b.t.Fatal(err)
	}
	return callback.String()
}

// finish opens the callback.
func (v *visitor) finish(c *client.Client, callback, account string) (*client.Account, error) {
	rec := httptest.NewRecorder()
	me, err := c.FinishLogin(rec, v.request(http.MethodGet, callback), account)
	v.receive(rec)
	if rec.Body.Len() > 0 {
		v.b.t.Errorf("FinishLogin wrote %q", rec.Body)
	}
	return me, err
}

func (b *backend) works(me *client.Account) {
	b.t.Helper()
	wantSignedIn(b.t, b.as, me, nil)
}

func TestAUserConnectsAGrantThatAnyMachineFinishesAndUses(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	one, two, three := b.machine(), b.machine(), b.machine()
	v := b.visitor("bob")
	page := v.begin(one, "user-7", client.AuthRequest{Scopes: []string{"profile"}})
	me, err := v.finish(two, v.agree(page), "user-7")
	if err != nil || me.Name() != "user-7" {
		t.Fatalf("FinishLogin: %v, %v", me, err)
	}
	b.works(me)
	b.works(three.Account("user-7"))
	if len(v.cookies) != 0 {
		t.Errorf("the browser keeps %v", v.cookies)
	}
	q := authorizationRequests(b.as)[0]
	for name, want := range map[string]string{"redirect_uri": callbackURL, "code_challenge_method": "S256", "scope": "openid offline_access profile"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if q.Get(name) == "" {
			t.Errorf("the authorization request has no %s", name)
		}
	}
	// A later request for more keeps what was granted before.
	v.begin(three, "user-7", client.AuthRequest{Scopes: []string{"email"}})
	if got := must(url.Parse(v.begin(three, "user-7", client.AuthRequest{Scopes: []string{"email"}}))).Query().Get("scope"); got != "openid offline_access profile email" {
		t.Errorf("a request for one more scope asks for %q", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnUnknownUserIsNamedByTheVerifiedSub(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	c := b.machine()
	v := b.visitor("bob")
	me, err := v.finish(c, v.agree(v.begin(c, "", client.AuthRequest{})), "")
	if err != nil || me.Name() != "bob" {
		t.Fatalf("FinishLogin: %v, %v", me, err)
	}
	b.works(me)
	var who struct {
		Sub string `json:"sub"`
	}
	if err := me.Claims(t.Context(), &who); err != nil || who.Sub != "bob" {
		t.Errorf("the claims are about %q, %v", who.Sub, err)
	}
}

func TestAnUnknownUserCannotSignInWithoutAnIDToken(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	b.cfg.Scopes = []string{"offline_access"}
	c := b.machine()
	v := b.visitor("bob")
	if _, err := v.finish(c, v.agree(v.begin(c, "", client.AuthRequest{})), ""); err == nil || !strings.Contains(err.Error(), "openid") {
		t.Errorf("FinishLogin: %v", err)
	}
	if b.as.FamilyAlive("bob") {
		t.Error("a grant lives on that nobody knows")
	}
}

func TestTheCookieOfALoginIsBoundToTheHostOfTheProgram(t *testing.T) {
	for redirect, want := range map[string]struct {
		prefix string
		secure bool
	}{
		callbackURL:                      {"__Host-regrant-login-", true},
		"http://127.0.0.1:8080/callback": {"regrant-login-", false},
		"http://localhost/callback":      {"regrant-login-", false},
	} {
		b := newBackend(t, clienttest.NewMemoryServer(t))
		b.cfg.RedirectURL = redirect
		v := b.visitor("bob")
		page := v.begin(b.machine(), "user-7", client.AuthRequest{})
		if len(v.cookies) != 1 {
			t.Fatalf("%d cookies", len(v.cookies))
		}
		for name, c := range v.cookies {
			if !strings.HasPrefix(name, want.prefix) || c.Secure != want.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
				c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 || c.MaxAge > 600 {
				t.Errorf("for %s: %v", redirect, c)
			}
			if state := must(url.Parse(page)).Query().Get("state"); strings.Contains(c.String(), state) {
				t.Error("the cookie shows the state")
			}
		}
	}
}

func TestTheClientsOfOneProgramDoNotDisturbEachOther(t *testing.T) {
	calendar, mail := newBackend(t, clienttest.NewServer(t)), newBackend(t, clienttest.NewServer(t))
	mail.cfg.Sealer = calendar.cfg.Sealer
	one, other := calendar.machine(), mail.machine()
	v := calendar.visitor("bob")
	page := v.begin(one, "user-7", client.AuthRequest{})
	for range 9 { // more than one browser may have begun at one client
		v.begin(other, "user-7", client.AuthRequest{})
	}
	if _, err := v.finish(one, v.agree(page), "user-7"); err != nil {
		t.Error(err)
	}
}

func TestTheTabsOfABrowserDoNotDisturbEachOther(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	c := b.machine()
	v := b.visitor("bob")
	first, second := v.begin(c, "user-7", client.AuthRequest{}), v.begin(c, "user-7", client.AuthRequest{})
	for _, page := range []string{second, first} {
		if _, err := v.finish(c, v.agree(page), "user-7"); err != nil {
			t.Errorf("FinishLogin: %v", err)
		}
	}
}

func TestEachTabReturnsToItsOwnPage(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	one, two := b.machine(), b.machine()
	v := b.visitor("bob")
	callbacks := map[string]string{}
	for goal, want := range map[string]string{"/first": "/first", "/second?x=%2F#y": "/second?x=%2F#y", "https://evil.example": "/", "": "/"} {
		callbacks[v.agree(v.begin(one, "user-7", client.AuthRequest{ReturnTo: goal}))] = want
	}
	for callback, want := range callbacks {
		r := v.request(http.MethodGet, callback)
		if got := two.ReturnTo(r); got != want {
			t.Errorf("before the end of the login: %q, want %q", got, want)
		}
		if _, err := two.FinishLogin(httptest.NewRecorder(), r, "user-7"); err != nil {
			t.Errorf("FinishLogin: %v", err)
		}
		if got := two.ReturnTo(r); got != want {
			t.Errorf("after it: %q, want %q", got, want)
		}
		if got := two.ReturnTo(b.visitor("bob").request(http.MethodGet, callback)); got != "/" {
			t.Errorf("in another browser: %q", got)
		}
	}
}

func TestABrowserKeepsAFewLoginsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, clienttest.NewMemoryServer(t))
		c := b.machine()
		v := b.visitor("bob")
		first := v.begin(c, "user-7", client.AuthRequest{})
		var last string
		for range 20 {
			time.Sleep(time.Second)
			last = v.begin(c, "user-7", client.AuthRequest{})
			if len(v.cookies) > 8 {
				t.Fatalf("the browser keeps %d logins", len(v.cookies))
			}
		}
		if _, err := v.finish(c, v.agree(first), "user-7"); !errors.Is(err, client.ErrStaleLogin) {
			t.Errorf("the oldest of many: %v", err)
		}
		if _, err := v.finish(c, v.agree(last), "user-7"); err != nil {
			t.Errorf("the newest of many: %v", err)
		}
	})
}

// withoutRefreshToken makes a server give none, unless the user was asked for
// consent and later says so.
func withoutRefreshToken(as *clienttest.Server, later bool) {
	as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			asked := authorizationRequests(as)
			if x.Path == clienttest.TokenPath && (!later || asked[len(asked)-1].Get("prompt") != "consent") {
				delete(answer, "refresh_token")
			}
		}
	})
}

// Google gives a refresh token at the first consent only.
func TestConsentIsAskedForWhenNoRefreshTokenCame(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	withoutRefreshToken(b.as, true)
	b.cfg.Scopes = []string{"openid"}
	b.cfg.Params = url.Values{"access_type": {"offline"}}
	c := b.machine()
	v := b.visitor("bob")
	again := client.AuthRequest{Params: url.Values{"prompt": {"consent"}}, Scopes: []string{"offline_access"}}

	_, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7")
	if !errors.Is(err, client.ErrConsentRequired) {
		t.Fatalf("FinishLogin: %v", err)
	}
	me, err := v.finish(c, v.agree(v.begin(c, "user-7", again)), "user-7")
	if err != nil {
		t.Fatalf("FinishLogin after the consent: %v", err)
	}
	b.works(me)

	// What is kept does for a second login, which brings no refresh token either.
	kept := b.as.LiveRefreshToken("bob")
	me, err = v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7")
	if err != nil || b.as.LiveRefreshToken("bob") != kept {
		t.Fatalf("FinishLogin with a grant that is kept: %v", err)
	}
	b.works(me)

	// It does not for somebody else, nor for more than was asked for.
	carol := b.visitor("alice")
	if _, err = carol.finish(c, carol.agree(carol.begin(c, "user-7", client.AuthRequest{})), "user-7"); !errors.Is(err, client.ErrConsentRequired) {
		t.Errorf("another person: %v", err)
	}
	more := client.AuthRequest{Scopes: []string{"email"}, Params: url.Values{"prompt": {"login"}}}
	if _, err = v.finish(c, v.agree(v.begin(c, "user-7", more)), "user-7"); !errors.Is(err, client.ErrConsentRequired) {
		t.Errorf("another scope: %v", err)
	}
}

func TestConsentIsAskedForOnce(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	withoutRefreshToken(b.as, false)
	c := b.machine()
	v := b.visitor("bob")
	_, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7") // offline_access asks for consent
	if err == nil || errors.Is(err, client.ErrConsentRequired) || !strings.Contains(err.Error(), "no refresh token") {
		t.Errorf("FinishLogin: %v", err)
	}
}

func TestABrowserThatLeavesDoesNotCutOffTheExchange(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		b := newBackend(t, as)
		c := b.machine()
		v := b.visitor("bob")
		r := v.request(http.MethodGet, v.agree(v.begin(c, "user-7", client.AuthRequest{})))
		held := as.HoldAnswer(clienttest.TokenPath)
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-held.Arrived()
			leave()
			held.Release()
		}()
		me, err := c.FinishLogin(httptest.NewRecorder(), r.WithContext(ctx), "user-7")
		if err != nil {
			t.Fatalf("FinishLogin: %v", err)
		}
		b.works(me)
	})
}
