// Package loopback receives the redirect that ends an authorization request, on
// the loopback interface of the user's machine (RFC 8252 section 7.3), and shows
// the user how the login went on.
//
// Everybody on the machine, and every web page in the user's browser, can send
// requests to such a receiver. Whatever is not the response that is waited for
// changes nothing and does not end the wait.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// farewell is how long Close waits for the browser to fetch the last page.
const farewell = time.Second

// A Receiver listens for one redirect. Close it in any case.
type Receiver struct {
	redirect  *url.URL // with the port that is listened on
	server    http.Server
	serving   sync.WaitGroup
	broken    chan error
	callbacks chan callback

	accepted chan struct{} // closed once query is set
	query    string        // of the callback that was accepted
	decided  chan struct{} // closed once outcome is set
	outcome  Outcome
	shown    chan struct{} // has an element once the browser was told the outcome
	closing  sync.Once
}

// A callback is a request to the redirect URI. Its verdict is what accept says.
type callback struct {
	query   string
	params  url.Values
	verdict chan bool
}

// Listen begins to listen for redirects to redirectURI, as it is registered with
// the server: an http URL whose host is a loopback address or "localhost". No
// port, or port 0, means one that the system chooses. Empty means
// http://127.0.0.1/callback, or http://[::1]/callback where there is no IPv4.
//
// The name localhost is answered on IPv4 and on IPv6, as nobody knows which of
// them the browser will try. Nobody else can listen on the port meanwhile.
func Listen(ctx context.Context, redirectURI string) (*Receiver, error) {
	u, listeners, err := bind(ctx, redirectURI)
	if err != nil {
		return nil, err
	}
	r := newReceiver(u)
	for _, l := range listeners {
		r.serving.Go(func() {
			if err := r.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				r.broken <- err
			}
		})
	}
	return r, nil
}

func newReceiver(redirect *url.URL) *Receiver {
	r := &Receiver{
		redirect:  redirect,
		broken:    make(chan error, 2), // there are two listeners at most
		callbacks: make(chan callback),
		accepted:  make(chan struct{}),
		decided:   make(chan struct{}),
		shown:     make(chan struct{}, 1),
	}
	r.server = http.Server{
		Handler: http.HandlerFunc(r.serve),
		// No limit on the whole request: it is held until the outcome is known.
		ReadHeaderTimeout:            5 * time.Second,
		MaxHeaderBytes:               64 << 10, // cookies of 127.0.0.1 come from all programs that ever served there
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0),
		ConnContext:                  avoidTimeWait,
	}
	return r
}

// RedirectURI returns the redirect URI to send in the authorization request,
// with the port in it.
func (r *Receiver) RedirectURI() string { return r.redirect.String() }

// Wait returns the query of the first callback that accept says yes to. Accept
// is called here, for one callback after the other; it should compare the state
// (RFC 6749 section 10.12), and nothing it says no to ends the wait. The error
// is the cause of ctx, if that ends first. Wait may be called once.
func (r *Receiver) Wait(ctx context.Context, accept func(url.Values) bool) (url.Values, error) {
	for {
		select {
		case c := <-r.callbacks:
			if !accept(c.params) {
				c.verdict <- false
				continue
			}
			r.query = c.query
			close(r.accepted)
			c.verdict <- true
			return c.params, nil
		case err := <-r.broken:
			return nil, fmt.Errorf("the redirect can no longer be received: %w", err)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close stops to listen. If Wait accepted a callback, the browser is told the
// outcome first; that takes a second at most. Only the first call counts.
func (r *Receiver) Close(o Outcome) {
	r.closing.Do(func() {
		r.outcome = o
		close(r.decided)
		select {
		case <-r.accepted:
			select {
			case <-r.shown:
			case <-time.After(farewell):
			}
		default:
		}
		r.server.Close()
		r.serving.Wait()
	})
}

// avoidTimeWait keeps connections from lingering after they are closed: for up
// to a minute the next login could not have a port of its own choice.
func avoidTimeWait(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok && resetKeepsData {
		_ = tcp.SetLinger(0) // without it, only the next login on this port is worse off
	}
	return ctx
}
