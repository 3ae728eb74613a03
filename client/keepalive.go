package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

const (
	// keepAlivePace is the mean time between two renewals of one machine.
	keepAlivePace = 50 * time.Millisecond
	// keepAliveAtOnce bounds the renewals that are under way.
	keepAliveAtOnce = 8
	// keepAlivePatience is how many renewals in a row may fail before the server,
	// or the store, is left alone.
	keepAlivePatience = 10
	// keepAliveNews is how often the progress is told.
	keepAliveNews = 5 * time.Second
)

// KeepAlive renews the grants that would end because nobody uses them. It walks
// the store, which must be a tokenstore.Lister, and renews each grant that was not
// renewed for maxIdle, or whose refresh token has lived through half of what the
// server gave it (refresh_token_expires_in, refresh_expires_in), or of what is known of the
// provider (Config.Provider). A maxIdle of zero leaves it to that. Run it as often as once in half of the
// shortest idle lifetime: every night, say.
//
// It may run on every machine at once: a grant that another one renews is not
// renewed again. Each begins about twenty renewals a second, with jitter, and slows
// down for as long as the server says (Retry-After). They add up: a million grants
// that are due take one machine fourteen hours, and four machines, which ask the
// server eighty times a second, three and a half. Events tell of each renewal
// and, as KeptAlive, of the progress.
//
// A grant that the server declares dead is an event, LoginNeeded, and no error;
// Accounts shows it, and foretells it by Status.GrantExpiry where the server lets it
// be known. If other renewals fail, the walk goes on, and the error says how many; it is
// Temporary, and another run makes up for it. After ten failures in a row, and when
// ctx ends, the walk ends.
func (c *Client) KeepAlive(ctx context.Context, maxIdle time.Duration) error {
	keys, err := c.keys(ctx)
	if err != nil {
		return err
	}
	w := &walk{client: c, maxIdle: maxIdle, began: time.Now(), free: make(chan struct{}, keepAliveAtOnce)}
	for _, err := range keys {
		if err == nil { // else the walk tells
			w.total++
		}
	}
	var end error
	for key, err := range keys {
		if err == nil || key != (tokenstore.Key{}) {
			err = w.visit(ctx, key)
		}
		if err != nil {
			end = err
			break
		}
	}
	w.renewals.Wait()
	w.tell(ctx)
	return errors.Join(end, w.outcome())
}

// A walk is one run of KeepAlive.
type walk struct {
	client  *Client
	maxIdle time.Duration
	began   time.Time
	told    time.Time
	total   int
	done    int

	free     chan struct{} // a place for each renewal that is under way
	renewals sync.WaitGroup

	mu       sync.Mutex
	failed   int
	inARow   int
	first    error
	pause    time.Duration // what the server asks for
	ready    bool          // the next renewal may begin
	attempts int
}

// visit looks at one grant, and begins to renew it if it is due. Its error ends
// the walk.
func (w *walk) visit(ctx context.Context, key tokenstore.Key) error {
	c := w.client
	w.done++
	if now := time.Now(); now.Sub(w.told) >= keepAliveNews {
		w.told = now
		w.tell(ctx)
	}
	if c.isClosing() {
		return &Error{Op: "keep alive", Key: c.cfg.key(""), Err: ErrClosed}
	}
	rec, err := w.await(ctx, key)
	if rec == nil || err != nil {
		return err
	}
	select {
	case w.free <- struct{}{}:
	case <-ctx.Done():
		return w.interrupted(ctx)
	}
	w.renewals.Go(func() {
		defer func() { <-w.free }()
		_, err := c.keepers.find(c, key.Account).refresh(ctx, want{rejected: rec.AccessToken, passing: true})
		w.count(err)
	})
	return w.hopeless()
}

// await returns the record of a grant that is to be renewed now, nil if it is not.
//
// Machines that begin together walk abreast, and their paces add up: a place in the
// pace is for what this one sends. It is kept if another machine has renewed the
// grant meanwhile, and not needed while another is at it, which is looked after in
// case that it dies.
func (w *walk) await(ctx context.Context, key tokenstore.Key) (*record.Record, error) {
	c := w.client
	v := newVault(&c.cfg, key)
	for {
		rec, _, err := v.load(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, w.interrupted(ctx)
		case err != nil: // what cannot be read may be another program's
			w.count(&Error{Op: "load", Key: key, Temporary: !errors.Is(err, tokenstore.ErrUnreadable), Err: err})
			return nil, w.hopeless()
		case !due(rec, w.maxIdle, c.idle(rec), time.Now()):
			return nil, nil
		case rec.Intent != nil || w.inPace():
			return rec, nil
		}
		if err := w.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// due tells whether nobody has used a grant for too long, whose refresh token lives
// for life if nobody does; 0: not known.
func due(rec *record.Record, maxIdle, life time.Duration, now time.Time) bool {
	if rec == nil || rec.RefreshToken == "" || rec.Refused != nil {
		return false
	}
	idle := now.Sub(rec.Renewed)
	return maxIdle > 0 && idle >= maxIdle || life > 0 && idle >= life/2
}

// wait waits for the next place in the pace.
func (w *walk) wait(ctx context.Context) error {
	w.mu.Lock()
	pause := keepAlivePace*4/5 + w.pause
	w.pause, w.ready = 0, true
	w.mu.Unlock()
	switch err := sleep(ctx, w.client.closing, jitter(pause)); {
	case errors.Is(err, ErrClosed):
		return &Error{Op: "keep alive", Key: w.client.cfg.key(""), Err: ErrClosed}
	case err != nil:
		return w.interrupted(ctx)
	}
	return nil
}

// inPace takes the place in the pace, if there is one and the server has not asked
// for a pause since.
func (w *walk) inPace() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := w.ready && w.pause == 0
	w.ready = false
	return ok
}

// count notes how a renewal ended.
func (w *walk) count(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts++
	if err == nil || errors.Is(err, ErrLoginRequired) {
		w.inARow = 0
		return
	}
	w.failed++
	w.inARow++
	if w.first == nil {
		w.first = err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		w.pause = max(w.pause, min(e.RetryAfter, maxBackOff))
	}
}

// hopeless ends a walk on which nothing works any more.
func (w *walk) hopeless() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inARow < keepAlivePatience {
		return nil
	}
	return &Error{Op: "keep alive", Key: w.client.cfg.key(""), Temporary: true, Err: fmt.Errorf("given up after %d failures in a row", w.inARow)}
}

func (w *walk) interrupted(ctx context.Context) error {
	return &Error{Op: "keep alive", Key: w.client.cfg.key(""), Temporary: true, Err: fmt.Errorf("%d of %d grants were looked at: %w", w.done-1, w.total, ctx.Err())}
}

func (w *walk) outcome() error {
	if w.failed == 0 {
		return nil
	}
	return &Error{Op: "keep alive", Key: w.client.cfg.key(""), Temporary: true,
		Err: fmt.Errorf("%d of %d grants that were due could not be renewed; the first: %w", w.failed, w.attempts, internal(w.first))}
}

func (w *walk) tell(ctx context.Context) {
	w.client.emit(ctx, Event{Kind: KeptAlive, Key: w.client.cfg.key(""), Start: w.began, Duration: time.Since(w.began), Done: w.done, Total: max(w.total, w.done)})
}
