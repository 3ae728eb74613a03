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
	"io"
	"maps"
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
func (d Dialect) Post(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) (*Answer, error) {
	status, head, body, err := d.send(ctx, base, endpoint, form, header)
	if err != nil {
		return nil, err
	}
	e := &Error{Status: status, RetryAfter: RetryAfter(head, time.Now()), secrets: secretsOf(form, header)}
	m, err := parseMembers(head.Get("Content-Type"), body)
	if err != nil {
		return nil, e.without(m, body, err)
	}
	d.translate(m)
	answer := m.answer()
	d.adjust(answer)
	defer func() { e.Dead = e.Outcome == Refused && d.dead(e.Code, m.text("error_description")) }()
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

// send posts form and returns the bare answer. Any error is an *Error; if it
// has a Status, only the body is missing.
func (d Dialect) send(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) (status int, head http.Header, body []byte, err error) {
	var wire trace
	content, contentType := d.encode(form)
	req, err := http.NewRequestWithContext(wire.attach(ctx), http.MethodPost, endpoint, strings.NewReader(content))
	if err != nil {
		return 0, nil, nil, &Error{Outcome: NotSent, Err: errors.New("the endpoint is not a URL")}
	}
	// Without GetBody net/http cannot repeat the request. Over HTTP/2 it would,
	// again and again and without a pause, while a server or a proxy resets the
	// stream with PROTOCOL_ERROR (golang/go#42777).
	req.GetBody = nil
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json") // GitHub answers in the format that is asked for
	req.Header.Set("Cache-Control", "no-store")  // a cache below us must not answer for the server

	if ctx.Err() != nil {
		e := &Error{Outcome: NotSent}
		e.caused(ctx, ctx.Err())
		return 0, nil, nil, e
	}
	// RoundTrip rather than Client.Do: it sends one request and never a second
	// one to where a 307 points (RFC 9700 section 4.12).
	resp, err := base.RoundTrip(req)
	if err != nil {
		e := &Error{Outcome: Lost, secrets: secretsOf(form, header)}
		if wire.untouched(err) {
			e.Outcome = NotSent
		}
		e.caused(ctx, err)
		return 0, nil, nil, e
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 == 3 {
		return resp.StatusCode, resp.Header, nil, nil // nothing in its body concerns us
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLong
	}
	if err != nil {
		e := &Error{
			Outcome: outcomeOf(resp.StatusCode), Status: resp.StatusCode,
			RetryAfter: RetryAfter(resp.Header, time.Now()), secrets: secretsOf(form, header),
		}
		e.caused(ctx, err)
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

// untouched tells whether a request that brought no answer cannot have reached
// the server. When in doubt it can: a transport that does not report to
// httptrace proves nothing by its silence.
func (t *trace) untouched(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	dial := errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns)
	return !t.written.Load() && (t.started.Load() || dial)
}
