package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A service is an authorization server, as this application is registered there,
// with the API that the job calls. Users sign in at one, and connect the others.
type service struct {
	slot   string // in URLs
	title  string
	about  string
	issuer string
	client *client.Client
	api    string
	signIn bool
	demo   *clienttest.Server // nil: a real one
}

// signInSlot is not the slug of any connection: it has a dot.
const signInSlot = "sign.in"

// account is the grant of a user here. That of the sign-in has the name of the
// user, which is the sub that the server says; the others have the slot at their
// end, so that one store, client and issuer can keep several.
func (s *service) account(user string) *client.Account {
	if s.signIn {
		return s.client.Account(user)
	}
	return s.client.Account(user + "/" + s.slot)
}

// user is the inverse of account.
func (s *service) user(account string) string {
	if s.signIn {
		return account
	}
	return strings.TrimSuffix(account, "/"+s.slot)
}

// callback is the path to which the server sends the user back.
func (s *service) callback() string {
	if s.signIn {
		return "/signin/callback"
	}
	return "/connections/" + s.slot + "/callback"
}

// open makes the client of a service.
func (a *app) open(s *service, cfg client.Config) error {
	cfg.Store, cfg.Sealer = a.stores.connections, a.stores.sealer
	if s.signIn {
		cfg.Store = a.stores.signIns
	}
	s.issuer = cfg.Issuer
	cfg.RedirectURL = a.base.String() + s.callback()
	cfg.Background = true // renewed ahead of time: nobody who looks at a page, and no job, waits for a server
	cfg.OnEvent = func(ctx context.Context, e client.Event) { a.happened(ctx, s, e) }
	var err error
	if s.client, err = client.New(cfg); err != nil {
		return err
	}
	a.services = append(a.services, s)
	return nil
}

// openReal makes the services at the server that the flags name.
func (a *app) openReal(ctx context.Context, o *options) error {
	cfg := client.Config{Issuer: o.issuer, ClientID: o.clientID}
	if o.secret != "" {
		cfg.Auth = client.Secret(o.secret)
	}
	if o.scopes != "" {
		cfg.Scopes = strings.Fields(o.scopes)
	}
	api := o.api
	if api == "" {
		server, err := oidc.NewProvider(ctx, o.issuer)
		if err != nil {
			return fmt.Errorf("-issuer %s: %w", o.issuer, err)
		}
		api = server.UserInfoEndpoint()
	}
	host := o.issuer
	if u, err := url.Parse(o.issuer); err == nil {
		host = u.Host
	}
	err := a.open(&service{slot: signInSlot, title: host, about: "who you are", api: api, signIn: true}, cfg)
	if err != nil {
		return err
	}
	for _, c := range o.connect {
		if c.scopes != "" {
			cfg.Scopes = strings.Fields(c.scopes)
		}
		if err := a.open(&service{slot: slug(c.title), title: c.title, about: host, api: api}, cfg); err != nil {
			return err
		}
	}
	return nil
}
