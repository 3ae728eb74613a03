package lab

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A Proxy passes on the connections of a client to a server, and cuts one in the
// middle of a request when it is told to.
type Proxy struct {
	Addr string // where it listens, on loopback

	network, server string
	connections     sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil once it is closed
	plan *Cut
}

// A Cut is a connection that ends in the middle of a request.
type Cut struct {
	Moment Moment
	Size   int // a request that is meant comes in one piece of at least so many bytes
	Skip   int // how many of those pass first
	done   chan struct{}
}

// Done is closed when the connection was cut.
func (c *Cut) Done() <-chan struct{} { return c.done }

// A Moment is a moment of a request.
type Moment int

const (
	BeforeRequest Moment = iota // the server gets nothing of it
	InRequest                   // the server gets a half of it
	BeforeAnswer                // the server has carried it out, and its answer is lost
	Silence                     // the server gets nothing of it, and the connection stays open
)

// String returns the moment as words.
func (m Moment) String() string {
	return [...]string{"before the request", "in the request", "before the answer", "silence instead of an answer"}[m]
}

// NewProxy starts a proxy to the server at that address. It ends with the test.
func NewProxy(t testing.TB, network, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), network: network, server: server, open: map[net.Conn]bool{}}
	p.connections.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.connections.Go(func() { p.pass(t.Context(), client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.open = nil
		p.mu.Unlock()
		p.connections.Wait()
	})
	return p
}

// Cut plans a cut, in place of what was planned before.
func (p *Proxy) Cut(c Cut) *Cut {
	c.done = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = &c
	return &c
}

// meant returns the cut that is planned for this piece of a request, if any.
func (p *Proxy) meant(piece []byte) *Cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch c := p.plan; {
	case c == nil || len(piece) < c.Size:
		return nil
	case c.Skip > 0:
		c.Skip--
		return nil
	default:
		p.plan = nil
		return c
	}
}

// keep notes a connection that is to be closed with the proxy, and reports
// whether there still is one.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) end(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *Proxy) pass(ctx context.Context, client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.end(client)
	server, err := new(net.Dialer).DialContext(ctx, p.network, p.server)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.end(server)

	unanswered := make(chan *Cut, 1)
	p.connections.Go(func() {
		defer p.end(client)
		forward(client, server, func(piece []byte) ([]byte, bool) {
			select {
			case c := <-unanswered:
				defer close(c.done)
				return nil, false
			default:
				return piece, true
			}
		})
	})
	forward(server, client, func(piece []byte) ([]byte, bool) {
		c := p.meant(piece)
		if c == nil {
			return piece, true
		}
		if c.Moment == BeforeAnswer {
			unanswered <- c
			return piece, true
		}
		defer close(c.done)
		switch c.Moment {
		case InRequest:
			return piece[:len(piece)/2], false
		case Silence:
			return nil, true
		}
		return nil, false
	})
}

// forward copies what comes until one side ends, or look says so. It writes what
// look returns.
func forward(to, from net.Conn, look func(piece []byte) (pass []byte, on bool)) {
	for buffer := make([]byte, 1<<16); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		pass, on := look(buffer[:n])
		if _, err := to.Write(pass); err != nil || !on {
			return
		}
	}
}
