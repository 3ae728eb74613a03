package main

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A subject is one way to keep a token fresh, with a server of its own.
type subject struct {
	name string
	as   *clienttest.Server
	call func(context.Context) error
}

// requests are the token requests that the server has seen.
func (s *subject) requests() int { return s.as.RefreshCount() }

// ownSubjects are regrant's, which come first.
const ownSubjects = 2

// subjects returns regrant twice and its peers, at servers whose access tokens
// live that long. With sensible, a peer whose margin is a constant gets one that
// suits the lifetime; else it has the margin that it has by itself.
func subjects(tb testing.TB, lifetime time.Duration, sensible bool) []*subject {
	tb.Helper()
	all := []*subject{
		ours(tb, "regrant", lifetime, false),
		ours(tb, "regrant, Background", lifetime, true),
	}
	var margin time.Duration
	if sensible {
		margin = lifetime / 10
	}
	addLiving := func(name string, lifetime time.Duration, caller func(fetch) func(context.Context) error) {
		as := newServer(tb, lifetime)
		all = append(all, &subject{name, as, caller(refreshAt(as))})
	}
	add := func(name string, caller func(fetch) func(context.Context) error) { addLiving(name, lifetime, caller) }
	add("x/oauth2 ReuseTokenSource", func(get fetch) func(context.Context) error {
		ts := oauth2.ReuseTokenSource(nil, get)
		if sensible {
			ts = oauth2.ReuseTokenSourceWithExpiry(nil, get, margin)
		}
		return func(context.Context) error { _, err := ts.Token(); return err }
	})
	add("cloud.google.com/go/auth", func(get fetch) func(context.Context) error {
		tp := google(get, &auth.CachedTokenProviderOptions{ExpireEarly: margin})
		return func(ctx context.Context) error { _, err := tp.Token(ctx); return err }
	})
	add("aws-sdk-go-v2 CredentialsCache", func(get fetch) func(context.Context) error {
		c := awsCache(get, margin)
		return func(ctx context.Context) error { _, err := c.Retrieve(ctx); return err }
	})
	if sensible { // its margin cannot be set: a token that lives as much longer ends for it at the same time
		lifetime += msalMargin
	}
	addLiving("MSAL Go AcquireTokenByCredential", lifetime, func(get fetch) func(context.Context) error {
		app := msal(tb, get)
		return func(ctx context.Context) error { _, err := app.AcquireTokenByCredential(ctx, msalScopes); return err }
	})
	return all
}

func newServer(tb testing.TB, lifetime time.Duration) *clienttest.Server {
	tb.Helper()
	as := clienttest.NewServer(tb)
	as.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = lifetime })
	return as
}

// ours is an account whose access token has expired already.
func ours(tb testing.TB, name string, lifetime time.Duration, background bool) *subject {
	tb.Helper()
	as := newServer(tb, lifetime)
	me := newClient(tb, memstore.New(), nil, func(c *client.Config) {
		c.Issuer, c.ClientID, c.Endpoint = as.Issuer(), clienttest.PublicClient, as.Endpoint()
		c.HTTPClient, c.Background = as.HTTPClient(), background
	}).Account("alice")
	logIn(tb, me, func(context.Context) (*oauth2.Token, error) {
		t := as.Grant("alice")
		t.Expiry = time.Now().Add(-time.Second)
		return t, nil
	})
	return &subject{name, as, func(ctx context.Context) error { _, err := me.Token(ctx); return err }}
}

// refreshAt is one refresh request by x/oauth2, for a peer to cache. Not all of
// them could keep a token that rotates, so it does not.
func refreshAt(as *clienttest.Server) fetch {
	as.Set(func(o *clienttest.Options) { o.Rotation = clienttest.NoRotation })
	cfg := oauth2.Config{ClientID: clienttest.PublicClient, Endpoint: as.Endpoint()}
	old := &oauth2.Token{RefreshToken: as.Grant("alice").RefreshToken}
	return func(ctx context.Context) (*oauth2.Token, error) {
		return cfg.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, as.HTTPClient()), old).Token()
	}
}
