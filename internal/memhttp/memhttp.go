// Package memhttp carries HTTP over connections that never leave the process.
//
// It exists for [testing/synctest]: a goroutine that waits for a socket is not
// durably blocked, so time in a bubble stands still for it; one that waits for
// the other end of a [net.Pipe] is. Everything else is net/http as it is:
// keep-alive, deadlines, cancellation and connections that break half-way.
package memhttp

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A Listener is a [net.Listener] whose connections are made by its Dial.
//
// Close ends Accept and Dial and leaves the connections alone, as Close of any
// listener does. They end with the server, and then so does every goroutine on
// both sides: see [Serve].
type Listener struct {
	incoming chan net.Conn
	closed   chan struct{}
	close    sync.Once
}

// Listen returns a listener. In a synctest bubble, call it inside the bubble.
func Listen() *Listener {
	return &Listener{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next Dial. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.incoming:
		return conn, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "memory", Err: net.ErrClosed}
	}
}

// Close makes Accept and Dial fail. It always returns nil.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address that says no more than that this is memory.
func (l *Listener) Addr() net.Addr { return address{} }

// Dial connects to the listener, whatever the network and the address. It waits
// until the connection is accepted, ctx ends, or the listener is closed; in the
// last two cases nothing was sent, which net.OpError says by its Op "dial".
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.incoming <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: ctx.Err()}
	}
}

// Transport returns a transport that sends every request to the listener. For
// https it speaks plain HTTP as well: there is nobody in between to hide from,
// and tests need no certificates.
//
// It keeps idle connections without a time limit. They end when the server
// closes them, or by CloseIdleConnections.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{DialContext: l.Dial, DialTLSContext: l.Dial}
}

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }
