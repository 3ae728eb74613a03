// Package memstore keeps grants in memory: for tests, and for programs whose
// users log in anew at every start.
package memstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"sync"

	"github.com/regrant/regrant/tokenstore"
)

// A Store is a map, shared between the goroutines of one process. It implements
// tokenstore.Store, Locker and Lister.
type Store struct {
	mu      sync.Mutex
	records map[tokenstore.Key]entry
	locks   map[tokenstore.Key]chan struct{} // holds one element while the key is locked
}

type entry struct {
	data    []byte
	version tokenstore.Version
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Locker = (*Store)(nil)
	_ tokenstore.Lister = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store {
	return &Store{records: map[tokenstore.Key]entry{}, locks: map[tokenstore.Key]chan struct{}{}}
}

// Load returns what was saved last under key.
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.records[key]
	if !ok {
		return nil, "", tokenstore.ErrNotFound
	}
	return bytes.Clone(e.data), e.version, nil
}

// Save replaces what lies under key if its version is still old.
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[key].version != old {
		return "", tokenstore.ErrConflict
	}
	v := tokenstore.Version(rand.Text())
	s.records[key] = entry{bytes.Clone(data), v}
	return v, nil
}

// Delete removes what lies under key if its version is still old.
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.records[key]
	switch {
	case !ok:
		return nil
	case e.version != old:
		return tokenstore.ErrConflict
	}
	delete(s.records, key)
	return nil
}

// Lock waits for the lock of key.
func (s *Store) Lock(ctx context.Context, key tokenstore.Key) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	lock, ok := s.locks[key]
	if !ok {
		lock = make(chan struct{}, 1)
		s.locks[key] = lock
	}
	s.mu.Unlock()
	select {
	case lock <- struct{}{}:
		return sync.OnceFunc(func() { <-lock }), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("memstore: the lock is still held by another: %w", ctx.Err())
	}
}

// List yields the keys of all records that match. It sees the records that are
// there when it begins.
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		s.mu.Lock()
		var keys []tokenstore.Key
		for key := range s.records {
			if matches(match.Issuer, key.Issuer) && matches(match.ClientID, key.ClientID) && matches(match.Account, key.Account) {
				keys = append(keys, key)
			}
		}
		s.mu.Unlock()
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield(tokenstore.Key{}, err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

func matches(want, got string) bool { return want == "" || want == got }
