package trace

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// secrets are what has gone over the wire and nobody may see. A server may repeat it
// wherever it says something, much later, and in any notation.
type secrets struct {
	mu    sync.Mutex
	long  []string // of which any eight characters in a row are too many
	short []string // whose parts could not be told from chance
}

const (
	partLength = 8
	least      = 4   // characters of a secret: a shorter one would hide half of the trace
	remembered = 200 // notations of secrets, the latest ones
)

// add keeps a secret, and what it looks like in hexadecimal and in Base64.
func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(secret) < partLength {
		if len(secret) >= least {
			s.short = keep(s.short, secret)
		}
		return
	}
	s.long = keep(s.long, secret)
	s.long = keep(s.long, ui.Text(secret, len(secret))) // as it would be shown
	s.long = keep(s.long, hex.EncodeToString([]byte(secret)))
	// Base64 looks different after 0, 1 or 2 bytes more; the characters at the edges
	// depend on the neighbours.
	for before := range 3 {
		digits := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), secret...))
		s.long = keep(s.long, digits[before+1:len(digits)-1])
	}
}

func keep(list []string, secret string) []string {
	if secret = strings.ToLower(secret); slices.Contains(list, secret) {
		return list
	}
	list = append(list, secret)
	return list[max(0, len(list)-remembered):]
}

// addHeader keeps what is secret in the header of a request.
func (s *secrets) addHeader(r *http.Request) {
	for name, values := range r.Header {
		for _, value := range values {
			switch name {
			case "Accept", "Accept-Encoding", "Accept-Language", "Content-Length", "Content-Type", "Origin", "Referer", "User-Agent":
			case "Authorization", "Proxy-Authorization":
				_, credentials, _ := strings.Cut(value, " ") // the scheme is no secret
				s.add(credentials)
			default:
				s.add(value)
			}
		}
	}
	if user, password, ok := r.BasicAuth(); ok {
		s.addBasic(user, password)
	}
}

// addBasic keeps the password of HTTP Basic, which OAuth has form-encoded (RFC 6749
// section 2.3.1). The other half is the client identifier, which anybody may see;
// there are APIs where it is the token, and the password empty.
func (s *secrets) addBasic(user, password string) {
	if password == "" {
		password = user
	}
	s.add(password)
	if plain, err := url.QueryUnescape(password); err == nil && plain != password {
		s.add(plain)
	}
}

// addForm keeps the values of parameters that are not known to be harmless.
func (s *secrets) addForm(form url.Values) {
	for name, values := range form {
		if !harmless[name] {
			for _, value := range values {
				s.add(value)
			}
		}
	}
}

// addAnswer keeps what is called a token, a code or a secret, at whatever depth: what
// else an answer holds, such as addresses, is in many an honest text.
func (s *secrets) addAnswer(object map[string]any) {
	for name, value := range object {
		switch value := value.(type) {
		case map[string]any:
			s.addAnswer(value)
		case string:
			if kind := name[strings.LastIndex(name, "_")+1:]; kind == "token" || kind == "code" || kind == "secret" {
				s.add(value)
			}
		}
	}
}

// hide returns text fit for a terminal, if it repeats no secret.
func (s *secrets) hide(text string, most int) string {
	fit := ui.Text(text, most) // before it is looked at: what cannot be seen may part a secret
	reading := fit
	for range 4 { // a form in HTML in JSON, and what else stands between a server and a log
		if s.in(reading) {
			return "[not shown: it repeats a secret]"
		}
		plain := ui.Text(unescaped(reading), most)
		if plain == reading {
			break
		}
		reading = plain
	}
	return fit
}

// in tells whether text repeats a secret, or a part of one.
func (s *secrets) in(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = strings.ToLower(text)
	form := strings.ReplaceAll(text, "+", " ")
	base64 := strings.NewReplacer("-", "+", "_", "/").Replace(text) // the other alphabet (RFC 4648 section 5)
	for _, reading := range slices.Compact([]string{form, text, base64}) {
		if slices.ContainsFunc(s.short, func(secret string) bool { return strings.Contains(reading, secret) }) {
			return true
		}
		for i := 0; i+partLength <= len(reading); i++ {
			part := reading[i : i+partLength]
			if slices.ContainsFunc(s.long, func(secret string) bool { return strings.Contains(secret, part) }) {
				return true
			}
		}
	}
	return false
}

// escape is a character in the notation of a URL, of JSON or of HTML.
var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|&#?[0-9A-Za-z]+;`)

// unescaped returns text with one layer of escaping undone. The module does the same
// before it quotes a server, in a package that a program cannot import.
func unescaped(text string) string {
	return escape.ReplaceAllStringFunc(text, func(e string) string {
		switch {
		case e[0] == '&':
			return html.UnescapeString(e)
		case e[0] == '%':
			b, _ := strconv.ParseUint(e[1:], 16, 8)
			return string([]byte{byte(b)})
		case len(e) == 6 && e[1] == 'u':
			r, _ := strconv.ParseUint(e[2:], 16, 16)
			return string(rune(r))
		}
		return e[1:]
	})
}
