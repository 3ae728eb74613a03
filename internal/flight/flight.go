// Package flight runs one piece of work for all callers that want its result at
// the same time.
package flight

import (
	"context"
	"sync"
)

// A Group joins concurrent calls of one kind. The zero Group is ready to use.
type Group[T any] struct {
	mu   sync.Mutex
	call *call[T]
}

type call[T any] struct {
	done   chan struct{}
	result T
	err    error
}

// Do runs work, or joins the run that is under way, and returns its result. It
// waits no longer than ctx; the work goes on without it. The context of work
// carries the values of the ctx that began it, and is never cancelled.
func (g *Group[T]) Do(ctx context.Context, work func(context.Context) (T, error)) (T, error) {
	g.mu.Lock()
	c := g.call
	if c == nil {
		c = &call[T]{done: make(chan struct{})}
		g.call = c
		go func() {
			c.result, c.err = work(context.WithoutCancel(ctx))
			g.mu.Lock()
			g.call = nil
			g.mu.Unlock()
			close(c.done)
		}()
	}
	g.mu.Unlock()
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
