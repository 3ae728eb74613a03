package clienttest

import (
	"net/http"
	"net/url"
)

// revoke is the revocation endpoint (RFC 7009). An unknown token, and one of
// another client, is answered with 200 (section 2.2).
func (s *Server) revoke(c *call) {
	client, ok := c.clientRequest()
	if !ok {
		return
	}
	value := c.x.Form.Get("token")
	if value == "" {
		c.fail(http.StatusBadRequest, "invalid_request", "token is missing")
		return
	}
	c.status = http.StatusOK
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.grants.refresh[value]; t != nil && t.family.client == client.ID {
		c.about(t.family, t.generation)
		s.grants.revokeRefresh(t, c.opts.Revocation)
	}
	if a := s.grants.access[value]; a != nil && a.family.client == client.ID {
		c.x.Account, c.x.Family = a.family.account, a.family.id
		a.ended = true
	}
}

// endSession is the end session endpoint (OpenID Connect RP-Initiated Logout 1.0).
// The browser has no session here that could end, and refresh tokens outlive
// it, as they do elsewhere.
func (s *Server) endSession(c *call) {
	params := c.x.Query
	if c.r.Method == http.MethodPost {
		params = c.x.Form
	}
	uri := params.Get("post_logout_redirect_uri")
	if uri == "" {
		c.messagePage("Logged out", "You can close this window.")
		return
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || !isLoopback(u) {
		c.errorPage("post_logout_redirect_uri is not on loopback.")
		return
	}
	c.status, c.redirect, c.object = http.StatusSeeOther, uri, map[string]any{}
	if state := params.Get("state"); state != "" {
		c.object["state"] = state
	}
}
