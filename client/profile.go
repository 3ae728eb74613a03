package client

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// noProfile is the Config.Provider of somebody who knows better.
const noProfile = "none"

// complete takes from the profile what the program has not given, and returns it:
// the zero Profile if nothing is known of the server.
func (c *Config) complete() *provider.Profile {
	var p *provider.Profile
	switch c.Provider {
	case noProfile:
	case "":
		p = provider.Lookup(c.Issuer)
	default:
		if p = provider.ByName(c.Provider); p != nil {
			if c.Issuer == "" && len(p.Issuers) == 1 && !strings.Contains(p.Issuers[0], "{") {
				c.Issuer = p.Issuers[0]
			}
			p = p.At(c.Issuer)
		}
	}
	if p == nil {
		return &provider.Profile{}
	}
	if !c.explicit() && p.TokenURL != "" {
		c.Endpoint = oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL, DeviceAuthURL: p.DeviceURL}
		if c.RevocationURL == "" {
			c.RevocationURL = p.RevocationURL
		}
	}
	if c.Endpoint.AuthStyle == oauth2.AuthStyleAutoDetect && p.ClientAuth == methodBasic {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return p
}

func (c *Config) providerProblem() error {
	if c.Provider == "" || c.Provider == noProfile {
		return nil
	}
	p := provider.ByName(c.Provider)
	switch {
	case p == nil:
		var names []string
		for _, p := range provider.All() {
			names = append(names, p.Name)
		}
		return fmt.Errorf("Config.Provider: there is no profile %q, but these: %s", c.Provider, strings.Join(names, ", "))
	case p.Unsupported != "":
		return fmt.Errorf("Config.Provider: %s: %s", p.Title, p.Unsupported)
	case c.Issuer == "" && len(p.Issuers) > 0:
		return fmt.Errorf("Config.Provider: %s has several issuers (%s): give yours as Config.Issuer", p.Title, strings.Join(p.Issuers, ", "))
	}
	return nil
}

// dialectOf is how the token endpoint of p speaks.
func dialectOf(p *provider.Profile) tokenendpoint.Dialect {
	a := p.Answer
	return tokenendpoint.Dialect{
		JSONRequest: a.JSONRequest, Nested: a.Nested, ErrorMember: a.ErrorMember, ErrorNone: a.ErrorNone, Dead: a.Dead,
		TokenTypes: a.TokenTypes, Milliseconds: a.Milliseconds, Lifetime: a.Lifetime,
	}
}

// maxRepeats is how often a request whose answer was lost is sent again in one
// flight, where that is known to be safe.
const maxRepeats = 3

// repeats tells whether a request that began at begun, and that was repeated n times
// already, is sent once more. Once in any case: inside a server's grace period the
// same token works, and without one nothing more can be lost. More often only where
// the profile knows that the token works until then.
func (c *Client) repeats(n int, begun time.Time) bool {
	return n == 0 || n < maxRepeats && time.Since(begun)+settleTime < c.profile.Repeats()
}

// idle is how long the refresh token of rec lives if nobody uses it; 0: not known.
func (c *Client) idle(rec *record.Record) time.Duration {
	if !rec.RefreshExpiry.IsZero() {
		return rec.RefreshExpiry.Sub(rec.Renewed) // the server's word
	}
	return c.profile.Idle
}

// limit notes when a grant ends whatever is done, where the profile knows it and the
// server says nothing. When an imported grant began, nobody knows.
func (c *Client) limit(rec *record.Record) {
	if c.profile.Absolute == 0 || !rec.GrantExpiry.IsZero() || strings.HasPrefix(rec.Grant, importedPrefix) {
		return
	}
	if end := rec.LoggedIn.Add(c.profile.Absolute); end.After(rec.Renewed) {
		rec.GrantExpiry = end
	}
}

// ended is the server's word that a grant is over, and what the profile knows of why.
func (c *Client) ended(e *tokenendpoint.Error) string {
	if c.profile.Ended == "" {
		return e.Error()
	}
	return e.Error() + "; " + c.profile.Ended
}
