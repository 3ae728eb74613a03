package tokenendpoint

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Dialect is how a server speaks otherwise than RFC 6749 has it. The zero Dialect
// is that of a server that does not.
type Dialect struct {
	JSONRequest  bool          // requests are JSON objects
	Nested       string        // member that holds the tokens when they are not at the top
	ErrorMember  string        // member that holds the error code; "": error
	ErrorNone    string        // value of ErrorMember that is no error
	Dead         []string      // error codes that mean invalid_grant; "code: description" if only with that description
	TokenTypes   []string      // types other than Bearer that mean Bearer; "": the member is missing
	Milliseconds bool          // expires_in counts milliseconds
	Lifetime     time.Duration // what a missing expires_in means; 0: not known
}

// translate rewrites the members of an answer in place into those of RFC 6749.
func (d *Dialect) translate(m members) {
	if d.Nested != "" && !m.present("access_token") {
		var inner members
		if json.Unmarshal(m[d.Nested], &inner) == nil && inner != nil {
			delete(m, d.Nested)
			maps.Copy(m, inner)
		}
	}
	if d.ErrorMember != "" {
		code := m.text(d.ErrorMember)
		var number json.Number
		if code == "" && json.Unmarshal(m[d.ErrorMember], &number) == nil {
			code = number.String()
		}
		if code != "" && code != d.ErrorNone && !m.present("access_token") {
			m.setError(code, m.text("error"), m.text("message"))
		}
	}
	if string(m["ok"]) == "false" && !m.present("error") && !m.present("access_token") {
		m.setError("unknown_error")
	}
	var e struct {
		Code    string `json:"code"`
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(m["error"], &e) == nil && e.Code+e.Type != "" { // an object, as at OpenAI
		code := e.Code
		if code == "" {
			code = e.Type
		}
		m.setError(code, e.Message)
	}
	if slices.ContainsFunc(d.TokenTypes, func(t string) bool { return strings.EqualFold(t, m.text("token_type")) }) {
		m.set("token_type", "Bearer")
	}
}

// setError sets error, and the first of the descriptions that is not empty, unless
// there is one already.
func (m members) setError(code string, descriptions ...string) {
	m.set("error", code)
	i := slices.IndexFunc(descriptions, func(s string) bool { return s != "" })
	if i >= 0 && m.text("error_description") == "" {
		m.set("error_description", descriptions[i])
	}
}

func (m members) set(name, value string) { m[name], _ = json.Marshal(value) } // a string always has a notation

// adjust corrects the lifetime of an access token.
func (d *Dialect) adjust(a *Answer) {
	if d.Milliseconds {
		a.Lifetime /= 1000
	}
	if a.Lifetime == 0 && a.AccessToken != "" {
		a.Lifetime = d.Lifetime
	}
}

// dead tells whether a refusal says that the grant itself is over.
func (d *Dialect) dead(code, description string) bool {
	return code == "invalid_grant" || slices.Contains(d.Dead, code) || description != "" && slices.Contains(d.Dead, code+": "+description)
}

// encode returns the body of a request, and its type.
func (d *Dialect) encode(form url.Values) (body, contentType string) {
	if !d.JSONRequest {
		return form.Encode(), "application/x-www-form-urlencoded"
	}
	object := make(map[string]any, len(form))
	for name, values := range form {
		object[name] = values[0]
		if len(values) > 1 {
			object[name] = values
		}
	}
	data, _ := json.Marshal(object) // strings always have a notation
	return string(data), "application/json"
}
