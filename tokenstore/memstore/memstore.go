// Package memstore keeps grants in the memory of one process: for tests, and for
// programs whose users log in anew each time.
package memstore

import (
	"context"
	"crypto/rand"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/regrant/regrant/tokenstore"
)

// A Store is a map. It implements [tokenstore.Store], [tokenstore.Locker] and
// [tokenstore.Lister]; it is not [tokenstore.Protected], so a client seals what
// it keeps here, too. The zero Store is empty and ready to use. A Store must not
// be copied after its first use.
type Store struct {
	mu      sync.Mutex
	records map[tokenstore.Key]record
	held    map[tokenstore.Key]chan struct{} // closed when the lock is freed
}

type record struct {
	data    []byte
	version tokenstore.Version
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Locker = (*Store)(nil)
	_ tokenstore.Lister = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store { return new(Store) }

// Load returns what is kept under key; see [tokenstore.Store].
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[key]
	if !ok {
		return nil, "", tokenstore.ErrNotFound
	}
	return slices.Clone(r.data), r.version, nil
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store].
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[key].version != old {
		return "", tokenstore.ErrConflict
	}
	if s.records == nil {
		s.records = map[tokenstore.Key]record{}
	}
	v := tokenstore.Version(rand.Text())
	s.records[key] = record{data: slices.Clone(data), version: v}
	return v, nil
}

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store].
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[key]
	if ok && r.version != old {
		return tokenstore.ErrConflict
	}
	delete(s.records, key)
	return nil
}

// Lock waits for the lock of key; see [tokenstore.Locker].
func (s *Store) Lock(ctx context.Context, key tokenstore.Key) (unlock func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		freed := s.take(key)
		if freed == nil {
			return sync.OnceFunc(func() { s.free(key) }), nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
		}
	}
}

// take takes the lock of key, or returns what is closed when it is freed.
func (s *Store) take(key tokenstore.Key) (freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.held[key]; ok {
		return c
	}
	if s.held == nil {
		s.held = map[tokenstore.Key]chan struct{}{}
	}
	s.held[key] = make(chan struct{})
	return nil
}

func (s *Store) free(key tokenstore.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.held[key])
	delete(s.held, key)
}

// List yields the keys that match; see [tokenstore.Lister]. It lists what was
// there when the walk began.
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(tokenstore.Key{}, err)
			return
		}
		for _, key := range s.keys() {
			if key.Matches(match) && !yield(key, nil) {
				return
			}
		}
	}
}

func (s *Store) keys() []tokenstore.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.records))
}
