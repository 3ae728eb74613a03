package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// A Status is what can be said about a grant without its secrets.
type Status struct {
	tokenstore.Key

	// Err is nil if the grant can be used, as far as is known without asking the
	// server. ErrLoginRequired: nobody is logged in, or the server has declared
	// the refresh token dead. Anything else: the record cannot be read.
	Err error

	Scopes        []string  // granted scopes; what was asked for where the server did not say
	LoggedIn      time.Time // when the user logged in, or the grant was imported
	Renewed       time.Time // when the access token was obtained
	Expiry        time.Time // of the access token; zero: the server did not say
	RefreshExpiry time.Time // of the refresh token if nobody uses it; zero: the server did not say
	GrantExpiry   time.Time // when the user has to log in again, whatever is done; zero: not known
	Generation    uint64    // how often the grant was renewed, failed attempts included
}

// Status tells the state of the grant as it is kept in the store. That nobody is
// logged in is Status.Err; the error is for a store that cannot be asked.
func (a *Account) Status(ctx context.Context) (Status, error) {
	if err := a.usable(); err != nil {
		return Status{Key: a.key(), Err: err}, err
	}
	s, err := a.keeper.vault.status(ctx)
	if errors.Is(err, errGone) {
		return s, nil
	}
	return s, err
}

// errGone says that there is no record to report on.
var errGone = errors.New("nothing is kept")

func (v *vault) status(ctx context.Context) (Status, error) {
	s := Status{Key: v.key}
	rec, _, err := v.load(ctx)
	switch {
	case errors.Is(err, tokenstore.ErrUnreadable):
		s.Err = &Error{Op: "load", Key: v.key, Err: err}
		return s, nil
	case err != nil:
		return s, &Error{Op: "load", Key: v.key, Temporary: !errors.Is(err, tokenstore.ErrUnavailable), Err: err}
	case rec == nil:
		s.Err = loginRequired(v.key, "", errNoGrant)
		return s, errGone
	}
	if rec.Refused != nil {
		s.Err = refusedError(v.key, rec)
	}
	s.Scopes = slices.Clone(rec.Granted)
	s.LoggedIn, s.Renewed, s.Expiry = rec.LoggedIn, rec.Renewed, rec.Expiry
	s.RefreshExpiry, s.GrantExpiry, s.Generation = rec.RefreshExpiry, rec.GrantExpiry, rec.Generation
	return s, nil
}
