package transport

import (
	"net/http"
	"strings"
)

// maxChallengeBytes bounds how much of a response's WWW-Authenticate headers
// is read, and with it how much a hostile server makes us keep.
const maxChallengeBytes = 16 << 10

// A Challenge is what a server asks for (RFC 9110 section 11.3).
//
// The parameters that OAuth gives a meaning:
//
//	error              invalid_token, insufficient_scope, invalid_request (RFC 6750 section 3.1),
//	                   insufficient_user_authentication (RFC 9470), use_dpop_nonce (RFC 9449)
//	error_description  for the developer, not for the user
//	scope              the scopes that are needed, separated by spaces
//	acr_values         the kinds of login that are accepted, separated by spaces (RFC 9470)
//	max_age            how many seconds ago that login may have been (RFC 9470)
//	resource_metadata  where the resource describes itself (RFC 9728 section 5.1)
//	realm              what is protected
//
// All of it is the server's word: text to be checked before it is shown, and
// addresses to be checked before they are used.
type Challenge struct {
	// Scheme is the authentication scheme as the server wrote it. Schemes are
	// compared without regard to case: use strings.EqualFold.
	Scheme string

	// Params holds the parameters by their names in lower case, without quotes
	// and escapes; the first of a name counts. The single value that schemes
	// such as Negotiate have instead (token68) is kept under "". Nil if there
	// are none.
	Params map[string]string
}

// Challenges reads the WWW-Authenticate headers of resp, whatever its status,
// in their order. What cannot be read is passed over, as are headers after the
// first 16 KiB.
func Challenges(resp *http.Response) []Challenge {
	var all []Challenge
	left := maxChallengeBytes
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		if left -= len(line); left < 0 {
			break
		}
		all = append(all, parseChallenges(line)...)
	}
	return all
}

// parseChallenges reads one header line (RFC 9110 section 11.6.1). Commas
// separate both challenges and the parameters of one; what follows a name tells
// which it is.
//
// It takes what servers send: no comma between parameters (Blotre/blotre#10),
// one after the scheme (dadi/api#34), no quotes around an address.
func parseChallenges(s string) []Challenge {
	var found []Challenge
	separated := true // a scheme comes first or after a comma
	for {
		rest := strings.TrimLeft(s, " \t,")
		if rest == "" {
			return found
		}
		separated = separated || strings.Contains(s[:len(s)-len(rest)], ",")
		name, after := cutToken(rest)
		next := strings.TrimLeft(after, " \t")
		switch {
		case name != "" && strings.HasPrefix(next, "="):
			var value string
			value, s = cutValue(next[1:])
			if n := len(found); n > 0 {
				found[n-1].add(strings.ToLower(name), value)
			}
		case name != "" && separated && startsWith(after, " \t,"):
			c := Challenge{Scheme: name}
			token, end, ok := cutToken68(next)
			if ok {
				c.add("", token)
			}
			found, s = append(found, c), end
		default:
			_, s = cutAny(rest, " \t,")
		}
		separated = false
	}
}

// add keeps the first value of a name; RFC 9110 section 11.2 allows no second.
func (c *Challenge) add(name, value string) {
	if c.Params == nil {
		c.Params = make(map[string]string)
	}
	if _, ok := c.Params[name]; !ok {
		c.Params[name] = value
	}
}

// cutToken cuts the longest token (RFC 9110 section 5.6.2) off the front of s.
func cutToken(s string) (token, rest string) {
	n := len(s) - len(strings.TrimLeftFunc(s, isTokenChar))
	return s[:n], s[n:]
}

// cutToken68 cuts the token68 (RFC 9110 section 11.2) off the front of s if it
// stands alone there: "abc=" is one, but "abc=d" is a parameter.
func cutToken68(s string) (token, rest string, ok bool) {
	rest = strings.TrimLeftFunc(s, isToken68Char)
	if len(rest) == len(s) {
		return "", s, false
	}
	rest = strings.TrimLeft(rest, "=")
	token = s[:len(s)-len(rest)]
	if !startsWith(strings.TrimLeft(rest, " \t"), ",") {
		return "", s, false
	}
	return token, rest, true
}

// cutValue cuts the value of a parameter off the front of s: a quoted string
// (RFC 9110 section 5.6.4), or else everything up to a space or a comma.
func cutValue(s string) (value, rest string) {
	s = strings.TrimLeft(s, " \t")
	quoted, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return cutAny(s, " \t,")
	}
	var b strings.Builder
	for {
		plain, special := cutAny(quoted, `"\`)
		b.WriteString(plain)
		if len(special) < 2 || special[0] == '"' {
			return b.String(), strings.TrimPrefix(special, `"`)
		}
		b.WriteByte(special[1])
		quoted = special[2:]
	}
}

// cutAny cuts s before the first of chars.
func cutAny(s, chars string) (before, rest string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// startsWith reports whether s is empty or starts with one of chars.
func startsWith(s, chars string) bool {
	return s == "" || strings.IndexByte(chars, s[0]) >= 0
}

func isTokenChar(r rune) bool {
	return isAlphanumeric(r) || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isToken68Char(r rune) bool {
	return isAlphanumeric(r) || strings.ContainsRune("-._~+/", r)
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
