package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/regrant/regrant/client"
)

// A problem is a page that says what went wrong, and what to do now.
type problem struct {
	Status  int
	Title   string
	Text    string
	Details string // what the library says
	Action  string // where a form goes that tries again; "": nothing to try
	Label   string // of its button
}

// failed turns an error into a page. s is the service that a login was for, nil if
// it was none.
func (a *app) failed(w http.ResponseWriter, r *http.Request, s *service, err error) {
	p := explain(s, err)
	if p.Status >= http.StatusInternalServerError {
		a.log.ErrorContext(r.Context(), p.Title, "path", r.URL.Path, "error", err)
	}
	a.problem(w, r, p)
}

func explain(s *service, err error) problem {
	p := problem{Details: err.Error()}
	server := "The server"
	if s != nil {
		server = s.title
		p.Action, p.Label = "/connections/"+s.slot+"/connect", "Connect "+s.title
		if s.signIn {
			p.Action, p.Label = "/signin", "Sign in"
		}
	}
	e, _ := errors.AsType[*client.Error](err)
	say := func(status int, title, text string) { p.Status, p.Title, p.Text = status, title, text }
	switch {
	case errors.Is(err, client.ErrStaleLogin):
		say(http.StatusBadRequest, "This page has run out",
			"It belongs to a login that took longer than ten minutes, was finished before, or was begun in another browser. Nothing was changed.")
	case errors.Is(err, client.ErrAccountChanged):
		say(http.StatusConflict, "Somebody else has signed in",
			"This was begun by another user of this browser. Nothing was connected.")
	case e != nil && e.Code == "access_denied":
		say(http.StatusOK, "You said no", "Nothing was connected, and nothing has changed.")
		p.Details = ""
	case errors.Is(err, client.ErrClosed), errors.Is(err, context.Canceled):
		say(http.StatusServiceUnavailable, "We are about to stop", "Please try again in a minute.")
	case e != nil && e.Temporary:
		say(http.StatusServiceUnavailable, server+" does not answer", "Please try again in a minute. Nothing was changed.")
	default:
		say(http.StatusBadGateway, "This does not work", "It is not your fault, and trying again may not help. Nothing was changed.")
	}
	return p
}

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.problem(w, r, problem{Status: http.StatusNotFound, Title: "There is no such page", Text: "The address is wrong, or the page is gone."})
}

func (a *app) problem(w http.ResponseWriter, r *http.Request, p problem) {
	a.pages.show(w, r, p.Status, "problem", view{Title: p.Title, Problem: &p})
}
