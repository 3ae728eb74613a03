// Package forward is a reverse proxy that adds a token to requests for one upstream, and
// serves only those who know the secret of its run.
//
// It listens on loopback, where other users of the machine and the pages in a browser can
// reach it, too. What stands in their way, each alone:
//
//   - a secret of 130 bits, new for each run, as the password of HTTP Basic, as a bearer
//     token, or as the first segment of the path;
//   - the Host of a request has to be the address of the proxy, which that of a page is not
//     whose name was bound to 127.0.0.1 later (DNS rebinding);
//   - what a browser sends for a page is refused, unless the origin of the page was named.
//
// None of these three goes on to the upstream.
package forward

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
)

// A Proxy is a handler that forwards to Upstream.
type Proxy struct {
	// Upstream is where requests go: an origin, and perhaps a path that all of them are below.
	Upstream *url.URL

	// Transport sends the requests, and adds the token. It must do that for the origin
	// of Upstream alone.
	Transport http.RoundTripper

	// Secret is what a request has to know. "": whoever reaches the proxy may use it, as
	// with a socket that belongs to the user.
	Secret string

	// Hosts are the names of the proxy itself, with the port. Nil: any.
	Hosts []string

	// Pages are origins of web pages that may use it, as "https://app.example.com".
	Pages []string

	// Failed is told what could not be sent, and answers.
	Failed func(http.ResponseWriter, *http.Request, error)

	// Refused is told that the upstream has refused the token, a renewed one as well.
	Refused func(*http.Request)
}

// NewSecret returns a secret for a run.
func NewSecret() string { return rand.Text() }

// Upstream reads where to forward to. A token goes over https, or to this machine.
func Upstream(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, errors.New("the upstream is no URL such as https://api.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the upstream is a scheme, a host, and perhaps a path: nothing else goes into it")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, errors.New("the token goes over https only, or to this machine")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Origin is the scheme, host and port of a URL.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// ServeHTTP forwards a request, or refuses it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Hosts != nil && !slices.Contains(p.Hosts, strings.ToLower(r.Host)) {
		refuse(w, http.StatusMisdirectedRequest, "this is a proxy of "+p.Upstream.Host+" under another name")
		return
	}
	page := r.Header.Get("Origin")
	if !p.welcome(page, r.Header.Get("Sec-Fetch-Site")) {
		refuse(w, http.StatusForbidden, "web pages may not use this proxy: start it with --page ORIGIN if this one shall")
		return
	}
	if page != "" {
		p.share(w.Header(), page)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(w, r) // a browser sends it without credentials
			return
		}
	}
	path, inPath, known := p.authenticate(r)
	switch {
	case !known:
		w.Header().Set("WWW-Authenticate", `Basic realm="regrant proxy"`)
		refuse(w, http.StatusUnauthorized, "this proxy serves those who know the secret that it has shown at its start")
		return
	case !strings.HasPrefix(path, "/") || climbs(path):
		refuse(w, http.StatusBadRequest, "there is no such path")
		return
	}
	p.forward(w, r, path, inPath)
}

// welcome tells whether a request is that of a program, or of a page that may. A browser
// says so of pages by Origin, and where that is left out, as for images and links, by
// Sec-Fetch-Site; "none" is an address that the user has typed.
func (p *Proxy) welcome(page, site string) bool {
	if page != "" {
		return slices.Contains(p.Pages, page)
	}
	return site == "" || site == "none"
}

// share lets a page read the answer (the CORS protocol of the Fetch standard).
func (p *Proxy) share(h http.Header, page string) {
	h.Set("Access-Control-Allow-Origin", page)
	h.Add("Vary", "Origin")
}

func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	w.WriteHeader(http.StatusNoContent)
}

// authenticate tells whether a request knows the secret, and returns the path without
// it, as it was escaped.
func (p *Proxy) authenticate(r *http.Request) (path string, inPath, known bool) {
	path = r.URL.EscapedPath()
	if p.Secret == "" {
		return path, false, true
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if p.is(first) {
		return "/" + rest, true, true
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		known = p.is(strings.TrimSpace(value))
	case "basic":
		pair, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(value)) // what cannot be decoded is not it
		_, password, _ := strings.Cut(string(pair), ":")
		known = p.is(password)
	}
	return path, false, known
}

// is compares in constant time. The length is known to everybody.
func (p *Proxy) is(guess string) bool {
	return subtle.ConstantTimeCompare([]byte(guess), []byte(p.Secret)) == 1
}

// climbs tells whether a path may leave the one that it is below. Clients resolve these
// segments before they send anything (RFC 3986 section 5.2.4).
func climbs(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\`) && strings.Contains(plain, "..") {
			return true
		}
	}
	return false
}

func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, path string, inPath bool) {
	plain, _ := url.PathUnescape(path) // climbs has seen that it can be
	base := ""
	if inPath {
		base = "/" + p.Secret
	}
	(&httputil.ReverseProxy{
		Transport:     p.Transport,
		FlushInterval: -1, // what the upstream sends now is wanted now: logs, events, watches
		ErrorHandler:  p.Failed,
		Rewrite: func(r *httputil.ProxyRequest) {
			out := r.Out
			out.URL.Path, out.URL.RawPath = plain, path
			r.SetURL(p.Upstream)
			out.URL.RawQuery = r.In.URL.RawQuery // as it is: what it means is for the upstream to say
			for _, name := range []string{"Authorization", "Origin", "Referer"} {
				out.Header.Del(name) // they have the secret, or are about the proxy
			}
			for name := range out.Header {
				if strings.HasPrefix(name, "Sec-Fetch-") {
					out.Header.Del(name)
				}
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusUnauthorized {
				p.Refused(resp.Request)
			}
			p.comeBack(resp.Header, base)
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					resp.Header.Del(name) // it spoke to the proxy, not to a page
				}
			}
			return nil
		},
	}).ServeHTTP(w, r)
}

// comeBack makes a redirect within the upstream one within the proxy. All others lead
// to somebody who gets no token.
func (p *Proxy) comeBack(h http.Header, base string) {
	location, err := url.Parse(h.Get("Location"))
	if err != nil || h.Get("Location") == "" {
		return
	}
	absolute := location.Host != ""
	if absolute && (location.Scheme != "" && location.Scheme != p.Upstream.Scheme || !strings.EqualFold(location.Host, p.Upstream.Host)) {
		return
	}
	root := strings.TrimSuffix(p.Upstream.EscapedPath(), "/")
	path := location.EscapedPath()
	rest, below := strings.CutPrefix(path, root)
	if !strings.HasPrefix(path, "/") || !below || rest != "" && rest[0] != '/' {
		return
	}
	if rest == "" {
		rest = "/"
	}
	if location.RawQuery != "" {
		rest += "?" + location.RawQuery
	}
	if location.Fragment != "" {
		rest += "#" + location.EscapedFragment()
	}
	h.Set("Location", base+rest)
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "regrant: "+text+"\n") // who does not listen has gone
}
