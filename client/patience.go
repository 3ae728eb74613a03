package client

import (
	"context"
	"errors"
	"fmt"
)

// patience returns the context in which a login waits for the user: it ends with
// ctx, when the client closes, and by stop, whose argument is the cause. A request
// to the server goes on in ctx: cut off by Close, nobody could tell what it did.
func (c *Client) patience(ctx context.Context) (waiting context.Context, stop context.CancelCauseFunc) {
	waiting, stop = context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.closing:
			stop(ErrClosed)
		case <-waiting.Done():
		}
	}()
	return waiting, stop
}

// unfinished says why the user did not come to an end. That is err, unless ctx
// or its patience ended before.
func unfinished(ctx, waiting context.Context, err error) error {
	switch cause := context.Cause(waiting); {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the user did not finish the login in time: %w", ctx.Err())
	case ctx.Err() != nil:
		return fmt.Errorf("the login was given up before the user had finished it: %w", ctx.Err())
	case cause != nil:
		return cause
	}
	return err
}
