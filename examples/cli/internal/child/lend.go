package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Source gives an access token that works now, and when it ends: never, if that is
// zero.
type Source func(context.Context) (token string, expiry time.Time, err error)

// A Loan is a place where other processes of the user find the token.
type Loan struct {
	Path string // of a socket, or of a file

	dir     string
	end     context.CancelFunc
	workers sync.WaitGroup
	close   func()
}

// newLoan makes a directory that is the user's alone. runtime is where the system wants
// what does not outlive a session ($XDG_RUNTIME_DIR); "": where temporary files are.
func newLoan(ctx context.Context, runtime, name string) (*Loan, context.Context, error) {
	dir, err := os.MkdirTemp(runtime, "regrant-") // 0700
	if err != nil {
		return nil, nil, err
	}
	ctx, end := context.WithCancel(ctx)
	return &Loan{Path: filepath.Join(dir, name), dir: dir, end: end, close: func() {}}, ctx, nil
}

// End takes the token away.
func (l *Loan) End() error {
	l.end()
	l.close()
	l.workers.Wait()
	return os.RemoveAll(l.dir)
}

// Socket lends the token to whoever connects to a socket: one line, and the end. What
// fails is told to the program as a connection without a line, and to failed.
func Socket(ctx context.Context, runtime string, source Source, failed func(error)) (*Loan, error) {
	l, ctx, err := newLoan(ctx, runtime, "token.sock")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", l.Path)
	if err != nil {
		return nil, errors.Join(err, l.End())
	}
	l.close = func() { _ = listener.Close() }
	l.workers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			l.workers.Go(func() {
				defer conn.Close()
				token, _, err := source(ctx)
				if err == nil {
					_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
					_, err = fmt.Fprintln(conn, token)
				}
				if err != nil && ctx.Err() == nil {
					failed(err)
				}
			})
		}
	})
	return l, nil
}

// File lends the token in a file that is replaced, whole, before the token ends.
func File(ctx context.Context, runtime string, source Source, failed func(error)) (*Loan, error) {
	l, ctx, err := newLoan(ctx, runtime, "token")
	if err != nil {
		return nil, err
	}
	token, expiry, err := source(ctx)
	if err == nil {
		err = l.write(token)
	}
	if err != nil {
		return nil, errors.Join(err, l.End())
	}
	l.workers.Go(func() {
		told := false
		for wait(ctx, expiry) == nil {
			fresh, end, err := source(ctx)
			if err == nil && fresh != token {
				err = l.write(fresh)
			}
			if err != nil {
				if ctx.Err() == nil && !told {
					failed(err)
				}
				told = true
				continue
			}
			token, expiry, told = fresh, end, false
		}
	})
	return l, nil
}

// wait waits until it is worth asking for the token again. While it is fresh that
// costs nothing, and near its end the one who asks renews it.
func wait(ctx context.Context, expiry time.Time) error {
	pause := time.Minute
	if !expiry.IsZero() {
		pause = min(max(time.Until(expiry)/8, time.Second), pause)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Loan) write(token string) error {
	next := filepath.Join(l.dir, "next")
	if err := os.WriteFile(next, []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(next, l.Path)
}
