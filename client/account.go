package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/transport"
)

// An Account is one named login: the grant that the authorization server gave to
// this program for one user, under a name of the program's own ("default",
// "work", a user id). It is a cheap handle, safe for concurrent use; make one
// where it is needed.
//
// It is a transport.Refresher, so it can be the Source of a transport.Transport.
type Account struct {
	client *Client
	keeper *keeper // nil: the name cannot be used
	name   string
}

var _ transport.Refresher = (*Account)(nil)

// Account returns the handle for the account of that name, whether or not
// somebody is logged in. A name is not empty, at most 1024 bytes long, and free
// of control characters; the methods of an account with another name fail.
func (c *Client) Account(name string) *Account {
	a := &Account{client: c, name: name}
	if checkAccount(name) == nil {
		a.keeper = c.keepers.find(c, name)
	}
	return a
}

// Name returns the name of the account.
func (a *Account) Name() string { return a.name }

// Format prints which account it is, for any verb of fmt.
func (a *Account) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "account %q of %v", a.name, a.client)
}

func (a *Account) key() tokenstore.Key { return a.client.cfg.key(a.name) }

// usable tells why no method of the account can work.
func (a *Account) usable() error {
	if err := checkAccount(a.name); err != nil {
		return &Error{Op: "use", Key: a.client.cfg.key(""), Err: err}
	}
	if a.client.isClosing() {
		return &Error{Op: "use", Key: a.key(), Err: ErrClosed}
	}
	return nil
}

// Token returns an access token that works now (RFC 6749 section 1.4), renewed
// if need be, and saved before it is returned. While it is fresh this costs no
// request, no store access, no lock and no allocation. Near its end one caller
// renews it and waits (none with Config.Background), and the others keep the
// token that still works. After its end all callers wait for that one renewal,
// each no longer than its own ctx; the renewal goes on without them.
//
// The token is shared: do not change it. It never carries a RefreshToken. Its
// Extra holds the other members of the server's answer; they survive the store
// and renewals.
//
// A process that has a fresh token does not see another machine's Logout or
// Login until that token ends or draws a 401: this is what makes it free.
//
// Errors are *Error: ErrLoginRequired if the user has to log in, Temporary if
// the server or the store does not answer as it should, the end of ctx, or a
// configuration error. See Error for the order in which to look.
func (a *Account) Token(ctx context.Context) (*oauth2.Token, error) {
	if a.keeper == nil {
		return nil, a.usable()
	}
	return a.keeper.token(ctx)
}

// Refresh returns a token other than rejected, which somebody has refused: the
// current one if rejected is no longer current, else a renewed one. A hundred
// callers with one rejected token cause one renewal.
//
// With nil it renews in any case, also a grant that the server has declared
// dead: that was perhaps the fault of another program.
func (a *Account) Refresh(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	if a.keeper == nil {
		return nil, a.usable()
	}
	if rejected == nil {
		return a.keeper.refresh(ctx, want{force: true})
	}
	return a.keeper.refresh(ctx, want{rejected: rejected.AccessToken})
}

// Transport returns a RoundTripper that sends requests with the account's token.
// A nil base is the Transport of Config.HTTPClient, or http.DefaultTransport.
// Set its Origins to say where the token may go; package transport tells more.
func (a *Account) Transport(base http.RoundTripper) *transport.Transport {
	if base == nil {
		base = a.client.base()
	}
	return &transport.Transport{Source: a, Base: base}
}

// HTTPClient returns a client whose requests carry the account's token, renewed
// as needed. It has no Timeout: set one, or use the request's context. It is a
// new one for each call, over one shared transport.
func (a *Account) HTTPClient() *http.Client {
	return &http.Client{Transport: a.Transport(nil)}
}

// TokenSource returns the account as an oauth2.TokenSource, for libraries that
// want one. Prefer HTTPClient where a library takes either: it sees the 401s.
// ctx bounds every wait for a renewal: it must live as long as the source is used.
func (a *Account) TokenSource(ctx context.Context) oauth2.TokenSource {
	return tokenSource{a, ctx}
}

type tokenSource struct {
	account *Account
	ctx     context.Context
}

func (s tokenSource) Token() (*oauth2.Token, error) { return s.account.Token(s.ctx) }

// Claims stores the claims of the account's ID token in v, as json.Unmarshal
// does: sub, email, and what else the server tells (OpenID Connect Core 1.0
// section 2). They were verified when they came, at the login or at a renewal
// since, and may have expired meanwhile. A grant without an ID token (openid was
// not asked for, or there are no keys to verify it with) is an error.
func (a *Account) Claims(ctx context.Context, v any) error {
	if err := a.usable(); err != nil {
		return err
	}
	rec, _, err := a.keeper.load(ctx)
	switch {
	case err != nil:
		return a.keeper.storeError("load", err)
	case rec == nil:
		return loginRequired(a.key(), "", errNoGrant)
	case rec.IDToken == "":
		return &Error{Op: "claims", Key: a.key(), Err: errors.New(
			"the server sent no ID token that could be verified: ask for the scope openid, at a server with discovery")}
	}
	data, err := payload(rec.IDToken)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return &Error{Op: "claims", Key: a.key(), Err: err}
	}
	return nil
}
