package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/regrant/regrant/internal/seal"
)

// Reseal seals every record of store with what sealer seals with now: the first
// key of [NewSealer], the first Sealer of [NewRotation]. It walks while the loop
// over it runs, and yields the key of each record that it has sealed anew; with
// an error, one that it could not. A record that does not open stays as it is
// ([ErrUnreadable]), and the walk goes on after any error for as long as the loop
// does and ctx lasts. An error with an empty Key is that of the whole, and the
// last: the store cannot list what it keeps ([errors.ErrUnsupported]), or fails.
//
// What is sealed with the new key already is only read, and is not yielded. So a
// walk that was cut short is resumed by another; and once a whole one yields
// nothing, nothing needs the old key any more. A Sealer that is not of this
// package cannot tell what it has sealed with which key, so each walk seals
// everything anew; give it to NewRotation, beside one that has the old key.
//
// Clients may work meanwhile, provided that each of them opens what the new key
// seals. So on more than one machine rotate in three steps, each everywhere
// before the next: NewSealer(old, new), NewSealer(new, old) followed by Reseal,
// NewSealer(new). Nothing is ever written over what a client has saved, and a
// renewal that is under way goes on.
//
// A [Protected] store seals with a key of its own, which Reseal does not touch:
// there it is for clients whose Config has a Sealer nevertheless.
func Reseal(ctx context.Context, store Store, sealer Sealer) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		lister, ok := store.(Lister)
		switch {
		case !ok:
			yield(Key{}, fmt.Errorf("tokenstore: cannot seal anew what %T keeps: it is no Lister: %w", store, errors.ErrUnsupported))
			return
		case sealer == nil:
			yield(Key{}, errors.New("tokenstore: the Sealer is nil"))
			return
		}
		for key, err := range lister.List(ctx, Key{}) {
			done := false
			if err == nil {
				done, err = reseal(ctx, store, sealer, key)
			}
			if (done || err != nil) && !yield(key, err) || ctx.Err() != nil && err != nil {
				return
			}
		}
	}
}

// manyConflicts is more of them than clients bring about, who save a record every
// few seconds at most.
const manyConflicts = 20

// reseal reports whether it has sealed the record anew.
func reseal(ctx context.Context, store Store, sealer Sealer, key Key) (done bool, err error) {
	for range manyConflicts {
		data, v, err := store.Load(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return false, nil // deleted meanwhile
		}
		if err != nil {
			return false, err
		}
		plaintext, current, err := seal.Open(sealer, data, key.AssociatedData())
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		if current {
			return false, nil
		}
		data, err = sealer.Encrypt(plaintext, key.AssociatedData())
		if err != nil {
			return false, fmt.Errorf("tokenstore: the record cannot be sealed: %w", err)
		}
		_, err = store.Save(ctx, key, data, v)
		if !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("%w, again and again", ErrConflict)
}
