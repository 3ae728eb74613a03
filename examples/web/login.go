package main

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/regrant/regrant/client"
)

// askAgain is for a server that gives a refresh token with consent alone.
var askAgain = client.AuthRequest{Params: url.Values{"prompt": {"consent"}}}

// beginSignIn sends the browser to the server where users sign in.
func (a *app) beginSignIn(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, a.cookie("return", url.QueryEscape(local(r.PostFormValue("return"))), 10*time.Minute))
	if err := a.signIn().client.BeginLogin(w, r, "", client.AuthRequest{}); err != nil {
		a.failed(w, r, a.signIn(), err)
	}
}

// finishSignIn is where the server sends the browser back to. The user is who the
// ID token says.
func (a *app) finishSignIn(w http.ResponseWriter, r *http.Request) {
	me, err := a.signIn().client.FinishLogin(w, r, "")
	if errors.Is(err, client.ErrConsentRequired) {
		if err = a.signIn().client.BeginLogin(w, r, "", askAgain); err == nil {
			return
		}
	}
	if err == nil {
		err = a.beginSession(w, r, me.Name())
	}
	if err != nil {
		a.failed(w, r, a.signIn(), err)
		return
	}
	target, _ := url.QueryUnescape(a.cookieValue(r, "return"))
	a.drop(w, "return")
	a.note(w, "signed-in", "")
	http.Redirect(w, r, local(target), http.StatusSeeOther) //nolint:gosec // local lets nothing but paths of ours pass
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
	account := s.account(user).Name()
	_, err := s.client.FinishLogin(w, r, account)
	if errors.Is(err, client.ErrConsentRequired) {
		if err = s.client.BeginLogin(w, r, account, askAgain); err == nil {
			return
		}
	}
	if err != nil {
		a.failed(w, r, s, err)
		return
	}
	a.note(w, "connected", s.title)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
