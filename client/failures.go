package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

func loginRequired(key tokenstore.Key, code string, cause error) error {
	return &Error{Op: "token", Key: key, Code: code, Err: fmt.Errorf("%w: %w", ErrLoginRequired, cause)}
}

// refusedError tells why a grant was declared dead, and what went before: an
// answer that was lost looks like a revocation to the server, and must not be a
// mystery to the user.
func refusedError(key tokenstore.Key, rec *record.Record) error {
	r := rec.Refused
	text := r.Text
	if text == "" {
		text = "the server answered " + r.Code
	}
	text += ", at " + r.When.Format(time.RFC3339) + unanswered(rec)
	return loginRequired(key, r.Code, errors.New(text))
}

// unanswered tells of the request whose answer was lost, if there was one.
func unanswered(rec *record.Record) string {
	i := rec.Unanswered
	if i == nil {
		return ""
	}
	return fmt.Sprintf("; the answer to an earlier renewal (attempt %d, begun %v) was never received: the server may have rotated the refresh token then",
		i.Attempt, i.Started.Format(time.RFC3339))
}

func closedError(k *keeper) error {
	return &Error{Op: "token", Key: k.vault.key, Err: ErrClosed}
}

// ended explains why work on a grant stopped before its end: only Close does that.
func (k *keeper) ended(error) error { return closedError(k) }

func (k *keeper) storeError(op string, err error) error {
	permanent := errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, tokenstore.ErrUnavailable)
	return &Error{Op: op, Key: k.vault.key, Temporary: !permanent, Err: internal(err)}
}

// internal hides the end of a context of our own: for the caller, errors.Is with
// context.DeadlineExceeded means its own.
func internal(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.New(err.Error())
	}
	return err
}

// configurationCode tells refusals that a human has to mend in the program's
// configuration or registration (RFC 6749 section 5.2, RFC 8707 section 2).
func configurationCode(code string) bool {
	switch code {
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target", "invalid_dpop_proof", "use_dpop_nonce":
		return true
	}
	return false
}

// exchangeError says what a failed token request means for the caller.
func (k *keeper) exchangeError(err error) error {
	e := &Error{Op: "renew", Key: k.vault.key, Err: internal(err)}
	var t *tokenendpoint.Error
	if !errors.As(err, &t) {
		return e
	}
	e.Code = t.Code
	switch t.Outcome {
	case tokenendpoint.Refused:
		if !configurationCode(t.Code) {
			return loginRequired(k.vault.key, t.Code, t)
		}
	case tokenendpoint.Unprocessed:
		forGood := t.Status == http.StatusMovedPermanently || t.Status == http.StatusPermanentRedirect
		e.Temporary, e.RetryAfter = !forGood, t.RetryAfter
	case tokenendpoint.NotSent:
		e.Temporary = true
	case tokenendpoint.Lost:
		// What the server says about coming back does not count: inside a grace
		// period the token works now, and may not later.
		e.Temporary = true
	}
	return e
}

// moved tells whether the endpoint is no longer where the metadata said.
func moved(e *tokenendpoint.Error) bool {
	return e.Redirect || e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// sleep waits for d, or until the client closes or ctx ends.
func sleep(ctx context.Context, closing <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
