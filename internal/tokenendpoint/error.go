package tokenendpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/regrant/regrant/internal/printable"
)

// An Outcome says what the server did, as far as anybody can know.
type Outcome int

const (
	// NotSent: no byte of the request left this machine.
	NotSent Outcome = iota + 1
	// Unprocessed: the server, or something in front of it, turned the request
	// away without looking at the grant: 429, 503, a redirect, a page of a proxy.
	Unprocessed
	// Lost: the server may have acted, and its answer is not known.
	Lost
	// Refused: the server said no, with Code.
	Refused
)

// An Error is a request that brought no usable answer. Its text repeats nothing
// that was sent, even if the server did.
type Error struct {
	Outcome     Outcome
	Status      int           // HTTP status; 0 without an answer
	Code        string        // error (RFC 6749 section 5.2); "" for a refusal without one
	Dead        bool          // the code says that the grant is over: invalid_grant, or the server's word for it
	Description string        // error_description, suberror and claims, safe to print
	Redirect    bool          // the server sent us elsewhere
	RetryAfter  time.Duration // 0: the server did not say
	Err         error         // the cause, if it is not the server's word

	secrets secrets
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Redirect:
		fmt.Fprintf(&b, "the endpoint answered %d and points elsewhere; a request with credentials is not repeated there", e.Status)
	case e.Outcome == Refused && e.Code == "":
		fmt.Fprintf(&b, "the server refused the request with status %d and no reason", e.Status)
	case e.Outcome == Refused:
		fmt.Fprintf(&b, "the server answered %s", e.Code)
	case e.Err == nil:
		fmt.Fprintf(&b, "the server answered status %d", e.Status)
		if e.Code != "" {
			fmt.Fprintf(&b, " (%s)", e.Code)
		}
	case e.Outcome == NotSent:
		fmt.Fprintf(&b, "the server was not reached: %v", e.Err)
	case e.Status != 0:
		fmt.Fprintf(&b, "the server's answer (status %d) cannot be used: %v", e.Status, e.Err)
	default:
		fmt.Fprintf(&b, "the request brought no answer: %v", e.Err)
	}
	if e.Description != "" {
		fmt.Fprintf(&b, " (%s)", e.Description)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

var errTooLong = errors.New("the answer is longer than 1 MiB")

// caused sets what became of the request on its way, or of its answer. The end
// of ctx becomes what errors.Is finds; what net/http quotes of an answer that is
// not HTTP gets no further than here.
func (e *Error) caused(ctx context.Context, err error) {
	if ctx.Err() != nil {
		e.Err = fmt.Errorf("no answer in time: %w", ctx.Err())
		return
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its URL may have a query that is nobody's business
	}
	switch text := printable.Text(err.Error(), 300); {
	case e.Outcome != NotSent && e.secrets.in(text):
		err = errors.New("what came is broken, and repeats a credential")
	case text != err.Error():
		err = errors.New(text)
	}
	e.Err = err
}

// outcomeOf tells what became of a request whose answer has this status and says
// nothing else that can be read.
func outcomeOf(status int) Outcome {
	switch {
	case status == http.StatusServiceUnavailable:
		return Unprocessed // nothing was done (RFC 9110 section 15.6.4)
	case status/100 == 2, status >= 500:
		// A gateway may have forwarded the request before it gave up, and a
		// server may have failed after it rotated the token.
		return Lost
	}
	return Unprocessed // 429, or a page of a proxy or a firewall: nobody judged the grant
}

// without sorts an answer that holds no tokens.
func (e *Error) without(m members, body []byte, err error) *Error {
	e.Outcome = outcomeOf(e.Status)
	switch status := e.Status; {
	case status/100 == 2:
		e.Err = err
	case status/100 == 3:
		e.Redirect = true
	case status == http.StatusTooManyRequests, status >= 500:
		e.describe(m)
	case m.text("error") != "":
		e.refused(m)
	case status == http.StatusBadRequest && len(bytes.TrimSpace(body)) == 0:
		e.Outcome = Refused // some servers refuse a dead token so
	}
	return e
}

// refused sorts an answer with an error code, whatever its status: GitHub sends
// them with 200, Atlassian with 403.
func (e *Error) refused(m members) {
	e.describe(m)
	switch e.Code {
	case "temporarily_unavailable", "slow_down":
		e.Outcome = Unprocessed
	case "server_error":
		e.Outcome = Lost // a 500 in other words (RFC 6749 section 4.1.2.1)
	case "":
		e.Outcome, e.Code = Refused, "unknown_error"
	default:
		e.Outcome = Refused
	}
}

// registered are the error codes of RFC 6749, 7009, 8628, 8707, 9449 and OpenID
// Connect Core that a program can meet here. They are what they are even if a
// secret is spelled like one.
var registered = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "access_denied": true, "server_error": true,
	"temporarily_unavailable": true, "unsupported_token_type": true, "authorization_pending": true, "slow_down": true,
	"expired_token": true, "invalid_target": true, "invalid_dpop_proof": true, "use_dpop_nonce": true,
	"interaction_required": true, "login_required": true, "consent_required": true,
}

func (e *Error) describe(m members) {
	if code := m.text("error"); registered[code] || code == printable.Text(code, 64) && !strings.Contains(code, " ") && !e.secrets.in(code) {
		e.Code = code
	}
	var parts []string
	add := func(name, label string, length int) {
		switch text := label + printable.Text(m.text(name), length); {
		case text == label:
		case e.secrets.in(text):
			parts = append(parts, name+" repeats a credential and is left out")
		default:
			parts = append(parts, text)
		}
	}
	add("error_description", "", 200)
	// Microsoft Entra ID: why an invalid_grant is not the end of the token, and
	// what a new authorization request has to ask for.
	add("suberror", "suberror ", 64)
	add("claims", "claims ", 500)
	e.Description = strings.Join(parts, "; ")
}

// maxRetryAfter bounds how long a server can send us away.
const maxRetryAfter = time.Hour

// RetryAfter reads both forms of RFC 9110 section 10.2.3: at most an hour, and 0
// if head does not say, or nothing that can be read.
func RetryAfter(head http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(head.Get("Retry-After"))
	if value == "" {
		return 0
	}
	var d time.Duration
	if strings.Trim(value, "0123456789") == "" {
		seconds, _ := strconv.ParseUint(value, 10, 64) // the largest there is, if it is larger
		d = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if when, err := http.ParseTime(value); err == nil {
		d = when.Sub(now)
	}
	return max(0, min(d, maxRetryAfter))
}
