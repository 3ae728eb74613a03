package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// A Status is what can be said about a grant without its secrets.
type Status struct {
	tokenstore.Key

	// State sums it up, in a word.
	State State

	// Err is nil if the grant can be used, as far as is known without asking the
	// server. ErrLoginRequired: nobody is logged in, the server has declared the
	// refresh token dead, or there is none and the access token has ended.
	// Anything else: the record cannot be read.
	Err error

	Scopes        []string  // granted scopes; what was asked for where the server did not say
	LoggedIn      time.Time // when the user logged in, or the grant was imported
	Renewed       time.Time // when the access token was obtained
	Expiry        time.Time // of the access token; zero: the server did not say
	RefreshExpiry time.Time // of the refresh token if nobody uses it; zero: the server did not say
	GrantExpiry   time.Time // when the user has to log in again, whatever is done; zero: not known
	Generation    uint64    // how often the grant was renewed, failed attempts included

	// Holder is who holds the lease on the refresh token, that is, who renews the
	// grant: host name and process id, such as "web-3:4711"; "?" if an older
	// version does not tell. "": nobody. It began at HolderSince and may take until
	// HolderUntil, which moves on while it lives. If that has passed, the
	// holder has probably died in the middle, and the next use takes over.
	Holder                   string
	HolderSince, HolderUntil time.Time

	// Failure is the kind of error that the last renewal ended with, at FailedAt,
	// and FailureNone if it went well. What the server said about the refresh
	// token itself is known to every process, by the record; all else is what
	// happened to this Client, and is forgotten when the account is out of use.
	Failure  Failure
	FailedAt time.Time
}

// A State is what a grant is good for. New states may be added.
type State int

// The states of a grant.
const (
	// StateUnknown: the store could not be asked.
	StateUnknown State = iota
	// StateFresh: the access token works.
	StateFresh
	// StateRenewable: the access token has ended, or is about to; the next use renews it.
	StateRenewable
	// StateRenewing: somebody renews it at this moment; Holder tells who.
	StateRenewing
	// StateLoginRequired: only the user can help.
	StateLoginRequired
	// StateUnreadable: there is a record, and it does not open: a wrong key, damage, or a newer version.
	StateUnreadable
)

var stateNames = [...]string{
	StateUnknown: "unknown", StateFresh: "fresh", StateRenewable: "renewable", StateRenewing: "renewing",
	StateLoginRequired: "login_required", StateUnreadable: "unreadable",
}

// String returns the state as a word in snake case, for logs and metrics.
func (s State) String() string { return word(stateNames[:], int(s)) }

// A Failure is a kind of error, by who can mend it. New kinds may be added.
type Failure int

// The kinds of failures.
const (
	// FailureNone: the last renewal went well, or there was none.
	FailureNone Failure = iota
	// FailureServer: the authorization server was out of reach or overloaded, or its answer was lost or made no
	// sense. The grant is kept, and a later use tries again.
	FailureServer
	// FailureStore: the store could not be read or written, or a record does not open.
	FailureStore
	// FailureConfiguration: a human has to change something: the server refuses this program, not the user.
	FailureConfiguration
	// FailureLogin: the user has to log in again.
	FailureLogin
)

var failureNames = [...]string{
	FailureNone: "none", FailureServer: "server", FailureStore: "store", FailureConfiguration: "configuration", FailureLogin: "login",
}

// String returns the kind as a word, for logs and metrics.
func (f Failure) String() string { return word(failureNames[:], int(f)) }

func word(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

// failureOf tells the kind of an error of a renewal.
func failureOf(err error) Failure {
	e, _ := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return FailureNone
	case errors.Is(err, ErrLoginRequired):
		return FailureLogin
	case e != nil && (e.Op == "load" || e.Op == "save"):
		return FailureStore
	case e != nil && e.Temporary:
		return FailureServer
	}
	return FailureConfiguration
}

// Status tells the state of the grant as it is kept in the store. That nobody is
// logged in is Status.Err; the error is for a store that cannot be asked.
func (a *Account) Status(ctx context.Context) (Status, error) {
	if err := a.usable(); err != nil {
		return Status{Key: a.key(), Err: err}, err
	}
	s, err := a.keeper.vault.status(ctx)
	a.keeper.addFailure(&s)
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
		s.State, s.Err = StateUnreadable, &Error{Op: "load", Key: v.key, Err: err}
		return s, nil
	case err != nil:
		return s, &Error{Op: "load", Key: v.key, Temporary: !errors.Is(err, tokenstore.ErrUnavailable), Err: err}
	case rec == nil:
		s.State, s.Err = StateLoginRequired, loginRequired(v.key, "", errNoGrant)
		return s, errGone
	}
	now := time.Now()
	s.Scopes = slices.Clone(rec.Granted)
	s.LoggedIn, s.Renewed, s.Expiry = rec.LoggedIn, rec.Renewed, rec.Expiry
	s.RefreshExpiry, s.GrantExpiry, s.Generation = rec.RefreshExpiry, rec.GrantExpiry, rec.Generation
	if i := rec.Intent; i != nil {
		s.Holder = printable.Text(i.Holder, maxHolder)
		if s.Holder == "" {
			s.Holder = "?"
		}
		s.HolderSince, s.HolderUntil = i.Since, i.Started.Add(min(i.Lease, maxLease))
		if i.Since.IsZero() {
			s.HolderSince = i.Started
		}
	}
	s.State, s.Err = v.state(rec, now)
	if r := rec.Refused; r != nil {
		s.Failure, s.FailedAt = FailureLogin, r.When
	}
	return s, nil
}

// state tells what a grant is good for.
func (v *vault) state(rec *record.Record, now time.Time) (State, error) {
	working := newSnapshot(rec, 0, now).working(now)
	switch {
	case rec.Refused != nil:
		return StateLoginRequired, refusedError(v.key, rec)
	case rec.RefreshToken == "" && !working:
		return StateLoginRequired, loginRequired(v.key, "", errNoRefreshToken)
	case rec.Intent != nil && now.Before(rec.Intent.Started.Add(min(rec.Intent.Lease, maxLease))):
		return StateRenewing, nil
	case working:
		return StateFresh, nil
	}
	return StateRenewable, nil
}

// addFailure adds how the last renewal of this very process ended, unless the
// record tells of something newer.
func (k *keeper) addFailure(s *Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch f := k.flight; {
	case f != nil && f.unsaved.Load():
		s.Failure, s.FailedAt = FailureStore, time.Now()
	case k.failed.err != nil && s.Failure == FailureNone && !s.Renewed.After(k.failed.at):
		s.Failure, s.FailedAt = failureOf(k.failed.err), k.failed.at
	}
}
