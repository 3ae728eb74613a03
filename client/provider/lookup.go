package provider

import (
	"slices"
	"strings"
)

// All returns the profile of every provider, in the order of the table.
func All() []*Profile {
	var all []*Profile
	for _, section := range sections() {
		all = append(all, must(section))
	}
	return all
}

// ByName returns the profile of that name, or nil if there is none.
func ByName(name string) *Profile {
	for _, section := range sections() {
		if cell(section, "name") == name {
			return must(section)
		}
	}
	return nil
}

// Lookup returns the profile of the provider with that issuer identifier, with
// its endpoints filled in, or nil if it is not known.
func Lookup(issuer string) *Profile {
	for _, section := range sections() {
		if slices.ContainsFunc(list(cell(section, "issuer"), "by name"), func(pattern string) bool { return matches(pattern, issuer) }) {
			return must(section).At(issuer)
		}
	}
	return nil
}

// At returns a copy of the profile in which the endpoints are those of that issuer.
func (p *Profile) At(issuer string) *Profile {
	c := *p
	for _, u := range []*string{&c.AuthURL, &c.TokenURL, &c.RefreshURL, &c.DeviceURL, &c.RevocationURL} {
		*u = strings.ReplaceAll(*u, "{issuer}", strings.TrimSuffix(issuer, "/"))
	}
	return &c
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
