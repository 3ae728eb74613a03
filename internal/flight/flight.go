// Package flight runs one piece of work for all callers that want its result at
// the same time.
package flight

import (
	"context"
	"errors"
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

// errAbandoned is the result of work that called runtime.Goexit.
var errAbandoned = errors.New("the work ended without a result")

// Do runs work, or joins the run that is under way, and returns its result. It
// waits no longer than ctx; the work goes on without it. The context of work
// carries the values of the ctx that began it, and is never cancelled.
//
// A panic of work is not recovered: it ends the program, as it would without
// this package, and nobody is left waiting.
func (g *Group[T]) Do(ctx context.Context, work func(context.Context) (T, error)) (T, error) {
	g.mu.Lock()
	c := g.call
	if c == nil {
		c = &call[T]{done: make(chan struct{}), err: errAbandoned}
		g.call = c
		go func() {
			defer close(c.done)
			defer g.over()
			c.result, c.err = work(context.WithoutCancel(ctx))
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

// over makes room for the next run.
func (g *Group[T]) over() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.call = nil
}
