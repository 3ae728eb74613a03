// Package trace shows what goes over the wire, without its secrets: what is known
// to be harmless is shown, and of all else only that it is there.
package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// Server returns base with a trace of requests to an authorization server, their
// forms and JSON answers included.
func Server(base http.RoundTripper, w io.Writer) http.RoundTripper {
	return &tracer{base: base, w: w, bodies: true}
}

// API returns base with a trace of requests to anybody else, whose bodies are
// nobody's business.
func API(base http.RoundTripper, w io.Writer) http.RoundTripper {
	return &tracer{base: base, w: w}
}

// Event tells what happened to a grant.
func Event(w io.Writer, e client.Event) {
	text := fmt.Sprintf("account %q: %v, generation %d, after %v", e.Key.Account, e.Kind, e.Generation, e.Duration.Round(time.Millisecond))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	fmt.Fprintf(w, "%s\n", ui.Faint("* "+ui.Text(text, 500)))
}

type tracer struct {
	base   http.RoundTripper
	w      io.Writer
	bodies bool
}

// most bounds what is read of an answer in order to show it.
const most = 1 << 20

// RoundTrip sends r, and tells of it.
func (t *tracer) RoundTrip(r *http.Request) (*http.Response, error) {
	t.linef(asks, "%s %s", r.Method, address(r.URL))
	t.header(asksMore, r.Header, "Authorization", "Content-Type", "Dpop")
	var sent secrets
	if t.bodies {
		r, sent = t.form(r)
	}
	began := time.Now()
	resp, err := t.base.RoundTrip(r)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		t.linef(tells, "%s after %v", ui.Text(err.Error(), 300), took)
		return nil, err
	}
	t.linef(tells, "%s after %v", ui.Text(resp.Status, 100), took)
	t.header(tellsMore, resp.Header, "Content-Type", "Retry-After", "Location", "Www-Authenticate", "Date")
	if t.bodies {
		t.answer(resp, sent)
	}
	return resp, nil
}

// linef writes a line behind a mark. What is foreign in it is fit for a terminal.
func (t *tracer) linef(mark, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\n", ui.Faint(mark+ui.Text(fmt.Sprintf(format, args...), 500)))
}

// The marks: who speaks, and about what.
const (
	asks      = "> "
	asksMore  = ">   "
	tells     = "< "
	tellsMore = "<   "
)

// address is a URL without what its query may hold.
func address(u *url.URL) string {
	clean := *u
	clean.User = nil
	clean.RawQuery, clean.Fragment = "", ""
	text := clean.String()
	if len(u.Query()) > 0 {
		text += "?" + strings.Join(members(u.Query()), "&")
	}
	return text
}

func (t *tracer) header(mark string, h http.Header, names ...string) {
	for _, name := range names {
		for _, value := range h[name] {
			switch name {
			case "Authorization", "Dpop":
				scheme, _, ok := strings.Cut(value, " ")
				if !ok || name != "Authorization" {
					scheme = ""
				}
				value = strings.TrimSpace(scheme + " " + hidden)
			case "Location":
				if u, err := url.Parse(value); err == nil {
					value = address(u)
				} else {
					value = hidden
				}
			}
			t.linef(mark, "%s: %s", name, value)
		}
	}
}

// secrets are values that were sent, which a server may repeat in what it says.
type secrets []string

func (s secrets) hide(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

// form shows the form of a request. It returns the request to send instead, whose
// body is the same, and as little to be repeated by net/http as the first.
func (t *tracer) form(r *http.Request) (*http.Request, secrets) {
	if r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return r, nil
	}
	data, err := io.ReadAll(r.Body)
	_ = r.Body.Close() // what was read of it is sent
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data), broken{err}))
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return again, nil
	}
	for _, m := range members(form) {
		t.linef(asksMore, "%s", m)
	}
	var sent secrets
	for name, values := range form {
		for _, value := range values {
			if !harmless[name] && len(value) >= 4 {
				sent = append(sent, value)
			}
		}
	}
	return again, sent
}

// answer shows the members of a JSON answer, and puts the body back.
func (t *tracer) answer(resp *http.Response, sent secrets) {
	read, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = &replayed{io.MultiReader(bytes.NewReader(read), broken{err}, resp.Body), resp.Body}
	var object map[string]json.RawMessage
	if json.Unmarshal(read, &object) != nil {
		t.linef(tellsMore, "%d bytes that are no JSON object", len(read))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := string(object[name])
		if !harmless[name] && !strings.HasSuffix(name, "_endpoint") && !strings.HasSuffix(name, "_supported") {
			value = hidden
		}
		t.linef(tellsMore, "%s: %s", name, ui.Text(sent.hide(value), 200))
	}
}

// A broken reader gives the error that cut off what was read so far.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}

type replayed struct {
	io.Reader
	io.Closer
}

const hidden = "[not shown]"

// harmless are the parameters and members whose values say nothing about secrets.
var harmless = map[string]bool{
	"grant_type": true, "client_id": true, "redirect_uri": true, "response_type": true, "scope": true, "resource": true,
	"audience": true, "token_type_hint": true, "code_challenge_method": true, "prompt": true, "access_type": true, "acr_values": true,
	"token_type": true, "expires_in": true, "refresh_token_expires_in": true, "refresh_expires_in": true,
	"error": true, "error_description": true, "error_uri": true, "interval": true, "verification_uri": true,
	"issuer": true, "jwks_uri": true, "active": true, "iss": true,
}

func members(values url.Values) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			if !harmless[name] {
				value = hidden
			}
			all = append(all, name+"="+value)
		}
	}
	return all
}
