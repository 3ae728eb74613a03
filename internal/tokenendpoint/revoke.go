package tokenendpoint

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Revoke posts form to a revocation endpoint (RFC 7009). Status 200 is success,
// whatever the body says, and also for a token that the server does not know.
func Revoke(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) error {
	status, head, body, err := Send(ctx, base, endpoint, form, header)
	if err != nil || status == http.StatusOK {
		return err
	}
	e := &Error{Status: status, RetryAfter: retryAfter(head, time.Now()), secrets: secretsOf(form, header)}
	m, perr := parseMembers(head.Get("Content-Type"), body)
	if perr != nil {
		m = nil
	}
	return e.without(m, body, nil)
}
