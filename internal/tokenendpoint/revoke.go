package tokenendpoint

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Revoke posts form to a revocation endpoint (RFC 7009). A status of success is
// all that counts: the body says nothing, and a token that the server does not
// know is revoked as well (section 2.2).
func (d Dialect) Revoke(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) error {
	status, head, body, err := d.send(ctx, base, endpoint, form, header)
	if cut, ok := errors.AsType[*Error](err); ok {
		status = cut.Status
	}
	if status/100 == 2 {
		return nil
	}
	if err != nil {
		return err
	}
	e := &Error{Status: status, RetryAfter: RetryAfter(head, time.Now()), secrets: secretsOf(form, header)}
	m, err := parseMembers(head.Get("Content-Type"), body)
	return e.without(m, body, err)
}
