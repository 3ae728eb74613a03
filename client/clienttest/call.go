package clienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody bounds what the server reads.
const maxBody = 1 << 20

// A call is one request on its way through the server. Only its own goroutine
// uses it; record shows its state to the others.
type call struct {
	s    *Server
	opts *Options
	r    *http.Request
	now  time.Time
	x    Exchange
	answer
}

// An answer is kept until it is sent, so that it can be held, spoiled or lost.
// It is an http.ResponseWriter for handlers that want one.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer

	object   map[string]any // JSON, or the parameters of a redirect
	redirect string         // where to
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// newCall reads the request and records that it has come.
func (s *Server) newCall(r *http.Request) *call {
	c := &call{s: s, opts: s.opts.Load(), r: r, now: time.Now()}
	c.header = http.Header{}
	path := r.URL.Path
	if u, err := url.Parse(s.issuer); err == nil {
		path = strings.TrimPrefix(path, strings.TrimSuffix(u.Path, "/"))
	}
	if strings.HasPrefix(path, APIPath+"/") {
		path = APIPath
	}
	if known, ok := s.places[r.Host+r.URL.Path]; ok {
		path = known
	}
	c.x = Exchange{
		Time: c.now, Method: r.Method, Path: path, Query: r.URL.Query(), Header: r.Header.Clone(),
	}
	if path != APIPath {
		c.readForm()
	}
	if path == TokenPath {
		c.x.GrantType = c.x.Form.Get("grant_type")
		if c.x.GrantType == grantRefresh {
			c.x.RefreshToken = c.x.Form.Get("refresh_token")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.grants.refresh[c.x.RefreshToken]; t != nil {
		c.about(t.family, t.generation)
	}
	c.x.Number = len(s.exchanges) + 1
	s.exchanges = append(s.exchanges, c.x)
	return c
}

func (c *call) readForm() {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the client broke off
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return
	case kind == "application/json" && c.wantsJSON():
		c.x.Form = formOf(body)
		return
	case kind != "application/x-www-form-urlencoded":
		return
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		c.x.Form = form
	}
}

// record shows what became of the request so far.
func (c *call) record() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.exchanges[c.x.Number-1] = c.x
}

// handle lets the endpoint answer.
func (c *call) handle() {
	c.opts, c.now = c.s.opts.Load(), time.Now() // it may have been held for long
	if endpoint, ok := c.s.routes[c.x.Path]; ok {
		endpoint(c)
	} else {
		http.NotFound(c, c.r)
	}
	if c.x.Outcome == Unprocessed {
		c.x.Outcome = Accepted
		if c.status >= http.StatusBadRequest {
			c.x.Outcome = Refused
		}
	}
	c.record()
	c.render()
}

// render turns the members of the answer into bytes.
func (c *call) render() {
	if c.object == nil {
		return
	}
	if c.opts.Tamper != nil {
		c.opts.Tamper(c.x, c.object)
	}
	if c.redirect != "" {
		c.header.Set("Location", withParams(c.redirect, c.object))
		return
	}
	if c.answersForm() {
		c.header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		c.body.WriteString(strings.TrimPrefix(withParams("?", c.object), "?"))
		return
	}
	c.header.Set("Content-Type", "application/json")
	if err := json.NewEncoder(&c.body).Encode(c.object); err != nil {
		c.body.Reset()
		c.status = 0
		http.Error(c, "Options.Tamper has set a value that is no JSON: "+err.Error(), http.StatusInternalServerError)
	}
}

// withParams adds parameters to the query of a redirect URI.
func withParams(uri string, params map[string]any) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	q := u.Query()
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch v := params[name].(type) {
		case []string:
			q[name] = v
		default:
			q.Set(name, fmt.Sprint(v))
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// send writes the answer to the wire.
func (c *call) send(w http.ResponseWriter, truncate bool) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	c.x.Status = c.status
	c.record()
	maps.Copy(w.Header(), c.header)
	body := c.body.Bytes()
	if truncate {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
		body = body[:len(body)/2]
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(body)
	if truncate {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// json answers with an object, never cached (RFC 6749 section 5.1).
func (c *call) json(status int, object map[string]any) {
	c.header.Set("Cache-Control", "no-store")
	c.status, c.object = status, object
}

// fail answers with an error (RFC 6749 section 5.2). The description tells the
// author of a test what to do about it.
func (c *call) fail(status int, code, description string) {
	c.refuse(code)
	m := map[string]any{"error": code, "error_description": description}
	c.json(c.speakRefusal(status, m), m)
}

// refuse records a refusal.
func (c *call) refuse(code string) {
	c.x.Error = code
	if c.x.Outcome == Unprocessed {
		c.x.Outcome = Refused
	}
}

// about records what the request is about.
func (c *call) about(f *family, generation uint64) {
	c.x.Account, c.x.Family, c.x.Generation = f.account, f.id, generation
}
