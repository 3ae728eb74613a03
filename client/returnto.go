package client

import (
	"net/http"
	"net/url"
	"strings"
)

// maxReturn bounds a return path: it travels in a cookie.
const maxReturn = 1024

// ReturnTo tells, in the handler of Config.RedirectURL, where the user wants to be
// after the login that r is the response to: the ReturnTo that BeginLogin was given.
// Each tab of a browser has its own. It is "/" if BeginLogin was given nothing that
// can be used, or if r belongs to no login of this browser. It can be called before
// FinishLogin and after it, whether or not that succeeds.
//
// It is always a path on the program's own site, so it can be redirected to as it is.
func (c *Client) ReturnTo(r *http.Request) string {
	jar, err := c.webAccount("").webJar()
	if err != nil {
		return "/"
	}
	p, _, err := jar.find(r, r.URL.Query())
	if err != nil {
		return "/"
	}
	return localPath(p.ReturnTo)
}

// localPath returns target if it is a path of the very site that redirects to it,
// and else "/". Whoever makes a link to a login chooses its return path; a site that
// follows it elsewhere sends its users, fresh from a page that they trust, to
// wherever the link wants (RFC 9700 section 4.11).
func localPath(target string) string {
	u, err := url.Parse(target) // refuses control characters, which browsers leave out
	switch {
	case err != nil, u.Scheme != "", u.Opaque != "", u.Host != "", u.User != nil, len(target) > maxReturn,
		!strings.HasPrefix(target, "/"),
		strings.HasPrefix(target, "//"), // names a host, also if url.Parse sees none
		strings.Contains(target, `\`),   // is a slash to a browser
		strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "/"
	}
	return target
}
