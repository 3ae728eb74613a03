package tokenendpoint

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// A DeviceAnswer is what a device authorization endpoint issued (RFC 8628
// section 3.2), as it came: nothing in it is fit for a terminal yet.
type DeviceAnswer struct {
	DeviceCode              string
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string // "" if none came

	Lifetime time.Duration // from expires_in; 0: the server did not say
	Interval time.Duration // 0: the server did not say
}

// Device posts form to a device authorization endpoint (RFC 8628 section 3.1).
// If err is nil, the answer has everything that is required but expires_in.
// Otherwise err is an *Error.
func (d Dialect) Device(ctx context.Context, base http.RoundTripper, endpoint string, form url.Values, header http.Header) (*DeviceAnswer, error) {
	status, head, body, err := d.send(ctx, base, endpoint, form, header)
	if err != nil {
		return nil, err
	}
	e := &Error{Status: status, RetryAfter: RetryAfter(head, time.Now()), secrets: secretsOf(form, header)}
	m, err := parseMembers(head.Get("Content-Type"), body)
	if err == nil {
		d.translate(m)
	}
	switch {
	case err != nil || status/100 != 2:
		return nil, e.without(m, body, err)
	case m.present("error"):
		e.refused(m)
		return nil, e
	}
	a := &DeviceAnswer{
		DeviceCode:              m.text("device_code"),
		UserCode:                m.text("user_code"),
		VerificationURI:         m.text("verification_uri"),
		VerificationURIComplete: m.text("verification_uri_complete"),
		Lifetime:                m.seconds("expires_in"),
		Interval:                m.seconds("interval"),
	}
	if a.VerificationURI == "" {
		a.VerificationURI = m.text("verification_url") // Google, and drafts of RFC 8628
	}
	if err := a.check(); err != nil {
		e.Outcome, e.Err = Lost, err
		return nil, e
	}
	return a, nil
}

func (a *DeviceAnswer) check() error {
	switch {
	case a.DeviceCode == "":
		return errors.New("it has no device_code (RFC 8628 section 3.2)")
	case a.UserCode == "":
		return errors.New("it has no user_code (RFC 8628 section 3.2)")
	case a.VerificationURI == "":
		return errors.New("it has no verification_uri (RFC 8628 section 3.2)")
	}
	return nil
}
