package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/regrant/regrant/client"
)

// A history is what this machine has seen happen lately, for the page alone.
type history struct {
	mu       sync.Mutex
	happened []happening // the newest last
	lives    []life
}

// A happening is an event, as a user sees it.
type happening struct {
	At         time.Time
	User, Slot string
	Title      string // of the service
	Text       string
	Err        string
	Bad        bool
	Took       time.Duration
}

// A life is that of one access token.
type life struct {
	user, slot   string
	from, expiry time.Time
}

// remembered bounds both: a page shows the last minutes.
const remembered = 2000

// happened is told every event of a service.
func (a *app) happened(ctx context.Context, s *service, e client.Event) {
	level := a.log.InfoContext
	if e.Err != nil {
		level = a.log.WarnContext
	}
	level(ctx, s.title, "event", e)
	user := s.user(e.Key.Account)
	switch e.Kind {
	case client.KeptAlive:
		a.upkeep.progress(s, e)
		return
	case client.LoggedIn, client.Renewed, client.Adopted:
		// The store has it already: an event tells what was saved.
		if st, err := s.account(user).Status(ctx); err == nil && !st.Expiry.IsZero() {
			a.history.addLife(life{user, s.slot, st.Renewed, st.Expiry})
		}
	}
	text := sentences[e.Kind]
	switch {
	case s.signIn && e.Kind == client.LoggedIn:
		text = "Signed in"
	case s.signIn && e.Kind == client.LoggedOut:
		text = "Signed out"
	case text == "":
		text = e.Kind.String()
	}
	h := happening{At: e.Start.Add(e.Duration), User: user, Slot: s.slot, Title: s.title, Text: text, Took: e.Duration}
	if e.Err != nil {
		h.Bad, h.Err = true, class(e.Err)
	}
	a.history.add(h)
}

var sentences = map[client.EventKind]string{
	client.LoggedIn:         "Connected",
	client.Renewed:          "Renewed",
	client.Adopted:          "Another machine has renewed it",
	client.RenewFailed:      "A renewal failed",
	client.LoginNeeded:      "The grant has ended",
	client.SaveFailed:       "The store does not take the new token",
	client.LeaseOverrun:     "A renewal took too long",
	client.IDTokenUnchecked: "The ID token could not be checked",
	client.LoggedOut:        "Disconnected",
	client.LoginFailed:      "A login came to nothing",
}

// class says in few words what an error is about.
func class(err error) string {
	e, _ := errors.AsType[*client.Error](err)
	switch {
	case e != nil && e.Code != "":
		return "the server answered " + e.Code
	case errors.Is(err, client.ErrLoginRequired):
		return "the user has to log in"
	case errors.Is(err, client.ErrStaleLogin):
		return "no login was waiting for it"
	case errors.Is(err, client.ErrAccountChanged):
		return "begun by another user"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case e != nil && e.Temporary:
		return "the server is in trouble"
	}
	return "it cannot be used as it is"
}

func (h *history) add(event happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.happened = last(append(h.happened, event))
}

func (h *history) addLife(l life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = last(append(h.lives, l))
}

func last[T any](all []T) []T {
	if n := len(all); n > remembered {
		return slices.Clone(all[n-remembered/2:])
	}
	return all
}

// of returns what has happened to a user lately, the newest first; slot "" is all
// services.
func (h *history) of(user, slot string, most int) (events []happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range slices.Backward(h.happened) {
		if e.User == user && (slot == "" || e.Slot == slot) && len(events) < most {
			events = append(events, e)
		}
	}
	return events
}

// livesOf returns the lives of a grant's access tokens, the oldest first.
func (h *history) livesOf(user, slot string) (lives []life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lives {
		if l.user == user && l.slot == slot {
			lives = append(lives, l)
		}
	}
	return lives
}
