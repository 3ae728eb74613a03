package transport

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/oauth2"
)

// A Transport is an [http.RoundTripper] that adds the token of its Source to
// requests. It is safe for concurrent use; its fields must not be changed once
// it is in use, and it must not be copied.
type Transport struct {
	// Source gives the token. Required. If it is a Refresher, the token is
	// renewed after a 401 and the request sent a second time.
	Source Source

	// Base sends the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper

	// Origins lists where the token may go, each as "scheme://host" or
	// "scheme://host:port", without path, query or wildcard. Nil means the
	// origin of the request that the program made. An entry that is not an
	// origin, and a list that is empty but not nil, make every request fail.
	//
	// Hosts are compared without regard to ASCII case, and otherwise as they
	// are written: an internationalized name and its punycode form differ.
	Origins []string

	parse   sync.Once
	allowed []origin
	invalid error

	header atomic.Pointer[bearer]
}

// A bearer is the value of an Authorization header, and what it was made from.
type bearer struct {
	tokenType, accessToken string
	value                  []string
}

// RoundTrip sends req with the token of t.Source. A redirected request that
// must not have the token is sent without one.
//
// An Authorization header that the caller set is never sent. Neither req nor
// the Request of the response ever holds the token.
//
// If t.Source has no token, nothing is sent; errors.Is and errors.AsType find
// the error of the Source.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	tok, authorization, err := t.authorize(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.send(req, authorization)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || tok == nil {
		return resp, err
	}
	return t.replay(req, resp, tok)
}

// authorize returns the token for req and the header that carries it, or nil
// for both if req is to go without.
func (t *Transport) authorize(req *http.Request) (*oauth2.Token, []string, error) {
	if t.Source == nil {
		return nil, nil, errors.New("transport: Transport.Source is nil: set it to where tokens come from")
	}
	trusted, err := t.trusts(req)
	if err != nil || !trusted {
		return nil, nil, err
	}
	tok, err := t.Source.Token(req.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("transport: no token, so the request was not sent: %w", err)
	}
	authorization, err := t.authorization(tok)
	return tok, authorization, err
}

// authorization returns the header value for tok. The last one is kept ready,
// as most requests are made with the token of the one before.
func (t *Transport) authorization(tok *oauth2.Token) ([]string, error) {
	if tok == nil || tok.AccessToken == "" {
		return nil, errors.New("transport: the Source returned neither a token nor an error, so the request was not sent")
	}
	if h := t.header.Load(); h != nil && h.accessToken == tok.AccessToken && h.tokenType == tok.TokenType {
		return h.value, nil
	}
	// RFC 6749 section 7.1: a client must not use a token whose type it does
	// not understand.
	if tok.TokenType != "" && !strings.EqualFold(tok.TokenType, "Bearer") {
		return nil, fmt.Errorf("transport: the token is of type %q, but only bearer tokens can be sent", tok.TokenType)
	}
	if strings.ContainsFunc(tok.AccessToken, unprintable) {
		return nil, errors.New("transport: the token has a space, a line end or another character that no token has: was it read from a file with its line end?")
	}
	h := &bearer{tok.TokenType, tok.AccessToken, []string{"Bearer " + tok.AccessToken}}
	t.header.Store(h)
	return h.value, nil
}

// unprintable reports whether r has no place in a bearer token. RFC 6750
// section 2.1 allows less, but tokens with other printable characters are used.
func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// send sends a copy of req with the given Authorization header, or with none.
//
// The copy has its own header map, and shares the values: a RoundTripper
// changes neither (see http.RoundTripper), so req need not be cloned.
func (t *Transport) send(req *http.Request, authorization []string) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	sent := req.WithContext(req.Context())
	sent.Header = maps.Clone(req.Header)
	for name := range sent.Header {
		// A caller's key need not be canonical; net/http sends it as it is.
		if len(name) == len("Authorization") && strings.EqualFold(name, "Authorization") {
			delete(sent.Header, name)
		}
	}
	if authorization != nil {
		if sent.Header == nil {
			sent.Header = make(http.Header, 1)
		}
		sent.Header["Authorization"] = authorization
	}
	resp, err := base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	if resp.Request == sent {
		resp.Request = req
	}
	return resp, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
