package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAUserSignsInConnectsAndSignsOut(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	w.want(alice.get("/"), 200, "Sign in with Accounts", "!Sign out")
	w.want(alice.post("/signin"), 200, "You are signed in.", "<b>alice@example.com</b>", "Not connected")
	w.want(alice.post("/connections/calendar/connect"), 200, "Calendar is connected.")
	w.want(alice.get("/connections/calendar"), 200, "alice@example.com", "offline_access")
	w.want(alice.get("/"), 200, "!is connected.", "the access token ends in")

	bob := w.browser("bob")
	bob.post("/signin")
	w.want(bob.get("/"), 200, "<b>bob@example.com</b>", "!alice", "Connect an account")

	w.want(alice.post("/connections/calendar/disconnect"), 200, "Calendar is disconnected, and its server has forgotten the grant.")
	if w.server("calendar").FamilyAlive("alice") {
		t.Error("the server still honours the grant")
	}
	old, _ := url.Parse(w.base)
	cookies := alice.client.Jar.Cookies(old)
	p := alice.post("/signout")
	w.want(p, 200, "You are signed out")
	if p.path != "/signed-out" {
		t.Errorf("the server sent the browser to %s", p.path)
	}
	w.want(alice.get("/"), 200, "Sign in with Accounts", "!alice")

	thief := w.browser("alice")
	thief.client.Jar.SetCookies(old, cookies)
	w.want(thief.get("/"), 200, "Sign in with Accounts", "!Sign out")
	w.want(thief.get("/connections/calendar"), 200, "Sign in with Accounts", "!alice")
	alice.post("/signin")
	w.want(thief.get("/connections/calendar"), 200, "Sign in with Accounts", "!alice")
}

func TestARefusalIsAPage(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	w.server(signInSlot).Set(func(o *clienttest.Options) { o.UserDenies = true })
	w.want(alice.post("/signin"), 200, "You said no", `action="/signin"`)
	w.server(signInSlot).Set(func(o *clienttest.Options) { o.UserDenies = false })
	alice.post("/signin")
	w.server("mail").Set(func(o *clienttest.Options) { o.UserDenies = true })
	w.want(alice.post("/connections/mail/connect"), 200, "You said no", `action="/connections/mail/connect"`)
}

func TestALoginThatBelongsToNobodyChangesNothing(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	callback := alice.callback("/signin")
	w.want(alice.get(callback+"&state=made-up"), 400, "This page has run out")
	w.want(alice.get(strings.Replace(callback, "state=", "state=x", 1)), 400, "This page has run out", "Nothing was changed")
	w.want(w.browser("alice").get(callback), 400, "This page has run out")
	w.want(alice.get(callback), 200, "You are signed in.")
	w.want(alice.get(callback), 400, "This page has run out")
}

func TestWhoHasSignedInMeanwhileGetsNobodyElsesConnection(t *testing.T) {
	w := start(t)
	shared := w.browser("alice")
	shared.post("/signin")
	callback := shared.callback("/connections/files/connect")
	shared.client.Transport = w.browser("bob").client.Transport
	shared.post("/signin")
	w.want(shared.get(callback), 409, "Somebody else has signed in", "Nothing was connected")
	w.want(shared.get("/connections/files"), 200, "Not connected")
}

// Some servers, Google among them, know no offline_access, and give a refresh token
// only if the user was asked for consent.
func TestAUserIsAskedForConsentWhereTheServerWantsIt(t *testing.T) {
	as := clienttest.NewServer(t)
	prompts := func() (all []string) {
		for _, x := range as.Exchanges() {
			if x.Path == clienttest.AuthorizePath {
				all = append(all, x.Query.Get("prompt"))
			}
		}
		return all
	}
	as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if asked := prompts(); x.GrantType == "authorization_code" && asked[len(asked)-1] == "consent" {
				answer["refresh_token"] = as.GrantTo(x.ClientID, "alice").RefreshToken
			}
		}
	})
	t.Setenv(secretVariable, clienttest.ConfidentialSecret)
	w := start(t, "-data", t.TempDir(), "-issuer", as.Issuer(), "-client-id", clienttest.ConfidentialClient, "-scopes", "openid", "-api", as.URL(clienttest.APIPath))
	alice := w.browserAt(as, "alice")
	p := alice.post("/signin", "return", "/connections/account")
	w.want(p, 200, "You are signed in.", "Not connected")
	if p.path != "/connections/account" {
		t.Errorf("came back to %s", p.path)
	}
	w.want(alice.post("/connections/account/connect"), 200, "Account is connected.", "All 2 work.")
	w.want(alice.post("/connections/account/connect"), 200, "Account is connected.", "All 2 work.") // by what is kept
	if asked := prompts(); !slices.Equal(asked, []string{"", "consent", "", "consent", ""}) {
		t.Errorf("the server was asked to prompt for %q", asked)
	}
	if _, err := w.app.connectionOf("account").account("alice").Refresh(t.Context(), nil); err != nil {
		t.Errorf("what was connected cannot be renewed: %v", err)
	}
}

// A server that gives no refresh token at a later sign-in leaves the grant of an
// earlier one in use.
func TestASessionLastsFromTheSignInNotFromTheGrant(t *testing.T) {
	now := time.Now()
	yesterday := now.Add(-24 * time.Hour)
	for name, x := range map[string]struct {
		session  session
		loggedIn time.Time
		over     bool
	}{
		"the first sign-in":               {session{At: now, Began: now}, now, false},
		"a later one by the same grant":   {session{At: yesterday, Began: now}, yesterday, false},
		"a sign-in of yesterday":          {session{At: yesterday, Began: yesterday}, yesterday, true},
		"a sign-in elsewhere since":       {session{At: yesterday, Began: now}, now, true},
		"a sign-out, here or at a server": {session{At: now, Began: now}, time.Time{}, true},
	} {
		if over := x.session.over(x.loggedIn); over != x.over {
			t.Errorf("%s: over: %v", name, over)
		}
	}
}

// The user was asked, and there is nothing left to ask for.
func TestAServerThatNeverGivesARefreshTokenIsAPage(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	w.server("files").Set(func(o *clienttest.Options) {
		o.Tamper = func(_ clienttest.Exchange, answer map[string]any) { delete(answer, "refresh_token") }
	})
	w.want(alice.post("/connections/files/connect"), http.StatusBadGateway, "This does not work", "no refresh token")
	w.want(alice.get("/connections/files"), 200, "Not connected")
}

func TestAServerThatIsDownIsAPage(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	w.server("mail").FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, -1)
	w.want(alice.post("/connections/mail/connect"), 503, "Mail does not answer", "try again")
}

func TestAForeignPageCannotActInAUsersName(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	for _, path := range []string{"/signin", "/signout", "/job", "/keep-alive", "/connections/mail/connect", "/connections/mail/disconnect", "/connections/mail/trouble"} {
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}} {
			w.want(alice.do(http.MethodPost, path, url.Values{}, header), 403, "Another site has sent this request")
		}
	}
	w.want(alice.get("/"), 200, "<b>alice@example.com</b>")
}

func TestAnotherNameOfTheHostLeadsHome(t *testing.T) {
	w := start(t)
	b := w.browser("alice")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := b.do(http.MethodGet, "/connections/mail", nil, http.Header{"Host": {"rebound.example"}})
	if p.status != http.StatusTemporaryRedirect || p.header.Get("Location") != w.base {
		t.Errorf("%d %s", p.status, p.header.Get("Location"))
	}
	if p := b.do(http.MethodPost, "/signin", nil, http.Header{"Host": {"rebound.example"}}); p.status != http.StatusMisdirectedRequest {
		t.Errorf("a POST is answered with %d", p.status)
	}
}

func TestASignInLeadsBackToAPageOfOurs(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	w.want(alice.get("/connections/mail?watch=on"), 200, `name="return" value="/connections/mail?watch=on"`)
	for path, want := range map[string]string{
		"/connections/mail": "/connections/mail", "": "/", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/",
	} {
		if p := alice.post("/signin", "return", path); p.path != want || p.status != 200 {
			t.Errorf("with the return path %q a sign-in ends at %s, %d", path, p.path, p.status)
		}
	}
}

func TestEachTabReturnsToItsOwnPage(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	callbacks := map[string]string{}
	for _, path := range []string{"/connections/mail", "/connections/files", "/"} {
		callbacks[alice.callback("/signin", "return", path)] = path
	}
	for callback, want := range callbacks {
		if p := alice.get(callback); p.path != want || p.status != 200 {
			t.Errorf("the tab of %s is at %s, %d", want, p.path, p.status)
		}
	}
}

func TestALogoutAtTheServerEndsTheSession(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	alice.post("/connections/calendar/connect")
	token := w.server(signInSlot).LogoutToken(map[string]any{"sub": "alice"})
	server := w.browser("")
	if p := server.post("/backchannel-logout", "logout_token", token); p.status != 200 {
		t.Fatalf("%d %s", p.status, p.text)
	}
	if p := server.post("/backchannel-logout", "logout_token", token); p.status != 400 {
		t.Errorf("a replay is answered with %d", p.status)
	}
	w.want(alice.get("/"), 200, "Your session has ended", "Sign in with Accounts", "!alice")
	alice.post("/signin")
	w.want(alice.get("/connections/calendar"), 200, "offline_access", "Works")
}

func TestForeignTextIsEscaped(t *testing.T) {
	w := start(t)
	evil := `<script>alert("1")</script>`
	for _, s := range w.app.services {
		s.demo.Set(func(o *clienttest.Options) { o.Users = []clienttest.User{{Account: evil}} })
	}
	mallory := w.browser(evil)
	for _, p := range []page{mallory.post("/signin"), mallory.post("/connections/files/connect"), mallory.get("/connections/files")} {
		w.want(p, 200, "&lt;script&gt;", "!<script>")
	}
	callback := mallory.callback("/connections/mail/connect")
	u, _ := url.Parse(callback)
	q := u.Query()
	q.Del("code")
	q.Set("error", "server_error")
	q.Set("error_description", evil)
	u.RawQuery = q.Encode()
	w.want(mallory.get(u.String()), http.StatusBadGateway, "!<script>", "Details for the operator")
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	for _, path := range []string{"/", "/signed-out", "/connections/mail", "/nowhere", "/style.css", "/icon.svg", "/signin/callback"} {
		h := alice.get(path).header
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; img-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
		if !strings.Contains(path, ".") && !strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s may be kept: %q", path, h.Get("Cache-Control"))
		}
	}
}

func TestTheJobGoesOnWhenTheUserHasGone(t *testing.T) {
	w := start(t, "-job", "4s")
	for _, s := range w.app.services {
		s.demo.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = time.Second })
	}
	alice := w.browser("alice")
	alice.post("/signin")
	alice.post("/connections/calendar/connect")
	w.want(alice.post("/job"), 200, "The job has started", "of 40")
	w.want(alice.post("/job"), 200, "The job is running already")
	alice.post("/signout")
	j := w.app.jobs.of("alice")
	for deadline := time.Now().Add(time.Minute); j.running(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the job does not end")
		}
	}
	alice.post("/signin")
	w.want(alice.get("/"), 200, "Finished 40 rounds")
	for _, tally := range w.app.jobs.view("alice").Tallies {
		if tally.Title == "Calendar" && (tally.Calls != rounds || tally.Failed != 0 || tally.Renewals < 2) {
			t.Errorf("%d calls, %d failed, %d renewals: %s", tally.Calls, tally.Failed, tally.Renewals, tally.Err)
		}
	}
	if n := w.server("calendar").Reused(); n != 0 {
		t.Errorf("%d refresh tokens were used twice", n)
	}
}

func TestKeepAliveRenewsWhatNobodyUses(t *testing.T) {
	w := start(t, "-idle", "1ns")
	alice := w.browser("alice")
	alice.post("/signin")
	alice.post("/connections/mail/connect")
	w.want(alice.post("/keep-alive"), 200, "Idle connections are being renewed.")
	for deadline := time.Now().Add(time.Minute); w.server("mail").RefreshCount() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was renewed")
		}
	}
}

func TestTroubleAtTheServerShows(t *testing.T) {
	w := start(t)
	alice := w.browser("alice")
	alice.post("/signin")
	alice.post("/connections/calendar/connect")
	w.want(alice.post("/connections/calendar/trouble", "kind", "revoke"), 200, "has revoked the grant")
	account := w.app.connectionOf("calendar").account("alice")
	if _, err := account.Refresh(t.Context(), nil); err == nil {
		t.Fatal("the server has not revoked it")
	}
	w.want(alice.get("/"), 200, "Log in again", "invalid_grant", "1 of 2 work", "Connect<span")
	w.want(alice.post("/connections/calendar/connect"), 200, "Calendar is connected.", "All 2 work")
	w.want(alice.post("/connections/calendar/trouble", "kind", "made-up"), 404)
}

func TestAFailureIsToldWhereItHappenedAndARefusalEverywhere(t *testing.T) {
	as := clienttest.NewServer(t)
	t.Setenv(secretVariable, clienttest.ConfidentialSecret)
	args := []string{"-data", t.TempDir(), "-issuer", as.Issuer(), "-client-id", clienttest.ConfidentialClient, "-api", as.URL(clienttest.APIPath)}
	here, elsewhere := start(t, args...), start(t, args...)
	alice := here.browserAt(as, "alice") // cookies do not know ports
	look := func(w *world) page {
		t.Helper()
		alice.w = w
		return alice.get("/connections/account")
	}
	alice.post("/signin")
	alice.post("/connections/account/connect")
	renew := func(w *world) {
		t.Helper()
		if _, err := w.app.connectionOf("account").account("alice").Refresh(t.Context(), nil); err == nil {
			t.Fatal("the server has renewed it")
		}
	}
	as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, -1)
	renew(here)
	here.want(look(here), 200, "In trouble", "failed on this machine")
	elsewhere.want(look(elsewhere), 200, "Works", "!failed on this machine")
	as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
	as.Revoke("alice")
	renew(elsewhere)
	here.want(look(here), 200, "Log in again", "invalid_grant", "!failed on this machine")
	elsewhere.want(look(elsewhere), 200, "Log in again", "invalid_grant", "!failed on this machine")
}
