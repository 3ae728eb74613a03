package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/regrant/regrant/client"
)

// A view is what a page shows.
type view struct {
	Title   string
	User    string // who has signed in; "": nobody
	Notice  string
	Return  string // where to go after signing in
	Watch   bool
	Now     time.Time
	Demo    bool
	SignIn  string // where users sign in
	Problem *problem

	Rows      []row
	Row       *row
	Summary   string
	Timeline  *timeline
	Job       *jobView
	KeepAlive *keepAliveView
	Events    []happening
}

// A row is one connection.
type row struct {
	Slot, Title, About string
	SignIn, Demo       bool
	Connected          bool
	State              state
	Who                string // the user, as that server knows them
	Access, Refresh    *span
	Status             client.Status
}

// Trouble is what the last renewal ended with, "" if it went well.
func (r *row) Trouble() string { return failures[r.Status.Failure] }

// A state is a word for how a connection is doing, and why.
type state struct{ Class, Word, Why string }

// A span is the lifetime of a token.
type span struct {
	From, To time.Time
	Left     time.Duration // 0: it is over
	Share    float64       // of the lifetime that is left, in percent
}

func newSpan(from, to, now time.Time) *span {
	if to.IsZero() {
		return nil
	}
	s := &span{From: from, To: to, Left: max(0, to.Sub(now))}
	if life := to.Sub(from); life > 0 {
		s.Share = 100 * min(1, float64(s.Left)/float64(life))
	}
	return s
}

// Lifetime is how long it is all in all.
func (s *span) Lifetime() time.Duration { return s.To.Sub(s.From) }

// row looks at one connection.
func (a *app) row(ctx context.Context, user string, s *service, now time.Time) (row, error) {
	account := s.account(user)
	st, err := account.Status(ctx)
	if err != nil {
		return row{}, err
	}
	r := row{
		Slot: s.slot, Title: s.title, About: s.about, SignIn: s.signIn, Demo: s.demo != nil, Status: st,
		Connected: !st.LoggedIn.IsZero() || st.State == client.StateUnreadable,
		Access:    newSpan(st.Renewed, st.Expiry, now), Refresh: newSpan(st.Renewed, st.RefreshExpiry, now),
	}
	r.State = stateOf(r)
	if r.Connected {
		r.Who = who(ctx, account)
	}
	return r, nil
}

// who tells who the user is, as people would say it: what a server calls sub may be
// a long number. "" if it does not tell.
func who(ctx context.Context, account *client.Account) string {
	var claims struct{ Sub, Email, Name string }
	if account.Claims(ctx, &claims) != nil {
		return ""
	}
	return cmp.Or(claims.Email, claims.Name, claims.Sub)
}

func stateOf(r row) state {
	st := r.Status
	trouble := r.Trouble()
	switch {
	case !r.Connected:
		return state{"none", "Not connected", ""}
	case st.State == client.StateUnreadable:
		return state{"bad", "Unreadable", "sealed with another key, or damaged"}
	case st.State == client.StateLoginRequired:
		return state{"bad", "Log in again", class(st.Err)}
	case st.State == client.StateRenewing:
		return state{"idle", "Renewing", "by " + st.Holder}
	case trouble != "":
		return state{"warn", "In trouble", trouble}
	case r.Refresh != nil && r.Refresh.Left == 0:
		return state{"bad", "Expired", "nobody has used it in time"}
	case st.State == client.StateRenewable:
		return state{"idle", "Asleep", "renewed when it is used"}
	}
	s := state{"good", "Works", ""}
	if left := time.Until(st.GrantExpiry); !st.GrantExpiry.IsZero() {
		s.Why = "log in again within " + short(max(0, left))
	}
	return s
}

var failures = map[client.Failure]string{
	client.FailureServer:        "the server does not answer as it should",
	client.FailureStore:         "the store does not answer as it should",
	client.FailureConfiguration: "the server refuses this application",
}

// welcome says what this is, to who has not signed in.
func (a *app) welcome(w http.ResponseWriter, r *http.Request, back string) {
	a.pages.show(w, r, http.StatusOK, "welcome", view{Title: "Sign in", Return: back, Notice: a.noticed(w, r), SignIn: a.signIn().title, Demo: a.demos != nil})
}

func (a *app) signedOut(w http.ResponseWriter, r *http.Request) {
	a.pages.show(w, r, http.StatusOK, "signed-out", view{Title: "Signed out", Return: "/", SignIn: a.signIn().title})
}

// dashboard is the page of a user.
func (a *app) dashboard(w http.ResponseWriter, r *http.Request, user string) {
	v := view{Title: "Connections", User: a.called(r, user), Now: time.Now(), Watch: watching(r) != "", Demo: a.demos != nil}
	works, connected := 0, 0
	for _, s := range a.services {
		row, err := a.row(r.Context(), user, s, v.Now)
		if err != nil {
			a.failed(w, r, nil, err)
			return
		}
		v.Rows = append(v.Rows, row)
		if row.Connected {
			connected++
		}
		if c := row.State.Class; row.Connected && c != "bad" {
			works++
		}
	}
	v.Summary = summary(works, connected)
	v.Timeline = a.timeline(user, v.Rows, v.Now)
	v.Job = a.jobs.view(user)
	v.KeepAlive = a.upkeep.view(v.Now)
	v.Events = a.history.of(user, "", 12)
	v.Notice = a.noticed(w, r)
	if v.Watch {
		w.Header().Set("Refresh", "3") // the user has asked for it
	}
	a.pages.show(w, r, http.StatusOK, "dashboard", v)
}

// called is what the page calls a user.
func (a *app) called(r *http.Request, user string) string {
	return cmp.Or(who(r.Context(), a.signIn().account(user)), user)
}

func summary(works, connected int) string {
	switch {
	case connected <= 1:
		return "Connect an account, and let the job work for you."
	case works == connected:
		return fmt.Sprintf("All %d work.", connected)
	}
	return fmt.Sprintf("%d of %d work.", works, connected)
}

// detail is the page of one connection.
func (a *app) detail(w http.ResponseWriter, r *http.Request, user string, s *service) {
	v := view{Title: s.title, User: a.called(r, user), Now: time.Now(), Watch: watching(r) != "", Demo: a.demos != nil}
	row, err := a.row(r.Context(), user, s, v.Now)
	if err != nil {
		a.failed(w, r, s, err)
		return
	}
	v.Row, v.Rows = &row, append(v.Rows, row)
	v.Timeline = a.timeline(user, v.Rows, v.Now)
	v.Events = a.history.of(user, s.slot, 20)
	v.Notice = a.noticed(w, r)
	if v.Watch {
		w.Header().Set("Refresh", "3")
	}
	a.pages.show(w, r, http.StatusOK, "detail", v)
}

// watching returns the query of a page that renews itself, "" for one that does not.
func watching(r *http.Request) string {
	if strings.Contains(r.FormValue("watch"), "on") {
		return "?watch=on"
	}
	return ""
}

// A jobView is a job that is under way, or over.
type jobView struct {
	Running      bool
	Began, Ended time.Time
	Done, Rounds int
	Tallies      []tally
}

func (js *jobs) view(user string) *jobView {
	j := js.of(user)
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &jobView{Running: j.ended.IsZero(), Began: j.began, Ended: j.ended, Done: j.done, Rounds: rounds}
	for _, t := range j.tallies {
		v.Tallies = append(v.Tallies, *t)
	}
	return v
}

// A keepAliveView is how far KeepAlive has come.
type keepAliveView struct {
	Running     bool
	Ended       time.Time
	Next        time.Duration
	Done, Total int
	Err         string
}

func (u *upkeep) view(now time.Time) *keepAliveView {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := &keepAliveView{Running: u.running, Ended: u.ended, Next: max(0, u.next.Sub(now)), Err: u.err}
	for slot, n := range u.done {
		v.Done += n
		v.Total += u.total[slot]
	}
	return v
}
