package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/seal"
)

// BeginLogin begins a login of somebody who uses the program with a browser of
// their own: it sends that browser to the authorization server (Authorization
// Code, RFC 6749 section 4.1, with PKCE S256, state and nonce). What FinishLogin
// has to know goes along as a short-lived cookie, sealed with Config.Sealer, that
// binds the login to this browser (RFC 9700 section 4.7.1). No machine remembers
// anything, so any machine with the same Config can finish it, and the tabs of
// one browser do not disturb each other.
//
// account names the user of the program who connects a grant ("connect X"), and
// has to be the name that FinishLogin will be called with. The empty account is
// for "sign in with X": the user is not known yet, and FinishLogin names the
// account by the sub of the verified ID token. A program that does both on one
// Client keeps its user ids apart from sub values, by a prefix for one.
//
// ask is added to what Config asks for, and to what the account was granted
// already; with the empty account nobody knows what that was.
//
// Call it in answer to a POST that is protected against cross-site requests, as by
// http.CrossOriginProtection: a login that a foreign page begins is a nuisance.
// Config.RedirectURL and Config.Sealer are required; the latter must not be one of
// a passphrase, since a made-up cookie would cost a key derivation each.
//
// A nil error means that the answer is written: a redirect with status 303.
// Otherwise nothing was written, and the program shows a page of its own. What the
// program has to say in headers, such as a session, it says before.
func (c *Client) BeginLogin(w http.ResponseWriter, r *http.Request, account string, ask AuthRequest) error {
	a := c.webAccount(account)
	err := a.beginLogin(w, r, ask)
	if err != nil {
		err = a.webError(r.Context(), time.Now(), err)
	}
	return err
}

func (a *Account) beginLogin(w http.ResponseWriter, r *http.Request, ask AuthRequest) error {
	c, ctx := a.client, r.Context()
	jar, err := a.webJar()
	if err != nil {
		return err
	}
	l := &login{client: c}
	if a.keeper != nil {
		if l.before, _, err = a.keeper.load(ctx); err != nil {
			return a.keeper.storeError("load", err)
		}
	}
	s, err := c.server(ctx)
	if err != nil {
		return err
	}
	auth, err := l.authorize(s, c.cfg.RedirectURL, ask)
	if err != nil {
		return err
	}
	err = jar.put(w, r, &pending{
		State: auth.state, Nonce: auth.nonce, Verifier: auth.verifier, Account: a.name, Requested: auth.requested,
		Consent: auth.consent, ReturnTo: localPath(ask.ReturnTo), Began: time.Now().UTC().Round(0),
	})
	if err != nil {
		return err
	}
	private(w)
	http.Redirect(w, r, auth.url, http.StatusSeeOther)
	return nil
}

// FinishLogin ends what BeginLogin began, in the handler of Config.RedirectURL: it
// checks that the response belongs to a login of this very browser and comes from
// the right server (state; iss, RFC 9207), exchanges the code, verifies the ID
// token, and saves the grant, which replaces what was kept. It writes nothing but
// headers; the program answers with a redirect to where the user wants to be
// (ReturnTo), so that the code does not stay in the address bar.
//
// account is who uses the program now. If that is not who began the login,
// nothing is exchanged, and the error is ErrAccountChanged: somebody has signed
// out and in meanwhile, or was lured into connecting another one's grant. With the
// empty account the sub of the ID token is the name of the Account that is
// returned; a server without OpenID Connect cannot tell it, which is an error.
//
// If the server gives no refresh token, a grant that is kept for the same user
// with the same scopes stays in use, and the error is nil: some servers give one
// at the first consent only. Without such a grant it is ErrConsentRequired: call
// BeginLogin again, in this very answer, with prompt=consent in its Params. It is
// returned only if that was not done yet, so no loop comes of it.
//
// Other errors: ErrStaleLogin; Code access_denied if the user, or the server,
// refused; and those of Login. Each is also an Event, LoginFailed. Their texts
// may quote the server: they are safe for a terminal, and for a page once they are
// escaped as html/template does.
//
// A browser that leaves meanwhile does not cut off the exchange: a code is good
// for one.
func (c *Client) FinishLogin(w http.ResponseWriter, r *http.Request, account string) (*Account, error) {
	a, began := c.webAccount(account), time.Now()
	if !c.enter() {
		return nil, a.webError(r.Context(), began, ErrClosed)
	}
	defer c.leave()
	ctx, cancel := c.detach(r.Context())
	defer cancel()
	signedIn, err := a.finishLogin(ctx, w, r)
	if err != nil {
		return nil, a.webError(ctx, began, err)
	}
	return signedIn, nil
}

func (a *Account) finishLogin(ctx context.Context, w http.ResponseWriter, r *http.Request) (*Account, error) {
	c := a.client
	jar, err := a.webJar()
	if err != nil {
		return nil, err
	}
	private(w)
	if r.Method != http.MethodGet {
		return nil, fmt.Errorf("%w: the server's response has to come as a GET request with a query", ErrStaleLogin)
	}
	response := r.URL.Query()
	p, err := jar.take(w, r, response)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrStaleLogin, err)
	case p.Account != a.name:
		return nil, ErrAccountChanged
	}
	s, err := c.server(ctx)
	if err != nil {
		return nil, err
	}
	auth := &authorization{
		server: s, redirectURI: c.cfg.RedirectURL, state: p.State, nonce: p.Nonce, verifier: p.Verifier, requested: p.Requested,
	}
	l := &login{client: c}
	o, err := l.answered(ctx, auth, response)
	if err != nil {
		return nil, err
	}
	if a.name == "" {
		if a, err = c.subject(o); err != nil {
			c.revokeQuietly(ctx, s, o.answer.RefreshToken)
			return nil, err
		}
	}
	if o.lacksRefreshToken() {
		if a.alreadyKeeps(ctx, o) {
			return a, nil
		}
		if !p.Consent {
			return nil, fmt.Errorf("%w: %w", ErrConsentRequired, c.noRefreshToken(o))
		}
	}
	return a, a.conclude(ctx, o)
}

// webAccount is Account, but for the empty name, which the two methods here give
// a meaning.
func (c *Client) webAccount(account string) *Account {
	if account == "" {
		return &Account{client: c}
	}
	return c.Account(account)
}

// webJar tells whether a web login can work at all.
func (a *Account) webJar() (*cookieJar, error) {
	c := a.client
	if c.isClosing() {
		return nil, ErrClosed
	}
	if a.name != "" {
		if err := a.usable(); err != nil {
			return nil, err
		}
	}
	if c.cfg.RedirectURL == "" {
		return nil, errors.New("Config.RedirectURL is empty: give the URL of the handler that calls FinishLogin, as it is registered with the server")
	}
	if c.cfg.Sealer == nil {
		return nil, errors.New("Config.Sealer is nil: a web login seals its cookie with it (tokenstore.NewSealer), whatever the Store protects")
	}
	if seal.Derives(c.cfg.Sealer) {
		return nil, errors.New("Config.Sealer is one of a passphrase, which is too slow for the cookie of a web login: use tokenstore.NewSealer")
	}
	return c.cookies()
}

// subject returns the account that is named by the user's ID token.
func (c *Client) subject(o *obtained) (*Account, error) {
	if o.identity == nil {
		return nil, errors.New("the server has sent no ID token that could be verified, so nobody knows who this is: " +
			"ask for the scope openid, or name the account yourself in BeginLogin and FinishLogin")
	}
	a := c.Account(o.identity.Subject)
	return a, a.usable()
}

// alreadyKeeps tells whether a grant is kept that does for what was obtained.
func (a *Account) alreadyKeeps(ctx context.Context, o *obtained) bool {
	rec, _, err := a.keeper.load(ctx)
	if err != nil || rec == nil || rec.RefreshToken == "" || rec.Refused != nil || !samePerson(rec.Identity, o.identity) {
		return false
	}
	return !slices.ContainsFunc(o.requested, func(scope string) bool { return !slices.Contains(rec.Requested, scope) })
}

func samePerson(a, b *record.Identity) bool {
	return a != nil && b != nil && a.Issuer == b.Issuer && a.Subject == b.Subject
}

// webError is what the caller gets, and an event as well.
func (a *Account) webError(ctx context.Context, began time.Time, err error) error {
	own, ok := errors.AsType[*Error](err)
	if !ok {
		err = a.loginError(ctx, err)
	} else {
		err = own
	}
	a.client.emit(ctx, Event{Kind: LoginFailed, Key: a.key(), Start: began, Duration: time.Since(began), Err: err})
	return err
}

// private keeps an answer, and the URL that it answers, from caches and from
// other sites.
func private(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// consents tells whether a prompt parameter asks for the consent screen (OpenID
// Connect Core 1.0 section 3.1.2.1).
func consents(prompt string) bool { return slices.Contains(strings.Fields(prompt), "consent") }
