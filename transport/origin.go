package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regrant/regrant/internal/secureurl"
)

// An origin is what a token is bound to (RFC 6454 section 4): a scheme, and a
// host with its port unless that is the scheme's own. Two that are equal lead
// to one place; the reverse need not hold.
type origin struct{ scheme, host string }

func originOf(u *url.URL) origin {
	host := lower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return origin{u.Scheme, strings.TrimSuffix(host, ":")}
}

func (o origin) String() string { return o.scheme + "://" + o.host }

// lower folds ASCII only. Unicode has letters whose lower case is an ASCII
// letter, U+0130 for one: strings.ToLower takes a domain with such a letter,
// which is somebody else's, for the one with the ASCII letter.
func lower(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// confidential reports whether what is sent to u is kept from the network.
func confidential(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && secureurl.IsLoopback(u.Hostname())
}

// trusts reports whether the token may go with req. Its error means that req
// must not be sent at all: the program asked for what can only be a mistake.
// Where a redirect leads is not the program's mistake.
func (t *Transport) trusts(req *http.Request) (bool, error) {
	if req.URL == nil {
		return false, errors.New("transport: the request has no URL")
	}
	t.parse.Do(t.parseOrigins)
	if t.invalid != nil {
		return false, t.invalid
	}
	if req.Response != nil {
		return t.trustsRedirect(req), nil
	}
	if !confidential(req.URL) {
		return false, fmt.Errorf("transport: a token goes over https, or over http to a loopback address: the request to %v was not sent", originOf(req.URL))
	}
	if t.Origins != nil && !slices.Contains(t.allowed, originOf(req.URL)) {
		return false, fmt.Errorf("transport: %v is not in Origins, so the request was not sent", originOf(req.URL))
	}
	return true, nil
}

// trustsRedirect walks back the chain of redirects that led to req. Every
// request of it must have been one that may carry the token: a chain that was
// once elsewhere is led by somebody else, also on its way back.
func (t *Transport) trustsRedirect(req *http.Request) bool {
	if !confidential(req.URL) {
		return false
	}
	allowed := t.allowed
	if t.Origins == nil {
		allowed = []origin{originOf(req.URL)}
	}
	for slices.Contains(allowed, originOf(req.URL)) {
		if req.Response == nil {
			return true
		}
		req = req.Response.Request
		if req == nil || req.URL == nil {
			// A RoundTripper on the way did not say what it sent, so nobody
			// knows where the chain began.
			return false
		}
	}
	return false
}

func (t *Transport) parseOrigins() {
	if t.Origins != nil && len(t.Origins) == 0 {
		t.invalid = errors.New("transport: Origins is empty, so no request can be sent: list an origin, or leave Origins nil")
	}
	for i, entry := range t.Origins {
		o, err := parseOrigin(entry)
		if err != nil {
			t.invalid = fmt.Errorf("transport: Origins[%d] %q: %w", i, withoutUserinfo(entry), err)
			return
		}
		t.allowed = append(t.allowed, o)
	}
}

func parseOrigin(s string) (origin, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.Contains(u.Host, "*") {
		return origin{}, errors.New(`not an origin such as "https://api.example.com" or "https://api.example.com:8443"`)
	}
	if !confidential(u) {
		return origin{}, errors.New("a token goes over https, or over http to a loopback address")
	}
	o := originOf(u)
	if *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return origin{}, fmt.Errorf("an origin is a scheme and a host, nothing else: write %q", o)
	}
	return o, nil
}

func withoutUserinfo(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "..." + s[i:]
	}
	return s
}
