package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

const (
	ipv4 = "127.0.0.1"
	ipv6 = "::1"
	name = "localhost"
)

// bind opens what is to be listened on for redirectURI, and returns the URI with
// the port in it.
func bind(ctx context.Context, redirectURI string) (*url.URL, []net.Listener, error) {
	if redirectURI == "" {
		u, listeners, err := bindTo(ctx, &url.URL{Scheme: "http", Host: ipv4, Path: "/callback"})
		if err != nil { // RFC 8252 section 7.3: do not assume that there is IPv4
			u, listeners, err = bindTo(ctx, &url.URL{Scheme: "http", Host: "[" + ipv6 + "]", Path: "/callback"})
		}
		return u, listeners, err
	}
	u, err := parse(redirectURI)
	if err != nil {
		return nil, nil, fmt.Errorf("the redirect URI %q %w", redirectURI, err)
	}
	return bindTo(ctx, u)
}

// parse returns the redirect URI if a Receiver can answer it.
func parse(redirectURI string) (*url.URL, error) {
	u, err := url.Parse(redirectURI)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http":
		return nil, errors.New("is not an http URL, which is what is received on the loopback interface (RFC 8252 section 7.3)")
	case u.Fragment != "" || strings.Contains(redirectURI, "#"):
		return nil, errors.New("has a fragment, which no redirect URI may have (RFC 6749 section 3.1.2)")
	case u.User != nil:
		return nil, errors.New("holds user information")
	case !isLoopback(u.Hostname()):
		return nil, errors.New("is not on the loopback interface: its host has to be 127.0.0.1, [::1] or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return nil, errors.New("has a port that does not exist")
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == name || err == nil && ip.IsLoopback() && !ip.Is4In6() && ip.Zone() == ""
}

// bindTo listens for u, and returns a copy of u with the port in it.
func bindTo(ctx context.Context, u *url.URL) (*url.URL, []net.Listener, error) {
	port := u.Port()
	if port == "" {
		port = "0"
	}
	var listeners []net.Listener
	var err error
	if u.Hostname() == name {
		listeners, err = listenBoth(ctx, port)
	} else {
		var l net.Listener
		l, err = listen(ctx, u.Hostname(), port)
		listeners = []net.Listener{l}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the redirect cannot be received; is another login, or another program, using the port? (%w)", err)
	}
	bound := *u
	bound.Host = net.JoinHostPort(u.Hostname(), portOf(listeners[0]))
	return &bound, listeners, nil
}

// listenBoth listens on one port of both loopback addresses. A port that
// somebody else has on one of them is no use: the browser might go there.
func listenBoth(ctx context.Context, port string) ([]net.Listener, error) {
	const tries = 10 // a port that the system chose for IPv4 may be taken on IPv6
	for i := 1; ; i++ {
		listeners, err := listenOn(ctx, port, ipv4, ipv6)
		if err == nil || port != "0" || i == tries {
			return listeners, err
		}
	}
}

// listenOn listens on those of the hosts that this machine has.
func listenOn(ctx context.Context, port string, hosts ...string) (listeners []net.Listener, err error) {
	var missing error
	for _, host := range hosts {
		l, err := listen(ctx, host, port)
		switch {
		case err == nil:
			listeners = append(listeners, l)
			port = portOf(l)
		case !exists(ctx, host):
			missing = err
		default:
			closeAll(listeners)
			return nil, err
		}
	}
	if len(listeners) == 0 {
		return nil, missing
	}
	return listeners, nil
}

// exists tells whether the machine has host at all.
func exists(ctx context.Context, host string) bool {
	l, err := listen(ctx, host, "0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// listen listens on a port that nobody else may have (RFC 8252 appendix B).
func listen(ctx context.Context, host, port string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if controlErr := c.Control(func(fd uintptr) { err = exclusive(fd) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	return config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
}

func portOf(l net.Listener) string {
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
