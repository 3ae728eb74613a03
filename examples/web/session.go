package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// A session is what the cookie of a browser says, sealed: who has signed in, and
// by which sign-in. It lives as long as that sign-in does in the store, so a
// sign-out, here or at the server, ends it on every machine, and no list of
// sessions is needed. For the same reason a new sign-in elsewhere ends it.
type session struct {
	User  string    `json:"user"`
	At    time.Time `json:"at"`    // Status.LoggedIn of the sign-in
	Began time.Time `json:"began"` // later, if the server gave no new grant for it
}

// sessionTime is how long a session lasts at most.
const sessionTime = 12 * time.Hour

// cookies of the application. The prefix keeps neighbours from planting them; on
// loopback there is no https, and so no prefix.
func (a *app) cookie(name, value string, age time.Duration) *http.Cookie {
	secure := a.base.Scheme == "https"
	if name = "web-" + name; secure {
		name = "__Host-" + name
	}
	return &http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: name, Value: value, Path: "/", MaxAge: int(age / time.Second), Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func (a *app) cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookie(name, "", 0).Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// seal makes a cookie that only we can have made. Its name is bound to it.
func (a *app) seal(w http.ResponseWriter, name string, v any, age time.Duration) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sealed, err := a.stores.sealer.Encrypt(data, []byte("web cookie:"+name))
	if err == nil {
		http.SetCookie(w, a.cookie(name, base64.RawURLEncoding.EncodeToString(sealed), age))
	}
	return err
}

func (a *app) unseal(r *http.Request, name string, v any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(a.cookieValue(r, name))
	if err != nil || len(sealed) == 0 {
		return false
	}
	data, err := a.stores.sealer.Decrypt(sealed, []byte("web cookie:"+name))
	return err == nil && json.Unmarshal(data, v) == nil
}

func (a *app) drop(w http.ResponseWriter, name string) {
	http.SetCookie(w, a.cookie(name, "", -time.Second))
}

// begin gives the browser the session of a sign-in.
func (a *app) beginSession(w http.ResponseWriter, r *http.Request, user string) error {
	st, err := a.signIn().account(user).Status(r.Context())
	if err != nil {
		return err
	}
	return a.seal(w, "session", session{User: user, At: st.LoggedIn, Began: time.Now()}, 0)
}

// over tells whether a session has ended. loggedIn is what Status says by now.
func (s *session) over(loggedIn time.Time) bool {
	return loggedIn.IsZero() || !loggedIn.Equal(s.At) || time.Since(s.Began) > sessionTime
}

// user returns who uses this browser, "" for nobody; ended tells that it was
// somebody until now.
func (a *app) user(r *http.Request) (user string, ended bool, err error) {
	var s session
	if !a.unseal(r, "session", &s) || s.User == "" {
		return "", false, nil
	}
	st, err := a.signIn().account(s.User).Status(r.Context())
	if err != nil {
		return "", false, err
	}
	if s.over(st.LoggedIn) {
		return "", true, nil
	}
	return s.User, false, nil
}

// withUser lets in who has signed in. Others sign in first, and come back to a
// page that they asked for.
func (a *app) withUser(next func(w http.ResponseWriter, r *http.Request, user string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, ended, err := a.user(r)
		target := "/"
		if r.Method == http.MethodGet {
			target = r.URL.RequestURI() // a path that the router knows
		}
		switch {
		case err != nil:
			a.failed(w, r, nil, err)
		case ended:
			a.drop(w, "session")
			a.note(w, "ended", "")
			http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // always a path of ours
		case user == "" && r.Method == http.MethodGet:
			a.welcome(w, r, target)
		case user == "":
			http.Redirect(w, r, "/", http.StatusSeeOther)
		default:
			next(w, r, user)
		}
	}
}

// withConnection is withUser for the pages of one connection.
func (a *app) withConnection(next func(w http.ResponseWriter, r *http.Request, user string, s *service)) http.HandlerFunc {
	return a.withUser(func(w http.ResponseWriter, r *http.Request, user string) {
		if s := a.connectionOf(r.PathValue("slot")); s != nil {
			next(w, r, user, s)
			return
		}
		a.notFound(w, r)
	})
}

// A notice is told once, on the next page.
type notice struct {
	Code, Service string
}

var notices = map[string]string{
	"signed-in":    "You are signed in.",
	"connected":    "%s is connected.",
	"disconnected": "%s is disconnected, and its server has forgotten the grant.",
	"forgotten":    "%s is disconnected here. Its server could not be told, and may honour the grant until it expires.",
	"ended":        "Your session has ended: you have signed out, or signed in somewhere else.",
	"job":          "The job has started. You can leave, and even sign out.",
	"busy":         "The job is running already.",
	"keep-alive":   "Idle connections are being renewed.",
	"outage":       "The server of %s will refuse the next three renewals.",
	"revoke":       "The server of %s has revoked the grant. It shows at the next renewal.",
}

func (a *app) note(w http.ResponseWriter, code, service string) {
	_ = a.seal(w, "notice", notice{code, service}, time.Minute) // without it the page is the same
}

// noticed returns the text of the notice, which it takes from the browser.
func (a *app) noticed(w http.ResponseWriter, r *http.Request) string {
	var n notice
	if !a.unseal(r, "notice", &n) {
		return ""
	}
	a.drop(w, "notice")
	return strings.Replace(notices[n.Code], "%s", n.Service, 1)
}
