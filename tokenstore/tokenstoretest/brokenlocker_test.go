package tokenstoretest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A lockFunc is the Lock of a store.
type lockFunc func(ctx context.Context, key tokenstore.Key) (func(), error)

// locking makes a store whose Lock is made from the right one.
func locking(wrap func(right lockFunc) lockFunc) func() func() tokenstore.Store {
	return func() func() tokenstore.Store {
		return one(func(f *faulty) { f.lock = wrap(f.Store.Lock) })
	}
}

var lockerFaults = []fault{
	{"looks before it locks", "exclusion", nil, locking(func(lockFunc) lockFunc {
		var t table
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			for t.locked(key) {
				if err := sleep(ctx, moment); err != nil {
					return nil, err
				}
			}
			time.Sleep(moment)
			t.take(key)
			return sync.OnceFunc(func() { t.free(key) }), nil
		}
	})},
	{"locks within a process", "exclusion", []string{"unlock twice", "end of a wait", "end of a context"}, func() func() tokenstore.Store {
		shared := memstore.New()
		return func() tokenstore.Store { return &faulty{Store: shared, lock: memstore.New().Lock} }
	}},
	{"lets a waiter look again after an hour", "unlock", []string{"exclusion"}, locking(func(lockFunc) lockFunc {
		var t table
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			for !t.take(key) {
				if err := sleep(ctx, time.Hour); err != nil {
					return nil, err
				}
			}
			return sync.OnceFunc(func() { t.free(key) }), nil
		}
	})},
	{"frees whoever holds the lock", "unlock twice", nil, locking(func(lockFunc) lockFunc {
		var t table
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			for !t.take(key) {
				if err := sleep(ctx, moment); err != nil {
					return nil, err
				}
			}
			return func() { t.free(key) }, nil
		}
	})},
	{"has its own error for the end of a wait", "end of a wait", nil, locking(func(right lockFunc) lockFunc {
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			unlock, err := right(ctx, key)
			if err != nil {
				err = errors.New("lock wait timeout exceeded")
			}
			return unlock, err
		}
	})},
	{"waits for ever", "end of a wait", []string{"unlock twice", "end of a context", "nothing is left of a wait"}, locking(func(right lockFunc) lockFunc {
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			enough, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer cancel()
			return right(enough, key)
		}
	})},
	{"goes on waiting behind the back of the caller", "nothing is left of a wait", nil, locking(func(right lockFunc) lockFunc {
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			unlock, err := right(ctx, key)
			if err != nil {
				go func() {
					if unlock, err := right(context.WithoutCancel(ctx), key); err == nil {
						time.Sleep(time.Hour)
						unlock()
					}
				}()
			}
			return unlock, err
		}
	})},
	{"binds the lock to a connection that ends with ctx", "end of a context", nil, locking(func(right lockFunc) lockFunc {
		return func(ctx context.Context, key tokenstore.Key) (func(), error) {
			unlock, err := right(ctx, key)
			if err == nil {
				context.AfterFunc(ctx, unlock)
			}
			return unlock, err
		}
	})},
	{"has one lock", "other keys", nil, locking(func(right lockFunc) lockFunc {
		return func(ctx context.Context, _ tokenstore.Key) (func(), error) { return right(ctx, tokenstore.Key{}) }
	})},
	{"locks the row", "work", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				unlock, err := f.Store.Lock(ctx, key)
				if err != nil {
					return "", err
				}
				defer unlock()
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"makes a row to lock it", "absent key", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.lock = func(ctx context.Context, key tokenstore.Key) (func(), error) {
				unlock, err := f.Store.Lock(ctx, key)
				if _, _, exists := f.current(key); err == nil && !exists {
					f.force(key, nil)
				}
				return unlock, err
			}
		})
	}},
}

// A table says how often a key is locked.
type table struct {
	mu sync.Mutex
	n  map[tokenstore.Key]int
}

func (t *table) locked(key tokenstore.Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n[key] > 0
}

// take locks key once more, and reports whether it was free.
func (t *table) take(key tokenstore.Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[tokenstore.Key]int{}
	}
	t.n[key]++
	return t.n[key] == 1
}

// free forgets all who locked key.
func (t *table) free(key tokenstore.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.n, key)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return ctx.Err()
}
