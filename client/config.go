package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/secureurl"
	"github.com/regrant/regrant/tokenstore"
)

// A Config says who the program is, whom it talks to, and where grants are kept.
// Issuer, ClientID and Store are required, and Sealer unless the store protects
// secrets itself. New copies it.
type Config struct {
	// Issuer is the issuer identifier of the authorization server (RFC 8414
	// section 2, OpenID Connect Discovery 1.0), exactly as its metadata spells
	// it. It is part of the name under which a grant is kept, so a grant is
	// never sent to another server. Required, unless Provider has but one; https, or
	// http on loopback.
	Issuer string

	// Provider names a profile of package client/provider, such as "github". "": that
	// of Issuer, if it is a known one; "none": no profile, whatever Issuer is. The
	// profile gives what is not given here: the issuer, the endpoints of a server
	// without discovery, the parameters and scopes that a refresh token needs. It says
	// how answers are read, how often a request whose answer was lost is repeated, how
	// long an unused grant lives, and what an error advises.
	Provider string

	// ClientID is the client identifier (RFC 6749 section 2.2). Required.
	ClientID string

	// Auth authenticates a confidential client. Nil: a public client.
	Auth ClientAuth

	// Store keeps the grants. Required: where secrets lie is a decision.
	// keyringstore is for a program of one user, sqlstore for a server.
	Store tokenstore.Store

	// Sealer encrypts each grant before the store gets it. If it is set it is
	// always used. Required unless Store is tokenstore.Protected, as a
	// keyringstore is, and for BeginLogin, whose cookie it seals.
	Sealer tokenstore.Sealer

	// Scopes are asked for at every login (RFC 6749 section 3.3). Nil: openid
	// and offline_access, each unless the server's metadata lists scopes
	// without it; none with Endpoint. A list that is given is asked for as it
	// is: add offline_access yourself where the server wants it for a refresh
	// token. Either way the scopes are added that a profile names (see Provider).
	Scopes []string

	// Params are added to every authorization request: access_type,
	// token_access_type, audience, prompt. What the flow itself sets (state,
	// redirect_uri and so on) cannot be given here; New refuses it. They go before
	// those of a profile (see Provider): a web program whose users sign in with Google
	// day by day sets a prompt of its own, so that they are asked for consent only when
	// FinishLogin says ErrConsentRequired.
	Params url.Values

	// RedirectURL is where the server sends the user's browser after a login on
	// the web or by Paste. Browser does not need it.
	RedirectURL string

	// Endpoint names the endpoints of a server without discovery. Zero: they are
	// those of the profile (see Provider), or discovered from Issuer at the first
	// use. AuthStyle says how Secret is sent: zero means as the profile says, or in
	// the body; there is no probing. Without discovery
	// there are no keys to verify ID tokens with, so Claims has nothing to tell.
	Endpoint oauth2.Endpoint

	// RevocationURL is the revocation endpoint (RFC 7009) of a server without
	// discovery. Only with Endpoint.
	RevocationURL string

	// Background renews the grants of accounts in use ahead of time, so that no
	// caller waits for a renewal. Of these renewals at most 64 are under way at a
	// time, and the others wait for their turn, without a goroutine each; a caller
	// whose token has ended meanwhile does not wait for it. The program must call
	// Close, or goroutines leak and a renewal may be cut off by the end of the program.
	Background bool

	// EarlyRefresh is how long before its expiry an access token is renewed.
	// Zero: in the last quarter of its lifetime, at most 5 minutes. It is
	// limited to half of the lifetime, so that short tokens do not lead to a
	// renewal for every call.
	EarlyRefresh time.Duration

	// HTTPClient is used for requests to the authorization server: its
	// Transport and its Timeout (zero: 30 s for each request). Redirects are
	// not followed and its Jar is not used. Its Transport is also the base of
	// Account.HTTPClient. It must not repeat requests by itself. A Transport that
	// rewrites the answers of the token endpoint is the hook for a server whose
	// answers are none of RFC 6749, if client/provider does not know it: the
	// example AnswersOfAnotherForm shows one. Nil: http.DefaultTransport.
	//
	// What the body of an answer takes is bounded here; two things are up to an
	// http.Transport. MaxResponseHeaderBytes bounds its header: zero is 10 MiB for each
	// request under way, and 64 KiB keeps memory flat whatever a server sends.
	// MaxConnsPerHost bounds the connections: zero is one for each request under way
	// (HTTP/1.1), and with a bound a request spends some of its Timeout on the wait for
	// one, behind those that a slow server holds.
	HTTPClient *http.Client

	// OnEvent is told what happened, after the fact, in order, and while no
	// lock is held, so it may call the Account. It must not block for long:
	// the next event waits for it. The context carries the values of the call
	// that began the work, for trace ids, and is not cancelled.
	OnEvent func(context.Context, Event)
}

// reserved are the parameters that an authorization request sets by itself.
var reserved = []string{
	"client_id", "response_type", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "client_secret", "request", "request_uri",
}

// problems lists everything that is wrong, so that one run shows it all.
func (c *Config) problems() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("client: "+format, args...)) }

	if err := c.providerProblem(); err != nil {
		bad("%w", err)
	}
	if c.Issuer == "" {
		bad("Config.Issuer is empty: give the issuer identifier of your authorization server (https://…)")
	} else if u, err := secureurl.Parse(c.Issuer); err != nil {
		bad("Config.Issuer %w", err)
	} else if u.RawQuery != "" {
		bad("Config.Issuer has a query (RFC 8414 section 2)")
	}
	if c.ClientID == "" {
		bad("Config.ClientID is empty: register the program at the authorization server and give the client identifier")
	} else if !plain(c.ClientID) {
		bad("Config.ClientID holds control characters or is not UTF-8")
	}
	c.storeProblems(bad)
	if v, ok := c.Auth.(interface{ validate() error }); ok {
		if err := v.validate(); err != nil {
			bad("%w", err)
		}
	}
	for _, scope := range c.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }) {
			bad("Config.Scopes: %q is not a scope (RFC 6749 section 3.3): give one scope per element", scope)
		}
	}
	if err := checkParams(c.Params); err != nil {
		bad("Config.Params: %w", err)
	}
	c.endpointProblems(bad)
	if c.EarlyRefresh < 0 {
		bad("Config.EarlyRefresh is negative: leave it zero, or say how long before its expiry a token is to be renewed")
	}
	return errors.Join(errs...)
}

func (c *Config) storeProblems(bad func(string, ...any)) {
	if c.Store == nil {
		bad("Config.Store is nil: choose where grants are kept (keyringstore for a program of one user, sqlstore for a server, memstore for a test)")
		return
	}
	if _, ok := c.Store.(tokenstore.Protected); !ok && c.Sealer == nil {
		bad("Config.Sealer is nil, and %T keeps what it is given in clear: set Sealer (tokenstore.NewSealer or tokenstore.NewPassphraseSealer), or choose a store that protects secrets itself (keyringstore)", c.Store)
	}
}

func (c *Config) endpointProblems(bad func(string, ...any)) {
	for _, e := range []struct{ name, url string }{
		{"Endpoint.AuthURL", c.Endpoint.AuthURL},
		{"Endpoint.TokenURL", c.Endpoint.TokenURL},
		{"Endpoint.DeviceAuthURL", c.Endpoint.DeviceAuthURL},
		{"RevocationURL", c.RevocationURL},
	} {
		if e.url == "" {
			continue
		}
		if _, err := secureurl.Parse(e.url); err != nil {
			bad("Config.%s %w", e.name, err)
		}
	}
	if c.explicit() && c.Endpoint.TokenURL == "" {
		bad("Config.Endpoint has no TokenURL: give it, or leave Endpoint empty to discover everything from Issuer")
	}
	if c.RevocationURL != "" && !c.explicit() {
		bad("Config.RevocationURL is set without Endpoint: the revocation endpoint is discovered, or give Endpoint as well")
	}
	if c.RedirectURL != "" {
		if u, err := url.Parse(c.RedirectURL); err != nil || u.Scheme == "" || strings.Contains(c.RedirectURL, "#") {
			bad("Config.RedirectURL is not an absolute URL without a fragment (RFC 6749 section 3.1.2)")
		}
	}
}

// explicit tells whether the endpoints are given instead of discovered.
func (c *Config) explicit() bool {
	e := c.Endpoint
	return e.AuthURL != "" || e.TokenURL != "" || e.DeviceAuthURL != ""
}

func checkParams(params url.Values) error {
	var errs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch {
		case slices.Contains(reserved, name):
			errs = append(errs, fmt.Sprintf("%q is set by the flow itself", name))
		case len(params[name]) > 1 && name != "resource":
			errs = append(errs, fmt.Sprintf("%q is given more than once (RFC 6749 section 3.1)", name))
		}
	}
	if errs == nil {
		return nil
	}
	return errors.New(strings.Join(errs, "; "))
}

func (c Config) clone() Config {
	c.Scopes = slices.Clone(c.Scopes)
	params := make(url.Values, len(c.Params))
	for name, values := range c.Params {
		params[name] = slices.Clone(values)
	}
	c.Params = params
	return c
}

// key names the grant of an account.
func (c *Config) key(account string) tokenstore.Key {
	return tokenstore.Key{Issuer: c.Issuer, ClientID: c.ClientID, Account: account}
}

// maxName bounds an account name: it becomes a row, a file or a cache entry.
const maxName = 1024

func checkAccount(name string) error {
	switch {
	case name == "":
		return errors.New("the account has no name: give each login of your program one (\"default\" will do for a program with one user)")
	case len(name) > maxName:
		return fmt.Errorf("the account name is longer than %d bytes", maxName)
	case !plain(name):
		return errors.New("the account name holds control characters or is not UTF-8")
	}
	return nil
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// union returns the elements of both in order, each once.
func union(a, b []string) []string {
	seen := map[string]bool{}
	var all []string
	for _, s := range slices.Concat(a, b) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}
