// Package tokenendpoint sends one request to a token endpoint and says what
// became of it.
//
// A refresh token may be single-use, so the one thing that a caller must know
// about a request that failed is whether the server may have acted on it. That
// is what [Outcome] tells.
package tokenendpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxBody bounds an answer. Real ones have a few kilobytes; some carry a list
// of groups in several JWTs.
const maxBody = 1 << 20

// Post sends form to endpoint, once: redirects are not followed, and nothing is
// repeated. Header is sent along; it may hold the client's authentication.
//
// If err is nil, the answer is complete and usable. Otherwise err is an *Error;
// an answer that comes with it holds a refresh token that the server issued all
// the same, which must not be lost.
func Post(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) (*Answer, error) {
	status, head, body, err := Send(ctx, base, endpoint, form, header)
	if err != nil {
		return nil, err
	}
	m, err := parseMembers(head.Get("Content-Type"), body)
	e := &Error{Status: status, RetryAfter: retryAfter(head, time.Now()), secrets: secretsOf(form, header)}
	if err != nil {
		return nil, e.without(m, body, err)
	}
	answer := m.answer()
	switch {
	case status/100 == 2 && !m.present("error"):
		if err := answer.check(); err != nil {
			// The server has issued something, so it has spent the old token.
			e.Outcome, e.Err = Lost, err
			return answer.onlyRefresh(), e
		}
		return answer, nil
	case status/100 == 2:
		e.refused(m)
		return answer.onlyRefresh(), e
	}
	return nil, e.without(m, body, nil)
}

func (a *Answer) onlyRefresh() *Answer {
	if a.RefreshToken == "" {
		return nil
	}
	return &Answer{RefreshToken: a.RefreshToken, RefreshLifetime: a.RefreshLifetime}
}

// Send posts form and returns the bare answer. Any error is an *Error whose
// Outcome is NotSent or Lost.
func Send(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) (status int, head http.Header, body []byte, err error) {
	var wire trace
	req, err := http.NewRequestWithContext(wire.attach(ctx), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, nil, &Error{Outcome: NotSent, Err: errors.New("the endpoint is not a URL")}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json") // GitHub answers in the format that is asked for
	req.Header.Set("Cache-Control", "no-store")  // a cache below us must not answer for the server

	// RoundTrip rather than Client.Do: it sends one request and never a second
	// one to where a 307 points (RFC 9700 section 4.12).
	resp, err := base.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, wire.failed(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLong
	}
	if err != nil {
		e := &Error{Outcome: Lost, Status: resp.StatusCode, Err: plainError(ctx, err)}
		if status := resp.StatusCode; status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			e.Outcome = Unprocessed
		}
		e.RetryAfter = retryAfter(resp.Header, time.Now())
		return 0, nil, nil, e
	}
	return resp.StatusCode, resp.Header, body, nil
}

// trace watches a request on its way to the wire.
type trace struct{ started, written atomic.Bool }

func (t *trace) attach(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.started.Store(true) },
		// From the first header on, the server may have seen the request.
		WroteHeaderField: func(string, []string) { t.written.Store(true) },
		WroteHeaders:     func() { t.written.Store(true) },
		WroteRequest:     func(httptrace.WroteRequestInfo) { t.written.Store(true) },
	})
}

// failed tells whether a request that brought no answer can have reached the
// server. When in doubt it can: a transport that does not report to httptrace
// proves nothing by its silence.
func (t *trace) failed(ctx context.Context, err error) *Error {
	e := &Error{Outcome: Lost, Err: plainError(ctx, err)}
	var op *net.OpError
	var dns *net.DNSError
	dial := errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns)
	if !t.written.Load() && (t.started.Load() || dial) {
		e.Outcome = NotSent
	}
	return e
}

// plainError drops the URL that net/http puts around an error, and turns the
// end of ctx into what errors.Is finds.
func plainError(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	return err
}
