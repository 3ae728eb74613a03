package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// A keeper keeps the grant of one account fresh. This file is its side towards
// callers: who gets a token at once, who waits, and for whom. What a renewal
// does is in keeper.go.
type keeper struct {
	// With a fresh token these two are all that is read, from one line of the
	// processor's cache: among a million accounts the memory is what takes the time.
	client  *Client
	current atomic.Pointer[snapshot] // what callers get; nil: nothing yet

	vault vault

	mu      sync.Mutex
	known   *record.Record // the highest record of the current grant, perhaps not saved yet
	seen    *record.Record // what was read and not taken over: a higher one, or of another grant
	flight  *flight        // the work under way; nil: none
	failed  failure        // how the last renewal failed
	denied  denial         // a token that was refused to this process
	lost    lostAnswer     // a request of ours whose answer never came
	spurned string         // the last access token that was brought because of a 401
	timer   *time.Timer    // wakes the background renewal, and keeps the keeper alive until then
	queued  bool           // it waits for a place to renew ahead of time
}

// A flight is work on one grant. At a time there is one: a renewal, a login
// being saved, or a logout.
type flight struct {
	keeper *keeper
	want   want

	settled chan struct{} // closed when callers can go
	over    chan struct{} // closed when the next flight can begin
	once    sync.Once
	left    sync.Once // the place of a flight that nobody waits for

	// The outcome; readable once settled is closed.
	snapshot *snapshot
	err      error

	intent    string      // the id that its claims carry
	renewed   atomic.Bool // this flight has brought new tokens
	unsaved   atomic.Bool // settled with tokens that the store does not take
	unchecked *unchecked  // an ID token whose signature is still to be checked
	events    []Event
}

// want says what a caller needs beyond any token that is fresh.
type want struct {
	force    bool   // a renewal, whatever is kept (Refresh without a token)
	rejected string // an access token other than this one (Refresh after a 401)
	idle     bool   // nothing: it is renewed ahead of time
	ahead    bool   // nothing at once: nobody waits for it, and it has one of the places
	passing  bool   // nothing: it is kept alive, and need not be remembered
}

// A failure keeps callers from asking again what was just answered.
type failure struct {
	err   error
	at    time.Time
	until time.Time // nobody tries again before
	count int       // failures in a row
	final bool      // err is an ErrLoginRequired: only the store is asked again
}

// A denial is a refusal that concerns this process alone: another program with
// the right key, scope or resource may still use the token (RFC 6749 section 5.2
// has one code for a dead token, and many for a bad request).
type denial struct {
	grant      string
	generation uint64
	err        error
}

// token returns a token that works.
func (k *keeper) token(ctx context.Context) (*oauth2.Token, error) {
	now := time.Now()
	if s := k.current.Load(); s.fresh(now) {
		if k.client.cfg.Background && !s.used.Load() {
			s.used.Store(true)
		}
		return s.token, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, k.gaveUp(ctx, "token")
	}

	k.mu.Lock()
	s, f := k.current.Load(), k.flight
	working := s.working(now)
	switch {
	case s.fresh(now), f != nil && working:
		// While one renews, the others keep the token that still works.
		k.mu.Unlock()
		return s.token, nil
	case f == nil && now.Before(k.failed.until):
		err := k.failed.again(now)
		k.mu.Unlock()
		if working {
			return s.token, nil
		}
		return nil, err
	case f == nil && working && k.client.cfg.Background:
		s.used.Store(true)
		k.renewAhead(ctx, want{})
		k.mu.Unlock()
		return s.token, nil
	case f == nil:
		var err error
		if f, err = k.begin(ctx, want{}, (*flight).renew); err != nil {
			k.mu.Unlock()
			return nil, err
		}
	}
	k.mu.Unlock()
	got, err := f.wait(ctx)
	if err != nil && s.working(time.Now()) {
		return s.token, nil
	}
	return got, err
}

// refresh returns a token other than the rejected one, or, if w forces it, a token
// that is newer than any before the call.
func (k *keeper) refresh(ctx context.Context, w want) (*oauth2.Token, error) {
	for {
		if ctx.Err() != nil {
			return nil, k.gaveUp(ctx, "token")
		}
		now := time.Now()
		k.mu.Lock()
		s, f := k.current.Load(), k.flight
		if !w.force && s.working(now) && s.token.AccessToken != w.rejected {
			k.mu.Unlock()
			return s.token, nil
		}
		mine := f == nil
		if mine {
			// A refusal is not the end for somebody who asks on purpose: the
			// cause may have been another program's key or an error of the server.
			if now.Before(k.failed.until) && (!k.failed.final || !w.force) {
				err := k.failed.again(now)
				k.mu.Unlock()
				return nil, err
			}
			var err error
			if f, err = k.begin(ctx, w, (*flight).renew); err != nil {
				k.mu.Unlock()
				return nil, err
			}
		}
		late := !mine && w.force && f.done()
		k.mu.Unlock()
		if late { // what that flight brought is not newer than this call
			select {
			case <-f.over:
			case <-ctx.Done():
				return nil, k.gaveUp(ctx, "token")
			}
			continue
		}
		t, err := f.wait(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case mine, w.force && f.renewed.Load():
			return t, nil
		case !w.force && (t.AccessToken != w.rejected || f.unsaved.Load()): // nothing is renewed before that is saved
			return t, nil
		}
		select { // it may have settled, and go on to save: there is no other before its end
		case <-f.over:
		case <-ctx.Done():
			return nil, k.gaveUp(ctx, "token")
		}
	}
}

// gaveUp says that the caller's patience ended, not the work.
func (k *keeper) gaveUp(ctx context.Context, op string) error {
	return &Error{Op: op, Key: k.vault.key, Temporary: true,
		Err: fmt.Errorf("not done in time; what is under way goes on: %w", ctx.Err())}
}

// begin starts a flight; k.mu is held, and there is none. Its context carries
// the values of ctx but not its end: no caller's leaving cuts an exchange or a
// save.
func (k *keeper) begin(ctx context.Context, w want, work func(*flight, context.Context) (*record.Record, error)) (*flight, error) {
	if !k.client.enter() {
		return nil, closedError(k)
	}
	f := &flight{keeper: k, want: w, settled: make(chan struct{}), over: make(chan struct{})}
	k.flight = f
	detached, cancel := k.client.detach(ctx)
	go func() {
		defer k.client.leave()
		defer f.vacate()
		defer cancel()
		start := time.Now()
		rec, err := work(f, detached)
		f.settle(rec, err)
		if err == nil && f.unsaved.Load() { // settled long ago, perhaps with the token of a grant that a login has replaced since
			k.mu.Lock()
			k.show(rec)
			k.schedule()
			k.mu.Unlock()
		}
		for _, e := range f.events { // before the next flight can add its own
			e.Key, e.Start, e.Duration = k.vault.key, start, time.Since(start)
			k.client.events.add(detached, e)
		}
		k.finish(f)
		k.client.events.flush()
		if f.unchecked != nil {
			k.checkSignature(detached, f.unchecked)
		}
	}()
	return f, nil
}

// settle tells the callers how it ended. A flight that cannot save yet settles
// before it is over.
func (f *flight) settle(rec *record.Record, err error) {
	f.once.Do(func() {
		k := f.keeper
		k.mu.Lock()
		f.err = err
		if err == nil {
			f.snapshot = k.show(rec)
			k.failed = failure{}
			if f.snapshot != nil && !f.want.idle && !f.want.passing {
				f.snapshot.used.Store(true)
			}
		}
		if !f.want.passing || k.timer != nil {
			k.schedule()
		}
		k.mu.Unlock()
		close(f.settled)
	})
	if f.unsaved.Load() { // which may last, and is the store's trouble
		f.vacate()
	}
}

func (k *keeper) finish(f *flight) {
	k.mu.Lock()
	k.flight = nil
	k.mu.Unlock()
	close(f.over)
}

// show makes rec what callers get, nil: nothing; k.mu is held. The same token
// stays the same snapshot, and so keeps its moment of renewal.
func (k *keeper) show(rec *record.Record) *snapshot {
	k.know(rec)
	s := k.current.Load()
	if s == nil || rec == nil || s.token.AccessToken != rec.AccessToken || !s.token.Expiry.Equal(rec.Expiry) {
		s = newSnapshot(rec, k.client.cfg.EarlyRefresh, time.Now())
	}
	if k.client.isClosing() {
		k.current.Store(nil)
	} else {
		k.current.Store(s)
	}
	return s
}

// wait returns the outcome of a flight, or gives up with ctx.
func (f *flight) wait(ctx context.Context) (*oauth2.Token, error) {
	select {
	case <-f.settled:
	case <-ctx.Done():
		return nil, f.keeper.gaveUp(ctx, "token")
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case f.snapshot == nil:
		return nil, loginRequired(f.keeper.vault.key, "", errors.New("the grant has ended"))
	case f.unsaved.Load() && f.snapshot.end.reached(time.Now()):
		return nil, &Error{Op: "token", Key: f.keeper.vault.key, Temporary: true,
			Err: errors.New("the access token has expired, and the store does not take its successor yet")}
	}
	return f.snapshot.token, nil
}

// done tells whether the callers have been told how it ended, and nothing that it
// brought is still to be saved: it is over in a moment.
func (f *flight) done() bool {
	select {
	case <-f.settled:
		return !f.unsaved.Load()
	default:
		return false
	}
}

// exclusive runs work as a flight of its own, after the one that is under way.
func (k *keeper) exclusive(ctx context.Context, op string, work func(*flight, context.Context) (*record.Record, error)) error {
	for {
		k.mu.Lock()
		f := k.flight
		if f == nil {
			f, err := k.begin(ctx, want{}, work)
			k.mu.Unlock()
			if err != nil {
				return err
			}
			select {
			case <-f.over:
				return f.err
			case <-ctx.Done():
				return k.gaveUp(ctx, op)
			}
		}
		k.mu.Unlock()
		select {
		case <-f.over:
		case <-ctx.Done():
			return k.gaveUp(ctx, op)
		}
	}
}

// Back-off after failures: one second, doubled each time, at most a minute.
const (
	firstBackOff = time.Second
	maxBackOff   = time.Minute
	maxOffline   = 5 * time.Second // no server is spared by a longer one
	// recheck is how often a grant that was refused is looked up in the store
	// again, where a login elsewhere may have healed it.
	recheck = 2 * time.Second
)

// fail remembers a renewal that failed. The jitter is added, never taken away:
// a server that says when to come back means not earlier. known tells that a
// login was required before, too.
func (k *keeper) fail(err error) (known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	count := k.failed.count + 1
	pause := min(firstBackOff<<min(count-1, 6), maxBackOff)
	if e, ok := errors.AsType[*Error](err); ok {
		pause = max(pause, e.RetryAfter)
	}
	final := errors.Is(err, ErrLoginRequired)
	switch {
	case errors.Is(err, errNoGrant):
		pause = 0 // a look into the store is all it takes
	case final:
		pause = recheck
	case notReached(err):
		pause = min(pause, maxOffline)
	}
	known = final && k.failed.final
	now := time.Now()
	k.failed = failure{err: err, at: now, until: now.Add(jitter(pause)), count: count, final: final}
	return known
}

func notReached(err error) bool {
	var t *tokenendpoint.Error
	return errors.As(err, &t) && t.Outcome == tokenendpoint.NotSent
}

func jitter(d time.Duration) time.Duration { return d + below(d/4+1) }

// below returns a random duration in [0, d). It is of crypto/rand, whose numbers
// a test can choose (testing/cryptotest); nothing here is asked for often.
func below(d time.Duration) time.Duration {
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(d))) // never fails
	return time.Duration(n.Int64())
}

// again is the error for somebody who comes during the back-off.
func (f *failure) again(now time.Time) error {
	var e *Error
	if f.final || !errors.As(f.err, &e) {
		return f.err
	}
	c := *e
	c.RetryAfter = f.until.Sub(now)
	return &c
}
