package provider

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// table is parsed at the first use.
var table = sync.OnceValue(func() []*Profile {
	all, err := parse(source)
	if err != nil {
		panic("provider: providers.md: " + err.Error()) // a test reads it
	}
	return all
})

// All returns the profile of every provider, in the order of the table.
func All() []*Profile {
	var all []*Profile
	for _, p := range table() {
		all = append(all, p.clone())
	}
	return all
}

// ByName returns the profile of that name, or nil if there is none.
func ByName(name string) *Profile {
	for _, p := range table() {
		if p.Name == name {
			return p.clone()
		}
	}
	return nil
}

// Lookup returns the profile of the provider with that issuer identifier, with
// its endpoints filled in, or nil if it is not known.
func Lookup(issuer string) *Profile {
	for _, p := range table() {
		if slices.ContainsFunc(p.Issuers, func(pattern string) bool { return matches(pattern, issuer) }) {
			return p.At(issuer)
		}
	}
	return nil
}

// At returns a copy of the profile in which the endpoints are those of that issuer.
func (p *Profile) At(issuer string) *Profile {
	p = p.clone()
	for _, u := range []*string{&p.AuthURL, &p.TokenURL, &p.RefreshURL, &p.DeviceURL, &p.RevocationURL} {
		*u = strings.ReplaceAll(*u, "{issuer}", strings.TrimSuffix(issuer, "/"))
	}
	return p
}

// matches compares to the letter, but for {x}, which is one label or segment: it
// never reaches into another domain.
func matches(pattern, issuer string) bool {
	for {
		before, rest, ok := strings.Cut(pattern, "{")
		if !ok {
			return pattern == issuer
		}
		_, after, _ := strings.Cut(rest, "}")
		if !strings.HasPrefix(issuer, before) {
			return false
		}
		issuer = issuer[len(before):]
		n := strings.IndexFunc(issuer, func(r rune) bool { return !label(r) })
		if n < 0 {
			n = len(issuer)
		}
		if n == 0 {
			return false
		}
		pattern, issuer = after, issuer[n:]
	}
}

func label(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

func (p *Profile) clone() *Profile {
	c := *p
	c.Issuers, c.Scopes, c.Facts = slices.Clone(p.Issuers), slices.Clone(p.Scopes), slices.Clone(p.Facts)
	c.Params, c.TokenParams = cloneValues(p.Params), cloneValues(p.TokenParams)
	c.Answer.Dead, c.Answer.TokenTypes = slices.Clone(p.Answer.Dead), slices.Clone(p.Answer.TokenTypes)
	return &c
}

func cloneValues(v url.Values) url.Values {
	c := maps.Clone(v)
	for name, values := range c {
		c[name] = slices.Clone(values)
	}
	return c
}
