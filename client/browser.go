package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/regrant/regrant/internal/loopback"
)

// Browser logs in through the user's own browser, for programs on the user's
// machine: Authorization Code (RFC 6749 section 4.1) with PKCE S256 (RFC 7636),
// state, nonce, and iss (RFC 9207). The browser is sent back to a port of the
// loopback interface that is open for the time of the login only (RFC 8252
// section 7.3). The zero value is ready for use.
//
// What else arrives at that port, be it from another program or from a web page,
// does not end the wait. The user sees on a page how the login ended; "signed
// in" means that the tokens were obtained and verified, just before they are
// saved.
//
// Login waits for the user until its context ends: give it a deadline, such as
// five minutes. The error then wraps that of the context.
type Browser struct {
	AuthRequest

	// RedirectURL is the redirect URI as it is registered with the server: http
	// on 127.0.0.1, [::1] or localhost. Unless it names a port, the system
	// chooses one, which a server has to accept (RFC 8252 section 7.3). The name
	// localhost is used only if it is given here. "": http://127.0.0.1/callback,
	// or http://[::1]/callback on a machine without IPv4.
	RedirectURL string

	// Open opens the URL, which is good for this one login. It runs in a
	// goroutine of its own and may return when it likes. If it fails, Login
	// returns at once with an error that wraps the one of Open. Nil: OpenBrowser.
	Open func(url string) error
}

func (b Browser) obtain(ctx context.Context, l *login) (*obtained, error) {
	s, err := l.client.server(ctx)
	if err != nil {
		return nil, err
	}
	receiver, err := loopback.Listen(ctx, b.RedirectURL)
	if err != nil {
		return nil, err
	}
	outcome := loopback.Failed
	defer func() { receiver.Close(outcome) }()

	a, err := l.authorize(s, receiver.RedirectURI(), b.AuthRequest)
	if err != nil {
		return nil, err
	}
	waiting, stop := l.client.patience(ctx)
	defer stop(nil)
	go b.open(a.url, stop)
	response, err := receiver.Wait(waiting, a.matches)
	if err != nil {
		return nil, unfinished(ctx, waiting, err)
	}
	o, err := l.answered(ctx, a, response)
	outcome = outcomeOf(err)
	return o, err
}

// outcomeOf is what the user is shown.
func outcomeOf(err error) loopback.Outcome {
	no, refused := errors.AsType[*refusal](err)
	switch {
	case err == nil:
		return loopback.SignedIn
	case refused && no.code == codeAccessDenied:
		return loopback.Refused
	}
	return loopback.Failed
}

// open shows the URL to the user. It runs while the response is waited for: an
// Open that returns only when the page is closed must not keep the page waiting.
func (b Browser) open(url string, stop context.CancelCauseFunc) {
	open := b.Open
	if open == nil {
		open = OpenBrowser
	}
	if err := open(url); err != nil {
		stop(fmt.Errorf("the login page could not be opened: %w; where no browser opens, log in with Device, or with Paste", err))
	}
}
