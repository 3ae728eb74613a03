package webapp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every story has an application and a person of its own, in one Chromium, with
// scripts switched off.
func TestTheWebApplicationInChromium(t *testing.T) {
	c := startChromium(t)
	for name, story := range map[string]func(*testing.T, *chromium){
		"a user signs in, connects, lets a job run, and signs out": wholeStory,
		"a user says no":                                              refusal,
		"two tabs at once":                                            twoTabs,
		"a login whose cookie has expired":                            expiredCookie,
		"a login whose state was tampered with":                       tamperedState,
		"a user who has signed in as somebody else meanwhile":         changedAccount,
		"every page on a phone, in the dark, and in a wide window":    everyPage,
		"a server that fails, and one that has revoked the grant":     trouble,
		"what the keyboard alone can do, and what a reader is told":   keyboardAndReader,
		"an accessibility checker finds nothing to say":               checker,
		"a real server, from the sign-in to the end of both sessions": realServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, c)
		})
	}
}

// signIn signs in as the user that the login page offers first, or as another.
func (b *tab) signIn(app *application, user string) {
	b.t.Helper()
	b.open(app.URL)
	b.press("Sign in with Accounts")
	b.allow(user)
	b.sees("You are signed in.", user)
}

// allow answers the login page of a server.
func (b *tab) allow(user string) {
	b.t.Helper()
	if user != "" {
		b.choose(user)
	}
	b.press("Allow")
}

func (b *tab) connect(service string) {
	b.t.Helper()
	b.press("Connect " + service)
	b.allow("")
	b.sees(service + " is connected.")
}

// pressUntil presses buttons again and again until the page says words.
func (b *tab) pressUntil(words string, buttons ...string) {
	b.t.Helper()
	for began := time.Now(); !strings.Contains(b.text(), words); {
		if time.Since(began) > patience {
			b.t.Fatalf("%q does not come\n%s", words, b.where())
		}
		for _, button := range buttons {
			b.press(button)
		}
	}
}

func wholeStory(t *testing.T, c *chromium) {
	app := start(t, c.program, "-job", "2s")
	b := c.person(t)
	b.signIn(app, "bob")
	b.sees("Not connected", "!Works while you are away")
	b.connect("Calendar")
	b.press("Run the job")
	b.sees("The job has started")
	b.pressUntil("Finished 40 rounds", "Refresh")
	b.sees("All 2 work.", "!In trouble")
	b.press("Watch live")
	b.sees("Stop watching")
	b.open(app.URL) // not by the link, which may go away under the pointer: the page renews itself
	b.press("Calendar")
	b.sees("alice@example.com", "offline_access", "Connected")
	shown := b.location()
	b.press("Sign out")
	b.sees("You are signed out", "!bob")
	b.back()
	b.sees("!bob", "!Calendar is", "Sign in with Accounts")
	b.open(shown)
	b.sees("!bob", "Sign in with Accounts")
	b.press("Sign in with Accounts")
	b.allow("bob")
	if b.location() != shown {
		t.Errorf("after signing in the user is at %s, and wanted %s", b.location(), shown)
	}
	b.sees("alice@example.com", "Signed in as bob")
	b.press("Disconnect")
	b.sees("Calendar is disconnected, and its server has forgotten the grant.")
}

func refusal(t *testing.T, c *chromium) {
	app := start(t, c.program)
	b := c.person(t)
	b.open(app.URL)
	b.press("Sign in with Accounts")
	b.press("Refuse")
	b.sees("You said no", "nothing has changed")
	b.press("Sign in")
	b.allow("carol")
	b.sees("You are signed in.")
	b.press("Connect Mail")
	b.press("Refuse")
	b.sees("You said no")
	b.press("Connect Mail")
	b.allow("")
	b.sees("Mail is connected.")
}

func twoTabs(t *testing.T, c *chromium) {
	app := start(t, c.program)
	one := c.person(t)
	two := one.another()
	pages := map[*tab]string{one: app.URL + "/connections/mail", two: app.URL + "/connections/files"}
	for b, page := range pages {
		b.open(page)
		b.press("Sign in with Accounts")
	}
	for b, page := range pages {
		b.allow("alice")
		b.sees("You are signed in.")
		if b.location() != page {
			t.Errorf("after signing in the user is at %s, and wanted %s", b.location(), page)
		}
		b.open(app.URL)
	}
	one.press("Connect Calendar")
	two.press("Connect Mail")
	one.allow("")
	two.allow("bob")
	one.sees("Calendar is connected.")
	two.sees("Mail is connected.", "bob@example.com")
	two.shot("two-tabs")
}

func expiredCookie(t *testing.T, c *chromium) {
	app := start(t, c.program)
	b := c.person(t)
	b.open(app.URL)
	b.press("Sign in with Accounts")
	if ages := b.expire(app.URL, "regrant-login-"); len(ages) != 1 || ages[0] <= 0 || ages[0] > 10*time.Minute {
		t.Fatalf("the cookies of a login last for %v", ages)
	}
	b.allow("alice")
	b.sees("This page has run out", "Nothing was changed", "!alice")
	b.shot("expired-cookie")
	b.press("Sign in")
	b.allow("alice")
	b.sees("You are signed in.")
}

func tamperedState(t *testing.T, c *chromium) {
	app := start(t, c.program)
	b := c.person(t)
	b.signIn(app, "alice")
	b.press("Connect Files")
	u, err := url.Parse(b.location())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("state", q.Get("state")+"x")
	u.RawQuery = q.Encode()
	b.open(u.String())
	b.allow("bob")
	b.sees("This page has run out", "Nothing was changed")
	b.shot("tampered-state")
	b.press("Back to the start")
	b.sees("alice", "Not connected", "!bob")
}

func changedAccount(t *testing.T, c *chromium) {
	app := start(t, c.program)
	one := c.person(t)
	two := one.another()
	one.signIn(app, "alice")
	one.press("Connect Mail")
	two.open(app.URL)
	two.press("Sign out")
	two.press("Sign in with Accounts")
	two.allow("bob")
	one.allow("")
	one.sees("Somebody else has signed in", "Nothing was connected")
	one.shot("changed-account")
	two.press("Refresh")
	two.sees("bob", "!Mail is connected")
}

func trouble(t *testing.T, c *chromium) {
	app := start(t, c.program, "-job", "1s", "-idle", "1ns")
	b := c.person(t)
	b.signIn(app, "alice")
	b.connect("Calendar")
	b.press("Calendar")
	b.press("Refuse three renewals")
	b.press("Connections")
	b.press("Run it now")
	b.pressUntil("In trouble", "Refresh")
	b.sees("the server does not answer as it should", "A renewal failed")
	b.press("Calendar")
	b.press("Revoke the grant")
	b.press("Connections")
	b.pressUntil("Log in again", "Run it now", "Refresh")
	b.sees("invalid_grant", "1 of 2 work.")
	b.shot("trouble")
	b.connect("Calendar")
	b.sees("All 2 work.")
}

// everyPage looks at every page in four ways, and at what a person would complain
// about first: a page that is wider than the window.
func everyPage(t *testing.T, c *chromium) {
	app := start(t, c.program, "-job", "3s", "-idle", "1ns")
	b := c.person(t)
	look := func(name string) {
		t.Helper()
		for _, way := range []struct {
			name          string
			width, height int64
			dark          bool
		}{{"wide", 1280, 800, false}, {"wide-dark", 1280, 800, true}, {"phone-dark", 375, 700, true}, {"phone", 320, 600, false}} {
			b.size(way.width, way.height)
			b.dark(way.dark)
			if wide := b.width(); wide > way.width {
				t.Errorf("%s is %d wide on a screen of %d", name, wide, way.width)
			}
			if light := b.brightness(); (light < 128) != way.dark {
				t.Errorf("%s: the brightness of the ground is %d when the system is dark: %v", name, light, way.dark)
			}
			b.shot(name + "-" + way.name)
		}
		b.size(1280, 800)
		b.dark(false)
	}
	b.open(app.URL)
	look("welcome")
	b.press("Sign in with Accounts")
	look("login")
	b.allow("")
	look("empty")
	b.press("Connect Files")
	b.press("Refuse")
	look("refused")
	b.press("Connect Files")
	b.allow("")
	b.connect("Calendar")
	b.press("Run the job")
	for range 4 {
		b.press("Run it now")
	}
	look("dashboard")
	b.press("Calendar")
	look("detail")
	b.open(app.URL + "/nowhere")
	look("nowhere")
	b.open(app.URL + "/signin/callback?code=x&state=y")
	look("stale")
	b.press("Back to the start")
	b.press("Sign out")
	look("signed-out")
}
