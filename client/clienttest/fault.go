package clienttest

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Fault is what goes wrong with a request. The fields combine; they take
// effect in the order in which they are listed here.
//
//	Fault{Drop: true}                                  // lost on its way: the server never saw it
//	Fault{Drop: true, Commit: true}                    // processed, the answer was lost
//	Fault{Status: 503, Header: http.Header{"Retry-After": {"2"}}}
//	Fault{Status: 504, Commit: true}                   // a gateway gave up, the server behind it did not
//	Fault{Status: 200, Body: `{"error":"invalid_grant"}`}
//	Fault{Status: 502, Body: "<html>Bad Gateway</html>"}
//	Fault{Status: 307, Header: http.Header{"Location": {elsewhere}}}
//	Fault{Delay: 10 * time.Second}                     // slow
//	Fault{Truncate: true}                              // processed, half of the answer arrives
//	Fault{Pad: 2 << 20}                                // processed, the answer is 2 MiB larger
//
// Answers of other shapes are made by Options.Tamper.
type Fault struct {
	Delay time.Duration // before the request is looked at

	// Commit: the request is processed although its answer is replaced or
	// dropped. Without Drop, Status and Body requests are always processed.
	Commit bool

	DelayAnswer time.Duration // after the request was processed

	Status int         // replaces the answer; 0 with a Body: 200
	Header http.Header // added to the answer, or to its replacement
	Body   string      // replaces the answer; JSON if it begins with a brace, else HTML

	Pad      int  // bytes of white space in front of the answer, in which JSON allows it
	Truncate bool // the connection breaks after half of the body
	Drop     bool // the connection breaks without an answer
}

func (f *Fault) replaces() bool { return f.Drop || f.Status != 0 || f.Body != "" }

// FailNext makes the next n requests to path (such as TokenPath) meet the fault,
// after those that were planned before for that path. n < 0: all of them; n == 0:
// none, and those that were planned are forgotten.
//
// Know your client: net/http sends a GET again by itself if a connection that
// was used before breaks, but never a POST.
func (s *Server) FailNext(path string, f Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		delete(s.faults, path)
		return
	}
	s.faults[path] = append(s.faults[path], &planned{Fault: f, left: n})
}

// HoldRequest stops the next request to path before the server looks at it,
// until Release. It is processed then even if its client has gone away: that is
// how a late request arrives after one that was sent later.
func (s *Server) HoldRequest(path string) *Held {
	h := newHeld()
	s.plan(path, &planned{request: h, left: 1})
	return h
}

// HoldAnswer lets the next request to path be processed, so that a rotation is
// committed, and stops its answer until Release.
func (s *Server) HoldAnswer(path string) *Held {
	h := newHeld()
	s.plan(path, &planned{answer: h, left: 1})
	return h
}

// A planned fault waits for its requests.
type planned struct {
	Fault
	left            int // requests; negative: no end
	request, answer *Held
}

func (s *Server) plan(path string, p *planned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = append(s.faults[path], p)
}

func (s *Server) nextFault(path string) *planned {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[path]
	if len(queue) == 0 {
		return &planned{}
	}
	p := queue[0]
	if p.left > 0 {
		if p.left--; p.left == 0 {
			s.faults[path] = queue[1:]
		}
	}
	return p
}

// spoil changes the answer of c as the fault says.
func (f *Fault) spoil(c *call) {
	if f.replaces() {
		c.answer = answer{status: f.Status, header: http.Header{}}
		if f.Status == 0 {
			c.status = http.StatusOK
		}
		c.header.Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(f.Body, "{") {
			c.header.Set("Content-Type", "application/json")
		}
		c.body.WriteString(f.Body)
	}
	for name, values := range f.Header {
		c.header[http.CanonicalHeaderKey(name)] = values
	}
	if f.Pad > 0 {
		body := c.body.String()
		c.body.Reset()
		c.body.WriteString(strings.Repeat(" ", f.Pad) + body)
	}
}

// pause waits for d, or until the server is closed.
func (s *Server) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// A Held is a request that is stopped, or will be.
type Held struct {
	arrived, released chan struct{}
	arrive, release   sync.Once
}

func newHeld() *Held {
	return &Held{arrived: make(chan struct{}), released: make(chan struct{})}
}

// Arrived is closed when the request has come and stands still.
func (h *Held) Arrived() <-chan struct{} { return h.arrived }

// Release lets the request, or the answer, go on. It may be called before the
// request has come, and more than once. Close of the server cuts the request off.
func (h *Held) Release() { h.release.Do(func() { close(h.released) }) }

func (h *Held) hold(ctx context.Context) {
	if h == nil {
		return
	}
	h.arrive.Do(func() { close(h.arrived) })
	select {
	case <-h.released:
	case <-ctx.Done():
	}
}
