package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// reserve gives one of all processes the right to ask the user to log in, so
// that ten shells open one browser. It lasts as long as its holder lives: by a
// lock of the store, or by a lease under a key of its own, since there may be no
// record yet to put it into.
func (k *keeper) reserve(ctx context.Context) (release func(), err error) {
	key := k.vault.key
	key.Issuer = "login+" + key.Issuer // no issuer has this scheme
	if locker, ok := k.vault.store.(tokenstore.Locker); ok {
		unlock, err := locker.Lock(ctx, key)
		if err == nil {
			return unlock, nil
		}
		if ctx.Err() != nil {
			return nil, k.stillLoggingIn(ctx)
		}
		// A place that cannot lock, after all: the lease does without.
	}
	v := newVault(&k.client.cfg, key)
	r := &reservation{vault: &v, id: rand.Text()}
	if err := r.acquire(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, k.stillLoggingIn(ctx)
		}
		return nil, k.storeError("save", err)
	}
	return r.hold(ctx), nil
}

func (k *keeper) stillLoggingIn(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrClosed) {
		return &Error{Op: "login", Key: k.vault.key, Err: ErrClosed}
	}
	return &Error{Op: "login", Key: k.vault.key, Temporary: true,
		Err: fmt.Errorf("another process is asking the user to log in: %w", ctx.Err())}
}

// A reservation is the lease of a login.
type reservation struct {
	vault   *vault
	id      string
	version tokenstore.Version
}

func (r *reservation) record() *record.Record {
	return &record.Record{Grant: "login", Intent: &record.Intent{ID: r.id, Lease: lease, Started: time.Now().UTC().Round(0)}}
}

func (r *reservation) acquire(ctx context.Context) error {
	var seen tokenstore.Version
	var since time.Time
	for trouble := 0; ; {
		rec, v, err := r.vault.load(ctx)
		if err != nil {
			return err
		}
		if rec != nil && rec.Intent != nil && rec.Intent.ID != r.id {
			if seen != v || since.IsZero() {
				seen, since = v, time.Now()
			}
			if time.Since(since) < min(rec.Intent.Lease, maxLease) {
				if err := sleep(ctx, nil, jitter(200*time.Millisecond)); err != nil {
					return err
				}
				continue
			}
		}
		v, err = r.vault.save(ctx, r.record(), v)
		switch {
		case err == nil:
			r.version = v
			return nil
		case errors.Is(err, tokenstore.ErrConflict):
		default:
			if trouble++; trouble > 2 {
				return err
			}
		}
	}
}

// hold rewrites the lease until it is released.
func (r *reservation) hold(ctx context.Context) (release func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, nil, beat) == nil {
			if v, err := r.vault.save(ctx, r.record(), r.version); err == nil {
				r.version = v
			} else if errors.Is(err, tokenstore.ErrConflict) && !r.lookAgain(ctx) {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if err := r.vault.delete(ctx, r.version); errors.Is(err, tokenstore.ErrConflict) && r.lookAgain(ctx) {
			_ = r.vault.delete(ctx, r.version) // or it runs out
		}
	}
}

// lookAgain reports whether the reservation is still ours after a conflict: then
// it was only sealed anew (tokenstore.Reseal), or our save took effect after all.
func (r *reservation) lookAgain(ctx context.Context) bool {
	rec, v, err := r.vault.load(ctx)
	if err != nil || rec == nil || rec.Intent == nil || rec.Intent.ID != r.id {
		return false
	}
	r.version = v
	return true
}
