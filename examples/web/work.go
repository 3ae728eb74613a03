package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/regrant/regrant/client"
)

// call is all that it takes to work for a user who is not there.
func call(ctx context.Context, account *client.Account, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := account.HTTPClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the API answered %s", resp.Status)
	}
	return nil
}

// jobs are the offline jobs of this machine, one for each user.
type jobs struct {
	mu     sync.Mutex
	byUser map[string]*job
}

// rounds is how often a job calls each API.
const rounds = 40

// A job calls the APIs of what a user has connected, again and again: the user may
// leave, and tokens expire meanwhile.
type job struct {
	mu           sync.Mutex
	began, ended time.Time
	done         int
	tallies      []*tally
}

// A tally is what a job has done at one service.
type tally struct {
	Title         string
	Calls, Failed int
	Renewals      uint64
	Err           string // of the last call, if it failed

	service *service
	first   uint64 // generation at the start
	over    bool   // only the user can help
}

// startJob starts the job of a user, unless it is running.
func (a *app) startJob(w http.ResponseWriter, r *http.Request, user string) {
	var ready []*tally
	for _, s := range a.services {
		if st, err := s.account(user).Status(r.Context()); err == nil && st.Err == nil {
			ready = append(ready, &tally{Title: s.title, service: s, first: st.Generation})
		}
	}
	j := &job{began: time.Now(), tallies: ready}
	if a.jobs.add(user, j) {
		a.work.Go(func() { a.run(a.life, user, j) })
		a.note(w, "job", "")
	} else {
		a.note(w, "busy", "")
	}
	http.Redirect(w, r, "/"+watching(r)+"#job", http.StatusSeeOther)
}

func (js *jobs) add(user string, j *job) bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	if old := js.byUser[user]; old != nil && old.running() {
		return false
	}
	if js.byUser == nil {
		js.byUser = map[string]*job{}
	}
	js.byUser[user] = j
	return true
}

func (js *jobs) of(user string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	return js.byUser[user]
}

func (j *job) running() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended.IsZero()
}

// run works until all rounds are done, or the program ends.
func (a *app) run(ctx context.Context, user string, j *job) {
	pace := time.NewTicker(a.opts.job / rounds)
	defer pace.Stop()
	defer func() {
		j.mu.Lock()
		j.ended = time.Now()
		j.mu.Unlock()
	}()
	for range rounds {
		var round sync.WaitGroup
		for _, t := range j.tallies {
			if !t.over {
				round.Go(func() { a.tally(ctx, user, j, t) })
			}
		}
		round.Wait()
		j.mu.Lock()
		j.done++
		j.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// tally makes one call, and notes what came of it.
func (a *app) tally(ctx context.Context, user string, j *job, t *tally) {
	account := t.service.account(user)
	err := call(ctx, account, t.service.api)
	st, _ := account.Status(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	t.Calls++
	t.Err = ""
	t.Renewals = max(t.Renewals, st.Generation-min(t.first, st.Generation))
	if err != nil {
		t.Failed++
		t.Err = class(err)
		t.over = errors.Is(err, client.ErrLoginRequired)
	}
}

// upkeep is how far KeepAlive has come on this machine.
type upkeep struct {
	mu          sync.Mutex
	running     bool
	ended, next time.Time
	done, total map[string]int // by service
	err         string
}

// keepAlive keeps alive what nobody uses, until the program ends. Any number of
// machines may do so.
func (a *app) keepAlive() {
	for {
		a.upkeep.mu.Lock()
		a.upkeep.next = time.Now().Add(a.opts.keepAlive)
		a.upkeep.mu.Unlock()
		select {
		case <-a.life.Done():
			return
		case <-time.After(a.opts.keepAlive):
			a.keepAliveOnce()
		}
	}
}

func (a *app) keepAliveOnce() {
	u := &a.upkeep
	if !u.begin() {
		return
	}
	var errs []error
	for _, s := range a.services {
		if err := s.client.KeepAlive(a.life, a.opts.idle); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.title, err))
		}
	}
	err := errors.Join(errs...)
	if err != nil && a.life.Err() == nil { // else we are about to stop
		a.log.WarnContext(a.life, "keep alive", "error", err)
	}
	u.end(err)
}

// startKeepAlive lets it run now.
func (a *app) startKeepAlive(w http.ResponseWriter, r *http.Request, _ string) {
	a.work.Go(a.keepAliveOnce)
	a.note(w, "keep-alive", "")
	http.Redirect(w, r, "/"+watching(r)+"#keep-alive", http.StatusSeeOther)
}

func (u *upkeep) begin() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.running {
		return false
	}
	u.running, u.err = true, ""
	u.done, u.total = map[string]int{}, map[string]int{}
	return true
}

func (u *upkeep) end(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running, u.ended = false, time.Now()
	if err != nil {
		u.err = class(err)
	}
}

// progress is told by events.
func (u *upkeep) progress(s *service, e client.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[s.slot], u.total[s.slot] = e.Done, e.Total
}
