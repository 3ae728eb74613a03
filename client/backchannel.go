package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// BackChannelLogout answers a request of the authorization server that says that a
// user has logged out there (OpenID Connect Back-Channel Logout 1.0): it verifies
// the logout token, and logs out the accounts here that it is about, as
// Account.Logout does. Use it as the handler of the URL that is registered as
// backchannel_logout_uri. It writes the whole answer; the error is for a log.
//
// The accounts are those whose ID token at the login had the same sub, and, if both
// name one, the same sid. accounts returns the names of those that may be meant by a
// sub ("" if the token has none); nil: all accounts in the store, which must be a
// tokenstore.Lister, are looked at. A program that names accounts by sub gives
//
//	func(sub string) []string { return []string{sub} }
//
// Eight accounts are logged out at a time: the server waits for the answer, and may
// be slow to revoke. An error for each that failed is in the error, in the order of
// accounts.
//
// A logout token is good for one logout: it is noted in the store until it expires,
// and refused if it comes again, on whatever machine. It says nothing about a login
// after it was issued.
//
// Register the URL only if the end of the session at the server shall end the work
// in the user's absence, too: the standard leaves grants with offline_access alone
// (section 2.7).
func (c *Client) BackChannelLogout(w http.ResponseWriter, r *http.Request, accounts func(sub string) []string) error {
	w.Header().Set("Cache-Control", "no-store")
	err := ErrClosed
	status := http.StatusOK
	if c.enter() {
		defer c.leave()
		ctx, cancel := c.detach(r.Context())
		defer cancel()
		err = c.backChannelLogout(ctx, w, r, accounts)
	}
	if err != nil {
		first, ok := errors.AsType[*Error](err)
		if !ok {
			first = &Error{Op: "back-channel logout", Key: c.cfg.key(""), Err: err}
			err = first
		}
		// Section 2.8 knows 400 for a token that is refused, and for a logout that
		// failed. Of the latter the server may hear that it can come again.
		if status = http.StatusBadRequest; first.Temporary {
			status = http.StatusServiceUnavailable
		}
	}
	w.WriteHeader(status)
	return err
}

func (c *Client) backChannelLogout(ctx context.Context, w http.ResponseWriter, r *http.Request, accounts func(string) []string) error {
	raw, err := logoutTokenOf(w, r)
	if err != nil {
		return err
	}
	s, err := c.server(ctx)
	if err != nil {
		return err
	}
	if s.ids == nil {
		return errors.New("the server has no keys to verify a logout token with")
	}
	t, err := s.ids.verifyLogout(ctx, raw)
	if err != nil {
		return err
	}
	forget, err := c.noteLogout(ctx, t)
	if err != nil {
		return err
	}
	if err := c.logoutAll(ctx, t, accounts); err != nil {
		forget() // the server may send it again
		return err
	}
	return nil
}

// maxLogoutRequest bounds the body of a request; a logout token is small.
const maxLogoutRequest = 64 << 10

func logoutTokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" {
		return "", errors.New("the request is not a POST of a form (section 2.5)")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutRequest)
	if err := r.ParseForm(); err != nil {
		return "", errors.New("the form is malformed, or too large")
	}
	if tokens := r.PostForm["logout_token"]; len(tokens) == 1 && tokens[0] != "" {
		return tokens[0], nil
	}
	return "", errors.New("the form holds no logout_token")
}

// A logoutToken is what a logout token says (section 2.4), by its exact names.
type logoutToken struct {
	Issuer   string                     `json:"iss"`
	Subject  string                     `json:"sub"`
	Session  string                     `json:"sid"`
	ID       string                     `json:"jti"`
	Audience audience                   `json:"aud"`
	IssuedAt number                     `json:"iat"`
	Expiry   number                     `json:"exp"`
	Events   map[string]json.RawMessage `json:"events"`
	Nonce    json.RawMessage            `json:"nonce"`
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// maxDate is the last day whose time a record can hold, in seconds of the Unix
// time: 9999-12-31.
const maxDate = 253402214400

func (t *logoutToken) issuedAt() time.Time { return time.Unix(t.IssuedAt.seconds(), 0) }

func (t *logoutToken) expiry() time.Time {
	return time.Unix(min(t.Expiry.seconds(), maxDate), 0)
}

// verifyLogout checks a logout token (section 2.6). go-oidc checks the signature,
// and what it can; but it takes "Sub" for "sub", so every claim is looked at again.
func (v *idVerifier) verifyLogout(ctx context.Context, raw string) (*logoutToken, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	if err := checkType(raw, "logout+jwt"); err != nil {
		return nil, fmt.Errorf("the logout token %w", err)
	}
	fetch := new(keyFetch)
	_, err := v.verifier.VerifyLogout(context.WithValue(ctx, keyFetchKey{}, fetch), raw)
	if fetch.failed {
		return nil, &Error{Op: "back-channel logout", Temporary: true, Err: errKeysUnreachable}
	}
	if err != nil {
		return nil, fmt.Errorf("the logout token is not valid: %s", printable.Text(err.Error(), 200))
	}
	t := new(logoutToken)
	data, err := payload(raw)
	if err != nil || exactly(data, t) != nil {
		return nil, errors.New("the claims of the logout token are malformed")
	}
	issuer, err := v.tenantIssuer(raw)
	if err != nil {
		return nil, err
	}
	if issuer == googleIssuer && t.Issuer == googleBare {
		t.Issuer = issuer
	}
	return t, v.checkLogout(t, issuer)
}

func (v *idVerifier) checkLogout(t *logoutToken, issuer string) error {
	var event map[string]json.RawMessage
	switch {
	case t.Issuer != issuer:
		return errors.New("the logout token is from another issuer")
	case !slices.Contains(t.Audience, v.clientID):
		return errors.New("the logout token is for another client (aud)")
	case t.ID == "":
		return errors.New("the logout token has no jti")
	case t.Subject == "" && t.Session == "":
		return errors.New("the logout token is about nobody: it has neither sub nor sid")
	case json.Unmarshal(t.Events[logoutEvent], &event) != nil || event == nil:
		return errors.New("the logout token tells of no logout (events)")
	case t.Nonce != nil: // as an ID token has
		return errors.New("the logout token has a nonce")
	case t.Expiry == 0 || t.expiry().Before(time.Now().Add(-clockSkew)):
		return errors.New("the logout token has no exp, or has expired: is the clock of this machine right?")
	case t.IssuedAt == 0 || t.issuedAt().After(time.Now().Add(5*clockSkew)):
		return errors.New("the logout token has no iat, or was issued in the future: is the clock of this machine right?")
	}
	return nil
}

// noteLogout notes in the store that a logout token was used, under a key of its
// own, for every machine to see. The notes that are out of date go on the way.
func (c *Client) noteLogout(ctx context.Context, t *logoutToken) (forget func(), err error) {
	sum := sha256.Sum256([]byte(t.ID))
	key := c.cfg.key(hex.EncodeToString(sum[:]))
	key.Issuer = "logout+" + key.Issuer // no issuer has this scheme
	v := newVault(&c.cfg, key)
	c.forgetLogouts(ctx, tokenstore.Key{Issuer: key.Issuer, ClientID: key.ClientID})

	note := &record.Record{Grant: "logout", Expiry: t.expiry().UTC()}
	rec, version, err := v.load(ctx)
	if err == nil && rec == nil {
		version, err = v.save(ctx, note, version)
	}
	switch {
	case rec != nil || errors.Is(err, tokenstore.ErrConflict):
		return nil, errors.New("the logout token has been used already (jti)")
	case err != nil:
		return nil, &Error{Op: "save", Key: key, Temporary: true, Err: internal(err)}
	}
	return func() { _ = v.delete(ctx, version) }, nil
}

func (c *Client) forgetLogouts(ctx context.Context, match tokenstore.Key) {
	lister, ok := c.cfg.Store.(tokenstore.Lister)
	if !ok {
		return
	}
	for key, err := range lister.List(ctx, match) {
		if err != nil {
			return
		}
		v := newVault(&c.cfg, key)
		if rec, version, err := v.load(ctx); err == nil && rec != nil && time.Since(rec.Expiry) > 5*clockSkew {
			_ = v.delete(ctx, version)
		}
	}
}

// logoutsAtOnce bounds the accounts that a logout token logs out at a time.
const logoutsAtOnce = 8

// logoutAll logs out the accounts that a logout token is about. Errors are in the
// order of the accounts.
func (c *Client) logoutAll(ctx context.Context, t *logoutToken, accounts func(string) []string) error {
	var (
		free   = make(chan struct{}, logoutsAtOnce)
		work   sync.WaitGroup
		n      int
		mu     sync.Mutex
		failed = map[int]error{}
	)
	err := c.eachName(ctx, t.Subject, accounts, func(name string) {
		n++
		i := n
		free <- struct{}{}
		work.Go(func() {
			defer func() { <-free }()
			if err := c.logoutOf(ctx, t, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[i] = err
			}
		})
	})
	work.Wait()
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, failed[i])
	}
	return errors.Join(append(errs, err)...)
}

// eachName calls do for every account that may be meant by a sub.
func (c *Client) eachName(ctx context.Context, sub string, accounts func(string) []string, do func(string)) error {
	if accounts != nil {
		for _, name := range accounts(sub) {
			do(name)
		}
		return nil
	}
	keys, err := c.keys(ctx)
	if err != nil {
		return err
	}
	for key, err := range keys {
		switch {
		case err == nil:
			do(key.Account)
		case key == (tokenstore.Key{}):
			return err
		}
	}
	return nil
}

// logoutOf logs out an account if a logout token is about it.
func (c *Client) logoutOf(ctx context.Context, t *logoutToken, name string) error {
	a := c.Account(name)
	if a.keeper == nil {
		return nil
	}
	rec, _, err := a.keeper.load(ctx)
	if errors.Is(err, tokenstore.ErrUnreadable) {
		return nil // whose it is nobody can tell
	}
	if err == nil && rec != nil && concerns(t, rec) {
		_, err = a.logout(ctx, func(rec *record.Record) bool { return concerns(t, rec) })
	}
	if e, ok := errors.AsType[*Error](err); err == nil || ok && e.Op == "logout" { // what the server may not know, it has just said
		return nil
	}
	return a.keeper.storeError("logout", err)
}

// concerns tells whether a logout token is about the login of a grant.
func concerns(t *logoutToken, rec *record.Record) bool {
	id := rec.Identity
	switch {
	case id == nil, id.Issuer != t.Issuer:
		return false
	case t.Subject != "" && t.Subject != id.Subject, t.Subject == "" && t.Session != id.Session:
		return false
	case t.Session != "" && id.Session != "" && t.Session != id.Session:
		return false
	}
	return !rec.LoggedIn.After(t.issuedAt().Add(clockSkew))
}
