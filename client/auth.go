package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
)

// A ClientAuth authenticates the client at the token, revocation and device
// endpoints (RFC 6749 section 2.3). Write one for a key in a KMS or a workload
// identity: sign a client assertion and set it in the Form (RFC 7521 section 4.2).
//
// Authenticate is called for every single request, so that an assertion is
// never sent twice. It must use exactly one method, and be safe for concurrent
// use.
type ClientAuth interface {
	Authenticate(ctx context.Context, req *TokenRequest) error
}

// A TokenRequest is a request to an endpoint of the authorization server, just
// before it is sent. ClientID is not yet in the Form.
type TokenRequest struct {
	Endpoint string      // the URL that it goes to
	Issuer   string      // the audience of a client assertion
	ClientID string      // Config.ClientID
	Methods  []string    // token_endpoint_auth_methods_supported of the server; nil: it does not say
	Form     url.Values  // body of the request
	Header   http.Header // additional header fields
}

// Format prints whose request it is and where it goes, for any verb of fmt: the
// Form and the Header hold secrets.
func (r TokenRequest) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "request of client %q to %s (its form is not shown)", r.ClientID, r.Endpoint)
}

// LogValue is Format for package slog.
func (r TokenRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText is Format for package encoding/json.
func (r TokenRequest) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// Secret authenticates a confidential client by its secret (RFC 6749 section
// 2.3.1): by HTTP Basic, or in the body where the server's metadata offers only
// client_secret_post. With Config.Endpoint its AuthStyle decides: in the header
// for oauth2.AuthStyleInHeader, else in the body. It never finds out by trying:
// a trial may spend a single-use refresh token.
//
// An empty secret is an error of New: the usual cause is an unset variable.
func Secret(secret string) ClientAuth {
	// In a closure, where no verb of fmt looks.
	return &secretAuth{get: func(context.Context) (string, error) { return secret, nil }, empty: secret == ""}
}

// SecretFunc is Secret for a secret that changes: get is called for every
// request. An error of get is an error of the request, and nothing is sent.
func SecretFunc(get func(context.Context) (string, error)) ClientAuth {
	return &secretAuth{get: get}
}

type secretAuth struct {
	get   func(context.Context) (string, error)
	empty bool // known at once
}

const (
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
)

func (a *secretAuth) Authenticate(ctx context.Context, req *TokenRequest) error {
	secret, err := a.get(ctx)
	if err != nil {
		return err
	}
	if secret == "" {
		return errors.New("the client secret is empty")
	}
	if slices.Contains(req.Methods, methodPost) && !slices.Contains(req.Methods, methodBasic) {
		req.Form.Set("client_id", req.ClientID)
		req.Form.Set("client_secret", secret)
		return nil
	}
	// RFC 6749 section 2.3.1 wants both halves form-encoded before Base64.
	basic := http.Request{Header: req.Header}
	basic.SetBasicAuth(url.QueryEscape(req.ClientID), url.QueryEscape(secret))
	return nil
}

func (a *secretAuth) validate() error {
	switch {
	case a.empty:
		return errors.New("Config.Auth: the client secret is empty; is the variable it comes from set? (leave Auth nil for a public client)")
	case a.get == nil:
		return errors.New("Config.Auth: SecretFunc was given no function")
	}
	return nil
}

const redacted = "client secret (not shown)"

// The secret stays out of %v, %+v, %#v, JSON and slog.
func (*secretAuth) String() string               { return redacted }
func (*secretAuth) GoString() string             { return redacted }
func (*secretAuth) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (*secretAuth) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// publicAuth names a client that has no secret (RFC 6749 section 3.2.1).
type publicAuth struct{}

func (publicAuth) Authenticate(_ context.Context, req *TokenRequest) error {
	req.Form.Set("client_id", req.ClientID)
	return nil
}
