package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

// Login logs the user in by flow, and replaces what is kept for the account once
// the new grant is saved; only then does it return nil. Before the user is
// bothered it looks into the store: if that is down, or keeps something that
// cannot be read (tokenstore.ErrUnreadable: a wrong passphrase, a newer version of
// the program), Login fails and nothing is touched. Logout removes such a record.
//
// A login that brings no refresh token is an error that says what to set,
// unless the server says of no end of the access token (GitHub's OAuth apps):
// then there is nothing to renew.
//
// Errors are *Error. Its Code is access_denied if the user refused,
// expired_token if a device login took too long.
func (a *Account) Login(ctx context.Context, flow Flow) error {
	if err := a.usable(); err != nil {
		return err
	}
	if flow == nil {
		return a.loginError(ctx, errors.New("the Flow is nil: choose Browser, Device, Paste, Password or a FlowFunc"))
	}
	before, _, err := a.keeper.load(ctx)
	switch {
	case errors.Is(err, tokenstore.ErrUnreadable):
		return &Error{Op: "login", Key: a.key(), Err: fmt.Errorf("%w; if it is of no use any more, Logout removes it", err)}
	case ctx.Err() != nil:
		return a.keeper.gaveUp(ctx, "login")
	case err != nil:
		return a.keeper.storeError("load", err)
	}
	o, err := flow.obtain(ctx, &login{client: a.client, before: before})
	if err != nil {
		return a.loginError(ctx, err)
	}
	return a.conclude(ctx, o)
}

// conclude keeps what a login has obtained.
func (a *Account) conclude(ctx context.Context, o *obtained) error {
	if o.lacksRefreshToken() {
		return a.loginError(ctx, a.client.noRefreshToken(o))
	}
	rec := newGrant(o)
	a.client.limit(rec)
	err := a.keep(ctx, rec)
	if errors.Is(err, ErrClosed) && o.grant == "" {
		// Nobody will ever know this grant; what was imported is the program's own.
		a.client.revokeQuietly(ctx, nil, o.answer.RefreshToken)
	}
	return err
}

// lacksRefreshToken tells whether the access token will end, and nothing came to
// renew it with.
func (o *obtained) lacksRefreshToken() bool {
	return o.answer.RefreshToken == "" && (o.answer.Lifetime > 0 || o.answer.AccessToken == "")
}

// noRefreshToken explains what to do about the most common surprise of OAuth.
func (c *Client) noRefreshToken(o *obtained) error {
	asked := "no scopes"
	if len(o.requested) > 0 {
		asked = fmt.Sprintf("the scopes %q", join(o.requested))
	}
	advice := "Most servers want offline_access in Config.Scopes; Google wants Config.Params access_type=offline and prompt=consent, " +
		"Dropbox token_access_type=offline; and the registration of the client must allow the refresh_token grant"
	if c.profile.Advice != "" {
		advice = c.profile.Advice
	}
	return fmt.Errorf("the server gave an access token that expires, but no refresh token, so the user would have to log in again and again. "+
		"The program asked for %s. %s", asked, advice)
}

func (a *Account) loginError(ctx context.Context, err error) error {
	e := &Error{Op: "login", Key: a.key(), Err: err}
	var (
		own   *Error
		token *tokenendpoint.Error
		no    *refusal
	)
	switch {
	case errors.As(err, &own): // discovery, say
		e.Code, e.Temporary, e.RetryAfter, e.Err = own.Code, own.Temporary, own.RetryAfter, own.Err
		if own.Op == "discover" {
			return own
		}
	case errors.As(err, &token):
		e.Code, e.RetryAfter = token.Code, token.RetryAfter
		e.Temporary = token.Outcome != tokenendpoint.Refused
		if ctx.Err() == nil {
			e.Err = internal(err)
		}
	case errors.As(err, &no):
		e.Code = no.code
	}
	return e
}

// keep saves a grant that the user has just given. It is worth a lot by now: no
// end of a ctx and no passing fault of the store may lose it.
func (a *Account) keep(ctx context.Context, rec *record.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitLimit)
	defer cancel()
	return a.keeper.exclusive(ctx, "save", func(f *flight, ctx context.Context) (*record.Record, error) {
		kept, err := a.keeper.replaceWith(ctx, rec)
		if err == nil {
			f.event(LoggedIn, kept.Generation, nil)
		}
		return kept, err
	})
}

// replaceWith saves a new grant over whatever is kept.
func (k *keeper) replaceWith(ctx context.Context, rec *record.Record) (*record.Record, error) {
	begun := time.Now()
	imported := rec.Grant == importedGrant(rec.RefreshToken)
	for {
		r, v, err := k.load(ctx)
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			return nil, k.storeError("save", err)
		case err != nil:
		case r != nil && (r.Grant == rec.Grant || imported && r.RefreshToken == rec.RefreshToken):
			// The save that failed took effect; or the very token that is kept was
			// imported, and what is kept may be younger. A login that brings it again,
			// at a server that does not rotate, is a new grant all the same: with
			// other scopes, and no mark.
			if known := k.newer(r); known != nil {
				return known, nil // the store has lost a write: do not forget what it was
			}
			if r.Refused != nil {
				return nil, refusedError(k.vault.key, r)
			}
			return r, nil
		default:
			if _, err = k.vault.save(ctx, rec, v); err == nil {
				return rec, nil
			}
		}
		if errors.Is(err, tokenstore.ErrConflict) {
			continue
		}
		if time.Since(begun) > 2*saveGrace || errors.Is(err, tokenstore.ErrUnavailable) {
			return nil, &Error{Op: "save", Key: k.vault.key, Temporary: !errors.Is(err, tokenstore.ErrUnavailable),
				Err: fmt.Errorf("the login succeeded, but the store does not take it: %w", internal(err))}
		}
		if err := sleep(ctx, nil, jitter(200*time.Millisecond)); err != nil {
			return nil, k.ended(err)
		}
	}
}

// Ensure makes sure that the account can be used, and asks the user only if it
// is unavoidable: it logs in by flow if nobody is logged in, if the server has
// declared the grant dead, or if scopes are asked for now that were not asked
// for then. A nil error means that Token has just succeeded.
//
// Among all processes that share the store, one logs in at a time; the others
// wait, each until its ctx ends, and then use what that login brought. A
// temporary failure of the server or the store, and a record that cannot be
// read, are returned as errors and never begin a login.
func (a *Account) Ensure(ctx context.Context, flow Flow) error {
	if err := a.usable(); err != nil {
		return err
	}
	if ready, err := a.ready(ctx, flow); ready || err != nil {
		return err
	}
	waiting, stop := a.client.patience(ctx)
	defer stop(nil)
	release, err := a.keeper.reserve(waiting)
	if err != nil {
		return err
	}
	defer release()
	a.keeper.lookAgain()
	if ready, err := a.ready(ctx, flow); ready || err != nil {
		return err
	}
	if err := a.Login(ctx, flow); err != nil {
		return err
	}
	_, err = a.Token(ctx)
	return err
}

// ready tells whether no login is needed.
func (a *Account) ready(ctx context.Context, flow Flow) (bool, error) {
	_, err := a.Token(ctx)
	switch {
	case errors.Is(err, ErrLoginRequired):
		return false, nil
	case err != nil:
		return false, err
	}
	// What counts is what was asked for: a server may grant less, and asking
	// again for what it does not give would never end.
	want := a.client.cfg.Scopes
	if asks, ok := flow.(interface{ request() AuthRequest }); ok {
		want = union(want, asks.request().Scopes)
	}
	rec := a.keeper.highest()
	if rec == nil {
		return false, nil
	}
	for _, scope := range want {
		if !slices.Contains(rec.Requested, scope) {
			return false, nil
		}
	}
	return true, nil
}

func (r AuthRequest) request() AuthRequest { return r }

// lookAgain makes the next caller look into the store, where another process
// may have logged in meanwhile.
func (k *keeper) lookAgain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed.final {
		k.failed.until = time.Time{}
	}
}
