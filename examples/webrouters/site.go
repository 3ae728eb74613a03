package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/alexedwards/scs/v2"

	"github.com/regrant/regrant/client"
)

// A site is a web program whose users sign in at an authorization server. Its
// handlers do not know the router that mounts them.
type site struct {
	client   *client.Client
	sessions *scs.SessionManager
	url      string // of its front page
}

// userKey is what the session of a browser holds: who has signed in.
const userKey = "user"

func newSite(c *client.Client, url string) *site {
	s := &site{client: c, sessions: scs.New(), url: url}
	s.sessions.Cookie.SameSite = http.SameSiteLaxMode // Strict would keep it from the redirect that ends a login
	s.sessions.Cookie.Secure = false                  // there is no https on loopback; a real site sets it
	return s
}

// login answers POST /login.
func (s *site) login(w http.ResponseWriter, r *http.Request) {
	// The path may come from whoever made the link: it cannot lead to another site.
	if err := s.client.BeginLogin(w, r, "", client.AuthRequest{ReturnTo: r.FormValue("return")}); err != nil {
		s.failed(w, r, err)
	}
}

// callback answers GET /callback, which is registered as the redirect URI.
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	me, err := s.client.FinishLogin(w, r, "")
	if errors.Is(err, client.ErrConsentRequired) { // the server gives a refresh token with consent alone
		again := client.AuthRequest{Params: url.Values{"prompt": {"consent"}}, ReturnTo: s.client.ReturnTo(r)}
		if err = s.client.BeginLogin(w, r, "", again); err == nil {
			return
		}
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	// A session that somebody planted in the browser must not become that of the user.
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		s.failed(w, r, err)
		return
	}
	s.sessions.Put(r.Context(), userKey, me.Name())
	http.Redirect(w, r, s.client.ReturnTo(r), http.StatusSeeOther) //nolint:gosec // always a path of this site
}

// logout answers POST /logout: the session ends, and what jobs do for the user goes on.
func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// disconnect answers POST /disconnect: the grant ends, here and at the server, and so
// do both sessions (OpenID Connect RP-Initiated Logout 1.0).
func (s *site) disconnect(w http.ResponseWriter, r *http.Request) {
	goal := "/"
	if user := s.sessions.GetString(r.Context(), userKey); user != "" {
		end, err := s.client.Account(user).Logout(r.Context())
		if e, ok := errors.AsType[*client.Error](err); err != nil && (!ok || e.Op != "logout") {
			s.failed(w, r, err) // the grant is still there
			return
		}
		if u, err := url.Parse(end); end != "" && err == nil {
			q := u.Query()
			q.Set("post_logout_redirect_uri", s.url) // has to be registered, too
			u.RawQuery = q.Encode()
			goal = u.String()
		}
	}
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, goal, http.StatusSeeOther)
}

// page is any page of the site. Its forms are POST requests, which pages of other
// sites cannot send on the user's behalf.
func (s *site) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	user := s.sessions.GetString(r.Context(), userKey)
	if user == "" {
		_ = pages.ExecuteTemplate(w, "visitor", r.URL.RequestURI())
		return
	}
	_, err := s.client.Account(user).Token(r.Context())
	_ = pages.ExecuteTemplate(w, "user", map[string]any{"Name": user, "Works": err == nil})
}

// failed answers what went wrong with a page that a user understands.
func (s *site) failed(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, "This does not work at the moment. Please try again later."
	switch e, _ := errors.AsType[*client.Error](err); {
	case errors.Is(err, client.ErrStaleLogin), errors.Is(err, client.ErrAccountChanged):
		status, text = http.StatusBadRequest, "This took too long, or was begun elsewhere. Please sign in again."
	case e != nil && e.Code == "access_denied":
		status, text = http.StatusForbidden, "You have refused, so you are not signed in."
	}
	slog.WarnContext(r.Context(), "login", "error", err)
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, "failure", text)
}
