package client

import (
	"context"
	"errors"
	"fmt"
)

// Password logs in by the user's name and password (RFC 6749 section 4.3). It is
// a last resort, for old servers that know nothing else: it hands the password to
// the program, works with neither a second factor nor a single sign-on, and
// teaches users to type passwords anywhere. RFC 9700 section 2.4 forbids it, and
// OAuth 2.1 has dropped it. [Browser], [Device] and [Paste] do without.
//
// The password is sent once and not kept; what is kept is the grant, as for every
// flow. A wrong one is an error with Code invalid_grant.
type Password struct {
	AuthRequest

	// Read asks the user. Required. Its context ends when Login has to end;
	// Login waits until Read returns.
	Read func(ctx context.Context) (username, password string, err error)
}

func (p Password) obtain(ctx context.Context, l *login) (*obtained, error) {
	if p.Read == nil {
		return nil, errors.New("Password.Read is nil: give a function that asks the user for name and password")
	}
	s, err := l.client.server(ctx)
	if err != nil {
		return nil, err
	}
	form, err := l.params(p.AuthRequest)
	if err != nil {
		return nil, err
	}
	waiting, stop := l.client.patience(ctx)
	defer stop(nil)
	username, password, err := p.Read(waiting)
	switch {
	case err != nil:
		return nil, unfinished(ctx, waiting, fmt.Errorf("Password.Read: %w", err))
	case username == "" || password == "":
		return nil, errors.New("Password.Read brought no user name, or no password")
	}
	requested := l.scopes(s, p.AuthRequest)
	form.Set("grant_type", "password")
	form.Set("username", username)
	form.Set("password", password)
	if len(requested) > 0 {
		form.Set("scope", l.client.joinScopes(requested))
	}
	return l.exchange(ctx, s, form, requested, "")
}
