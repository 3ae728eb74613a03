package main

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/regrant/regrant/client"
)

// beginSignIn sends the browser to the server where users sign in. The library
// takes the page to come back to from nobody who would lead the user elsewhere.
func (a *app) beginSignIn(w http.ResponseWriter, r *http.Request) {
	ask := client.AuthRequest{ReturnTo: r.PostFormValue("return")}
	if err := a.signIn().client.BeginLogin(w, r, "", ask); err != nil {
		a.failed(w, r, a.signIn(), err)
	}
}

// finishSignIn is where the server sends the browser back to. The user is who the
// ID token says.
func (a *app) finishSignIn(w http.ResponseWriter, r *http.Request) {
	s := a.signIn()
	me := a.finish(w, r, s, "")
	if me == nil {
		return
	}
	if err := a.beginSession(w, r, me.Name()); err != nil {
		a.failed(w, r, s, err)
		return
	}
	a.note(w, "signed-in", "")
	http.Redirect(w, r, s.client.ReturnTo(r), http.StatusSeeOther) //nolint:gosec // always a path of ours
}

// connect sends the browser of a user to a server that is to be connected.
func (a *app) connect(w http.ResponseWriter, r *http.Request, user string, s *service) {
	if s.signIn {
		a.beginSignIn(w, r)
		return
	}
	if err := s.client.BeginLogin(w, r, s.account(user).Name(), client.AuthRequest{}); err != nil {
		a.failed(w, r, s, err)
	}
}

// connected is where that server sends the browser back to. If somebody else has
// signed in meanwhile, nothing is connected.
func (a *app) connected(w http.ResponseWriter, r *http.Request, user string, s *service) {
	if a.finish(w, r, s, s.account(user).Name()) != nil {
		a.note(w, "connected", s.title)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// finish ends a login. It returns nil if it has answered: with a page about an
// error, or by sending the user to a server once more that gives a refresh token
// with consent alone.
func (a *app) finish(w http.ResponseWriter, r *http.Request, s *service, account string) *client.Account {
	me, err := s.client.FinishLogin(w, r, account)
	if errors.Is(err, client.ErrConsentRequired) {
		again := client.AuthRequest{Params: url.Values{"prompt": {"consent"}}, ReturnTo: s.client.ReturnTo(r)}
		err = s.client.BeginLogin(w, r, account, again)
	}
	if err != nil {
		a.failed(w, r, s, err)
	}
	return me
}
