package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

// revokeTimeout bounds what a logout waits for the server.
const revokeTimeout = 10 * time.Second

// Logout ends the grant: it revokes the refresh token at the server (RFC 7009),
// and deletes it from the store, whatever the server answers. After it returns
// nobody brings the grant back: a renewal that is under way in another process
// finds it gone and revokes what it obtained. Logging out when nobody is logged
// in is no error.
//
// An error with Op "logout" says that the grant is forgotten here, and that the
// server may not know: it was out of reach, it refused, or it has no revocation
// endpoint. Any other Op says that the grant is still there: the store has failed,
// or it was not done in time.
//
// A server with OpenID Connect may keep a session in the user's browser. To end
// that too, send the browser to endSessionURL (OpenID Connect RP-Initiated
// Logout 1.0); it is "" if the server has no such endpoint. To have the browser
// sent back, add a URL that is registered with the server to its query, as
// post_logout_redirect_uri (section 3 there). The URL holds the ID token as a hint:
// do not log it.
//
// A record that cannot be read is deleted as well, which is the way to get rid
// of one; its refresh token cannot be revoked then.
func (a *Account) Logout(ctx context.Context) (endSessionURL string, err error) {
	if err := a.usable(); err != nil {
		return "", err
	}
	return a.logout(ctx, func(*record.Record) bool { return true })
}

// logout logs out if what is kept is meant.
func (a *Account) logout(ctx context.Context, meant func(*record.Record) bool) (endSessionURL string, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.client.exchangeTimeout()+saveGrace+revokeTimeout)
	defer cancel()
	out := &logout{keeper: a.keeper, meant: meant}
	err = a.keeper.exclusive(ctx, "delete", func(f *flight, ctx context.Context) (*record.Record, error) {
		if err := out.run(ctx); err != nil {
			return nil, err
		}
		f.event(LoggedOut, 0, out.left)
		return nil, nil
	})
	if err != nil {
		return "", err // perhaps of a caller who leaves, while out is still written
	}
	if out.left != nil {
		err = &Error{Op: "logout", Key: a.key(), Temporary: false, Err: fmt.Errorf(
			"the grant is forgotten here, but the server may still honour it: %w", internal(out.left))}
	}
	return out.endSession, err
}

type logout struct {
	keeper     *keeper
	meant      func(*record.Record) bool
	endSession string
	left       error // what the server may not know
}

func (o *logout) run(ctx context.Context) error {
	k := o.keeper
	k.current.Store(nil) // from here on nobody gets a token
	grant := ""
	for trouble := 0; ; {
		rec, v, err := k.load(ctx)
		unreadable := errors.Is(err, tokenstore.ErrUnreadable) && v != ""
		switch {
		case unreadable:
			o.left = errors.New("its record could not be read, so its refresh token could not be revoked")
		case err != nil:
			return k.storeError("load", err)
		case rec == nil, grant != "" && rec.Grant != grant, !o.meant(rec): // gone, or somebody has logged in since
			k.forget()
			return nil
		default:
			grant = rec.Grant
			o.end(ctx, rec)
		}
		// Revoke first: a crash between the two leaves a record of a dead token,
		// not a live token that nobody knows.
		err = k.vault.delete(ctx, v)
		switch {
		case err == nil:
			k.forget()
			return nil
		case errors.Is(err, tokenstore.ErrConflict): // renewed meanwhile: revoke that, too
		default:
			if trouble++; trouble > 3 {
				return k.storeError("delete", err)
			}
			if err := sleep(ctx, nil, jitter(200*time.Millisecond)); err != nil {
				return k.ended(err)
			}
		}
	}
}

// end tells the server that the grant is over.
func (o *logout) end(ctx context.Context, rec *record.Record) {
	c := o.keeper.client
	if known := o.keeper.newer(rec); known != nil {
		rec = known // not saved yet, and the only live token
	}
	s, err := c.server(ctx)
	if err != nil {
		o.left = err
		return
	}
	token, hint := rec.RefreshToken, "refresh_token"
	if token == "" {
		token, hint = rec.AccessToken, "access_token"
	}
	o.left = c.revoke(ctx, s, token, hint)
	o.endSession = s.endSession(c.cfg.ClientID, rec.IDToken)
}

func (s *server) endSession(clientID, idToken string) string {
	u, err := url.Parse(s.endSessionURL)
	if s.endSessionURL == "" || err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", clientID)
	if idToken != "" {
		q.Set("id_token_hint", idToken)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// revoke makes the server forget a token (RFC 7009). Only its word that it has
// counts.
func (c *Client) revoke(ctx context.Context, s *server, token, hint string) error {
	if token == "" {
		return nil
	}
	if s.revocationURL == "" {
		return errors.New("the server has no revocation endpoint; the refresh token lives until it expires")
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	for {
		form := url.Values{"token": {token}, "token_type_hint": {hint}}
		header, err := c.authenticate(ctx, s, s.revocationURL, form)
		if err != nil {
			return err
		}
		err = c.dialect.Revoke(ctx, c.base(), s.revocationURL, form, header)
		var e *tokenendpoint.Error
		if err == nil || !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable {
			return err
		}
		// 503 means that the token still exists (RFC 7009 section 2.2.1).
		if sleep(ctx, nil, max(e.RetryAfter, time.Second)) != nil {
			return err
		}
	}
}

// revokeQuietly revokes a token that nobody will ever use. If it fails, the
// token dies of age.
func (c *Client) revokeQuietly(ctx context.Context, s *server, refreshToken string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if s == nil {
		var err error
		if s, err = c.server(ctx); err != nil {
			return
		}
	}
	_ = c.revoke(ctx, s, refreshToken, "refresh_token")
}
