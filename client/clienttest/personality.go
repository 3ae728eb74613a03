package clienttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/client/provider"
)

// play makes the options those of Options.Provider.
func (o *Options) play() error {
	if o.Provider == "" {
		return nil
	}
	p := provider.ByName(o.Provider)
	switch {
	case p == nil:
		return fmt.Errorf("clienttest: there is no profile %q for Options.Provider", o.Provider)
	case p.Unsupported != "":
		return fmt.Errorf("clienttest: %s has no token endpoint to play: %s", p.Title, p.Unsupported)
	}
	if o.Issuer == "" && o.InMemory && len(p.Issuers) > 0 {
		o.Issuer = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(p.Issuers[0], "example")
	}
	o.profile = p.At(o.Issuer)
	o.AccessTokenLifetime = orKnown(o.AccessTokenLifetime, p.AccessLifetime)
	o.RefreshTokenLifetime = orKnown(o.RefreshTokenLifetime, p.Idle)
	o.GrantLifetime = orKnown(o.GrantLifetime, p.Absolute)
	o.Rotation, o.Grace, o.InGrace, o.RotateAfter = RevokeFamily, p.Grace, NewPair, 0
	if p.SamePair {
		o.InGrace = SamePair
	}
	switch p.Reuse {
	case provider.ReuseNone:
		o.Rotation = NoRotation
	case provider.ReuseOverlap:
		o.Rotation, o.Grace = RefuseReuse, 100*365*24*time.Hour
	case provider.ReuseUntilUse:
		o.Rotation = CommitOnUse
	}
	if p.Rotation == provider.RotationDaily {
		o.RotateAfter = 24 * time.Hour
	}
	return nil
}

func orKnown(given, known time.Duration) time.Duration {
	if given != 0 {
		return given
	}
	return known
}

// places are the endpoints of the provider where it has them.
func (o *Options) places() map[string]string {
	if o.profile == nil || o.profile.Discovery {
		return nil
	}
	places := map[string]string{}
	p := o.profile
	for endpoint, path := range map[string]string{
		p.AuthURL: AuthorizePath, p.TokenURL: TokenPath, p.RefreshURL: TokenPath, p.DeviceURL: DevicePath, p.RevocationURL: RevokePath,
	} {
		if u, err := url.Parse(endpoint); err == nil && endpoint != "" {
			places[u.Host+u.Path] = path
		}
	}
	return places
}

// hosts are those that are reached in memory.
func hosts(own string, places map[string]string) map[string]bool {
	all := map[string]bool{own: true}
	for place := range places {
		host, _, _ := strings.Cut(place, "/")
		all[host] = true
	}
	return all
}

// revokes tells whether there is a revocation endpoint.
func (o *Options) revokes() bool {
	if o.profile == nil || o.profile.RevocationURL != "" {
		return true
	}
	return slices.ContainsFunc(o.profile.Facts, func(f provider.Fact) bool { return f.Name == "revoke" && f.Value == "discovered" })
}

// asksForRefreshToken tells whether a login asks for all that a refresh token needs.
// Only a login by an authorization request has params.
func (c *call) asksForRefreshToken(scope []string, params url.Values) bool {
	p := c.opts.profile
	if p == nil {
		return false
	}
	for name := range p.Params {
		if params != nil && params.Get(name) != p.Params.Get(name) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Scopes, func(s string) bool { return !slices.Contains(scope, s) })
}

// hasTokenParams tells the same of a token request.
func (c *call) hasTokenParams() bool {
	if c.opts.profile == nil {
		return true
	}
	for name := range c.opts.profile.TokenParams {
		if c.x.Form.Get(name) != c.opts.profile.TokenParams.Get(name) {
			return false
		}
	}
	return true
}

// elsewhere tells whether a token request came to the wrong one of two endpoints.
func (c *call) elsewhere() bool {
	p := c.opts.profile
	if p == nil || p.RefreshURL == "" || c.s.places == nil {
		return false
	}
	u, err := url.Parse(p.RefreshURL)
	return err != nil || (c.x.GrantType == grantRefresh) != (c.r.Host == u.Host && c.r.URL.Path == u.Path)
}

// separator is what separates scopes.
func (c *call) separator() string {
	if p := c.opts.profile; p != nil && p.Answer.ScopeSeparator != "" {
		return p.Answer.ScopeSeparator
	}
	return " "
}

// wantsJSON tells whether the request has to be a JSON object.
func (c *call) wantsJSON() bool {
	p := c.opts.profile
	return p != nil && p.Answer.JSONRequest && c.x.Path != DevicePath
}

func (c *call) requestType() string {
	if c.wantsJSON() {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// formOf reads an object of strings as a form; nil: it is none.
func formOf(body []byte) url.Values {
	var object map[string]string
	if json.Unmarshal(body, &object) != nil {
		return nil
	}
	form := url.Values{}
	for name, value := range object {
		form.Set(name, value)
	}
	return form
}

// answersForm tells whether the answer of the token endpoint is a form.
func (c *call) answersForm() bool {
	p := c.opts.profile
	return p != nil && p.Answer.Form && c.x.Path == TokenPath && !strings.Contains(c.r.Header.Get("Accept"), "json")
}

// speak says in the way of the provider what a token request has brought.
func (c *call) speak(m map[string]any) {
	p := c.opts.profile
	if p == nil {
		return
	}
	a := p.Answer
	if !p.Discovery {
		delete(m, "id_token")
	}
	if lifetime, ok := m["refresh_token_expires_in"]; ok {
		delete(m, "refresh_token_expires_in")
		if a.RefreshExpires != "" {
			m[a.RefreshExpires] = lifetime
		}
	}
	if a.Milliseconds {
		m["expires_in"] = m["expires_in"].(int64) * 1000
	}
	if a.Text {
		m["expires_in"] = fmt.Sprint(m["expires_in"])
	}
	if a.NoLifetime {
		delete(m, "expires_in")
	}
	if len(a.TokenTypes) > 0 {
		m["token_type"] = a.TokenTypes[0]
		if a.TokenTypes[0] == "" {
			delete(m, "token_type")
		}
	}
	if a.Nested != "" && (c.x.GrantType != grantRefresh || !a.NestedOnce) {
		inner := map[string]any{}
		for name, value := range m {
			inner[name] = value
			delete(m, name)
		}
		m[a.Nested] = inner
	}
	if a.OK {
		m["ok"] = true
	}
	if a.ErrorNone != "" {
		m[a.ErrorMember] = json.RawMessage(a.ErrorNone)
	}
}

// speakRefusal says in the way of the provider why a token request was refused, and
// returns the status.
func (c *call) speakRefusal(status int, m map[string]any) int {
	p := c.opts.profile
	if p == nil || c.x.Path != TokenPath {
		return status
	}
	a := p.Answer
	code := m["error"].(string)
	if code == "invalid_grant" && len(a.Dead) > 0 && c.x.GrantType == grantRefresh {
		var description string
		code, description, _ = strings.Cut(a.Dead[0], ": ")
		m["error"] = code
		if description != "" {
			m["error_description"] = description
		}
	}
	if a.ErrorStatus != 0 {
		status = a.ErrorStatus
	}
	switch {
	case a.ErrorObject:
		m["error"] = map[string]any{"code": code, "type": "invalid_request_error", "message": m["error_description"]}
		delete(m, "error_description")
		status = http.StatusUnauthorized
	case a.ErrorNone != "": // a number, and words for people
		m[a.ErrorMember] = json.RawMessage("503")
		m["error"] = "Invalid Params: " + m["error_description"].(string)
		delete(m, "error_description")
	case a.ErrorMember != "":
		m[a.ErrorMember], m["message"] = code, m["error_description"]
		delete(m, "error")
		delete(m, "error_description")
	case a.OK:
		m["ok"] = false
	}
	return status
}
