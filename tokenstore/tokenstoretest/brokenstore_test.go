package tokenstoretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

var storeFaults = []fault{
	{"keeps text in a column of UTF-8", "round trip", nil, loading(func(data []byte) []byte { return bytes.ToValidUTF8(data, nil) })},
	{"cuts at NUL", "round trip", nil, loading(func(data []byte) []byte { data, _, _ = bytes.Cut(data, []byte{0}); return data })},
	{"has columns of 64 KiB", "round trip", nil, loading(func(data []byte) []byte { return data[:min(len(data), 1<<16)] })},
	{"hands on the error of its driver", "not found", []string{"delete", "save over deleted", "processes", "save against delete", "absent key"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				if errors.Is(err, tokenstore.ErrNotFound) {
					err = errors.New("sql: no rows in result set")
				}
				return data, v, err
			}
		})
	}},
	{"quotes a version when it is loaded only", "versions", nil, func() func() tokenstore.Store {
		unquote := func(v tokenstore.Version) tokenstore.Version { return tokenstore.Version(strings.Trim(string(v), `"`)) }
		return one(func(f *faulty) {
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				return data, `"` + v + `"`, err
			}
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				return f.Store.Save(ctx, key, data, unquote(old))
			}
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				return f.Store.Delete(ctx, key, unquote(old))
			}
		})
	}},
	{"writes over a file without cutting it", "replace", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if before, _, _ := f.current(key); len(before) > len(data) {
					data = append(bytes.Clone(data), before[len(data):]...)
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"has another error for a conflict", "stale save", []string{"swappers"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if _, v, exists := f.current(key); exists && old != "" && v != old {
					return "", errors.New("412 Precondition Failed")
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"notices a conflict after the write", "stale save changes nothing", []string{"swappers"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if _, v, exists := f.current(key); exists && old != "" && v != old {
					f.force(key, data)
					return "", tokenstore.ErrConflict
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"upserts when it creates", "create over existing", []string{"creators"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if old == "" {
					return f.force(key, data), nil
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"creates again what was deleted", "save over deleted", []string{"save against delete"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if _, _, exists := f.current(key); !exists {
					old = ""
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"empties what is deleted", "delete", []string{"save over deleted", "processes", "save against delete", "deleted"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				if _, _, exists := f.current(key); !exists {
					return nil
				}
				_, err := f.Store.Save(ctx, key, nil, old)
				if data, _, _ := f.current(key); len(data) == 0 {
					return nil
				}
				return err
			}
		})
	}},
	{"deletes whatever is there", "stale delete", []string{"save against delete"}, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.del = func(ctx context.Context, key tokenstore.Key, _ tokenstore.Version) error {
				time.Sleep(2 * moment) // a Save that began at the same time comes first
				_, v, _ := f.current(key)
				return f.Store.Delete(ctx, key, v)
			}
		})
	}},
	{"misses what is to be deleted", "delete absent", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				if _, _, exists := f.current(key); !exists {
					return tokenstore.ErrNotFound
				}
				return f.Store.Delete(ctx, key, old)
			}
		})
	}},
	{"has the hash of the content as version", "versions never repeat", nil, func() func() tokenstore.Store {
		hash := func(data []byte) tokenstore.Version {
			sum := sha256.Sum256(data)
			return tokenstore.Version(hex.EncodeToString(sum[:]))
		}
		return one(func(f *faulty) {
			inner := func(key tokenstore.Key, old tokenstore.Version) tokenstore.Version {
				if data, v, exists := f.current(key); exists && hash(data) == old {
					return v
				}
				return old
			}
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				if err == nil {
					v = hash(data)
				}
				return data, v, err
			}
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if _, err := f.Store.Save(ctx, key, data, inner(key, old)); err != nil {
					return "", err
				}
				return hash(data), nil
			}
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				return f.Store.Delete(ctx, key, inner(key, old))
			}
		})
	}},
	{"folds case", "keys never meet", nil, renaming(func(k tokenstore.Key) tokenstore.Key { k.Account = strings.ToLower(k.Account); return k })},
	{"cuts long names", "keys never meet", nil, renaming(func(k tokenstore.Key) tokenstore.Key { k.Account = k.Account[:min(255, len(k.Account))]; return k })},
	{"joins the fields", "keys never meet", nil, renaming(func(k tokenstore.Key) tokenstore.Key {
		return tokenstore.Key{Account: k.Issuer + "|" + k.ClientID + "|" + k.Account}
	})},
	{"trims spaces", "keys never meet", nil, renaming(func(k tokenstore.Key) tokenstore.Key { k.Account = strings.TrimSpace(k.Account); return k })},
	{"keeps the slice it was given", "input is copied", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			var given sync.Map
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				v, err := f.Store.Save(ctx, key, data, old)
				if err == nil {
					given.Store(v, data)
				}
				return v, err
			}
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				if kept, ok := given.Load(v); ok {
					copy(data, kept.([]byte))
				}
				return data, v, err
			}
		})
	}},
	{"hands out the slice it keeps", "output is copied", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			var kept sync.Map
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				if err != nil {
					return nil, v, err
				}
				shared, _ := kept.LoadOrStore(v, data)
				return shared.([]byte), v, nil
			}
		})
	}},
	{"caches in each process", "processes", nil, func() func() tokenstore.Store {
		shared := memstore.New()
		return func() tokenstore.Store { return newCaching(shared) }
	}},
	{"works on after the end of ctx", "ended context", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				return f.Store.Load(context.WithoutCancel(ctx), key)
			}
		})
	}},
	{"notices the end of ctx too late", "ended context", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				if ctx.Err() != nil {
					time.Sleep(2 * promptness)
				}
				return f.Store.Delete(ctx, key, old)
			}
		})
	}},
	{"looks before it creates", "creators", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				_, _, exists := f.current(key)
				if old != "" || exists || ctx.Err() != nil {
					return f.Store.Save(ctx, key, data, old)
				}
				time.Sleep(moment)
				return f.force(key, data), nil
			}
		})
	}},
	{"looks before it replaces", "swappers", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				if _, v, exists := f.current(key); !exists || v != old {
					return f.Store.Save(ctx, key, data, old)
				}
				time.Sleep(moment)
				if _, v, exists := f.current(key); exists {
					old = v
				}
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
	{"looks before it deletes", "save against delete", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
				if _, v, _ := f.current(key); v == old {
					time.Sleep(2 * moment)
					_, old, _ = f.current(key)
				}
				return f.Store.Delete(ctx, key, old)
			}
		})
	}},
	{"has one version for the whole table", "independent keys", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			var saving atomic.Int32
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				defer saving.Add(-1)
				if saving.Add(1) > 1 {
					return "", tokenstore.ErrConflict
				}
				time.Sleep(moment)
				return f.Store.Save(ctx, key, data, old)
			}
		})
	}},
}

// loading makes a store that changes what it loads.
func loading(change func([]byte) []byte) func() func() tokenstore.Store {
	return func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
				data, v, err := f.Store.Load(ctx, key)
				return change(data), v, err
			}
		})
	}
}

// renaming makes a store that has another idea of what a key is. It does not
// list, because what it would list depends on the idea.
func renaming(rename func(tokenstore.Key) tokenstore.Key) func() func() tokenstore.Store {
	return func() func() tokenstore.Store {
		s := renamed{memstore.New(), rename}
		return func() tokenstore.Store { return s }
	}
}

type renamed struct {
	store  tokenstore.Store
	rename func(tokenstore.Key) tokenstore.Key
}

func (s renamed) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	return s.store.Load(ctx, s.rename(key))
}

func (s renamed) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	return s.store.Save(ctx, s.rename(key), data, old)
}

func (s renamed) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	return s.store.Delete(ctx, s.rename(key), old)
}

// newCaching returns a store that remembers what it loaded or saved until one of
// its own changes.
func newCaching(shared *memstore.Store) tokenstore.Store {
	type content struct {
		data []byte
		v    tokenstore.Version
	}
	var cache sync.Map
	f := &faulty{Store: shared}
	f.load = func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
		if c, ok := cache.Load(key); ok && ctx.Err() == nil {
			return bytes.Clone(c.(content).data), c.(content).v, nil
		}
		data, v, err := f.Store.Load(ctx, key)
		if err == nil {
			cache.Store(key, content{bytes.Clone(data), v})
		}
		return data, v, err
	}
	f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
		cache.Delete(key)
		return f.Store.Save(ctx, key, data, old)
	}
	f.del = func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
		cache.Delete(key)
		return f.Store.Delete(ctx, key, old)
	}
	return f
}
