package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A message is one call to the outside and its answer.
type message struct {
	what        string
	there, back time.Duration
	effect      func()        // what it does where it arrives; nil: it never does. w.mu is held
	sent        func()        // it leaves the process; w.mu is held
	orphan      time.Duration // not zero: it arrives after that time, and the sender hears err after back
	err         error         // what the sender hears
	hang        bool          // nobody answers
	mayEnd      bool          // its context may be cancelled by others than Close
}

// send takes a message there and back. Whoever gives up waiting, or dies, does
// not take back what is on its way.
func (p *process) send(ctx context.Context, m message) error {
	w := p.w
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.mu.Lock()
	p.cue("before "+m.what, &m)
	if m.what != "load" || p.chance.one(6) {
		p.strikeBefore(&m)
	}
	w.mu.Unlock()
	if !p.gate() {
		return errOver
	}
	w.mu.Lock()
	w.note(p, "%s", m.what)
	if m.sent != nil {
		m.sent()
	}
	w.mu.Unlock()
	if m.orphan > 0 {
		p.deliver(m.orphan, m.effect)
		m.effect = nil
	}
	begun := time.Now()
	if !p.wait(ctx, m.there) {
		p.deliver(m.there-time.Since(begun), m.effect)
		return p.home(ctx, m)
	}
	p.deliver(0, m.effect)
	if m.hang {
		m.back = time.Hour
	}
	p.wait(ctx, m.back)
	return p.home(ctx, m)
}

// strikeBefore decides whether the process stops, or dies, with the message in
// its hand or just under way.
func (p *process) strikeBefore(m *message) {
	w := p.w
	switch {
	case w.strike(p, pause):
		p.stop(p.chance.between(time.Second, 90*time.Second))
	case !p.closing && w.strike(p, death):
		if p.chance.one(2) { // it has left
			if m.sent != nil {
				m.sent()
			}
			p.deliver(m.there, m.effect)
		}
		p.die()
	}
}

func (p *process) deliver(after time.Duration, effect func()) {
	if effect == nil {
		return
	}
	locked := func() {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		if !p.w.ended {
			effect()
		}
	}
	if after > 0 {
		time.AfterFunc(after, locked)
		return
	}
	locked()
}

// wait waits for d; false: ctx, or the run, ended before.
func (p *process) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			// Nothing reacts in no time: what else is due now comes first.
			sleep(time.Duration(1000 + p.id))
		}
	case <-p.w.over:
	}
	return false
}

// home is the answer's arrival in the process.
func (p *process) home(ctx context.Context, m message) error {
	w := p.w
	w.mu.Lock()
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) && !m.mayEnd && !p.closing && !w.ended && !p.dead {
		w.violated(p, "7 callers leave, work stays", "the context of a %s was cancelled", m.what)
	}
	p.cue("after "+m.what, &m)
	if m.what != "load" && m.what != "lock" {
		switch {
		case w.strike(p, pause):
			p.stop(p.chance.between(time.Second, 90*time.Second))
		case !p.closing && w.strike(p, death):
			p.die()
		}
	}
	w.mu.Unlock()
	switch {
	case !p.gate():
		return errOver
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return m.err
}

// RoundTrip is the wire between a process and the server.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	p.w.mu.Lock()
	if p.dead || p.w.ended {
		p.w.mu.Unlock()
		p.gate()
		return nil, errOver
	}
	var x *exchange
	switch to := r.URL.String(); {
	case to == issuer+"/token" && form.Get("grant_type") == "refresh_token":
		x = p.renewal(form.Get("refresh_token"))
	case to == issuer+"/token" && form.Get("grant_type") == "password":
		x = p.passwordLogin()
	case to == issuer+"/revoke":
		x = p.revocation(form.Get("token"))
	default:
		p.w.violated(p, "6 issuer-bound", "a request to %s", to)
		x = &exchange{}
	}
	p.w.mu.Unlock()
	err = p.send(r.Context(), x.m)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if x.heard != nil && !p.dead && !p.w.ended {
		x.heard(err)
	}
	if err != nil {
		return nil, err
	}
	return x.response(), nil
}

// An exchange is a request to the server on its way.
type exchange struct {
	m      message
	status int
	header http.Header
	body   string
	cut    bool            // the body breaks off
	heard  func(err error) // the answer has arrived; w.mu is held
}

func (x *exchange) response() *http.Response {
	h := x.header
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: x.status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(x.body)))}
}

func (x *exchange) grants(g grant, lifetime time.Duration) {
	x.status = http.StatusOK
	x.body = `{"access_token":"` + g.access + `","token_type":"Bearer","expires_in":` + strconv.Itoa(int(lifetime/time.Second)) +
		`,"refresh_token":"` + g.refresh + `"}`
}

func (x *exchange) refuses(status int, code string) {
	x.status = status
	x.body = `{"error":"` + code + `"}`
}

func (p *process) newMessage(what string) message {
	c, lag := p.chance, p.w.sc.wireLag
	return message{what: what, there: c.between(time.Microsecond, lag), back: c.between(time.Microsecond, lag)}
}

var (
	errCut  = errors.New("the connection broke")
	errDial = &net.OpError{Op: "dial", Err: errors.New("connection refused")}
)

func (p *process) passwordLogin() *exchange {
	x := &exchange{m: p.newMessage("login request")}
	x.m.mayEnd = true
	x.m.effect = func() { x.grants(p.w.as.login(), p.w.sc.lifetime) }
	return x
}

// revocation is a request to revoke a token.
func (p *process) revocation(value string) *exchange {
	w := p.w
	w.revoking(p, value)
	x := &exchange{m: p.newMessage("revocation of " + value), status: http.StatusOK}
	x.m.mayEnd = true
	x.m.effect = func() {
		w.as.revoke(value)
		w.note(p, "the server revokes %s", value)
	}
	switch {
	case w.strike(p, notSent):
		x.m.effect, x.m.err = nil, errDial
	case w.strike(p, cut):
		x.m.effect, x.m.err = nil, errCut
	case w.strike(p, lostAnswer):
		x.m.err = errCut
	case w.strike(p, busy):
		x.m.effect, x.status = nil, http.StatusServiceUnavailable
	}
	if t := w.as.tokens[value]; t != nil && (x.m.effect == nil || p.dead) {
		t.family.unconfirmed = true
	}
	return x
}

// renewal is a refresh request.
func (p *process) renewal(value string) *exchange {
	w, c := p.w, p.chance
	q := w.decides(p, value)
	x := &exchange{m: p.newMessage("refresh request with " + value)}
	x.m.sent = func() { q.departed = true }
	x.m.effect = func() { w.arrives(q, x) }
	x.heard = func(err error) { w.answered(q, x, err) }
	switch {
	case w.strike(p, notSent):
		x.m.effect, x.m.err = nil, errDial
		q.harmless = true
	case w.strike(p, cut):
		x.m.err = errCut
		if c.one(2) {
			x.m.effect = nil
		} else {
			x.m.orphan = c.between(time.Millisecond, 1900*time.Millisecond)
		}
	case w.strike(p, late):
		x.m.err, x.m.orphan = errCut, c.between(2*time.Second, 40*time.Second)
	case w.strike(p, lostAnswer):
		x.m.err = errCut
	case w.strike(p, gateway):
		x.status, x.header = pick(c, 500, 502, 504), http.Header{"Retry-After": {"60"}}
		if c.one(2) {
			x.m.effect = nil
		}
	case w.strike(p, garbled):
		x.cut = true
	case w.strike(p, hang):
		x.m.hang = true
		if c.one(2) {
			x.m.effect = nil
		}
	case w.strike(p, busy):
		x.m.effect = nil
		x.status, x.header = pick(c, 429, 503), http.Header{"Retry-After": {strconv.Itoa(c.IntN(20))}}
		q.harmless = true
	case w.strike(p, refused):
		x.m.effect = func() { w.refuses(q) }
		x.refuses(pick(c, 400, 401), pick(c, "invalid_request", "invalid_client", "invalid_scope", "invalid_target", "unauthorized_client", "made_up"))
		q.harmless = true
	case w.strike(p, lie):
		q.token.family.lied = true
		x.m.effect = nil
		x.refuses(400, "invalid_grant")
		q.harmless = true
	case w.strike(p, twice):
		q.token.twice = true
		x.m.effect = func() {
			w.arrives(q, x)
			p.deliver(c.between(time.Microsecond, 1500*time.Millisecond), func() { w.arrives(q, &exchange{}) })
		}
	case w.strike(p, slowServer):
		x.m.back = c.between(time.Second, 25*time.Second)
	}
	return x
}
