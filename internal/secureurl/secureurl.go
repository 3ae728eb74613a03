// Package secureurl says which URLs may carry a credential: https anywhere,
// plain http on the loopback interface only (RFC 6749 section 10.8, OAuth 2.1
// section 1.5).
package secureurl

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// maxLength bounds what a hostile metadata document can make us keep and print.
const maxLength = 2048

// Parse returns raw as a URL that a credential may be sent to, or an error that
// says why not. The error never repeats raw: it may hold what is not for a log.
func Parse(raw string) (*url.URL, error) {
	if len(raw) > maxLength {
		return nil, errors.New("is longer than 2048 bytes")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("is not an absolute URL")
	case u.User != nil:
		return nil, errors.New("holds user information")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("has a fragment")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && IsLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("is plain http: use https (http is for the loopback interface only)")
	}
	return nil, errors.New("is neither https nor http on the loopback interface")
}

// IsLoopback tells whether host (without a port or brackets) names this very
// machine. The name localhost counts: it is what local development servers
// are called, and resolvers must not send it elsewhere (RFC 6761 section 6.3).
func IsLoopback(host string) bool {
	// The length rules out "\u017f", which EqualFold takes for an "s".
	if len(host) == len("localhost") && strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && ip.Zone() == ""
}
