package memhttp

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// Serve serves h on any listener, in memory or not, until stop is called. It
// owns the listener from then on.
//
// Stop closes the listener and every connection, and waits for the goroutines
// that served them; what a handler waits for must have ended, or stop waits too.
// http.Server.Close alone does not wait, and a connection that asked to be closed
// lingers for half a second: a bubble would end in a panic over its goroutine.
func Serve(l net.Listener, h http.Handler) (stop func()) {
	var conns, accept sync.WaitGroup
	srv := &http.Server{
		Handler:  h,
		ErrorLog: log.New(io.Discard, "", 0), // a client that goes away is no news
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				conns.Done()
			}
		},
	}
	accept.Go(func() { _ = srv.Serve(l) })
	return func() {
		_ = srv.Close()
		accept.Wait()
		conns.Wait()
	}
}
