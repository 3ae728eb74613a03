// Package customstore is a whole store of one's own: grants in a file of bbolt. It
// keeps the contract of [tokenstore.Store], which its test proves with
// tokenstoretest.
//
// bbolt lets one process at a time open a file, so this store is for the
// goroutines of one; a second process waits in bbolt.Open.
package customstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/regrant/regrant/tokenstore"
)

// A Store is a bucket of an open database. It is not tokenstore.Protected, so a
// client seals what it keeps here.
type Store struct{ DB *bbolt.DB }

// Load returns what is kept under key; see [tokenstore.Store].
func (s Store) Load(ctx context.Context, key tokenstore.Key) (data []byte, v tokenstore.Version, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	err = s.DB.View(func(tx *bbolt.Tx) error {
		data, v, err = split(tx.Bucket(bucket), key)
		return err
	})
	return data, v, err
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store]. It is on the disk when Save returns.
func (s Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	v := rand.Text() // fresh and random: versions are never given again
	err := s.swap(ctx, key, old, func(b *bbolt.Bucket) error { return b.Put(name(key), append([]byte(v), data...)) })
	if err != nil {
		return "", err
	}
	return tokenstore.Version(v), nil
}

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store].
func (s Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	err := s.swap(ctx, key, old, func(b *bbolt.Bucket) error { return b.Delete(name(key)) })
	if errors.Is(err, tokenstore.ErrConflict) {
		if _, _, err := s.Load(ctx, key); errors.Is(err, tokenstore.ErrNotFound) {
			return nil
		}
	}
	return err
}

// swap is the compare-and-swap: bbolt runs one Update at a time.
func (s Store) swap(ctx context.Context, key tokenstore.Key, old tokenstore.Version, change func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.DB.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		if _, v, _ := split(b, key); v != old {
			return tokenstore.ErrConflict
		}
		return change(b)
	})
}

var bucket = []byte("grants")

func name(key tokenstore.Key) []byte { return []byte(key.String()) }

// split takes apart what lies under key: 26 characters of rand.Text, and the data.
func split(b *bbolt.Bucket, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	if b == nil {
		return nil, "", tokenstore.ErrNotFound
	}
	switch value := b.Get(name(key)); {
	case value == nil:
		return nil, "", tokenstore.ErrNotFound
	case len(value) < 26:
		return nil, tokenstore.Version(value), tokenstore.ErrUnreadable
	default:
		return bytes.Clone(value[26:]), tokenstore.Version(value[:26]), nil // bbolt's memory ends with the transaction
	}
}
