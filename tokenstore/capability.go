package tokenstore

import (
	"context"
	"iter"
)

// A Locker is a Store that can also lock a key. The lock is an accelerator, not
// what safety rests on (that is the compare-and-swap of Save): it lets a
// process wait for another's renewal without polling, and tells it at once
// that the other has died.
type Locker interface {
	// Lock waits until it holds the lock of key, or until ctx ends; then it
	// returns an error for which errors.Is(err, ctx.Err()) holds.
	//
	// At most one holder has the lock of a key at a time, among all the
	// goroutines and processes that share the place. The lock is freed when
	// unlock is called (calling it again does nothing) or at once when the
	// holder's process dies, and never before: a lock with a time limit, or
	// one bound to a connection that may break, is not a Locker. Load, Save
	// and Delete work whoever holds the lock.
	//
	// The key need not exist in the store.
	Lock(ctx context.Context, key Key) (unlock func(), err error)
}

// A Lister is a Store that can tell what it keeps.
type Lister interface {
	// List yields the keys of all records that match, in no particular order;
	// an empty field of match matches everything. A key that exists during
	// the whole walk is yielded exactly once; others at most once. The store
	// can be used inside the loop.
	//
	// A key that cannot be read is yielded with an error and the walk goes
	// on, if the place allows it; an error of the place itself, or the end of
	// ctx, is yielded once with an empty Key and ends the walk.
	List(ctx context.Context, match Key) iter.Seq2[Key, error]
}

// Protected marks a Store that keeps secrets secret by itself. Any other Store
// is given sealed bytes only: the client refuses to work without a [Sealer].
//
// To keep grants in clear on purpose, wrap a store in a type with this method.
// A wrapper that embeds the Store interface does not inherit the mark, nor
// Locker or Lister: it fails closed.
type Protected interface{ Protected() }
