package main

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/regrant/regrant/client"
)

// signOut ends the sign-in: here, at the server, and in the session that the
// server may keep in the browser. Connections go on: jobs need them.
func (a *app) signOut(w http.ResponseWriter, r *http.Request, user string) {
	endSession, err := a.signIn().account(user).Logout(r.Context())
	if e, ok := errors.AsType[*client.Error](err); ok && e.Op != "logout" { // else the server may not know, and we do
		a.failed(w, r, nil, err)
		return
	}
	a.drop(w, "session")
	target := "/signed-out"
	if u, err := url.Parse(endSession); err == nil && endSession != "" {
		if a.demos != nil || a.opts.afterLogout {
			q := u.Query()
			q.Set("post_logout_redirect_uri", a.base.String()+"/signed-out")
			u.RawQuery = q.Encode()
		}
		target = u.String()
	}
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL holds the ID token
	http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // from the metadata of the server
}

// backChannelLogout is for the server alone: the user has signed out there.
func (a *app) backChannelLogout(w http.ResponseWriter, r *http.Request) {
	s := a.signIn()
	accounts := func(sub string) []string { return []string{sub} }
	if err := s.client.BackChannelLogout(w, r, accounts); err != nil {
		a.log.WarnContext(r.Context(), "back-channel logout", "error", err)
	}
}

// disconnect ends a connection, here and at its server.
func (a *app) disconnect(w http.ResponseWriter, r *http.Request, user string, s *service) {
	if s.signIn {
		a.signOut(w, r, user)
		return
	}
	_, err := s.account(user).Logout(r.Context())
	switch e, _ := errors.AsType[*client.Error](err); {
	case err == nil:
		a.note(w, "disconnected", s.title)
	case e != nil && e.Op == "logout":
		a.note(w, "forgotten", s.title)
	default:
		a.failed(w, r, s, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// makeTrouble is for the servers of our own alone.
func (a *app) makeTrouble(w http.ResponseWriter, r *http.Request, user string, s *service) {
	kind := r.PostFormValue("kind")
	cause := trouble[kind]
	var who struct {
		Sub string `json:"sub"`
	}
	if cause == nil || s.demo == nil || s.account(user).Claims(r.Context(), &who) != nil {
		a.notFound(w, r)
		return
	}
	cause(s, who.Sub)
	a.note(w, kind, s.title)
	http.Redirect(w, r, "/connections/"+s.slot, http.StatusSeeOther)
}
