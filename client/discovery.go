package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/secureurl"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// A server is what is known about the authorization server.
type server struct {
	issuer           string
	authURL          string
	tokenURL         string
	refreshURL       string // where refreshes go; mostly the same
	deviceURL        string
	revocationURL    string
	endSessionURL    string
	authMethods      []string // token_endpoint_auth_methods_supported; nil: not said
	scopes           []string // scopes_supported; nil: not said
	challengeMethods []string // code_challenge_methods_supported; nil: not said
	issParameter     bool     // authorization_response_iss_parameter_supported (RFC 9207)
	ids              *idVerifier
}

const (
	metadataTimeout = 15 * time.Second
	metadataMaxBody = 1 << 20
)

// Discover fetches the metadata of the authorization server now instead of at
// the first login or renewal (OpenID Connect Discovery 1.0). It is never needed;
// it makes a wrong Config.Issuer or an unreachable server visible at the start
// of a program. With Config.Endpoint it does nothing.
//
// The issuer in the metadata must equal Config.Issuer to the letter, redirects
// are followed within the issuer's origin only, and every endpoint must be https
// or on loopback; otherwise nothing of the document is used.
func (c *Client) Discover(ctx context.Context) error {
	if c.isClosing() {
		return &Error{Op: "discover", Key: c.cfg.key(""), Err: ErrClosed}
	}
	_, err := c.server(ctx)
	return err
}

// server returns the metadata, discovering it at the first call. Callers that
// come while it is being fetched share the result; each waits no longer than
// its own ctx. A failure is not kept.
func (c *Client) server(ctx context.Context) (*server, error) {
	if s := c.discovered.Load(); s != nil {
		return s, nil
	}
	s, err := c.discovery.Do(ctx, func(ctx context.Context) (*server, error) {
		if s := c.discovered.Load(); s != nil {
			return s, nil
		}
		ctx, done := c.detach(ctx)
		defer done()
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		s, err := c.fetchMetadata(ctx)
		if err != nil {
			return nil, err
		}
		c.discovered.Store(s)
		return s, nil
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = &Error{Op: "discover", Key: c.cfg.key(""), Err: fmt.Errorf("no metadata in time: %w", err)}
	}
	return s, err
}

// rediscover makes the next caller fetch the metadata again.
func (c *Client) rediscover(s *server) {
	if !c.cfg.explicit() {
		c.discovered.CompareAndSwap(s, nil)
	}
}

// explicitServer is the server of a Config that names the endpoints itself.
func explicitServer(cfg *Config, p *provider.Profile) *server {
	e := cfg.Endpoint
	s := &server{
		issuer:        cfg.Issuer,
		authURL:       e.AuthURL,
		tokenURL:      e.TokenURL,
		refreshURL:    e.TokenURL,
		deviceURL:     e.DeviceAuthURL,
		revocationURL: cfg.RevocationURL,
		authMethods:   []string{methodPost},
		scopes:        []string{}, // nothing is asked for unless Config.Scopes says so
	}
	if e.AuthStyle == oauth2.AuthStyleInHeader {
		s.authMethods = []string{methodBasic}
	}
	if p.RefreshURL != "" && e.TokenURL == p.TokenURL {
		s.refreshURL = p.RefreshURL
	}
	return s
}

func (c *Client) fetchMetadata(ctx context.Context) (*server, error) {
	fail := func(temporary bool, err error) *Error {
		return &Error{Op: "discover", Key: c.cfg.key(""), Temporary: temporary, Err: err}
	}
	issuer := c.cfg.Issuer
	hc := metadataClient(c.base())
	ctx = oidc.ClientContext(ctx, hc)
	provider, err := oidc.NewProvider(ctx, issuer)
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) && tenantTemplate(mismatch.Discovered, issuer) {
		// One document for many tenants: the ID token names the real issuer.
		issuer = mismatch.Discovered
		provider, err = oidc.NewProvider(oidc.InsecureIssuerURLContext(ctx, issuer), c.cfg.Issuer)
	}
	if errors.As(err, &mismatch) {
		return nil, fail(false, fmt.Errorf("the metadata names another issuer, %q: Config.Issuer must equal it to the letter (OpenID Connect Discovery 1.0 section 4.3)",
			printable.Text(mismatch.Discovered, 200)))
	}
	if err != nil {
		return nil, discoveryFailure(ctx, fail, err)
	}

	var document json.RawMessage
	var m metadata
	if provider.Claims(&document) != nil || exactly(document, &m) != nil {
		return nil, fail(false, errors.New("the metadata document is malformed"))
	}
	if m.Issuer != issuer { // the document changed between two looks
		return nil, fail(true, errors.New("the metadata names another issuer than a moment ago"))
	}
	if err := m.check(); err != nil {
		return nil, fail(false, err)
	}
	return &server{
		issuer:           issuer,
		authURL:          m.AuthURL,
		tokenURL:         m.TokenURL,
		refreshURL:       m.TokenURL,
		deviceURL:        m.DeviceURL,
		revocationURL:    m.RevocationURL,
		endSessionURL:    m.EndSessionURL,
		authMethods:      m.AuthMethods,
		scopes:           m.Scopes,
		challengeMethods: m.ChallengeMethods,
		issParameter:     m.IssParameter,
		ids:              newIDVerifier(ctx, provider, issuer, m.JWKS, c.cfg.ClientID, c.cfg.Issuer),
	}, nil
}

// metadata holds the members that a client acts on (RFC 8414 section 2).
type metadata struct {
	Issuer           string   `json:"issuer"`
	AuthURL          string   `json:"authorization_endpoint"`
	TokenURL         string   `json:"token_endpoint"`
	DeviceURL        string   `json:"device_authorization_endpoint"`
	RevocationURL    string   `json:"revocation_endpoint"`
	EndSessionURL    string   `json:"end_session_endpoint"`
	JWKS             string   `json:"jwks_uri"`
	AuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	Scopes           []string `json:"scopes_supported"`
	ChallengeMethods []string `json:"code_challenge_methods_supported"`
	IssParameter     bool     `json:"authorization_response_iss_parameter_supported"`
}

// check refuses endpoints that no credential and no user may be sent to. The
// document names where secrets go, and go-oidc takes any scheme.
func (m *metadata) check() error {
	for _, e := range []struct{ name, url string }{
		{"authorization_endpoint", m.AuthURL},
		{"token_endpoint", m.TokenURL},
		{"device_authorization_endpoint", m.DeviceURL},
		{"revocation_endpoint", m.RevocationURL},
		{"end_session_endpoint", m.EndSessionURL},
		{"jwks_uri", m.JWKS},
	} {
		if e.url == "" {
			continue
		}
		if _, err := secureurl.Parse(e.url); err != nil {
			return fmt.Errorf("the metadata cannot be trusted: its %s %w", e.name, err)
		}
	}
	if m.TokenURL == "" {
		return errors.New("the metadata has no token_endpoint: give Config.Endpoint for this server")
	}
	return nil
}

// tenantTemplate tells whether discovered is issuer with "{tenantid}" in the
// place of one path segment, as Microsoft Entra ID serves it for "organizations"
// and "common".
func tenantTemplate(discovered, issuer string) bool {
	before, after, found := strings.Cut(discovered, "/{tenantid}/")
	before, after = before+"/", "/"+after
	if !found || strings.Count(before, "/") < 3 { // https://host/
		return false
	}
	tenant, fits := strings.CutPrefix(issuer, before)
	tenant, also := strings.CutSuffix(tenant, after)
	return fits && also && tenant != "" && !strings.Contains(tenant, "/")
}

func discoveryFailure(ctx context.Context, fail func(bool, error) *Error, err error) error {
	// The timer of http.Client may fire a moment before that of ctx.
	deadline, limited := ctx.Deadline()
	late := limited && !time.Now().Before(deadline)
	var status *statusError
	switch {
	case late || ctx.Err() != nil:
		return fail(true, errors.New("no metadata in time"))
	case errors.As(err, &status):
		e := fail(status.temporary(), fmt.Errorf("%w (is Config.Issuer right, and does it serve /.well-known/openid-configuration? A server without it needs Config.Endpoint)", status))
		e.RetryAfter = status.retryAfter
		return e
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		cause := u.Err
		if text := printable.Text(cause.Error(), 200); text != cause.Error() {
			cause = errors.New(text) // it quotes what came, of any length: a Location that is no URL
		}
		return fail(!errors.Is(err, errMetadata), fmt.Errorf("the server's metadata cannot be had: %w", cause))
	}
	// What go-oidc says may repeat the document.
	return fail(false, fmt.Errorf("the metadata document is no use: %s", printable.Text(err.Error(), 200)))
}

// metadataClient fetches discovery documents and key sets: bounded, and without
// leaving the origin that was asked.
func metadataClient(base http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: bounded{base},
		Timeout:   metadataTimeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
				return fmt.Errorf("%w: it redirects elsewhere", errMetadata)
			}
			return nil
		},
	}
}

var errMetadata = errors.New("the document is refused")

// bounded turns a status that is neither 200 nor a redirect into an error, so that
// nobody quotes its body, and limits the length of any other body.
type bounded struct{ base http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// What net/http follows, rather than returns.
	redirect := slices.Contains([]int{301, 302, 303, 307, 308}, resp.StatusCode) && resp.Header.Get("Location") != ""
	if resp.StatusCode != http.StatusOK && !redirect {
		_ = resp.Body.Close()
		return nil, &statusError{resp.StatusCode, tokenendpoint.RetryAfter(resp.Header, time.Now())}
	}
	resp.Body = &limitedBody{resp.Body, metadataMaxBody}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: it is longer than %d bytes", errMetadata, metadataMaxBody)
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

type statusError struct {
	status     int
	retryAfter time.Duration
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server's metadata cannot be had: status %d", e.status)
}

func (e *statusError) temporary() bool {
	return e.status >= 500 || e.status == http.StatusTooManyRequests
}

// defaultScopes are asked for when Config.Scopes is nil.
func (s *server) defaultScopes() []string {
	var scopes []string
	for _, scope := range []string{"openid", "offline_access"} {
		if s.scopes == nil || slices.Contains(s.scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
