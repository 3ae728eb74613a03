package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/client/provider"
	single "github.com/regrant/regrant/internal/flight"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

// A Client is one program (a client_id) at one authorization server, with the
// grants of all its accounts. It is safe for concurrent use. One per program is
// meant, and many are correct: two Clients over one store behave as two
// processes do.
type Client struct {
	cfg     Config
	profile *provider.Profile // what is known about the server
	dialect tokenendpoint.Dialect
	keepers keepers
	places  places
	events  events

	discovered atomic.Pointer[server]
	discovery  single.Group[*server]

	life    context.Context // ends when Close gives up on what is under way
	kill    context.CancelFunc
	closing chan struct{} // closed when Close begins

	mu      sync.Mutex
	closed  bool
	work    sync.WaitGroup
	unsaved []error
}

// New checks cfg and returns a Client. All problems are reported at once. It
// does no I/O and starts no goroutine: a wrong issuer or a store that is down
// shows at the first use, or with Discover.
func New(cfg Config) (*Client, error) {
	profile := cfg.complete()
	if err := cfg.problems(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg.clone(), profile: profile, dialect: dialectOf(profile), closing: make(chan struct{})}
	c.life, c.kill = context.WithCancel(context.Background())
	c.events.deliver = cfg.OnEvent
	if cfg.explicit() {
		c.discovered.Store(explicitServer(&c.cfg, profile))
	}
	return c, nil
}

// Format prints which client it is, for any verb of fmt: what else is in it is
// in use by other goroutines, and is not for a log.
func (c *Client) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "client %q at %s", c.cfg.ClientID, c.cfg.Issuer)
}

// Close ends the Client. No new work begins; a renewal that has spent a refresh
// token is awaited and its result saved, since giving it up would lose the
// grant. That takes at most the Timeout of Config.HTTPClient (30 s if it has
// none) and 5 s more; then tokens that could not be saved are given up, with an
// error for each. Every later call returns ErrClosed. Closing again does nothing.
//
// A program that ends without Close loses nothing that a crash would not: a
// renewal under way then is taken over by the next process, which works at
// servers with a grace period and ends the grant at others.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	close(c.closing)
	c.keepers.silence()

	done := make(chan struct{})
	go func() {
		c.work.Wait()
		close(done)
	}()
	if !closedWithin(done, c.exchangeTimeout()+saveGrace) {
		c.kill()
		if !closedWithin(done, saveGrace) {
			c.reportUnsaved(&Error{Op: "close", Key: c.cfg.key(""), Err: errors.New("work is still under way: the store, or OnEvent, does not return")})
		}
	}
	c.kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.unsaved...)
}

func closedWithin(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// enter begins work that Close has to wait for; leave ends it.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.work.Add(1)
	return true
}

func (c *Client) leave() { c.work.Done() }

func (c *Client) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// detach returns a context with the values of ctx that ends with the Client.
func (c *Client) detach(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(c.life, cancel)
	return ctx, func() { stop(); cancel() }
}

func (c *Client) reportUnsaved(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsaved = append(c.unsaved, err)
}

// Accounts yields the state of every account of this client that the store
// keeps, in no particular order. The store must be a tokenstore.Lister;
// otherwise the error is errors.ErrUnsupported.
//
// A record that cannot be read is a Status with Err, and the walk goes on. An
// error of the store itself is yielded once, and ends it.
func (c *Client) Accounts(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		keys, err := c.keys(ctx)
		if err != nil {
			yield(Status{}, err)
			return
		}
		for key, err := range keys {
			switch {
			case err != nil && key == (tokenstore.Key{}):
				yield(Status{}, err)
				return
			case err != nil:
				if !yield(Status{Key: key, State: StateUnreadable, Err: &Error{Op: "load", Key: key, Err: err}}, nil) {
					return
				}
				continue
			}
			v := newVault(&c.cfg, key)
			status, err := v.status(ctx)
			if errors.Is(err, errGone) {
				continue // deleted since it was listed
			}
			if k := c.keepers.peek(key.Account); k != nil {
				k.addFailure(&status)
			}
			if !yield(status, err) || err != nil {
				return
			}
		}
	}
}

// keys yields the keys of this client that the store keeps. An error with a key
// concerns that record alone.
func (c *Client) keys(ctx context.Context) (iter.Seq2[tokenstore.Key, error], error) {
	fail := func(temporary bool, err error) error {
		return &Error{Op: "list", Key: c.cfg.key(""), Temporary: temporary, Err: err}
	}
	lister, ok := c.cfg.Store.(tokenstore.Lister)
	switch {
	case !ok:
		return nil, fail(false, errors.Join(errors.New("the store cannot list what it keeps"), errors.ErrUnsupported))
	case c.isClosing():
		return nil, fail(false, ErrClosed)
	}
	return func(yield func(tokenstore.Key, error) bool) {
		for key, err := range lister.List(ctx, tokenstore.Key{Issuer: c.cfg.Issuer, ClientID: c.cfg.ClientID}) {
			if err != nil && key == (tokenstore.Key{}) {
				err = fail(true, err)
			}
			if !yield(key, err) {
				return
			}
		}
	}, nil
}

// events delivers events in order, one at a time, by whoever brings the first.
type events struct {
	deliver func(context.Context, Event)
	mu      sync.Mutex
	queue   []queued
	busy    bool
}

type queued struct {
	ctx   context.Context
	event Event
}

// emit hands the event to Config.OnEvent, with no lock held, so that it may
// call the Account. An event that is emitted meanwhile is delivered afterwards.
func (c *Client) emit(ctx context.Context, e Event) {
	c.events.add(ctx, e)
	c.events.flush()
}

// add puts an event behind those that are waiting.
func (q *events) add(ctx context.Context, e Event) {
	if q.deliver == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, queued{context.WithoutCancel(ctx), e})
}

// flush delivers what is waiting, unless somebody does so already.
func (q *events) flush() {
	q.mu.Lock()
	if q.busy {
		q.mu.Unlock()
		return
	}
	q.busy = true
	for len(q.queue) > 0 {
		next := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		q.deliver(next.ctx, next.event)
		q.mu.Lock()
	}
	q.busy = false
	q.mu.Unlock()
}
