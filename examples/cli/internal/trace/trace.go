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
	known  secrets
}

// most bounds what is read of an answer in order to show it.
const most = 1 << 20

// RoundTrip sends r, and tells of it.
func (t *tracer) RoundTrip(r *http.Request) (*http.Response, error) {
	t.known.addHeader(r)
	t.tell(asks, t.known.hide(r.Method+" "+address(r.URL), 500)) // a server may have sent us there
	t.header(asksMore, r.Header, "Authorization", "Content-Type", "Dpop")
	if t.bodies {
		r = t.form(r)
	}
	began := time.Now()
	resp, err := t.base.RoundTrip(r)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		t.tell(tells, fmt.Sprintf("%s after %v", t.known.hide(err.Error(), 300), took))
		return nil, err
	}
	t.tell(tells, fmt.Sprintf("%s after %v", t.known.hide(resp.Status, 100), took))
	t.header(tellsMore, resp.Header, "Content-Type", "Retry-After", "Location", "Www-Authenticate", "Date")
	if t.bodies {
		t.answer(resp)
	}
	return resp, nil
}

// tell writes a line behind a mark. What is foreign in it went through hide.
func (t *tracer) tell(mark, line string) { fmt.Fprintf(t.w, "%s\n", ui.Faint(mark+line)) }

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
			t.tell(mark, name+": "+t.known.hide(value, 500))
		}
	}
}

// form shows the form of a request, and learns its secrets. It returns the request to
// send instead, whose body is the same, and as little to be repeated by net/http as
// the first.
func (t *tracer) form(r *http.Request) *http.Request {
	if r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return r
	}
	data, err := io.ReadAll(r.Body)
	_ = r.Body.Close() // what was read of it is sent
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data), broken{err}))
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return again
	}
	for _, m := range members(form) {
		t.tell(asksMore, t.known.hide(m, 500))
	}
	t.known.addForm(form)
	return again
}

// answer shows the members of a JSON answer, and puts the body back.
func (t *tracer) answer(resp *http.Response) {
	read, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = &replayed{io.MultiReader(bytes.NewReader(read), broken{err}, resp.Body), resp.Body}
	var object map[string]json.RawMessage
	if json.Unmarshal(read, &object) != nil {
		t.tell(tellsMore, fmt.Sprintf("%d bytes that are no JSON object", len(read)))
		return
	}
	var deep map[string]any
	_ = json.Unmarshal(read, &deep) // as before
	t.known.addAnswer(deep)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := hidden
		if shown(name) {
			value = t.known.hide(string(object[name]), 200)
		}
		t.tell(tellsMore, t.known.hide(name, 100)+": "+value)
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
	"audience": true, "token_type_hint": true, "client_assertion_type": true,
	"code_challenge_method": true, "prompt": true, "access_type": true, "acr_values": true,
	"token_type": true, "expires_in": true, "refresh_token_expires_in": true, "refresh_expires_in": true,
	"error": true, "error_description": true, "error_uri": true, "interval": true, "verification_uri": true,
	"issuer": true, "jwks_uri": true, "active": true, "iss": true,
}

// shown tells whether the value of a member of an answer may be seen.
func shown(name string) bool {
	return harmless[name] || strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_supported")
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
