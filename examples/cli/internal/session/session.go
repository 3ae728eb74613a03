// Package session opens what a profile names: the place of the grants, what seals
// them, and the client of the SDK on top of it.
package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/trace"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/transport"
)

// An Opener opens sessions, and asks for the passphrase of a place once.
type Opener struct {
	UI    *ui.UI
	Debug io.Writer // gets the protocol, without secrets; nil: nobody wants it

	sealers map[string]tokenstore.Sealer // by store and path
	locked  map[string]error             // places that could not be opened
}

// NewOpener returns an Opener.
func NewOpener(u *ui.UI, debug io.Writer) *Opener {
	return &Opener{UI: u, Debug: debug, sealers: map[string]tokenstore.Sealer{}, locked: map[string]error{}}
}

// Options say what a session is for.
type Options struct {
	// Login makes ready for a new grant: a passphrase is asked for although there is
	// nothing yet that it opens.
	Login bool

	// Unverified does not try the passphrase on what is kept: some of that may be
	// sealed with another already.
	Unverified bool

	// Names is for looking at the names of accounts alone: nothing is opened, and
	// no passphrase asked for.
	Names bool

	// Memory keeps the grants of this session in memory: they end with it.
	Memory bool

	// Wire sends what is for the authorization server; nil: http.DefaultTransport.
	Wire http.RoundTripper

	// Secret is a client secret that is not kept yet; "": that of the profile.
	Secret string

	// Background renews accounts in use ahead of time, for commands that stay.
	Background bool

	// OnEvent is told what happens to grants; nil: nobody wants to know.
	OnEvent func(context.Context, client.Event)
}

// A Session is a client of the SDK for one profile. Close it.
type Session struct {
	Client  *client.Client
	Profile profile.Profile
	Store   tokenstore.Store
	Sealer  tokenstore.Sealer // nil: the store protects secrets itself

	// API sends what is for anybody but the authorization server; the traces of
	// the two are told apart.
	API http.RoundTripper

	ui      *ui.UI
	opener  *Opener
	options Options
	secret  string
	slow    *ui.Slow
	close   func() error
}

// Open opens a session. It may ask for a passphrase, and waits until a keychain
// that is locked is unlocked.
func (opener *Opener) Open(ctx context.Context, p profile.Profile, o Options) (*Session, error) {
	s := &Session{
		Profile: p, API: http.DefaultTransport, ui: opener.UI, opener: opener,
		options: o, secret: o.Secret, slow: opener.UI.Err.Slow(waitsFor(p.Issuer)), close: func() error { return nil },
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) error {
	p, o := s.Profile, s.options
	if err := s.openStore(ctx); err != nil {
		return err
	}
	cfg := client.Config{
		Issuer: p.Issuer, Provider: p.Provider, ClientID: p.ClientID, Store: s.Store, Sealer: s.Sealer, Scopes: p.Scopes,
		RedirectURL: cmp.Or(p.RedirectURL, defaultRedirect), RevocationURL: p.Endpoint.Revocation,
		Endpoint:   oauth2.Endpoint{AuthURL: p.Endpoint.Authorization, TokenURL: p.Endpoint.Token, DeviceAuthURL: p.Endpoint.Device},
		Params:     url.Values{},
		Background: o.Background, OnEvent: s.event,
	}
	for name, value := range p.Params {
		cfg.Params.Set(name, value)
	}
	if o.Secret != "" || p.ClientSecret != (profile.SecretRef{}) {
		cfg.Auth = client.SecretFunc(s.clientSecret)
	}
	wire := http.DefaultTransport
	if o.Wire != nil {
		wire = o.Wire
	} else if w := s.opener.Debug; w != nil {
		wire = trace.Server(wire, w)
		s.API = trace.API(http.DefaultTransport, w)
	}
	cfg.HTTPClient = &http.Client{Transport: waiting{wire, s.slow}}
	c, err := client.New(cfg)
	if err != nil {
		return exit.With(exit.Configuration, "give other flags to regrant login, or edit the profile", err)
	}
	s.Client = c
	return nil
}

// defaultRedirect is what a browser login uses by itself, but for the port, which
// a server has to ignore (RFC 8252 section 7.3). Nobody listens there when a code
// is carried over by hand: the address bar shows it.
const defaultRedirect = "http://127.0.0.1/callback"

func (s *Session) event(ctx context.Context, e client.Event) {
	if w := s.opener.Debug; w != nil {
		trace.Event(w, e)
	}
	if s.options.OnEvent != nil {
		s.options.OnEvent(ctx, e)
	}
}

// HTTPClient returns a client whose requests carry the token of the account to the
// origins, or, without any, to the one that a request names.
func (s *Session) HTTPClient(account string, origins ...string) *http.Client {
	return &http.Client{Transport: &transport.Transport{Source: s.Source(account), Base: s.API, Origins: origins}}
}

// Close ends the session. A renewal that is under way is awaited.
func (s *Session) Close() error { return errors.Join(s.Client.Close(), s.close()) }
