package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

// This file is the rotation protocol. A refresh token may be single-use, and
// using it twice may log the user out everywhere, so before one is spent
//
//   - the record is loaded, and whoever was faster is believed;
//   - the intent to spend it is swapped into the record: it is the lease, the
//     evidence after a crash, and the proof that the store can be written;
//
// and before anybody gets the new access token, the new record is saved.
//
// One rule decides every conflict. Same grant: the higher generation wins.
// Equal: what is stored. Another grant: what is stored. Absent: logout won.

// errNoGrant says that the store keeps nothing for the account.
var errNoGrant = errors.New("nobody is logged in")

// errNoRefreshToken says that a grant has ended with its only access token.
var errNoRefreshToken = errors.New("the access token has ended, and the server gave no refresh token to renew it with")

// renew brings a token that is fresh and is what the caller wants: its own, or
// one that another process was faster to bring.
func (f *flight) renew(ctx context.Context) (*record.Record, error) {
	stranger := f.keeper.highest() == nil
	rec, err := f.attempt(ctx)
	if err == nil || errors.Is(err, ErrClosed) {
		return rec, err
	}
	switch known := f.keeper.fail(err); {
	case known: // an event for each look would tell nothing new
	case stranger && errors.Is(err, errNoGrant): // nor would one before the first login
	case errors.Is(err, ErrLoginRequired):
		f.event(LoginNeeded, 0, err)
	default:
		f.event(RenewFailed, 0, err)
	}
	return nil, err
}

func (f *flight) event(kind EventKind, generation uint64, err error) {
	f.events = append(f.events, Event{Kind: kind, Generation: generation, Err: err})
}

func (f *flight) attempt(ctx context.Context) (*record.Record, error) {
	k := f.keeper
	l := startLock(ctx, &k.vault)
	defer l.release() // not before the result is saved
	var (
		w        watch
		base     = k.highest()
		deadline = time.Now().Add(waitLimit)
		trouble  int
	)
	for {
		if time.Now().After(deadline) {
			return nil, &Error{Op: "renew", Key: k.vault.key, Temporary: true, Err: errors.New(
				"other processes have been at work on this grant for two minutes")}
		}
		rec, v, err := k.load(ctx)
		switch {
		case err != nil:
			return nil, k.storeError("load", err)
		case rec == nil:
			k.forget()
			return nil, loginRequired(k.vault.key, "", errNoGrant)
		}
		if known := k.newer(rec); known != nil {
			// The store has lost a write, or was restored from a backup. The old
			// token must not be sent again, so ours goes back first.
			if _, err := f.put(ctx, known.With(nil), v); err != nil {
				return nil, err
			}
			continue
		}
		k.adopt(f, rec)
		if base == nil {
			base = rec
		}
		if f.satisfied(rec, base) || rec.Intent == nil && f.spurned(rec) {
			return rec, nil
		}
		if err := f.hopeless(rec); err != nil {
			return nil, err
		}
		if i := rec.Intent; i != nil && !f.expired(&w, l, rec, v) {
			if err := f.pass(ctx, &w, l); err != nil {
				return nil, k.ended(err)
			}
			continue
		}
		s, err := k.client.server(ctx) // before the intent: the lease is for the exchange
		if err != nil {
			if _, now, lerr := k.load(ctx); lerr == nil && now != v {
				continue // it took so long that another process was faster
			}
			return nil, err
		}
		if k.client.isClosing() {
			return nil, closedError(k)
		}
		c, err := f.declare(ctx, l, rec, v)
		switch {
		case errors.Is(err, errConflict):
			continue
		case err != nil:
			if trouble++; trouble > 2 {
				return nil, k.storeError("save", fmt.Errorf("nothing was sent to the server, since the store cannot be written: %w", err))
			}
			if err := sleep(ctx, k.client.closing, jitter(200*time.Millisecond)); err != nil {
				return nil, k.ended(err)
			}
			continue
		}
		got, err := f.spend(ctx, s, c, rec)
		if errors.Is(err, errConflict) {
			continue
		}
		return got, err
	}
}

// satisfied tells whether rec, which was just adopted, is all that the caller wants.
func (f *flight) satisfied(rec, base *record.Record) bool {
	switch {
	case rec.Refused != nil:
		return false
	case f.want.force && rec.Same(base) && rec.Generation == base.Generation && !f.renewed.Load():
		return false
	case f.want.rejected != "" && rec.AccessToken == f.want.rejected:
		return false
	}
	return f.keeper.current.Load().fresh(time.Now())
}

// spurnedPause is how long after a renewal that a 401 asked for the next 401
// counts as the API's own trouble.
const spurnedPause = 10 * time.Second

// spurned tells whether the API refuses even fresh tokens that were renewed for
// it. More of them would not help; the caller gets the same again, and leaves the
// 401 as it is.
func (f *flight) spurned(rec *record.Record) bool {
	k := f.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	return f.want.rejected != "" && rec.AccessToken == f.want.rejected &&
		rec.AccessToken == k.spurned && time.Since(rec.Renewed) < spurnedPause && k.current.Load().fresh(time.Now())
}

// hopeless tells why nothing can be sent for rec.
func (f *flight) hopeless(rec *record.Record) error {
	k := f.keeper
	k.mu.Lock()
	denied := k.denied
	k.mu.Unlock()
	switch {
	case rec.RefreshToken == "":
		return loginRequired(k.vault.key, "", errNoRefreshToken)
	case rec.Refused != nil && !f.want.force:
		return refusedError(k.vault.key, rec)
	case denied.err != nil && denied.grant == rec.Grant && denied.generation == rec.Generation && !f.want.force:
		return denied.err
	}
	return nil
}

// spend sends the refresh token, under the claim.
func (f *flight) spend(ctx context.Context, s *server, c *claim, rec *record.Record) (*record.Record, error) {
	k := f.keeper
	proved, begun := false, time.Now()
	for try := 0; ; {
		if err := c.ensure(ctx); errors.Is(err, errConflict) {
			return nil, err
		} else if err != nil {
			return nil, k.storeError("save", err)
		}
		stop := c.keepAlive(ctx)
		started := time.Now()
		answer, fresh, err := k.client.renewal(ctx, s, rec)
		stop()

		if answer != nil {
			return f.accept(ctx, s, c, rec, answer, started, err)
		}

		var e *tokenendpoint.Error
		if !errors.As(err, &e) { // nothing was sent: the client could not authenticate
			k.release(ctx, c)
			return nil, &Error{Op: "renew", Key: k.vault.key, Err: err}
		}
		lost := e.Outcome == tokenendpoint.Lost
		switch {
		case lost && k.client.repeats(try, begun) && !k.client.isClosing():
			// Not at once: the first request may still be under way.
			try++
			c.rec.Unanswered = cmp.Or(c.rec.Unanswered, c.rec.Intent)
			if err := sleep(ctx, nil, settleTime); err != nil {
				return nil, k.ended(err)
			}
			continue
		case lost || try > 0 && e.Outcome != tokenendpoint.Refused:
			// The intent stays, so that nobody else sends the token while a
			// request may be under way.
			k.mu.Lock()
			k.lost = lostAnswer{c.rec.Intent.ID, time.Now()}
			k.mu.Unlock()
			return nil, k.exchangeError(err)
		case e.Dead && fresh && !proved:
			proved = true // an assertion or a proof of possession may be what was refused
			continue
		case e.Dead:
			return f.refuse(ctx, c.rec, &record.Refused{Code: e.Code, Text: k.client.ended(e), When: time.Now().UTC().Round(0)})
		}
		k.release(ctx, c)
		if e.Outcome == tokenendpoint.Refused && !configurationCode(e.Code) {
			return f.deny(ctx, c.rec, e)
		}
		if moved(e) {
			k.client.rediscover(s)
		}
		return nil, k.exchangeError(err)
	}
}

// accept saves what the server has issued. It may have come with an error: then
// only its refresh token is of use, which must not be lost.
func (f *flight) accept(ctx context.Context, s *server, c *claim, rec *record.Record, a *tokenendpoint.Answer, started time.Time, cause error) (*record.Record, error) {
	k := f.keeper
	next, end := f.receive(ctx, s, rec, c.rec.Intent.Attempt, a, started)
	if cause != nil {
		end = k.exchangeError(cause)
	}
	f.intent = c.rec.Intent.ID
	f.renewed.Store(true)
	got, err := f.put(ctx, next, c.version)
	switch {
	case err != nil:
		return nil, err
	case end != nil:
		return nil, end
	case got != next:
		return nil, errConflict // somebody was later than us
	}
	if f.want.rejected != "" {
		k.mu.Lock()
		k.spurned = next.AccessToken
		k.mu.Unlock()
	}
	f.event(Renewed, next.Generation, nil)
	return next, nil
}

// renewal makes one token request (RFC 6749 section 6). The scope is left out:
// it stays as granted. fresh tells whether the request carried something that
// is made anew for each, and so may be what the server disliked.
func (c *Client) renewal(ctx context.Context, s *server, rec *record.Record) (a *tokenendpoint.Answer, fresh bool, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rec.RefreshToken}}
	c.addResource(form)
	a, err = c.post(ctx, s, s.refreshURL, form)
	return a, form.Has("client_assertion"), err
}

// put saves mine, based on version v, and does not give up: the store may be
// down, but mine is the only live token. It returns what is stored in the end,
// which is mine unless somebody was later or a login or logout came between.
func (f *flight) put(ctx context.Context, mine *record.Record, v tokenstore.Version) (*record.Record, error) {
	k := f.keeper
	if known := k.newer(mine); known != nil {
		mine = known.With(nil) // a heartbeat has met it
	}
	k.learn(mine)
	begun := time.Now()
	pause := 50 * time.Millisecond
	for conflicts := 0; ; {
		_, err := k.vault.save(ctx, mine, v)
		if err == nil {
			return mine, nil
		}
		rec, w, lerr := k.load(ctx)
		switch {
		case lerr != nil: // keep it in memory; never write over what was not read
		case rec == nil:
			// Logout won. What the server has just issued must not live on.
			k.forget()
			k.client.revokeQuietly(ctx, nil, mine.RefreshToken)
			return nil, loginRequired(k.vault.key, "", errNoGrant)
		case !rec.Same(mine):
			// A login since. Our token is dropped, not revoked: some servers join
			// the logins of a session in one grant.
			k.adopt(f, rec)
			return rec, nil
		case rec.Generation >= mine.Generation:
			if rec.Generation == mine.Generation && rec.AccessToken == mine.AccessToken {
				return mine, nil // the save that failed took effect
			}
			k.adopt(f, rec)
			return rec, nil
		default:
			v = w
			if errors.Is(err, tokenstore.ErrConflict) {
				if rec.Intent != nil && rec.Intent.ID != f.intent {
					f.event(LeaseOverrun, mine.Generation, fmt.Errorf("another process began to renew before this one had saved, after %v", time.Since(begun).Round(time.Millisecond)))
				}
				if conflicts++; conflicts < 20 {
					continue
				}
			}
		}
		if lerr != nil {
			err = lerr
		}
		if time.Since(begun) >= saveGrace && f.unsaved.CompareAndSwap(false, true) {
			// The callers have waited long enough; what they get works.
			f.settle(mine, nil)
			k.client.emit(ctx, Event{Kind: SaveFailed, Key: k.vault.key, Start: begun, Duration: time.Since(begun), Generation: mine.Generation, Err: k.storeError("save", err)})
		}
		if serr := sleep(ctx, nil, jitter(pause)); serr != nil {
			err = k.storeError("save", fmt.Errorf("the server has rotated the refresh token and its successor could not be saved: %w", err))
			k.client.reportUnsaved(err)
			return nil, err
		}
		pause = min(2*pause, time.Second)
	}
}

// saveGrace is how long callers wait for a save that keeps failing.
const saveGrace = 5 * time.Second

// refuse marks the record: the server declared its refresh token dead. The
// record stays, and a higher generation or another grant is believed instead.
func (f *flight) refuse(ctx context.Context, rec *record.Record, mark *record.Refused) (*record.Record, error) {
	k := f.keeper
	var marked *record.Record
	for range 20 {
		r, v, err := k.load(ctx)
		switch {
		case err != nil:
			return nil, k.storeError("load", err)
		case r == nil:
			k.forget()
			return nil, loginRequired(k.vault.key, mark.Code, errNoGrant)
		case !r.Same(rec) || k.newer(rec) != nil || r.RefreshToken != rec.RefreshToken:
			return nil, errConflict // what lies there is not what was refused: look again
		case r.Refused != nil && r.Refused.When.Equal(mark.When): // the save that failed took effect
			k.condemn(r)
			return nil, refusedError(k.vault.key, r)
		}
		marked = r.With(nil)
		marked.Refused, marked.Unanswered = mark, rec.Unanswered
		_, err = k.vault.save(ctx, marked, v)
		if err == nil {
			k.condemn(marked)
			break
		}
		if !errors.Is(err, tokenstore.ErrConflict) && sleep(ctx, nil, jitter(100*time.Millisecond)) != nil {
			break
		}
	}
	return nil, refusedError(k.vault.key, marked)
}

// deny handles a refusal of this request that says nothing about the token: the
// shared record stays as it is, and this process does not send the token again.
func (f *flight) deny(ctx context.Context, rec *record.Record, e *tokenendpoint.Error) (*record.Record, error) {
	k := f.keeper
	r, _, err := k.load(ctx)
	if err == nil && r != nil && !r.Same(rec) || k.newer(rec) != nil {
		return nil, errConflict
	}
	err = loginRequired(k.vault.key, e.Code, fmt.Errorf("%w%s", e, unanswered(rec)))
	k.mu.Lock()
	k.denied = denial{rec.Grant, rec.Generation, err}
	k.mu.Unlock()
	return nil, err
}

// release takes our intent back: nothing was spent. If that fails, the others
// wait for the end of the lease.
func (k *keeper) release(ctx context.Context, c *claim) {
	_, err := k.vault.save(ctx, c.rec.With(nil), c.version)
	if !errors.Is(err, tokenstore.ErrConflict) {
		return
	}
	if r, v, err := k.load(ctx); err == nil && r != nil && r.Intent != nil && r.Intent.ID == c.rec.Intent.ID {
		_, _ = k.vault.save(ctx, c.rec.With(nil), v) // it was sealed anew (tokenstore.Reseal), and is still ours
	}
}
