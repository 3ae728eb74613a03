package tokenendpoint

import (
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
	Description string        // error_description and suberror, safe to print
	Redirect    bool          // the server sent us elsewhere
	RetryAfter  time.Duration // 0: the server did not say
	Err         error         // the cause, if it is not the server's word

	secrets []string
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

func unreadable(why error) error {
	if why == nil {
		return errors.New("it is not what RFC 6749 section 5.1 describes")
	}
	return why
}

// without sorts an answer that holds no tokens.
func (e *Error) without(m members, body []byte, err error) *Error {
	switch status := e.Status; {
	case status/100 == 2:
		e.Outcome, e.Err = Lost, unreadable(err)
	case status/100 == 3:
		e.Outcome, e.Redirect = Unprocessed, true
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		// Both say that nothing was done (RFC 6585 section 4, RFC 9110 section 15.6.4).
		e.Outcome = Unprocessed
		e.describe(m)
	case status >= 500:
		// A gateway may have forwarded the request before it gave up, and a
		// server may have failed after it rotated the token.
		e.Outcome = Lost
		e.describe(m)
	case m.text("error") != "":
		e.refused(m)
	case status == http.StatusBadRequest && len(strings.TrimSpace(string(body))) == 0:
		e.Outcome = Refused // some servers refuse a dead token so
	default:
		e.Outcome = Unprocessed // a page of a proxy or a firewall: nobody judged the grant
	}
	return e
}

func (e *Error) refused(m members) {
	e.Outcome = Refused
	e.describe(m)
	if e.Code == "" {
		e.Code = "unknown_error"
	}
	if e.Code == "temporarily_unavailable" || e.Code == "slow_down" {
		e.Outcome = Unprocessed
	}
}

func (e *Error) describe(m members) {
	if code := m.text("error"); code == printable.Text(code, 64) && !strings.ContainsAny(code, " \t") && !e.leaks(code) {
		e.Code = code
	}
	var parts []string
	for _, name := range []string{"error_description", "suberror"} {
		switch text := printable.Text(m.text(name), 200); {
		case text == "":
		case e.leaks(text):
			parts = append(parts, name+" repeats a credential and is left out")
		default:
			parts = append(parts, text)
		}
	}
	e.Description = strings.Join(parts, "; ")
}

// leakLength is how many characters of a secret in a row count as a leak. What
// is shorter cannot be told from chance.
const leakLength = 8

// leaks tells whether text repeats a part of something secret that was sent:
// there are servers that echo the whole form in error_description.
func (e *Error) leaks(text string) bool {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		plain = text
	}
	for _, secret := range e.secrets {
		for i := 0; i < len(secret); i++ {
			part := secret[i:min(i+leakLength, len(secret))]
			if i > 0 && len(part) < leakLength {
				break
			}
			if strings.Contains(text, part) || strings.Contains(plain, part) {
				return true
			}
		}
	}
	return false
}

// public are the parameters that are no secret.
var public = map[string]bool{
	"grant_type": true, "client_id": true, "redirect_uri": true, "scope": true, "resource": true, "audience": true,
	"token_type_hint": true, "client_assertion_type": true, "username": true,
}

func secretsOf(form url.Values, header http.Header) []string {
	var secrets []string
	for name, values := range form {
		if !public[name] {
			secrets = append(secrets, values...)
		}
	}
	req := http.Request{Header: header}
	if _, password, ok := req.BasicAuth(); ok {
		secrets = append(secrets, password)
		if plain, err := url.QueryUnescape(password); err == nil {
			secrets = append(secrets, plain)
		}
	}
	for _, name := range []string{"Authorization", "Dpop"} {
		if _, value, ok := strings.Cut(header.Get(name), " "); ok {
			secrets = append(secrets, value)
		} else if value := header.Get(name); value != "" {
			secrets = append(secrets, value)
		}
	}
	return nonEmpty(secrets)
}

func nonEmpty(list []string) []string {
	kept := list[:0]
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// maxRetryAfter bounds how long a server can send us away.
const maxRetryAfter = time.Hour

// retryAfter reads both forms of RFC 9110 section 10.2.3.
func retryAfter(head http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(head.Get("Retry-After"))
	if value == "" {
		return 0
	}
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		d = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		d = maxRetryAfter
	} else if when, err := http.ParseTime(value); err == nil {
		d = when.Sub(now)
	}
	return max(0, min(d, maxRetryAfter))
}
