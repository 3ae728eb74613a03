package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/secureurl"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// Device logs in by a code that the user enters in a browser on any machine, for
// programs without one: a television, a server, a container (RFC 8628).
//
// Login asks the server for a code, calls Show, and then polls as often as the
// server wants it: every 5 s if it does not say, never more often than once a
// second nor less often than once a minute to begin with, 5 s slower for good
// after each slow_down, and with an exponential back-off while the server is out
// of reach, is busy or fails (sections 3.2 and 3.5). It ends when the user has
// agreed or refused, when the code has expired, and with its context. A server
// that names no end of the code, or one that is far away, is given 30 minutes.
//
// The Code of the error is access_denied if the user refused, and expired_token
// if the user was too slow: then show a new code by another Login, if the user
// wants one. Never begin one without the user: whoever gets a code by surprise
// may enter it for somebody else (section 5.4).
type Device struct {
	AuthRequest

	// Show shows the user where to go (VerificationURI) and what to enter there
	// (UserCode); both, even if VerificationURIComplete is shown as a link or a
	// QR code (RFC 8628 section 3.3.1). It should name the program, too. Required.
	//
	// All text in the prompt is safe for a terminal, the URIs are https or on
	// loopback, Expiry is set, Interval is in seconds, and DeviceCode is empty: it
	// is a secret.
	//
	// Polling begins when Show has returned; an error of Show ends the Login. The
	// context ends with the login, so a countdown can run until then in a
	// goroutine.
	Show func(ctx context.Context, prompt *oauth2.DeviceAuthResponse) error
}

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

	defaultInterval = 5 * time.Second // RFC 8628 section 3.2
	minInterval     = time.Second
	maxInterval     = time.Minute
	slowDown        = 5 * time.Second  // RFC 8628 section 3.5
	maxPause        = 5 * time.Minute  // whatever a server that is busy says about coming back
	maxDeviceLife   = 30 * time.Minute // the longest that is common
	maxUserCode     = 64
)

func (d Device) obtain(ctx context.Context, l *login) (*obtained, error) {
	if d.Show == nil {
		return nil, errors.New("Device.Show is nil: give a function that tells the user where to go and what to enter there")
	}
	s, err := l.client.server(ctx)
	if err != nil {
		return nil, err
	}
	p := &polling{login: l, server: s, requested: l.scopes(s, d.AuthRequest)}
	prompt, err := p.begin(ctx, d.AuthRequest)
	if err != nil {
		return nil, err
	}
	waiting, stop := l.client.patience(ctx)
	defer stop(nil)
	if err := d.Show(waiting, prompt); err != nil {
		return nil, unfinished(ctx, waiting, fmt.Errorf("Device.Show: %w", err))
	}
	return p.run(ctx, waiting)
}

// A polling is a device authorization that waits for its user.
type polling struct {
	login     *login
	server    *server
	requested []string

	code     string
	expiry   time.Time
	interval time.Duration
	pause    time.Duration        // between polls: the interval, or longer while the server fails
	lost     *tokenendpoint.Error // the last poll whose answer did not arrive
}

// begin makes the device authorization request (RFC 8628 section 3.1).
func (p *polling) begin(ctx context.Context, ask AuthRequest) (*oauth2.DeviceAuthResponse, error) {
	endpoint := p.server.deviceURL
	if endpoint == "" {
		return nil, errors.New("the server has no device authorization endpoint: use another flow, or give Config.Endpoint.DeviceAuthURL")
	}
	form, err := p.login.params(ask)
	if err != nil {
		return nil, err
	}
	if len(p.requested) > 0 {
		form.Set("scope", p.login.client.joinScopes(p.requested))
	}
	c := p.login.client
	header, err := c.authenticate(ctx, p.server, endpoint, form)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.exchangeTimeout())
	defer cancel()
	started := time.Now()
	answer, err := c.dialect.Device(ctx, c.base(), endpoint, form, header)
	if err != nil {
		return nil, err
	}
	p.code = answer.DeviceCode
	p.expiry = started.Add(orAtMost(answer.Lifetime, maxDeviceLife, maxDeviceLife))
	p.interval = max(minInterval, orAtMost(answer.Interval, defaultInterval, maxInterval))
	p.pause = p.interval
	return p.prompt(answer)
}

// orAtMost is d, or missing if the server did not say, but no more than most.
func orAtMost(d, missing, most time.Duration) time.Duration {
	if d == 0 {
		return missing
	}
	return min(d, most)
}

// prompt is what the user gets to see of answer.
func (p *polling) prompt(answer *tokenendpoint.DeviceAnswer) (*oauth2.DeviceAuthResponse, error) {
	userCode := printable.Text(answer.UserCode, maxUserCode)
	if userCode == "" {
		return nil, errors.New("the server's user_code cannot be shown")
	}
	for _, u := range []struct{ name, uri string }{
		{"verification_uri", answer.VerificationURI},
		{"verification_uri_complete", answer.VerificationURIComplete},
	} {
		if u.uri == "" {
			continue
		}
		if _, err := secureurl.Parse(u.uri); err != nil {
			return nil, fmt.Errorf("the user cannot be sent to the server's %s: it %w", u.name, err)
		}
		if !tokenendpoint.HeaderSafe(u.uri) {
			return nil, fmt.Errorf("the user cannot be sent to the server's %s: it holds characters that no URI can hold (RFC 3986 section 2)", u.name)
		}
	}
	return &oauth2.DeviceAuthResponse{
		UserCode:                userCode,
		VerificationURI:         answer.VerificationURI,
		VerificationURIComplete: answer.VerificationURIComplete,
		Expiry:                  p.expiry,
		Interval:                int64((p.interval + time.Second - 1) / time.Second),
	}, nil
}

// run polls until there is a grant or a reason to stop (RFC 8628 section 3.4).
func (p *polling) run(ctx, waiting context.Context) (*obtained, error) {
	pause := p.pause
	for {
		if err := sleep(waiting, nil, min(pause, time.Until(p.expiry))); err != nil {
			return nil, unfinished(ctx, waiting, err)
		}
		if !time.Now().Before(p.expiry) {
			return nil, expired()
		}
		form := url.Values{"grant_type": {deviceGrant}, "device_code": {p.code}}
		p.login.client.addResource(form)
		o, err := p.login.exchange(ctx, p.server, form, p.requested, "")
		answer, ok := errors.AsType[*tokenendpoint.Error](err)
		if !ok {
			return o, err
		}
		if pause, err = p.next(answer); err != nil {
			return nil, err
		}
	}
}

// next returns when to poll again, or why not to (RFC 8628 section 3.5). The code
// counts and not the status: dex sends authorization_pending with a 401.
func (p *polling) next(e *tokenendpoint.Error) (time.Duration, error) {
	switch {
	case e.Code == "authorization_pending":
		p.pause = p.interval
	case e.Code == "slow_down":
		p.interval += slowDown
		p.pause = p.interval
	case e.Code == "expired_token":
		return 0, expired()
	case e.Code == codeAccessDenied:
		return 0, authorizationRefused(e.Code, e.Description)
	case e.Status == 0, e.Status >= 500, e.Status == http.StatusTooManyRequests, e.Status == http.StatusRequestTimeout:
		p.pause = min(2*p.pause, maxPause)
		if e.Outcome == tokenendpoint.Lost {
			p.lost = e
		}
	case p.lost != nil:
		return 0, fmt.Errorf("%w; an earlier answer of the server did not arrive (%s), and it may have held the tokens", e, p.lost.Error())
	default:
		return 0, e
	}
	return max(p.pause, min(e.RetryAfter, maxPause)), nil
}

func expired() error {
	return &Error{Code: "expired_token", Err: errors.New("the code expired before the login was finished: log in again for a new one")}
}
