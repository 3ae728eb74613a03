package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

var (
	// ErrLoginRequired says that only the account's owner can help: nobody has
	// logged in yet, or the grant was revoked, has expired, or was refused for
	// a reason that the *[Error] around it gives (its Code is the server's).
	// Call Login or Ensure.
	ErrLoginRequired = errors.New("login required")

	// ErrStaleLogin says that a response of the authorization server belongs to
	// no login that this browser has under way: it took too long, it was finished
	// already, or it was begun in another browser. Let the user begin again.
	ErrStaleLogin = errors.New("no login of this browser is waiting for this response")

	// ErrAccountChanged says that a web login was begun for another account than
	// the one that is to get its grant. Let the user begin again.
	ErrAccountChanged = errors.New("the login was begun for another account")

	// ErrConsentRequired says that the server gave no refresh token, and that it
	// may give one if the user is asked for consent again: call BeginLogin with
	// prompt=consent in the Params of its AuthRequest.
	ErrConsentRequired = errors.New("the user has to be asked for consent")

	// ErrClosed says that Close was called.
	ErrClosed = errors.New("the client is closed")
)

// An Error is what every method of Client and Account returns. Look at it in
// this order:
//
//	var e *client.Error
//	switch {
//	case errors.Is(err, client.ErrLoginRequired):     // ask the user
//	case errors.Is(err, context.DeadlineExceeded):    // your own patience ended; the work goes on
//	case errors.As(err, &e) && e.Temporary:           // try again later, e.RetryAfter tells when
//	default:                                          // configuration: a human has to change something
//	}
//
// Its text holds no secret: no token, code, client secret or passphrase.
type Error struct {
	Op         string         // "login", "renew", "load", "save", "discover", "logout", …
	Key        tokenstore.Key // the grant; its Account is empty if no single account is concerned
	Code       string         // error code of the server (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5); "" if it gave none
	Temporary  bool           // the same grant may work later, without anybody doing anything
	RetryAfter time.Duration  // when the server, or our own back-off, will allow another try; 0: not known
	Err        error          // the cause
}

// Error returns a sentence for a person.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("regrant: ")
	b.WriteString(e.Op)
	if e.Key.Account != "" {
		fmt.Fprintf(&b, " %q", e.Key.Account)
	}
	if e.Key.Issuer != "" {
		fmt.Fprintf(&b, " at %s", e.Key.Issuer)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (next try in %v)", e.RetryAfter.Round(time.Second/10))
	}
	return b.String()
}

// Unwrap returns the cause, so that errors.Is finds ErrLoginRequired, ErrClosed,
// the errors of package tokenstore, and those of context.
func (e *Error) Unwrap() error { return e.Err }
