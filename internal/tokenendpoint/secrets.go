package tokenendpoint

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// secrets returns everything in a request that must not be shown. It is a
// function so that no %#v of an Error can reach them.
type secrets func() []string

// public are the parameters that are no secret.
var public = map[string]bool{
	"grant_type": true, "client_id": true, "redirect_uri": true, "scope": true, "resource": true, "audience": true,
	"token_type_hint": true, "client_assertion_type": true, "username": true,
}

func secretsOf(form url.Values, header http.Header) secrets {
	var list []string
	for name, values := range form {
		if !public[name] {
			list = append(list, values...)
		}
	}
	for _, values := range header {
		for _, value := range values {
			if _, credentials, ok := strings.Cut(value, " "); ok { // Basic dXNlcjpw…
				value = credentials
			}
			list = append(list, value)
		}
	}
	req := http.Request{Header: header}
	if _, password, ok := req.BasicAuth(); ok {
		list = append(list, password)
		if plain, err := url.QueryUnescape(password); err == nil {
			list = append(list, plain)
		}
	}
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	return func() []string { return list }
}

// leakLength is how many bytes of a secret in a row count as a leak. What is
// shorter cannot be told from chance.
const leakLength = 8

// in tells whether text repeats a secret, or a part of one: there are servers
// that echo the whole form in error_description, in whatever notation.
func (s secrets) in(text string) bool {
	if s == nil {
		return false
	}
	list := s()
	for _, reading := range []string{text, unescaped(text), unescaped(strings.ReplaceAll(text, "+", " "))} {
		for _, secret := range list {
			if len(secret) < leakLength && strings.Contains(reading, secret) {
				return true
			}
			for i := 0; i+leakLength <= len(reading); i++ {
				if strings.Contains(secret, reading[i:i+leakLength]) {
					return true
				}
			}
		}
	}
	return false
}

// escaped is a character in the notation of a URL, of JSON or of HTML.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|&#?[0-9A-Za-z]+;`)

// unescaped returns text with one layer of escaping undone.
func unescaped(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		switch {
		case s[0] == '&':
			return html.UnescapeString(s)
		case s[0] == '%':
			b, _ := strconv.ParseUint(s[1:], 16, 8)
			return string([]byte{byte(b)})
		case len(s) == 6 && s[1] == 'u':
			r, _ := strconv.ParseUint(s[2:], 16, 16)
			return string(rune(r))
		}
		return s[1:]
	})
}
