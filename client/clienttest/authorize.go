package clienttest

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLifetime is the most that RFC 6749 section 4.1.2 recommends.
const codeLifetime = 10 * time.Minute

// An authRequest is an authorization request that has been checked.
type authRequest struct {
	client      Client
	redirectURI string
	state       string
	scope       []string
	nonce       string
	challenge   string
	offline     bool // what a refresh token needs is asked for; only of Options.Provider
}

// A code is an authorization code.
type code struct {
	authRequest
	account string
	expires time.Time
	used    bool
	family  *family // what it brought
}

// authorize is the authorization endpoint (RFC 6749 section 3.1, OpenID Connect
// Core 1.0 section 3.1.2).
func (s *Server) authorize(c *call) {
	params := c.x.Query
	if c.r.Method == http.MethodPost {
		params = c.x.Form
	}
	req, ok := c.redirectTarget(params)
	if !ok {
		return
	}
	if code, description := c.check(req, params); code != "" {
		c.sendBack(req, map[string]any{"error": code, "error_description": description})
		return
	}
	account := c.r.Header.Get(userHeader)
	if account == "" && c.opts.LoginPage {
		if params.Get("prompt") == "none" {
			c.sendBack(req, map[string]any{"error": "login_required", "error_description": "nobody is logged in"})
			return
		}
		c.showLogin(req)
		return
	}
	if account == "" {
		account = params.Get("login_hint")
	}
	if _, known := c.opts.user(account); !known && c.r.Header.Get(userHeader) == "" {
		account = c.opts.Users[0].Account
	}
	c.decide(req, account, !c.opts.UserDenies)
}

// redirectTarget finds out where to send the user back to. While that is not
// sure, errors are shown to the user and go nowhere (RFC 6749 section 4.1.2.1).
func (c *call) redirectTarget(params url.Values) (*authRequest, bool) {
	client, known := c.opts.client(params.Get("client_id"))
	uri := params.Get("redirect_uri")
	switch {
	case !known || len(params["client_id"]) > 1:
		c.errorPage("client_id is missing, repeated, or not registered.")
	case uri == "" || len(params["redirect_uri"]) > 1:
		c.errorPage("redirect_uri is missing or repeated.")
	case !client.redirectsTo(uri):
		c.errorPage("redirect_uri is not one of those that the client has registered.")
	default:
		c.x.ClientID = client.ID
		scope := c.grantable(params.Get("scope"))
		return &authRequest{
			client:      client,
			redirectURI: uri,
			state:       params.Get("state"),
			scope:       scope,
			offline:     c.asksForRefreshToken(scope, params),
			nonce:       params.Get("nonce"),
			challenge:   params.Get("code_challenge"),
		}, true
	}
	return nil, false
}

// redirectsTo compares exactly (RFC 9700 section 2.1), the port of a loopback
// address excepted.
func (cl Client) redirectsTo(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || strings.Contains(uri, "#") {
		return false
	}
	if cl.RedirectURIs == nil {
		return u.Scheme == "http" && (isLoopback(u) || u.Hostname() == "localhost")
	}
	return slices.ContainsFunc(cl.RedirectURIs, func(registered string) bool {
		r, err := url.Parse(registered)
		if err != nil || r.Scheme != "http" || !isLoopback(r) || u.Scheme != "http" || r.Hostname() != u.Hostname() {
			return uri == registered
		}
		asked := *u
		asked.Host, r.Host = "", ""
		return asked.String() == r.String()
	})
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// check returns the error code that an authorization request deserves, or "".
func (c *call) check(req *authRequest, params url.Values) (code, description string) {
	method := params.Get("code_challenge_method")
	switch {
	case repeated(params) != "":
		return "invalid_request", repeated(params) + " is repeated"
	case params.Has("request"):
		return "request_not_supported", "request objects are not supported"
	case params.Has("request_uri"):
		return "request_uri_not_supported", "request objects are not supported"
	case params.Get("response_type") != "code":
		return "unsupported_response_type", "response_type must be code"
	case params.Has("response_mode") && params.Get("response_mode") != "query":
		return "invalid_request", "response_mode must be query"
	case params.Has("client_secret"):
		return "invalid_request", "client_secret is in the URL, where logs see it"
	case req.challenge == "" && req.client.AuthMethod == authNone:
		return "invalid_request", "a public client must use PKCE (RFC 9700 section 2.1.1)"
	case req.challenge != "" && (method != "S256" || len(req.challenge) != 43):
		return "invalid_request", "code_challenge_method must be S256"
	}
	for _, resource := range params["resource"] {
		if !slices.Contains(c.opts.Resources, resource) {
			return "invalid_target", "the resource is not one of Options.Resources"
		}
	}
	return "", ""
}

// decide ends an authorization request as the user wants it.
func (c *call) decide(req *authRequest, account string, agrees bool) {
	if _, known := c.opts.user(account); !known {
		c.errorPage("The account is not one of Options.Users.")
		return
	}
	c.x.Account = account
	if !agrees {
		c.sendBack(req, map[string]any{"error": "access_denied", "error_description": "the user refused"})
		return
	}
	value := rand.Text()
	c.s.mu.Lock()
	c.s.grants.codes[value] = &code{authRequest: *req, account: account, expires: c.now.Add(codeLifetime)}
	c.s.mu.Unlock()
	c.sendBack(req, map[string]any{"code": value})
}

// sendBack redirects to the client, with state and iss (RFC 9207).
func (c *call) sendBack(req *authRequest, params map[string]any) {
	if code, ok := params["error"].(string); ok {
		c.refuse(code)
	}
	params["iss"] = c.s.issuer
	if req.state != "" {
		params["state"] = req.state
	}
	c.header.Set("Cache-Control", "no-store")
	c.header.Set("Referrer-Policy", "no-referrer")
	// 303: a browser must not post the login form to the client (RFC 9700 section 4.12).
	c.status, c.redirect, c.object = http.StatusSeeOther, req.redirectURI, params
}

// showLogin asks the person in front of the browser.
func (c *call) showLogin(req *authRequest) {
	handle := rand.Text()
	c.s.mu.Lock()
	c.s.grants.logins[handle] = req
	c.s.mu.Unlock()
	c.page(http.StatusOK, "login", map[string]any{
		"Title": "Log in", "Client": req.client.ID, "Scopes": req.scope, "Users": c.opts.Users,
		"Action": c.s.URL(loginPath), "Field": "request", "Handle": handle,
	})
}

// login takes the answer of the login page.
func (s *Server) login(c *call) {
	s.mu.Lock()
	req := s.grants.logins[c.x.Form.Get("request")]
	delete(s.grants.logins, c.x.Form.Get("request"))
	s.mu.Unlock()
	if c.r.Method != http.MethodPost || req == nil {
		c.errorPage("This page has been answered before. Begin again in the program that sent you here.")
		return
	}
	c.x.ClientID = req.client.ID
	c.decide(req, c.x.Form.Get("account"), c.x.Form.Get("decision") == decisionAllow)
}
