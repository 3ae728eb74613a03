package clienttest

import (
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// clientRequest checks what the token, revocation and device endpoints demand of
// every request, and returns the client that authenticated itself. Otherwise it
// answers.
func (c *call) clientRequest() (Client, bool) {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case c.r.Method != http.MethodPost:
		c.header.Set("Allow", http.MethodPost)
		c.fail(http.StatusMethodNotAllowed, "invalid_request", "use POST (RFC 6749 section 3.2)")
	case kind != c.requestType():
		c.fail(http.StatusUnsupportedMediaType, "invalid_request", "the body is not "+c.requestType())
	case c.x.Form == nil:
		c.fail(http.StatusBadRequest, "invalid_request", "the body is malformed")
	case c.credentialInURL() != "":
		c.fail(http.StatusBadRequest, "invalid_request", c.credentialInURL()+" is in the URL, where logs see it (RFC 6749 section 2.3.1)")
	case repeated(c.x.Form) != "":
		c.fail(http.StatusBadRequest, "invalid_request", repeated(c.x.Form)+" is repeated (RFC 6749 section 3.2)")
	default:
		return c.authenticate()
	}
	return Client{}, false
}

func (c *call) credentialInURL() string {
	for _, name := range []string{
		"client_secret", "refresh_token", "code", "code_verifier", "device_code", "username", "password", "token", "access_token", "client_assertion",
	} {
		if c.x.Query.Has(name) {
			return name
		}
	}
	return ""
}

// repeated returns a parameter that is there more than once. Only resource and
// audience may be (RFC 8707 section 2, RFC 8693 section 2.1).
func repeated(params url.Values) string {
	for name, values := range params {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return name
		}
	}
	return ""
}

// authenticate checks that the client uses the one method that it is registered
// for, and no other beside it (RFC 6749 section 2.3).
func (c *call) authenticate() (Client, bool) {
	method, id, secret := authNone, c.x.Form.Get("client_id"), ""
	basic := len(c.r.Header.Values("Authorization")) > 0
	switch {
	case basic && (c.x.Form.Has("client_secret") || c.x.Form.Has("client_assertion")):
		c.fail(http.StatusBadRequest, "invalid_request", "the client authenticates itself in two ways (RFC 6749 section 2.3)")
		return Client{}, false
	case basic:
		method = authBasic
		if !c.basicAuth(&id, &secret) {
			return c.badClient("the Authorization header is not Basic with a form-encoded client_id and secret (RFC 6749 section 2.3.1)")
		}
		if c.x.Form.Has("client_id") && c.x.Form.Get("client_id") != id {
			c.fail(http.StatusBadRequest, "invalid_request", "client_id differs from the one in the Authorization header")
			return Client{}, false
		}
	case c.x.Form.Has("client_secret"):
		method, secret = authPost, c.x.Form.Get("client_secret")
	}
	client, known := c.opts.client(id)
	switch {
	case id == "":
		return c.badClient("client_id is missing (RFC 6749 section 3.2.1)")
	case !known:
		return c.badClient("the client is unknown")
	case client.AuthMethod != method:
		return c.badClient("the client is registered for " + client.AuthMethod + " and used " + method)
	case subtle.ConstantTimeCompare([]byte(client.Secret), []byte(secret)) != 1:
		return c.badClient("the client secret is wrong")
	}
	c.x.ClientID = client.ID
	return client, true
}

// basicAuth decodes both halves from form encoding, which RFC 6749 section 2.3.1
// puts under Base64.
func (c *call) basicAuth(id, secret *string) bool {
	user, password, ok := c.r.BasicAuth()
	if !ok || len(c.r.Header.Values("Authorization")) > 1 {
		return false
	}
	var errID, errSecret error
	*id, errID = url.QueryUnescape(user)
	*secret, errSecret = url.QueryUnescape(password)
	return errID == nil && errSecret == nil
}

func (c *call) badClient(description string) (Client, bool) {
	if strings.HasPrefix(c.r.Header.Get("Authorization"), "Basic") {
		c.header.Set("WWW-Authenticate", `Basic realm="clienttest"`)
	}
	c.fail(http.StatusUnauthorized, "invalid_client", description)
	return Client{}, false
}

// authMethods lists what the registered clients use, for the metadata.
func (o *Options) authMethods() []string {
	var methods []string
	for _, client := range o.Clients {
		if !slices.Contains(methods, client.AuthMethod) {
			methods = append(methods, client.AuthMethod)
		}
	}
	return methods
}
